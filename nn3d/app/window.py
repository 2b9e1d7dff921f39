"""The main loop: events → commands → state → frame → picture → panels. The only clock that moves a picture is here.

Nothing is drawn while nothing changes: the loop sleeps until an event, the loader, or the end of a timer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import glfw

from nn3d.app import clipboard, keyboard
from nn3d.app.ahead import Ahead
from nn3d.app.cards import fitting_panels, steady
from nn3d.app.desk import Names
from nn3d.app.errands import Errands
from nn3d.app.events import Events, Gesture, Window, framebuffer_scale
from nn3d.app.facts import Facts
from nn3d.app.fitting import grown
from nn3d.app.following import Following, followed, resumed
from nn3d.app.guide import Guide, tour_of
from nn3d.app.hovering import Hovering
from nn3d.app.loader import Loader
from nn3d.app.opening import open_window
from nn3d.app.own_reader import OwnReader, is_picture
from nn3d.app.pace import REST_SAMPLES, Pace, Patience
from nn3d.app.panels.pad import new_name
from nn3d.app.picture import Picture, Pixels
from nn3d.app.saving import save_picture
from nn3d.app.surface import Surface
from nn3d.app.tracks import Tracks
from nn3d.app.visit import Visit
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.own import OwnInput
from nn3d.run.ports import Opener, Reader
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import (
    AddOwn,
    Advance,
    Command,
    EditOwn,
    FlyTo,
    Follow,
    Grow,
    Resize,
    SetBudget,
    SetPanels,
    StartWave,
    apply,
    is_moving,
)
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.controls import Act, Context
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
    Redo,
    Request,
    SavePicture,
    SaveTensor,
    Tell,
    Undo,
)
from nn3d.stage.frame import Frame
from nn3d.stage.framing import group_at, layer_at_post
from nn3d.stage.own import own_inputs
from nn3d.stage.resident import Need, Resident
from nn3d.stage.state import Thing, ViewState
from nn3d.stage.tour import Tour
from nn3d.stage.viewstring import to_text

SIZE: Final = (1600, 900)
REFIT_SECS: Final = 0.45
SETTLE_FRAMES: Final = 3
DIALOG_SECS: Final = 0.1
LONGEST_SLEEP_SECS: Final = 0.5


def _unheard(_: Command) -> None:
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
        on_command: Callable[[Command], None] = _unheard, following: Following | None = None,
    ) -> None:  # fmt: skip
        self.draws = 0
        self._following = following
        self._on_command = on_command
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
        self._own = OwnReader(run, reader, glfw.post_empty_event) if reader is not None and not is_empty else None
        self._loader = Loader(
            self._resident, self._facts, glfw.post_empty_event, is_lenient=following is not None
        )
        self._errands = Errands(self._facts, glfw.post_empty_event)
        self._events = Events(self._window, self._is_card, time.monotonic)
        self._pace, self._patience, self._ahead = Pace(), Patience(), Ahead(run, self._resident)
        self._is_held = self._is_known = False
        self._passed = time.monotonic()
        self._run = run
        self._version = -1
        self._facts_version = 0
        self._settle = SETTLE_FRAMES
        self._placed: Hashable = None
        tour = tour or (None if is_empty else tour_of(run))
        self._guide = Guide(tour, self._picture_of) if tour is not None else None
        self._surface.guide = self._guide
        self._surface.pulse = following.pulse if following is not None else None
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
        frame = compose_frame(self._run, self.state, self._resident)
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
        if self.visit.has_come or (self._following is not None and self._following.has_news):
            return True
        return self._version != self._loader.version or self._facts_version != self._loader.facts_version

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
                self._ask(act)
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

    def stop(self) -> None:
        """End `run` after this turn."""
        self._window.is_closing = True

    def close(self) -> None:
        """Stop the loader and free what was made, in reverse order; the window stays."""
        if self._run.own is not None:
            self._run.own.stop()
        self._errands.close()
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
        if self._guide is not None and self._guide.is_playing:
            timers.append(DIALOG_SECS)
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

    @property
    def _is_waiting(self) -> bool:
        """A file or a picture is on its way: look again soon."""
        is_reading = self._own is not None and self._own.is_waiting
        is_opening = self.visit.is_waiting and not self.visit.is_expecting
        return is_opening or is_reading or self._errands.is_waiting or self._wave_waits

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
        self._visit(now)
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
        """Lay out the cards; when they or the layers' goals changed, the camera refits into what they leave.

        It does so once more when the first picture is complete: names and bars then take the room that they take.
        """
        self.layout = self._surface.lay_out(self.state, self.frame)
        if self._surface.is_resizing:
            return
        camera, size = self.state.camera, self.state.size_px
        goals = (self.state.fold.after, *((v.is_open, v.arrangement) for v in self.state.layers))
        angles = (camera.yaw_rad, camera.pitch_rad, camera.fov_rad) if camera.fit else None
        if not self._is_known and not self.frame.missing:
            self._is_known, duration_secs = True, 0.0
        key = (size, self.layout.anchors, tuple(steady(self.layout).boxes.values()), goals, angles, self._is_known)
        if key == self._placed:
            return
        self._placed = key
        anchors = self.layout.anchors
        if camera.fit:
            anchors = grown(self._run, self.state, self._resident, steady(self.layout))
        if anchors == self.state.anchors:
            return
        start = Context(self.state, self.frame).camera
        self.do([Resize(size, self.state.scale, anchors)])
        if camera.fit and duration_secs > 0.0:
            self.do([FlyTo(start, camera, duration_secs)])

    def _pass_time(self, now: float, *, has_gesture: bool) -> None:
        moving = is_moving(self.state)
        dt = self._pace.step(now, is_moving=moving or has_gesture or self._events.is_dragging)
        if moving:
            self.do([Advance(dt)])
        due = self._guide.pass_time(now - self._passed, is_moving=moving) if self._guide is not None else None
        self._passed = now
        if due is not None:
            self.do([GuideTo(due)])
        budget = self._pace.budget(self.state.budget, now)
        if budget != self.state.budget:
            self.do([SetBudget(budget)])

    def _compose(self, now: float) -> None:
        version = self._loader.version
        if self._settle > 0:
            self._place(REFIT_SECS)
        if self.state is self.frame.state and version == self._version:
            if self._is_held or not self._picture.is_whole:
                self._show(now)
            return
        self.frame = self._composed()
        self.state = self.frame.state if self.frame.state == self.state else self.state
        self._version = version
        missing = cast(tuple[Need, ...], self.frame.missing)
        self._loader.want(missing, self.frame.wanted, self._ahead.of(self.state))
        self._show(now)

    def _show(self, now: float) -> None:
        """Draw the frame, unless only time has passed and it lacks something that will be read in a moment."""
        lacks = bool(self.frame.missing) and self._picture.is_like(self.frame)
        self._is_held = self._patience.holds(now, lacks=lacks)
        if not self._is_held:
            self._picture.show(self.frame)
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
        self.do(acts, stroke=self._events.stroke)

    def _visit(self, now: float) -> None:
        """Open what was dropped, take what was opened, say what there is to say."""
        dropped = self._events.take_dropped()
        if dropped and self._own is not None and is_picture(dropped[0]):
            self._own.begin(dropped[0], new_name(self.state))
        elif dropped:
            self.visit.open(dropped[0])
        came = self._own.arrived() if self._own is not None else None
        if isinstance(came, OwnInput):
            self.do([AddOwn(came, "soon")])
        elif came is not None:
            self._surface.say(str(came), now)
        if self.visit.is_waiting:
            self.next = self.visit.arrived()
            self._settle = max(self._settle, 1)
        if self._following is not None and self.next is None:
            self._grow(self._following)
        if self.visit.message:
            self._surface.say(self.visit.message, now)
            self.visit.message = ""
        while (outcome := self._errands.arrived()) is not None:
            if outcome.text is not None:
                clipboard.write(outcome.text)
            self._surface.say(outcome.message, now)
            self._settle = max(self._settle, 1)
        self.visit.keep(replace(self.visit.settings, theme=self.state.theme))

    def _grow(self, following: Following) -> None:
        """Take what the run has grown by, or the run that was begun in its place."""
        news = following.take()
        if news.epochs:
            following.growing.take(news.epochs)
            self.do([Grow(len(self._run.epochs))])
        if news.successor is not None:
            same = news.successor.header.run_id == self._run.header.run_id
            what = "The run was thinned" if same else "Another run was begun"
            self.visit.message = f"{what} in {following.path.name}"
            self.next = (following.path, news.successor)
        self._surface.pulse = following.pulse

    def _ask(self, request: Request) -> None:
        """What is asked of the window itself."""
        match request:
            case SavePicture():
                self._save()
            case OpenFile(path):
                self.visit.open(Path(path))
            case OpenDemo():
                self.visit.open_demo()
            case AskFile():
                self.visit.ask()
            case CancelOpening():
                self.visit.cancel()
            case ForgiveError():
                self.visit.forgive()
            case ForgetFiles():
                self.visit.forget()
            case CopyText(text, said):
                self._copy(text, said)
            case Tell(text):
                self._surface.say(text, time.monotonic())
            case GuideTo() | GuideBy() | PlayGuide() | EndGuide():
                self._guided(request)
            case SaveTensor() | CopyValues():
                self._errands.begin(request, self.state, self.frame)
            case CopyView():
                self._copy(to_text(self.state), "Copied the view: nn3d view FILE --state … shows it again")

    def _guided(self, request: GuideTo | GuideBy | PlayGuide | EndGuide) -> None:
        """What is asked of the tour."""
        guide = self._guide
        if guide is None:
            self._surface.say("There is no tour of this network", time.monotonic())
        elif isinstance(request, EndGuide):
            self.do([guide.end()])
            self._guide = self._surface.guide = None
        elif isinstance(request, PlayGuide):
            guide.play(on=request.on)
        else:
            step = request.step if isinstance(request, GuideTo) else guide.step + request.steps
            self.do(guide.go(step, self.state))

    def _copy(self, text: str, said: str) -> None:
        clipboard.write(text)
        self._surface.say(said, time.monotonic())

    def _save(self) -> None:
        try:
            path = save_picture(self._picture.still(self.state), self._run, self.state)
            message = f"Saved {path}"
        except (Nn3dError, OSError) as error:
            message = str(error)
        self._surface.say(message, time.monotonic())


def show(
    run: Run | None = None,
    *,
    state: ViewState | None = None,
    script: Iterable[Command] | None = None,
    size_px: tuple[int, int] = SIZE,
    max_secs: float | None = None,
    on_frame: Callable[[Viewer], None] | None = None,
    resident: Resident | None = None,
    opener: Opener = open_run,
    reader: Reader | None = None,
    remembers: bool = False,
    tour: Tour | None = None,
    on_command: Callable[[Command], None] = _unheard,
    follow: Path | None = None,
    begin: Callable[[Run, Resident], ViewState] | None = None,
) -> ViewState:
    """Open the window on a run, or empty, and return the last state when it is closed.

    state : what to show first; the window opens in its size, else in `size_px` (logical).
    script : commands to play at the start. max_secs : close by itself after that time.
    reader : of pictures that are dropped on a run. on_frame : called after each turn of the main loop.
    resident : what is in memory already, the plan at least. on_command : called with each command that is applied while
    the first run is shown: applied to its first state again, they give the same picture.
    follow : a folder whose run is followed while it grows; without `run`, the window waits until the folder holds one.
    begin : the first view of a run that was waited for.
    Raises GraphicsError without a display or OpenGL 4.1.
    """
    visit = Visit(opener, glfw.post_empty_event, is_forgetful=not remembers)
    window = open_window("nn3d", state.size_px if state is not None else size_px)
    own: Run | None = None
    following: Following | None = None
    if run is None and follow is not None:
        visit.expect(follow)
    try:
        while True:
            bench = run if run is not None else open_run(next(iter(bundled_runs().values())))
            following = followed(run, follow, opener, glfw.post_empty_event)
            viewer = Viewer(
                window, bench, state, visit, is_empty=run is None, resident=resident, reader=reader, tour=tour,
                on_command=_unheard if run is None else on_command, following=following,
            )  # fmt: skip
            try:
                viewer.do(script or ())
                start = time.monotonic()
                last = viewer.run(max_secs=max_secs, on_frame=on_frame)
                if max_secs is not None:
                    max_secs = max(0.0, max_secs - (time.monotonic() - start))
            finally:
                if following is not None:
                    following.close()
                viewer.close()
                if run is None:
                    bench.close()
            if own is not None and viewer.next is not None:
                own.close()
            if viewer.next is None:
                return last
            path, run = viewer.next
            is_awaited = begin is not None and path == follow
            own, script, resident, tour = run, script if is_awaited else None, None, None
            if is_awaited and begin is not None:
                state = begin(run, Resident(run))
            else:
                state = resumed(bench, run, last) if path == follow else None
            state, begin = state or _begun(run, last), None
            on_command = on_command if viewer.is_empty else _unheard
            visit.remember(path, run)
    finally:
        visit.close()
        if own is not None:
            own.close()
        window.destroy()


def _begun(run: Run, last: ViewState) -> ViewState:
    """The first view of a run that follows another in the same window: its theme and its panels stay."""
    state = initial_state(run, Resident(run), size_px=last.size_px, scale=last.scale, theme=last.theme)
    return replace(state, panels=replace(last.panels, help=False))
