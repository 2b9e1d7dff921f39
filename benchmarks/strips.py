"""The strands of a frame as plain triangle strips, drawn in one bare call a link: the floor of the edge pass."""

from __future__ import annotations

from collections.abc import Callable

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.library import load_program, read_source
from nn3d.scene.renderer import common_uniforms
from nn3d.scene.ribbons import RibbonPass
from nn3d.stage.frame import Frame

INVOCATIONS = 4
VARYINGS = {"g_profile": 4, "g_world": 3, "g_side": 3, "g_along": 1, "g_amount": 1, "g_fine": 1}
RESTART = 0xFFFFFFFF

_VERT = """#version 410 core
layout(location = 0) in vec4 in_profile;
layout(location = 1) in vec3 in_world;
layout(location = 2) in vec3 in_side;
layout(location = 3) in float in_along;
layout(location = 4) in float in_amount;
layout(location = 5) in float in_fine;
uniform mat4 u_clip_from_world;
layout(location = 0) out vec4 g_profile;
layout(location = 1) out vec3 g_world;
layout(location = 2) out vec3 g_side;
layout(location = 3) out float g_along;
layout(location = 4) flat out float g_amount;
layout(location = 5) out float g_fine;
void main() {
  g_profile = in_profile; g_world = in_world; g_side = in_side; g_along = in_along; g_amount = in_amount;
  g_fine = in_fine;
  gl_Position = u_clip_from_world * vec4(in_world, 1.0);
}
"""


def captured(ctx: moderngl.Context, ribbons: RibbonPass, frame: Frame) -> list[NDArray[np.float32]]:
    """(n strips, vertices a strip, 13) of every link: what the geometry shader emits, read back from the GPU."""
    program = load_program(
        ctx, "strand.vert", "strand.geom", varyings=list(VARYINGS), defines={"ENDS": 2}
    )
    samples = ribbons.set_frame(program, frame, common_uniforms(frame))
    per = 2 * -(-samples // INVOCATIONS)
    width = sum(VARYINGS.values())
    out = []
    for array, first, count in ribbons.drawables(program, frame):
        buffer = ctx.buffer(reserve=count * INVOCATIONS * per * 3 * width * 4)
        query = ctx.query(primitives=True)
        with query:
            array.transform(buffer, moderngl.POINTS, vertices=count, first=first)
        corners = np.frombuffer(buffer.read(query.primitives * 3 * width * 4), np.float32).reshape(-1, per, 3, width)
        out.append(np.concatenate([corners[:, 0, :2], corners[:, :, 2]], 1))
        buffer.release()
    return out


def bare_strips(
    ctx: moderngl.Context, strips: list[NDArray[np.float32]], uniforms: dict[str, object]
) -> Callable[[], None]:
    """Draw captured strips with the same fragment shader, from plain vertex buffers."""
    fragment = read_source("strand.frag").text
    program = ctx.program(vertex_shader=_VERT, fragment_shader=fragment)
    known = {name: value for name, value in uniforms.items() if name in program}
    set_uniforms(program, (), **known)
    arrays = []
    for s in strips:
        n, per = s.shape[:2]
        index = np.full((n, per + 1), RESTART, np.uint32)
        index[:, :per] = np.arange(n * per, dtype=np.uint32).reshape(n, per)
        names = [f"in_{name[2:]}" for name in VARYINGS]
        layout = " ".join(f"{k}f" for k in VARYINGS.values())
        parts = [(ctx.buffer(np.ascontiguousarray(s)), layout, *names)]
        arrays.append(ctx.vertex_array(program, parts, index_buffer=ctx.buffer(index), skip_errors=True))

    def draw() -> None:
        for array in arrays:
            array.render(moderngl.TRIANGLE_STRIP)

    return draw
