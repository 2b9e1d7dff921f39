"""How often a picture that is still being read is put together anew: seldom enough that reading goes on meanwhile."""

from __future__ import annotations

from typing import Final

LEAST_SECS: Final = 0.05
SHARE: Final = 2.0  # of the time that the last picture took


class Glances:
    """Remembers when a picture was drawn, and how long it took. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._due = 0.0

    def drew(self, begin: float, end: float) -> None:
        """A picture was put together and drawn."""
        self._due = end + max(LEAST_SECS, SHARE * (end - begin))

    def is_due(self, now: float) -> bool:
        """Whether the next one is due, though more is still to be read."""
        return now >= self._due
