"""What the window does beside drawing: files, tours, tensors, films, own pictures, the clipboard, a run that grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import glfw

from nn3d.app import clipboard
from nn3d.app.edited import FilePulse
from nn3d.app.errands import Errands
from nn3d.app.facts import Facts
from nn3d.app.filming import Filming
from nn3d.app.following import Following
from nn3d.app.guide import Guide
from nn3d.app.own_reader import OwnReader, is_picture
from nn3d.app.panels.pad import new_name
from nn3d.app.picture import Picture
from nn3d.app.saving import save_picture
from nn3d.app.surface import Surface
from nn3d.app.visit import Visit
from nn3d.errors import Nn3dError
from nn3d.run.own import OwnInput
from nn3d.run.ports import Reader
from nn3d.run.run import Run
from nn3d.stage.commands import AddOwn, Grow
from nn3d.stage.controls import Act
from nn3d.stage.controls.requests import (
    AskFile,
    CancelOpening,
    CopyText,
    CopyValues,
    CopyView,
    EndGuide,
    ForgetFiles,
    ForgiveError,
    GuideBy,
    GuideTo,
    OpenDemo,
    OpenFile,
    PlayGuide,
    RecordFilm,
    Request,
    SavePicture,
    SaveTensor,
    Tell,
)
from nn3d.stage.frame import Frame
from nn3d.stage.state import ViewState
from nn3d.stage.tour import Tour
from nn3d.stage.viewstring import to_text


class Host(Protocol):
    """The window, as far as its services need it. next : the run that takes this one's place, with its path."""

    state: ViewState
    frame: Frame
    next: tuple[Path, Run] | None

    def do(self, acts: Iterable[Act], *, stroke: int | None = None) -> None:
        """Apply commands, in order."""
        ...

    def awake(self) -> None:
        """Draw once more."""
        ...


class Service:
    """The services of one window on one run. guide : its tour, if it has one. filming : what is recorded."""

    def __init__(
        self, host: Host, run: Run, visit: Visit, surface: Surface, picture: Picture, facts: Facts, *,
        reader: Reader | None, following: Following | None,
    ) -> None:  # fmt: skip
        self.guide: Guide | None = None
        self.filming = surface.filming = Filming(run)
        self._host, self._run, self._visit = host, run, visit
        self._surface, self._picture = surface, picture
        self._own = OwnReader(run, reader, glfw.post_empty_event) if reader is not None else None
        self._errands = Errands(facts, glfw.post_empty_event)
        self._following = following
        surface.pulse = following.pulse if following is not None else None

    def offer(self, tour: Tour | None, compose: Callable[[ViewState], Frame]) -> None:
        """Offer a tour. compose : the frame of a state."""
        self.guide = self._surface.guide = Guide(tour, compose) if tour is not None else None

    @property
    def is_waiting(self) -> bool:
        """A file or a picture is on its way: look again soon."""
        is_reading = self._own is not None and self._own.is_waiting
        is_opening = self._visit.is_waiting and not self._visit.is_expecting
        is_touring = self.guide is not None and self.guide.is_playing
        return is_opening or is_reading or is_touring or self._errands.is_waiting

    @property
    def has_news(self) -> bool:
        """Something has come from outside: a file, or epochs of a run that grows."""
        return self._visit.has_come or (self._following is not None and self._following.has_news)

    def due(self, secs: float, *, is_moving: bool) -> None:
        """Let time pass for the tour."""
        step = self.guide.pass_time(secs, is_moving=is_moving) if self.guide is not None else None
        if step is not None:
            self._host.do([GuideTo(step)])

    def close(self) -> None:
        """Stop what is under way."""
        self._errands.close()
        self.filming.close()

    def look(self, dropped: tuple[Path, ...], now: float) -> None:
        """Open what was dropped, take what was opened, say what there is to say."""
        if dropped and self._own is not None and is_picture(dropped[0]):
            self._own.begin(dropped[0], new_name(self._host.state))
        elif dropped:
            self._visit.open(dropped[0])
        came = self._own.arrived() if self._own is not None else None
        if isinstance(came, OwnInput):
            self._host.do([AddOwn(came, "soon")])
        elif came is not None:
            self._surface.say(str(came), now)
        if self._visit.is_waiting:
            self._host.next = self._visit.arrived()
            self._host.awake()
        if self._following is not None and self._host.next is None:
            self._grow(self._following)
        if self._visit.message:
            self._surface.say(self._visit.message, now)
            self._visit.message = ""
        while (outcome := self._errands.arrived()) is not None:
            if outcome.text is not None:
                clipboard.write(outcome.text)
            self._surface.say(outcome.message, now)
            self._host.awake()
        if self.filming.is_busy:
            self._film(now)
        self._visit.keep(replace(self._visit.settings, theme=self._host.state.theme))

    def _grow(self, following: Following) -> None:
        """Take what the run has grown by, or the run that was begun in its place."""
        news = following.take()
        if news.epochs:
            following.growing.take(news.epochs)
            self._host.do([Grow(len(self._run.epochs))])
        if news.successor is not None:
            same = news.successor.header.run_id == self._run.header.run_id
            what = "The run was thinned in" if same else "Another run was begun in"
            what = "Read anew:" if isinstance(following.pulse, FilePulse) else what
            self._visit.message = f"{what} {following.path.name}"
            self._host.next = (following.path, news.successor)
        self._surface.pulse = following.pulse

    def ask(self, request: Request) -> None:
        """What is asked of the window itself."""
        match request:
            case SavePicture():
                self._save()
            case RecordFilm(epochs):
                self._record(epochs=epochs)
            case OpenFile(path):
                self._visit.open(Path(path))
            case OpenDemo():
                self._visit.open_demo()
            case AskFile():
                self._visit.ask()
            case CancelOpening():
                self._visit.cancel()
            case ForgiveError():
                self._visit.forgive()
            case ForgetFiles():
                self._visit.forget()
            case CopyText(text, said):
                self._copy(text, said)
            case Tell(text):
                self._surface.say(text, time.monotonic())
            case GuideTo() | GuideBy() | PlayGuide() | EndGuide():
                self._guided(request)
            case SaveTensor() | CopyValues():
                self._errands.begin(request, self._host.state, self._host.frame)
            case CopyView():
                self._copy(to_text(self._host.state), "Copied the view: nn3d view FILE --state … shows it again")

    def _guided(self, request: GuideTo | GuideBy | PlayGuide | EndGuide) -> None:
        """What is asked of the tour."""
        guide = self.guide
        if guide is None:
            self._surface.say("There is no tour of this network", time.monotonic())
        elif isinstance(request, EndGuide):
            self._host.do([guide.end()])
            self.guide = self._surface.guide = None
        elif isinstance(request, PlayGuide):
            guide.play(on=request.on)
        else:
            step = request.step if isinstance(request, GuideTo) else guide.step + request.steps
            self._host.do(guide.go(step, self._host.state))

    def _copy(self, text: str, said: str) -> None:
        clipboard.write(text)
        self._surface.say(said, time.monotonic())

    def _record(self, *, epochs: bool) -> None:
        now = time.monotonic()
        said = self.filming.epochs(self._host.state) if epochs else self.filming.turn(self._host.state, now)
        if said:
            self._surface.say(said, now)

    def _film(self, now: float) -> None:
        """Say what came of a film, and end a recording that is as long as one may be."""
        if self.filming.is_full(now):
            self._record(epochs=False)
        said = self.filming.arrived()
        if said:
            self._surface.say(said, now)
            self._host.awake()

    def _save(self) -> None:
        try:
            path = save_picture(self._picture.still(self._host.state), self._run, self._host.state)
            message = f"Saved {path}"
        except (Nn3dError, OSError) as error:
            message = str(error)
        self._surface.say(message, time.monotonic())
