"""Programs belong to a context: compiled once, and nobody who draws with them sees what another one set."""

from __future__ import annotations

from dataclasses import replace

import moderngl
import pytest

from nn3d.offscreen import Offscreen, make_context
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.scene import programs
from nn3d.scene.programs import release_programs, shared_program
from nn3d.scene.renderer import Renderer, device_size
from nn3d.stage.commands import SetCamera, SetTheme, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident


def two_frames() -> tuple[Frame, Frame]:
    """Two looks at one run that share no uniform of a program: theme, direction and size."""
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        dark = initial_state(run, resident, size_px=(150, 90))
        light = initial_state(run, resident, size_px=(120, 100))
        turned = replace(light.camera, yaw_rad=light.camera.yaw_rad + 0.4)
        for command in (SetTheme("light"), SetCamera(turned)):
            light = apply(light, command)
        return compose(run, dark, resident=resident), compose(run, light, resident=resident)


def drawn(renderer: Renderer, frame: Frame) -> bytes:
    target = renderer.ctx.framebuffer([renderer.ctx.renderbuffer(device_size(frame), 4)])
    renderer.draw(frame, target)
    return target.read(components=3, alignment=1)


def test_a_program_is_compiled_once_a_context_until_its_owner_gives_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    compiled = programs.load_program
    monkeypatch.setattr(programs, "load_program", lambda *a: made.append(a[1]) or compiled(*a))  # type: ignore[func-returns-value]
    ctx = make_context()
    first = Renderer(ctx)
    n = len(made)
    second = Renderer(ctx)
    assert n > 0
    assert len(made) == n
    assert second.ribbons.program is first.ribbons.program
    other = {"ENDS": 2, "SUM": True}
    assert shared_program(ctx, "strand.vert", "strand.geom", "strand.frag", defines=other) is first.ribbons.sum_program
    first.release()
    assert isinstance(second.ribbons.program["u_px"], moderngl.Uniform)
    second.release()
    release_programs(ctx)
    Renderer(ctx)
    assert len(made) == 2 * n
    ctx.release()


def test_renderers_that_take_turns_with_one_program_draw_what_each_draws_alone() -> None:
    frames = two_frames()
    alone = []
    for frame in frames:
        with Offscreen() as screen:
            alone.append(drawn(screen.renderer, frame))
    with Offscreen() as screen:
        both = screen.renderer, Renderer(screen.ctx)
        turns = [[drawn(r, f) for r, f in zip(both, frames, strict=True)] for _ in range(2)]
        both[1].release()
    for turn in turns:
        assert turn == alone
