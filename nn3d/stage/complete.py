"""A frame with everything in it, for those who can wait for it: no loader thread, no window."""

from __future__ import annotations

from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState


def compose(run: Run, state: ViewState | None = None, *, resident: Resident | None = None) -> Frame:
    """What a renderer needs for one picture of a run, as plain numpy: public as nn3d.compose.

    state : the view; the first view of the run when None.
    resident : what is in memory already, kept between calls; a fresh one when None.
    Raises Nn3dError when the view needs more values at once than the memory budget holds.
    """
    resident = Resident(run) if resident is None else resident
    state = initial_state(run, resident) if state is None else state
    frame = compose_frame(run, state, resident)
    while frame.missing:
        for need in frame.missing:
            resident.warm(need)  # type: ignore[arg-type]
        again = compose_frame(run, state, resident)
        if set(again.missing) >= set(frame.missing):
            raise Nn3dError("the picture needs more values at once than the memory budget holds: open fewer layers")
        frame = again
    return frame
