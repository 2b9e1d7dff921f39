"""Owns the last net under every reader: whatever a broken file makes one raise becomes one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nn3d.errors import Nn3dError, SourceError


@contextmanager
def told_in_one_line(path: Path, what: str = "a file that can be read") -> Iterator[None]:
    """Errors that a reader did not foresee become SourceError; their cause stays with them (`--debug` shows it)."""
    try:
        yield
    except Nn3dError:
        raise
    except MemoryError as error:
        raise SourceError(f"{path}: expected {what}, got one that memory has no room for.") from error
    except Exception as error:  # readers of broken files fail in many ways
        words = f"{type(error).__name__}: {str(error)[:200]}"
        raise SourceError(f"{path}: expected {what}, got a broken one ({words}). Save it again.") from error
