"""What the commands share: how a command is applied, and checks of what it names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nn3d.errors import Nn3dError
from nn3d.stage.state import ViewState

Appliers = dict[type[Any], Callable[[ViewState, Any], ViewState]]


def toward(value: float, goal: float, step: float) -> float:
    """`value` moved by at most `step` toward `goal`."""
    return goal if abs(goal - value) <= step else value + math.copysign(step, goal - value)


def one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    """`value`, which has to be one of `allowed`. Raises Nn3dError."""
    if value not in allowed:
        raise Nn3dError(f"{what} should be one of {', '.join(allowed)}, got {value!r}")
    return value
