"""Owns names of parameters that wrappers made longer: DataParallel's "module.", a compiled module's "_orig_mod."."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")

PREFIXES = ("module.", "_orig_mod.", "model.")


def without_prefix(state: Mapping[str, Value]) -> dict[str, Value]:
    """The same by names without a wrapper's prefix, where all names have it."""
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)
