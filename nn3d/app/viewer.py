"""The main loop: events → commands → state → frame → picture → panels. The only clock that moves a picture is here.

Nothing is drawn while nothing changes: the loop sleeps until an event, the loader, or the end of a timer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import glfw

from nn3d.app import keyboard
from nn3d.app.ahead import Ahead, is_going
from nn3d.app.cards import fitting_panels
from nn3d.app.desk import Names
from nn3d.app.events import Events, Gesture, Window, framebuffer_scale
from nn3d.app.facts import Facts
from nn3d.app.following import Following
from nn3d.app.glances import Glances
from nn3d.app.guide import Guide, tour_of
from nn3d.app.heap import Heap
from nn3d.app.hovering import Hovering
from nn3d.app.loader import Loader
from nn3d.app.pace import REST_SAMPLES, Pace, Patience
from nn3d.app.picture import Picture, Pixels
from nn3d.app.placing import Placing
from nn3d.app.service import Service
from nn3d.app.stand_ins import StandIns
from nn3d.app.surface import Surface
from nn3d.app.tracks import Tracks
from nn3d.app.visit import Visit
from nn3d.errors import Nn3dError
from nn3d.run.own import OwnInput
from nn3d.run.ports import Reader
from nn3d.run.run import Run
from nn3d.stage.commands import (
    AddOwn,
    Advance,
    Command,
    EditOwn,
    Follow,
    Resize,
    SetBudget,
    SetPanels,
    StartWave,
    apply,
    is_moving,
)
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.controls import Act, Context
from nn3d.stage.controls.requests import Redo, Request, Undo
from nn3d.stage.frame import Frame
from nn3d.stage.framing import group_at, layer_at_post
from nn3d.stage.own import own_inputs
from nn3d.stage.resident import Need, Resident
from nn3d.stage.state import Thing, ViewState
from nn3d.stage.tour import Tour

REFIT_SECS: Final = 0.45
SETTLE_FRAMES: Final = 3
DIALOG_SECS: Final = 0.1
LONGEST_SLEEP_SECS: Final = 0.5


def unheard(_: Command) -> None:
    """Nobody records."""


class Viewer:
    """A window while it shows one run, or, before there is one, the empty bench of the bundled run behind a drop card.

    visit : the window's files. is_empty : there is no run yet.
    next : the run that takes this one's place, with its path, once one has been opened.
    state : what is shown. frame : what was composed from it. layout : where the cards lie.
    draws : frames put on the screen so far.
    """

    def __init__(
        self, window: Window, run: Run, state: ViewState | None, visit: Visit, *, is_empty: bool = False,
        resident: Resident | None = None, reader: Reader | None = None, tour: Tour | None = None,
        on_command: Callable[[Command], None] = unheard, following: Following | None = None,
        heap: Heap | None = None,
    ) -> None:  # fmt: skip
        self.draws = 0
        self._on_command = on_command
        self._heap = heap if heap is not None else Heap()
        self.visit = visit
        self.next: tuple[Path, Run] | None = None
        self._window, self.is_empty = window, is_empty
        window.title = "nn3d" if is_empty else f"{run.name or 'nn3d'} – nn3d"
        self._resident = Resident(run) if resident is None else resident
        self._facts = Facts(run, self._resident)
        names = Names(run.name or "Network", Path(run.path).name if run.path else "")
        self._surface = Surface(self._window.ctx, self._facts, names, visit, is_empty=is_empty)
        self._picture = Picture(self._window.ctx, run, self._resident)
        self._hovering = Hovering(run, self._picture)
        self._loader = Loader(
            self._resident, self._facts, glfw.post_empty_event, is_lenient=following is not None
        )
        self._service = Service(
            self, run, visit, self._surface, self._picture, self._facts, reader=None if is_empty else reader,
            following=following,
        )  # fmt: skip
        self._events = Events(self._window, self._is_card, time.monotonic)
        self._pace, self._patience, self._ahead = Pace(), Patience(), Ahead(run, self._resident)
        self._is_held = self._is_new = False
        self._stand_ins, self._glances = StandIns(), Glances()
        self._passed = time.monotonic()
        self._run = run
        self._version = -1
        self._facts_version = 0
        self._settle = SETTLE_FRAMES
        self._placing = Placing(run, self._resident)
        self._service.offer(tour or (None if is_empty else tour_of(run)), self._picture_of)
        self._tracks = Tracks(visit.shelf(run.identity))
        self.state = self._tracks.first(self._given_state(state))
        self._first_fit()
        if following is not None and self.state.live is None:
            self._apply(Follow(round(self.state.time.target) == self.state.n_epochs - 1))
        self.frame: Frame = self._composed()
        self.layout = self._surface.lay_out(self.state, self.frame)
        self._place(0.0)

    def _given_state(self, state: ViewState | None) -> ViewState:
        size, scale = self._logical_size()
        return initial_state(self._run, self._resident, size_px=size, scale=scale) if state is None else state

    def _first_fit(self) -> None:
        size, scale = self._logical_size()
        self._apply(Resize(size, scale))
        self._apply(SetPanels(fitting_panels(self.state.panels, size[0])))

    def _logical_size(self) -> tuple[tuple[int, int], float]:
        scale = framebuffer_scale(self._window)
        w, h = glfw.get_framebuffer_size(self._window.handle)
        return (max(1, round(w / scale)), max(1, round(h / scale))), scale

    def _is_card(self, x: float, y: float) -> bool:
        if self.state.search.kind:
            return True
        return self.is_empty or bool(self.visit.error) or self.layout.at(x, y) is not None

    def _composed(self) -> Frame:
        """The frame of the state; of an empty bench nothing is read and nothing is said."""
        frame = compose_frame(self._run, self.state, self._resident, self._stand_ins.epochs(self.state))
        self._stand_ins.note(frame)
        return replace(frame, marks=(), missing=()) if self.is_empty else frame

    @property
    def is_idle(self) -> bool:
        """Nothing moves, nothing is missing, and the picture is the state's."""
        is_moved = is_moving(self.state) or self._wave_waits
        rests = self._settle == 0 and not is_moved and self._has_full_budget and not self._is_held
        return rests and self._loader.is_idle and not self._has_news and self._picture.is_whole

    @property
    def _has_news(self) -> bool:
        """The loader has read, the run has got, or a file has become something that is not on the screen yet."""
        if self._service.has_news or self._facts_version != self._loader.facts_version:
            return True
        return self._has_read(time.monotonic())

    def _has_read(self, now: float) -> bool:
        """The loader has read something, and it is time to show it."""
        is_new = self._version != self._loader.version
        return is_new and (self._loader.has_all or self._glances.is_due(now))

    @property
    def _has_full_budget(self) -> bool:
        return self.state.budget == replace(self.state.budget, samples=REST_SAMPLES, shade=True, seams=True)

    @property
    def tooltip(self) -> tuple[str, ...]:
        """What the tooltip at the pointer says, () where there is none."""
        found = self._hovering.tooltip(self.frame)
        return () if found is None else found[0]

    def scene_pixels(self) -> Pixels:
        """(H, W, 3) uint8 of the picture without the panels."""
        return self._picture.pixels()

    def do(self, acts: Iterable[Act], *, stroke: int | None = None) -> None:
        """Apply commands, in order. stroke : what the user does; one stroke is undone in one go."""
        before, is_new = self.state, stroke is not None
        for act in acts:
            if isinstance(act, Undo | Redo):
                back, said = self._tracks.turned(act, Context(self.state, self.frame))
                self._surface.say(said, time.monotonic())
                if back is not None:
                    self._apply(back)
                is_new = False
            elif isinstance(act, Request):
                self._service.ask(act)
            elif not isinstance(act, AddOwn | EditOwn) or self._takes(act.input):
                self._apply(act)
            self._settle = SETTLE_FRAMES
        if is_new and stroke is not None:
            self._tracks.note(before, self.state, stroke)

    def _takes(self, own: OwnInput) -> bool:
        """Whether an input of one's own fits the run; if not, that is said."""
        try:
            own_inputs(self._run).number(own)
        except Nn3dError as error:
            self._surface.say(str(error), time.monotonic())
            return False
        return True

    def _apply(self, command: Command) -> None:
        """The one place where the window changes its state."""
        self.state = apply(self.state, command)
        self._service.filming.note(command, self.state, time.monotonic())
        self._on_command(command)

    def run(self, *, max_secs: float | None = None, on_frame: Callable[[Viewer], None] | None = None) -> ViewState:
        """Show the window until it is closed, or for `max_secs`. Returns the last state."""
        start = time.monotonic()
        while not self._window.is_closing and self.next is None:
            now = time.monotonic()
            if max_secs is not None and now - start >= max_secs:
                break
            self._step(now)
            if on_frame is not None:
                on_frame(self)
            self._heap.look(now)
            self._wait(None if max_secs is None else start + max_secs - time.monotonic())
        return self.state

    @property
    def run_path(self) -> str:
        """Where the run lies; "" in memory."""
        return self._run.path

    @property
    def gl_version(self) -> int:
        """Version of OpenGL, 410 or later."""
        return int(self._window.ctx.version_code)

    @property
    def guide(self) -> Guide | None:
        """The tour, if there is one."""
        return self._service.guide

    def awake(self) -> None:
        """Draw once more."""
        self._settle = max(self._settle, 1)

    def stop(self) -> None:
        """End `run` after this turn."""
        self._window.is_closing = True

    def close(self) -> None:
        """Stop the loader and free what was made, in reverse order; the window stays."""
        if self._run.own is not None:
            self._run.own.stop()
        self._service.close()
        self._loader.close()
        if self._run.own is not None:
            self._run.own.go_on()
        self._picture.release()
        self._surface.release()

    def _wait(self, longest: float | None) -> None:
        """Sleep until there is something to do; wake now and then, so that Ctrl C in the terminal is heard."""
        if self.next is not None or self._settle > 0 or is_moving(self.state) or not self._picture.is_whole:
            glfw.poll_events()
            return
        now = time.monotonic()
        timers = [longest, self._surface.wake_secs(now), DIALOG_SECS if self._is_waiting else None]
        if self._is_held or not self._has_full_budget:
            timers.append(0.05)
        end = min((now + t for t in timers if t is not None), default=math.inf)
        while not (self._events.happened or self._window.is_closing or self._has_news):
            self._loader.check()
            left = end - time.monotonic()
            if left <= 0.0:
                self._settle = max(self._settle, 1)
                return
            glfw.wait_events_timeout(min(left, LONGEST_SLEEP_SECS))
            self._heap.look(time.monotonic())

    @property
    def _is_waiting(self) -> bool:
        """A file or a picture is on its way: look again soon."""
        return self._service.is_waiting or self._wave_waits

    @property
    def _wave_waits(self) -> bool:
        """A new input waits for what its wave will show."""
        return self.state.wave is not None and self.state.wave.waits

    def _step(self, now: float) -> None:
        self._loader.check()
        if self._events.happened:
            self._settle = SETTLE_FRAMES
        if self._facts_version != self._loader.facts_version:
            self._facts_version = self._loader.facts_version
            self._settle = max(self._settle, 1)
        gestures = self._events.take()
        self._service.look(self._events.take_dropped(), now)
        self._resize()
        for gesture in gestures:
            self._answer(gesture)
        self._pass_time(now, has_gesture=any(g.trigger.startswith(("drag", "wheel")) for g in gestures))
        self._compose(now)
        if self._wave_waits and self.state is self.frame.state and self._loader.is_idle and not self._has_news:
            self.do([StartWave()])
        if self._settle > 0:
            self._paint(now)

    def _answer(self, gesture: Gesture) -> None:
        if gesture.trigger == "away" and self.layout.at(*gesture.at_px) == "tree":
            return  # the tree's rows say themselves what is hovered
        trigger = "move" if gesture.trigger == "away" else gesture.trigger
        has_thing = gesture.trigger in ("move", "click", "double click", "shift click")
        is_on_card = has_thing and self.frame.is_card(*gesture.at_px)
        self._hovering.follow("away" if is_on_card else gesture.trigger, gesture.at_px)
        if is_on_card or (self.is_empty and trigger in keyboard.WITH_RUN):
            return
        thing = self._pick(gesture) if has_thing else None
        epoch = round(self.state.time.epoch)
        wrong = self._facts.wrong(epoch) if self.state.n_epochs else ()
        context = Context(
            self.state, self.frame, wrong, gesture.at_px, gesture.delta_px, gesture.wheel, thing, self._picture_of,
            self._facts.health.epochs,
        )  # fmt: skip
        self.do(keyboard.acts(trigger, gesture.text, context, self._facts.catalogue),
                stroke=gesture.stroke)  # fmt: skip

    def _picture_of(self, state: ViewState) -> Frame:
        """What another state would show."""
        return compose_frame(self._run, state, self._resident)

    def _pick(self, gesture: Gesture) -> Thing | None:
        return (
            self._picture.pick(*gesture.at_px) or group_at(self.frame, *gesture.at_px)
            or layer_at_post(self.frame, *gesture.at_px)
        )  # fmt: skip

    def _resize(self) -> None:
        size, scale = self._logical_size()
        if (size, scale) == (self.state.size_px, self.state.scale):
            return
        before = self.state.size_px[0]
        self.do([Resize(size, scale)])
        if size[0] < before:
            self.do([SetPanels(fitting_panels(self.state.panels, size[0]))])
        self._place(0.0)

    def _place(self, duration_secs: float) -> None:
        """Lay out the cards; when they or the layers' goals changed, the camera refits into what they leave."""
        self.layout = self._surface.lay_out(self.state, self.frame)
        if self._surface.is_resizing:
            return
        self.do(self._placing.commands(self.state, self.frame, self.layout, duration_secs))

    def _pass_time(self, now: float, *, has_gesture: bool) -> None:
        moving = is_moving(self.state)
        is_scrubbed = self.state.time.epoch != self.frame.state.time.epoch
        dt = self._pace.step(now, is_moving=moving or has_gesture or is_scrubbed or self._events.is_dragging)
        if moving:
            self.do([Advance(dt)])
        self._service.due(now - self._passed, is_moving=moving)
        self._passed = now
        budget = self._pace.budget(self.state.budget, now)
        if budget != self.state.budget:
            self.do([SetBudget(budget)])

    def _compose(self, now: float) -> None:
        version = self._loader.version
        if self._settle > 0:
            self._place(REFIT_SECS)
        if self.state is self.frame.state and not self._has_read(now):
            if self._is_held or not self._picture.is_whole:
                self._show(now)
            return
        self.frame = self._composed()
        self.state = self.frame.state if self.frame.state == self.state else self.state
        self._version = version
        missing = cast(tuple[Need, ...], self.frame.missing)
        ahead = self._ahead.of(self.state)
        now_and_later = (ahead, ()) if is_going(self.state) else (missing, ahead)
        self._loader.want(now_and_later[0], self.frame.wanted, now_and_later[1])
        self._show(now)

    def _show(self, now: float) -> None:
        """Draw the frame, unless only time has passed and it lacks something that will be read in a moment."""
        lacks = bool(self.frame.missing) and self._picture.is_like(self.frame)
        is_told = bool(self.frame.stand_ins) and not self.state.time.is_playing
        self._is_held = self._patience.holds(now, lacks=lacks and not is_told)
        if not self._is_held:
            self._picture.show(self.frame)
            self._is_new = True
        self._settle = max(self._settle, 1)

    def _paint(self, now: float) -> None:
        self._settle -= 1
        self.draws += 1
        self._surface.follow(self._events.take_trail())
        is_under_dialog = bool(self.state.search.kind) or self.state.panels.help or bool(self.visit.error)
        tip = None if is_under_dialog else self._hovering.tooltip(self.frame)
        acts = self._surface.paint(now, self.state, self.frame, self.layout, self._picture, self._picture_of, tip)
        self._loader.look()
        self._window.swap_buffers()
        if self._is_new:
            self._is_new = False
            self._glances.drew(now, time.monotonic())
        self.do(acts, stroke=self._events.stroke)
