"""What the table of gestures is made of: what a gesture is answered from, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from nn3d.stage import camera as cameras
from nn3d.stage.commands import Command
from nn3d.stage.controls.requests import Request
from nn3d.stage.frame import Frame
from nn3d.stage.state import Camera, Thing, ViewState

MOUSE: Final = ("drag", "wheel", "move", "click", "double click", "shift click")
CAPS: Final = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "-": "−"}


Act = Command | Request
Acts = tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What a gesture is answered from.

    frame : the picture that the user sees; its state may be older than `state`.
    wrong : indices of the samples that are predicted wrong at this epoch, ascending.
    at_px, delta_px : pointer, and how far it moved (drag). wheel : clicks of the wheel, away from the user positive.
    thing : what is under the pointer. compose : the picture of another state, for gestures that fly to what is not
    visible yet; None: only what the frame shows can be flown to. marks : epoch indices at which something happened,
    ascending.
    """

    state: ViewState
    frame: Frame
    wrong: tuple[int, ...] = ()
    at_px: tuple[float, float] = (0.0, 0.0)
    delta_px: tuple[float, float] = (0.0, 0.0)
    wheel: float = 0.0
    thing: Thing | None = None
    compose: Callable[[ViewState], Frame] | None = None
    marks: tuple[int, ...] = ()

    @property
    def camera(self) -> Camera:
        """The camera as it is now, free of fit; exact even when the frame is older than the state."""
        if self.state.camera.fit or self.state.flight is not None:
            return cameras.resolve(self.frame)
        return self.state.camera


Handler = Callable[[Context], Acts]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. caps : what help shows, key by key. handlers : trigger → what it does.

    names : trigger → what that key alone does, for the palette, where the row has several.
    """

    group: str
    words: str
    caps: tuple[str, ...]
    handlers: MappingProxyType[str, Handler]
    names: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def named(self, *names: str) -> Row:
        """The row with words for each of its triggers, in order."""
        return replace(self, names=MappingProxyType(dict(zip(self.handlers, names, strict=True))))

    def key_words(self) -> tuple[tuple[str, str, str], ...]:
        """(trigger, words, cap) of each key; several keys with the same words count once, mouse gestures not at all."""
        found: dict[str, tuple[str, str, str]] = {}
        for trigger in self.handlers:
            if trigger.startswith(MOUSE):
                continue
            words = self.names.get(trigger, self.words)
            words = words[0].upper() + words[1:]
            found.setdefault(words, (trigger, words, cap_of(trigger)))
        return tuple(found.values())


def cap_of(trigger: str) -> str:
    """A key as it is written on its cap: "Ctrl ←"."""
    *words, key = trigger.split(" ")
    return " ".join([*words, CAPS.get(key, key)])
