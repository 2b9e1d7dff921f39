"""The picture in the window: drawn into a framebuffer of its own when its Frame changes, copied under the panels."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.run.run import Run
from nn3d.scene.renderer import Renderer
from nn3d.stage.commands import Resize, SetBudget, apply
from nn3d.stage.complete import compose
from nn3d.stage.focus import wanted
from nn3d.stage.frame import Frame
from nn3d.stage.pointed import Pointed
from nn3d.stage.resident import Resident
from nn3d.stage.state import Budget, Focus, Thing, ViewState

Pixels = NDArray[np.uint8]

UPLOAD_BYTES = 32 << 20


class Picture:
    """Owns the renderer and the framebuffer. `draws` counts how often the scene was drawn.

    frame : as it was drawn last; what still waits to be uploaded is not in it.
    """

    def __init__(self, ctx: moderngl.Context, run: Run, resident: Resident) -> None:
        self.draws = 0
        self.frame: Frame | None = None
        self._ctx = ctx
        self._run = run
        self._resident = resident
        self._renderer = Renderer(ctx)
        self._target: moderngl.Framebuffer | None = None

    def show(self, frame: Frame) -> None:
        """Draw a frame, as much of it as one frame may upload."""
        self._target = self._fitting(self._target, frame)
        self.frame = self._renderer.draw(frame, self._target, upload_bytes=UPLOAD_BYTES)
        self.draws += 1

    def is_like(self, frame: Frame) -> bool:
        """Whether the picture is whole and this view, be it at another time, of another sample, or cell of a slide.

        Bars that are still missing may let a camera that fits come nearer: such a view is this one all the same.
        """
        drawn = self.frame
        if drawn is None or drawn.missing or not self.is_whole:
            return False
        was, now = drawn.state, frame.state
        same = replace(
            was, time=now.time, sample=now.sample, own=now.own, wave=now.wave, n_samples=now.n_samples, hover=now.hover,
            budget=now.budget,
        )  # fmt: skip
        if now.slide is not None:
            same = replace(same, slide=now.slide, selection=now.selection, focus=now.focus)
        return same == now

    @property
    def is_whole(self) -> bool:
        """Nothing of the frame that was shown last waits to be uploaded."""
        return self._renderer.n_waiting == 0

    def copy_to(self, screen: moderngl.Framebuffer) -> None:
        """Put the picture on the screen."""
        if self._target is not None:
            self._ctx.copy_framebuffer(screen, self._target)

    def pick(self, x_px: float, y_px: float) -> Thing | None:
        """What lies under a point."""
        return None if self.frame is None else self._renderer.pick(self.frame, x_px, y_px)

    def pointed(self, x_px: float, y_px: float) -> Pointed | None:
        """What lies on top at a point, labels and strands too."""
        return None if self.frame is None else self._renderer.pointed(self.frame, x_px, y_px)

    def pixels(self) -> Pixels:
        """(H, W, 3) uint8 of the picture as it was last drawn, framebuffer px, top row first."""
        if self._target is None:
            return np.zeros((0, 0, 3), np.uint8)
        return read_pixels(self._target)

    def still(self, state: ViewState) -> Pixels:
        """The picture as an export shows it: without the window's cards, with title, key and everything resident."""
        budget = replace(state.budget, samples=Budget().samples, shade=True, seams=True)
        state = apply(apply(state, Resize(state.size_px, state.scale)), SetBudget(budget))
        state = replace(state, hover=None)
        goal = wanted(state)
        state = replace(state, focus=Focus() if goal is None else Focus(goal, 1.0))
        frame = compose(self._run, state, resident=self._resident)
        target = self._fitting(None, frame)
        self._renderer.draw(frame, target)
        pixels = read_pixels(target)
        _release(target)
        return pixels

    def release(self) -> None:
        """Free all GL objects."""
        if self._target is not None:
            _release(self._target)
        self._renderer.release()

    def _fitting(self, target: moderngl.Framebuffer | None, frame: Frame) -> moderngl.Framebuffer:
        state = frame.state
        size = round(state.size_px[0] * state.scale), round(state.size_px[1] * state.scale)
        if target is not None and target.size == size:
            return target
        if target is not None:
            _release(target)
        return self._ctx.framebuffer([self._ctx.texture(size, 4)], self._ctx.depth_renderbuffer(size))


def read_pixels(target: moderngl.Framebuffer) -> Pixels:
    """(H, W, 3) uint8 of a framebuffer, top row first."""
    w, h = target.size
    raw = np.frombuffer(target.read(components=3, alignment=1), np.uint8)
    return np.ascontiguousarray(raw.reshape(h, w, 3)[::-1])


def _release(target: moderngl.Framebuffer) -> None:
    parts = [*target.color_attachments, target.depth_attachment]
    target.release()
    for part in parts:
        if part is not None:
            part.release()
