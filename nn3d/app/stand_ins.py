"""Which epochs stand in for one that is still being read: where the playhead goes, and what was whole last."""

from __future__ import annotations

from nn3d.stage.frame import Frame
from nn3d.stage.state import ViewState


class StandIns:
    """Remembers the last epoch of which everything was there."""

    def __init__(self) -> None:
        self._whole: int | None = None

    def epochs(self, state: ViewState) -> tuple[int, ...]:
        """Epoch indices for `compose_frame`, the best first."""
        goal = () if state.time.is_playing or state.time.target == state.time.epoch else (round(state.time.target),)
        return goal if self._whole is None else (*goal, self._whole)

    def note(self, frame: Frame) -> None:
        """A frame was composed."""
        if not frame.missing:
            self._whole = round(frame.state.time.epoch)
