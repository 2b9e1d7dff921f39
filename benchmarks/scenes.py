"""What the graphics benchmarks share: the bundled run, and a bare draw of the vertices of its strands."""

from __future__ import annotations

from collections.abc import Callable

import moderngl
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.frame import Frame
from nn3d.stage.reference import N_CONTROL, control_points

SIZE_PX = (1600, 900)
HALF_WIDTH = 0.03

_VERT = """#version 410
uniform mat4 u_clip_from_world;
layout(location = 0) in vec3 in_world;
void main() { gl_Position = u_clip_from_world * vec4(in_world, 1.0); }
"""
_FRAG = """#version 410
layout(location = 0) out vec4 f_colour;
void main() { f_colour = vec4(0.9, 0.6, 0.3, 1.0); }
"""


def bundled() -> Run:
    """The first bundled run."""
    return open_run(next(iter(bundled_runs().values())))


def ribbons(frame: Frame) -> NDArray[np.float32]:
    """(n, S + 1, 2, 3) corners of all strands of a frame as plain strips of one width, S segments each."""
    samples = max(8, min(44, frame.state.budget.samples))
    knots = np.clip((np.arange(N_CONTROL + 4) - 3) / (N_CONTROL - 3), 0, 1)
    controls = np.concatenate([control_points(frame, strands) for strands in frame.strands])
    curve = BSpline(knots, controls, 3, axis=1)
    t = np.linspace(0, 1, samples + 1)
    middle, tangent = curve(t), curve.derivative()(t)
    side = np.cross(tangent, np.asarray(frame.view.eye_world) - middle)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    corners = np.stack([middle - HALF_WIDTH * side, middle + HALF_WIDTH * side], axis=2)
    return np.ascontiguousarray(corners, np.float32)


def bare_draw(ctx: moderngl.Context, frame: Frame) -> Callable[[], None]:
    """A draw of the same number of vertices in the same places, one colour, 4× MSAA, resolved: the floor of a frame."""
    corners = ribbons(frame)
    n, per = corners.shape[0], 2 * corners.shape[1]
    strips = np.full((n, per + 1), 0xFFFFFFFF, np.uint32)
    strips[:, :per] = np.arange(n * per, dtype=np.uint32).reshape(n, per)
    program = ctx.program(vertex_shader=_VERT, fragment_shader=_FRAG)
    program["u_clip_from_world"].write(np.asarray(frame.view.clip_from_world, np.float32).T.tobytes())
    array = ctx.vertex_array(program, [(ctx.buffer(corners), "3f", "in_world")], index_buffer=ctx.buffer(strips))
    samples = min(4, ctx.max_samples)
    depth = ctx.depth_renderbuffer(SIZE_PX, samples=samples)
    canvas = ctx.framebuffer([ctx.renderbuffer(SIZE_PX, samples=samples)], depth)
    target = ctx.simple_framebuffer(SIZE_PX)

    def draw() -> None:
        canvas.use()
        ctx.enable_only(moderngl.DEPTH_TEST)
        canvas.clear(depth=1.0)
        array.render(moderngl.TRIANGLE_STRIP)
        ctx.copy_framebuffer(target, canvas)
        ctx.finish()

    return draw
