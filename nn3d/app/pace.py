"""How much is drawn while something moves: fewer curve samples a strand, fewer still when frames take long."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.stage.state import Budget

REST_SAMPLES: Final = 44
MOTION_SAMPLES: Final = 24
SLOW_SAMPLES: Final = 8
SLOW_SECS: Final = 0.05
SHADE_SECS: Final = 0.012  # of a 60th, what is left for ambient shade and seams
SETTLE_SECS: Final = 0.15
LONGEST_STEP_SECS: Final = 0.5
FIRST_STEP_SECS: Final = 1.0 / 60.0
HOLD_SECS: Final = 0.3


class Patience:
    """How long the picture before stays on screen while the next one is still being read: no plate blinks."""

    def __init__(self) -> None:
        self._since: float | None = None

    def holds(self, now: float, *, lacks: bool) -> bool:
        """Whether to wait for a picture that lacks something: from when it first did, for 0.3 s at the most."""
        if not lacks:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since < HOLD_SECS


class Pace:
    """Watches the frames of a motion. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self.frame_secs = 0.0
        self._last: float | None = None
        self._moved_at = -1e9

    def step(self, now: float, *, is_moving: bool) -> float:
        """Seconds that this frame stands for: since the last one of the same motion, or one 60th at its start."""
        if not is_moving:
            self._last = None
            return 0.0
        self._moved_at = now
        if self._last is None:
            dt = FIRST_STEP_SECS
        else:
            dt = min(now - self._last, LONGEST_STEP_SECS)
            self.frame_secs = dt if self.frame_secs == 0.0 else 0.6 * self.frame_secs + 0.4 * dt
        self._last = now
        return dt

    def is_settled(self, now: float) -> bool:
        """Long enough at rest for the full picture."""
        return now - self._moved_at >= SETTLE_SECS

    def budget(self, budget: Budget, now: float) -> Budget:
        """The budget for the next frame."""
        if self.is_settled(now):
            return replace(budget, samples=REST_SAMPLES, shade=True, seams=True)
        samples = SLOW_SAMPLES if self.frame_secs > SLOW_SECS else MOTION_SAMPLES
        is_quick = self.frame_secs <= SHADE_SECS
        return replace(budget, samples=samples, shade=is_quick, seams=is_quick)
