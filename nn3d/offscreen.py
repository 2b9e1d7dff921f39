"""The same scene without a display: a standalone EGL context, the one renderer, pixels as an array."""

from __future__ import annotations

import platform
from types import TracebackType
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.errors import GraphicsError
from nn3d.run.run import Run
from nn3d.scene.programs import release_programs
from nn3d.scene.renderer import Figures, Renderer, device_size
from nn3d.stage.commands import Resize, SetEpoch, SetSample, SetTheme, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

Pixels = NDArray[np.uint8]

NEEDS = "nn3d needs OpenGL 4.1 through EGL; on Debian: apt install libegl1 libgl1"


def make_context() -> moderngl.Context:
    """A standalone OpenGL 4.1 context: EGL on Linux, the platform's own elsewhere.

    Raises GraphicsError that names the missing package.
    """
    settings: dict[str, Any] = {"backend": "egl"} if platform.system() == "Linux" else {}
    try:
        return moderngl.create_context(require=410, standalone=True, **settings)
    except Exception as error:
        said = str(error).strip().splitlines()
        raise GraphicsError(f"no OpenGL context ({said[0] if said else type(error).__name__}). {NEEDS}") from error


class Offscreen:
    """A context, a renderer and a target of the size that is asked for. Use as a context manager."""

    def __init__(self) -> None:
        self.ctx = make_context()
        self.renderer = Renderer(self.ctx)
        self._target: moderngl.Framebuffer | None = None

    @property
    def figures(self) -> Figures:
        """Of the last frame."""
        return self.renderer.figures

    def activate(self) -> None:
        """Make this context the current one of the thread: needed after another one was made or used."""
        self.ctx.__enter__()  # type: ignore[no-untyped-call]

    def draw(self, frame: Frame) -> moderngl.Framebuffer:
        """Draw a frame into the target; returns it."""
        self.activate()
        size = device_size(frame)
        limit = int(self.ctx.info["GL_MAX_TEXTURE_SIZE"])
        if max(size) > limit:
            raise GraphicsError(f"a picture should be at most {limit} px a side here, got {size[0]} × {size[1]}")
        if self._target is None or self._target.size != size:
            self._drop()
            self._target = self.ctx.framebuffer([self.ctx.renderbuffer(size, 4)])
        self.renderer.draw(frame, self._target)
        return self._target

    def pixels(self, frame: Frame) -> Pixels:
        """(H, W, 3) uint8 of a frame, top row first."""
        target = self.draw(frame)
        raw = np.frombuffer(target.read(components=3, alignment=1), np.uint8)
        return raw.reshape(target.size[1], target.size[0], 3)[::-1].copy()

    def _drop(self) -> None:
        if self._target is not None:
            attachments = self._target.color_attachments
            self._target.release()
            for item in attachments:
                item.release()
            self._target = None

    def __enter__(self) -> Offscreen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.activate()
        self._drop()
        self.renderer.release()
        release_programs(self.ctx)
        self.ctx.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self.ctx.release()


def render_run(
    run: Run,
    *,
    size: tuple[int, int] = (1280, 720),
    epoch: int = -1,
    sample: int = 0,
    theme: str = "dark",
    state: ViewState | None = None,
) -> Pixels:
    """A picture of a run, (H, W, 3) uint8: public as nn3d.render.

    epoch, sample : indices, negative from the end. state : a whole view instead (then epoch, sample and theme are its).
    Raises GraphicsError without OpenGL 4.1.
    """
    resident = Resident(run)
    if state is None:
        state = initial_state(run, resident, size_px=size)
        at = run.epoch_index(str(epoch)) if run.epochs else 0
        for command in (SetEpoch(float(at), at_once=True), SetSample(sample % state.n_samples), SetTheme(theme)):
            state = apply(state, command)
    state = apply(state, Resize(size, state.scale))
    with Offscreen() as screen:
        return screen.pixels(compose(run, state, resident=resident))
