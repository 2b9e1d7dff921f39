"""Shader programs by context: each is compiled once, and shared by every pass and renderer that draws with the context.

Passes set all uniforms before they draw, so none sees what another one set. A program's driver memory (measured with
Mesa: 1.2 to 2.8 MB, and more for each way it is drawn) is paid once, not once a renderer; the window gives all of it
back when it turns to another run.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType

import moderngl

from nn3d.scene.library import load_program

_KEPT_AS = "nn3d programs"
_NO_DEFINES: Mapping[str, object] = MappingProxyType({})


def shared_program(
    ctx: moderngl.Context,
    vertex: str,
    geometry: str | None = None,
    fragment: str | None = None,
    varyings: Sequence[str] = (),
    defines: Mapping[str, object] = _NO_DEFINES,
) -> moderngl.Program:
    """The program of these files, as `load_program` reads them; who asks does not release it.

    Raises ShaderError when a stage does not compile or the stages do not link.
    """
    known = _known(ctx)
    key = vertex, geometry, fragment, tuple(varyings), tuple(sorted(defines.items(), key=lambda d: d[0]))
    if key not in known:
        known[key] = load_program(ctx, vertex, geometry, fragment, varyings, defines)
    return known[key]


def release_programs(ctx: moderngl.Context) -> None:
    """Give all programs of a context back; for its owner, after everything that draws with it was released."""
    known = _known(ctx)
    while known:
        known.popitem()[1].release()


def _known(ctx: moderngl.Context) -> dict[Hashable, moderngl.Program]:
    """Programs by files, varyings and defines, kept in the context's own place for what belongs to it."""
    if ctx.extra is None:
        ctx.extra = {}
    found: dict[Hashable, moderngl.Program] = ctx.extra.setdefault(_KEPT_AS, {})
    return found
