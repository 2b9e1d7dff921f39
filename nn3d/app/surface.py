"""What is on the screen: the picture with the panels over it. Owns the imgui context and its GL objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import moderngl
from imgui_bundle import imgui

from nn3d.app.backend import Atlas, Backend
from nn3d.app.cards import Layout, alone
from nn3d.app.desk import Names, draw_panels, lay_out
from nn3d.app.facts import Facts, words_of
from nn3d.app.filming import Filming
from nn3d.app.following import Pulse
from nn3d.app.guide import Guide
from nn3d.app.hovering import At
from nn3d.app.panels.film import film_panel
from nn3d.app.panels.notes import TOAST_SECS
from nn3d.app.panels.tooltip import tooltip
from nn3d.app.panels.welcome import visit_cards, welcome_panels
from nn3d.app.picture import Picture
from nn3d.app.style import rgba, set_style
from nn3d.app.type import Type
from nn3d.app.ui import Ui
from nn3d.app.visit import Visit
from nn3d.stage.controls import Act, Context
from nn3d.stage.frame import Frame
from nn3d.stage.state import ViewState
from nn3d.stage.tips import Lines


@dataclass(frozen=True, slots=True)
class Toast:
    """A message and when it goes, seconds of the caller's clock."""

    message: str = ""
    until: float = 0.0


class Surface:
    """Draws frames of panels with `ctx`; times are seconds of the caller's clock. guide : the tour, if there is one.

    pulse : how the run comes along, where it is followed. filming : what is recorded or written.
    """

    def __init__(
        self, ctx: moderngl.Context, facts: Facts, names: Names, visit: Visit, *, is_empty: bool = False
    ) -> None:
        imgui.create_context()
        self._ctx = ctx
        self._backend = Backend(ctx)
        self._ui = Ui(Type(words_of(facts.run)), Atlas(self._backend))
        self._facts = facts
        self._names = names
        self.guide: Guide | None = None
        self.pulse: Pulse | None = None
        self.filming: Filming | None = None
        self._visit = visit
        self._is_empty = is_empty
        self._toast = Toast()
        self._theme = ""
        self._last = 0.0

    def lay_out(self, state: ViewState, frame: Frame) -> Layout:
        """Where the cards lie for a state; an empty window leaves all of it to the bench."""
        if self._is_empty:
            return alone(state.size_px)
        return lay_out(self._ui, state, self._facts, self._names, frame, self.guide, self.pulse)

    @property
    def is_resizing(self) -> bool:
        """A card's edge is being dragged: the picture waits until it is let go."""
        return bool(self._ui.memory.get("resizing"))

    def say(self, message: str, now: float) -> None:
        """Show a message for a few seconds."""
        self._toast = Toast(message, now + TOAST_SECS)

    def follow(self, trail: tuple[tuple[float, float], ...]) -> None:
        """Where the pointer was since the last frame."""
        self._ui.trail = trail

    def wake_secs(self, now: float) -> float | None:
        """After how long the panels want to be drawn again though nothing happened; None when they don't."""
        timers = [self._ui.wake_secs, self._toast.until - now if self._toast.message else None]
        return min((t for t in timers if t is not None), default=None)

    def paint(
        self, now: float, state: ViewState, frame: Frame, layout: Layout, picture: Picture,
        compose: Callable[[ViewState], Frame] | None = None, tip: tuple[Lines, At] | None = None,
    ) -> list[Act]:  # fmt: skip
        """Draw the picture and the panels on the window's framebuffer; returns what was asked of the panels."""
        if self._toast.message and now >= self._toast.until:
            self._toast = Toast()
        self._begin(now, state)
        context = Context(state, frame, compose=compose, marks=self._facts.health.epochs)
        if self._is_empty:
            acts = welcome_panels(self._ui, state, self._visit)
        else:
            acts = draw_panels(
                self._ui, state, self._facts, self._names, frame, layout, context, self._toast.message, self.guide,
                self.pulse,
            )
            if self.filming is not None:
                film_panel(self._ui, state, self.filming, layout, now, has_toast=bool(self._toast.message))
        acts += visit_cards(self._ui, self._visit, now, state, is_empty=self._is_empty, toast=self._toast.message)
        if tip is not None:
            tooltip(self._ui, *tip)
        self._ui.end()
        imgui.render()
        screen = self._ctx.screen
        screen.use()
        screen.clear(*rgba(state.theme, "ground"))
        picture.copy_to(screen)
        self._backend.draw(imgui.get_draw_data(), screen)
        return acts

    def release(self) -> None:
        """Free all GL objects and the imgui context."""
        self._ui.atlas.release()
        self._backend.release()
        imgui.destroy_context()

    def _begin(self, now: float, state: ViewState) -> None:
        io = imgui.get_io()
        io.display_size = imgui.ImVec2(*state.size_px)
        io.display_framebuffer_scale = imgui.ImVec2(state.scale, state.scale)
        io.delta_time = max(1e-4, min(1.0, now - self._last))
        self._last = now
        if self._theme != state.theme:
            set_style(state.theme)
            self._theme = state.theme
        imgui.new_frame()
        self._ui.begin(state.theme, state.size_px)
