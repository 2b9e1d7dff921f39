"""What the table of gestures is made of: what a gesture is answered from, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from nn3d.stage import camera as cameras
from nn3d.stage.commands import Command
from nn3d.stage.frame import Frame
from nn3d.stage.state import Camera, Thing, ViewState


@dataclass(frozen=True, slots=True)
class SavePicture:
    """Asks the window for a PNG of the picture: it changes no state, so it is no command."""


Act = Command | SavePicture
Acts = tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What a gesture is answered from.

    frame : the picture that the user sees; its state may be older than `state`.
    wrong : indices of the samples that are predicted wrong at this epoch, ascending.
    at_px, delta_px : pointer, and how far it moved (drag). wheel : clicks of the wheel, away from the user positive.
    thing : what is under the pointer.
    """

    state: ViewState
    frame: Frame
    wrong: tuple[int, ...] = ()
    at_px: tuple[float, float] = (0.0, 0.0)
    delta_px: tuple[float, float] = (0.0, 0.0)
    wheel: float = 0.0
    thing: Thing | None = None

    @property
    def camera(self) -> Camera:
        """The camera as it is now, free of fit; exact even when the frame is older than the state."""
        if self.state.camera.fit or self.state.flight is not None:
            return cameras.resolve(self.frame)
        return self.state.camera


Handler = Callable[[Context], Acts]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. caps : what help shows, key by key. handlers : trigger → what it does."""

    group: str
    words: str
    caps: tuple[str, ...]
    handlers: MappingProxyType[str, Handler]
