"""A frame with everything in it, for those who can wait for it: no loader thread, no window."""

from __future__ import annotations

from nn3d.run.run import Run
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState


def compose(run: Run, state: ViewState | None = None, *, resident: Resident | None = None) -> Frame:
    """What a renderer needs for one picture of a run, as plain numpy: public as nn3d.compose.

    state : the view; the first view of the run when None. What its memory budget has no room for is left out, and the
    picture says so. resident : what is in memory already, kept between calls; a fresh one when None.
    """
    resident = Resident(run) if resident is None else resident
    state = initial_state(run, resident) if state is None else state
    frame = compose_frame(run, state, resident)
    while frame.missing:
        for need in frame.missing:
            while not resident.warm(need, frame.wanted):  # type: ignore[arg-type]
                pass
        frame = compose_frame(run, state, resident)
    return frame
