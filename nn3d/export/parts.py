"""A file on its way: written beside its name under another one, put there when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from nn3d.errors import ExportError


def part_of(goal: Path) -> Path:
    """The name that a file has until it is whole: hidden, in the same folder, this process's own."""
    return goal.with_name(f".{goal.name}.{os.getpid()}.part{goal.suffix}")


def refuse(goal: Path, error: OSError) -> ExportError:
    """What is said when `goal` cannot be written."""
    return ExportError(f"{goal}: cannot write ({error.strerror or error}). Choose another folder.")
