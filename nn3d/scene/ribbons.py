"""Strands: one vertex a strand; a geometry shader turns its spline into a camera-facing ribbon; one draw a link."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.layout.tables import LOOK, SHAPE
from nn3d.scene.gpu import Uploads, attributes, make_buffer, make_texture, set_uniforms
from nn3d.scene.programs import shared_program
from nn3d.scene.tiles import end_uniforms
from nn3d.stage.frame import TILE, Frame, StrandLayer
from nn3d.stage.lit import DIM_STRANDS
from nn3d.stage.stance import behind_share

ANCHOR_ROW = 1024
PATHS = {"route": 0.0, "direct": 1.0, "arc": 2.0, "stave": 3.0, "loop": 4.0, "wire": 5.0}
MIN_PX, HALO_PX, HALO_SHARE = 1.1, 1.1, 0.45
DASHES = 26.0
STRENGTH_FLOOR = 0.5
SUM_HALF_WIDTH = 0.03
SUM_SAMPLES = 32
DIMMED = 1
N_CONTROL = 11
ROUTE = (
    "u_grow", "u_lit", "u_lit_uv", "u_per_sign", "u_turn", "u_leave", "u_place", "u_weights", "u_half", "u_extent",
    "u_route", "u_rope", "u_radii", "u_behind", "u_crowd",
)  # fmt: skip


def anchor_texels(table: NDArray[np.void]) -> NDArray[np.float32]:
    """(rows, 2,048, 4) float32: two texels a tile (line circle, grid mosaic), 1,024 tiles a row."""
    flat = table.view(np.float32).reshape(len(table), 8)
    rows = -(-len(table) // ANCHOR_ROW)
    out = np.zeros((rows * ANCHOR_ROW if rows > 1 else len(table), 8), np.float32)
    out[: len(table)] = flat
    return out.reshape(rows, -1, 4)


@dataclass(slots=True)
class _Shape:
    """What of a link's strands stays from epoch to epoch."""

    buffer: moderngl.Buffer
    clusters: tuple[moderngl.Texture, moderngl.Texture]


@dataclass(slots=True)
class _Link:
    """Looks of a link's strands, and the vertex arrays that join them to their shape."""

    shape: Hashable
    looks: moderngl.Buffer
    arrays: tuple[moderngl.VertexArray, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Batches `first` up to `last` of a layer whose strands are added up."""

    layer: StrandLayer
    first: int
    last: int

    @property
    def rows(self) -> tuple[int, int]:
        """(first, count) of their strands."""
        n, starts = self.layer.n_trunk, self.layer.batches
        return n + starts[self.first], starts[self.last] - starts[self.first]


class RibbonPass:
    """Draws strands; owns two vertex buffers a link (shape, looks), and the anchor tables as textures."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self.program = shared_program(ctx, "strand.vert", "strand.geom", "strand.frag", defines={"ENDS": 2})
        self.id_program = shared_program(
            ctx, "strand.vert", "strand.geom", "strand.frag", defines={"ENDS": 2, "IDS": True}
        )
        self.sum_program = shared_program(
            ctx, "strand.vert", "strand.geom", "strand.frag", defines={"ENDS": 2, "SUM": True}
        )
        self.veil_program = shared_program(
            ctx, "strand.vert", "strand.geom", "strand.frag", defines={"ENDS": 2, "VEIL": True}
        )
        self.check_program = shared_program(
            ctx, "strand.vert", varyings=[*(f"v_c{k}" for k in range(N_CONTROL)), "v_look"], defines={"ENDS": 2}
        )
        self._shapes: dict[Hashable, _Shape] = {}
        self._links: dict[Hashable, _Link] = {}
        self._anchors: dict[Hashable, moderngl.Texture] = {}

    def prepare(self, frame: Frame) -> None:
        """Upload strands and anchors that changed: shapes and looks of strands apart, each by its key."""
        used = {frame.tiles[i].key: frame.tiles[i] for s in frame.strands for i in (s.source, s.target)}
        for key in [k for k in self._anchors if k not in used]:
            self._anchors.pop(key).release()
        for key, tile in used.items():
            if key not in self._anchors:
                self._anchors[key] = self._table(tile.table)
        wanted = {s.key: s for s in frame.strands}
        for key in [k for k, link in self._links.items() if k not in wanted or link.shape != shape_of(wanted[k])]:
            self._forget(key)
        shapes = {shape_of(s): s for s in frame.strands}
        for key in [k for k in self._shapes if k not in shapes]:
            self._forget_shape(key)
        for key, s in shapes.items():
            if key not in self._shapes:
                self._shapes[key] = self._shape(s)
        for key, s in wanted.items():
            if key not in self._links:
                self._links[key] = self._link(s)

    def cost(self, s: StrandLayer) -> int:
        """How many bytes `prepare` would upload for a link's strands."""
        shape = 0 if shape_of(s) in self._shapes else SHAPE.itemsize
        return len(s.strands) * (shape + (0 if s.key in self._links else LOOK.itemsize))

    def _table(self, table: NDArray[np.void]) -> moderngl.Texture:
        texture = make_texture(self.ctx, anchor_texels(np.ascontiguousarray(table, TILE)), self.uploads)
        assert isinstance(texture, moderngl.Texture)
        return texture

    def _shape(self, s: StrandLayer) -> _Shape:
        rows = np.zeros(len(s.strands), SHAPE)
        for name in SHAPE.names or ():
            rows[name] = s.strands[name]
        clusters = (self._table(s.source_clusters), self._table(s.target_clusters))
        return _Shape(make_buffer(self.ctx, rows, self.uploads), clusters)

    def _link(self, s: StrandLayer) -> _Link:
        rows = np.zeros(len(s.strands), LOOK)
        rows["amount"], rows["area"] = s.strands["amount"], s.strands["area"]
        looks, shape = make_buffer(self.ctx, rows, self.uploads), self._shapes[shape_of(s)]
        arrays = tuple(
            self.ctx.vertex_array(p, [attributes(p, shape.buffer, SHAPE), attributes(p, looks, LOOK)])
            for p in (self.program, self.id_program, self.check_program, self.sum_program, self.veil_program)
        )
        return _Link(shape_of(s), looks, arrays)

    def _set_route(self, program: moderngl.Program, frame: Frame, s: StrandLayer, phase: int = 0) -> None:
        ends = (frame.tiles[s.source], frame.tiles[s.target])
        for unit, texture in enumerate((*(self._anchors[e.key] for e in ends), *self._shapes[shape_of(s)].clusters)):
            texture.use(unit)
        set_uniforms(program, (), u_tiles_0=0, u_tiles_1=1, u_clusters_0=2, u_clusters_1=3)
        set_uniforms(
            program, ROUTE, **end_uniforms(ends),
            u_route=(frame.state.edges.strength, frame.state.side, s.gutter, PATHS[s.path]),
            u_rope=(*s.rope, s.rope_share, s.apex), u_radii=(*s.radii, s.n_trunk, frame.epoch_mix),
            u_hw=s.hw, u_per_sign=s.trunk_per_sign, u_turn=s.turn, u_leave=s.leave,
            u_behind=(behind_share(frame.state), s.source_gutter), u_grow=s.grow, u_crowd=s.crowd,
            u_lit=(*(s.lit or (-1, -1, False)), phase), u_lit_uv=s.lit_uv,
        )  # fmt: skip

    def _colours(self, frame: Frame, s: StrandLayer) -> dict[str, object]:
        pal = frame.palette
        if s.colour == "sign":
            return {"u_positive": pal.positive[:3], "u_negative": pal.negative[:3]}
        base = np.array((pal.neutral if s.colour == "neutral" else pal.identity)[:3])
        fog = np.array(pal.fog[:3])
        mixed = tuple(fog + (base - fog) * (0.75 if s.colour == "neutral" else 0.60))
        return {"u_positive": mixed, "u_negative": mixed}

    def set_frame(self, program: moderngl.Program, frame: Frame, common: dict[str, object]) -> int:
        """Set what all links of a frame share; returns curve samples a strand."""
        samples = max(8, min(44, frame.state.budget.samples))
        set_uniforms(
            program, ("u_fog", "u_fog_range", "u_halo"), **common, u_segments=samples, u_halo=frame.palette.halo[:3],
            u_px=(frame.view.px_per_unit / frame.state.scale, MIN_PX, HALO_PX, HALO_SHARE),
        )  # fmt: skip
        return samples

    def draw(self, frame: Frame, common: dict[str, object]) -> tuple[int, int]:
        """Draw every link; returns (draw calls, curve segments)."""
        samples = self.set_frame(self.program, frame, common)
        n_calls, n_segments = 0, 0
        for s, phase in _order(frame):
            first, count = _visible(s, is_summed=bool(s.batches) and frame.state.edges.passes > 0)
            if not count:
                continue
            self._set_route(self.program, frame, s, phase)
            self._set_shade(self.program, frame, s, 1.0)
            set_uniforms(self.program, (), u_alpha=1.0 if phase else 0.5)
            self._links[s.key].arrays[0].render(moderngl.POINTS, vertices=count, first=first)
            n_calls, n_segments = n_calls + 1, n_segments + count * samples
        return n_calls, n_segments

    def draw_veil(self, frame: Frame, common: dict[str, object], opacity: float) -> int:
        """Add what does not stand out to the bound sums of transparency, blending as it is set; returns draw calls."""
        program, n_calls = self.veil_program, 0
        self.set_frame(program, frame, common)
        set_uniforms(program, (), u_veil=(opacity, frame.view.distance))
        for s in frame.strands:
            first, count = _visible(s, is_summed=bool(s.batches) and frame.state.edges.passes > 0)
            if not count:
                continue
            self._set_route(program, frame, s, DIMMED)
            self._set_shade(program, frame, s, 1.0 - DIM_STRANDS * frame.state.focus.share)
            self._links[s.key].arrays[4].render(moderngl.POINTS, vertices=count, first=first)
            n_calls += 1
        return n_calls

    def _set_shade(self, program: moderngl.Program, frame: Frame, s: StrandLayer, bright: float) -> None:
        dashes = DASHES if s.is_dashed else 0.0
        shade = (float(frame.palette.is_light), s.bright * bright, STRENGTH_FLOOR, dashes)
        is_grey_print = frame.state.edges.print == "grey" and s.colour == "sign"
        set_uniforms(
            program, (), **self._colours(frame, s), u_shade=shade,
            u_dash_negative=DASHES if is_grey_print else 0.0,
        )  # fmt: skip

    def draw_sums(self, frame: Frame, common: dict[str, object], sums: list[Sum]) -> int:
        """Add strands to the bound float target, blending as it is set; returns draw calls."""
        program = self.sum_program
        self.set_frame(program, frame, common)
        set_uniforms(program, ("u_segments", "u_shade"), u_segments=SUM_SAMPLES, u_shade=(0.0, 1.0, 1.0, 0.0))
        for part in sums:
            first, count = part.rows
            self._set_route(program, frame, part.layer)
            set_uniforms(program, (), u_hw=SUM_HALF_WIDTH)
            if count:
                self._links[part.layer.key].arrays[3].render(moderngl.POINTS, vertices=count, first=first)
        return len(sums)

    def draw_ids(self, frame: Frame, common: dict[str, object], window: tuple[int, int, int, int]) -> None:
        """Draw (link + 1, row) of every strand into the bound integer target; the top bit is that of no strand.

        window : x, y from the bottom, width and height in logical px; strands that lie elsewhere may be left out.
        """
        self.set_frame(self.id_program, frame, common)
        reach = 2.0 / np.array(frame.state.size_px)
        low, wide = np.array(window[:2]) * reach - 1.0, np.array(window[2:]) * reach
        set_uniforms(self.id_program, (), u_window=(*low, *(low + wide)), u_reach=reach)
        for k, s in enumerate(frame.strands):
            first, count = _visible(s)
            link = self._links[s.key]
            self._set_route(self.id_program, frame, s)
            set_uniforms(self.id_program, (), u_link=(k + 1, first))
            set_uniforms(self.id_program, ("u_shade",), u_shade=(0.0, 1.0, 1.0, DASHES if s.is_dashed else 0.0))
            if count:
                link.arrays[1].render(moderngl.POINTS, vertices=count, first=first)

    def drawables(self, program: moderngl.Program, frame: Frame) -> Iterator[tuple[moderngl.VertexArray, int, int]]:
        """(vertex array, first, count) of each link for a program of one's own, its uniforms set as it is reached."""
        for s in frame.strands:
            first, count = _visible(s)
            shape, link = self._shapes[shape_of(s)], self._links[s.key]
            parts = [attributes(program, shape.buffer, SHAPE), attributes(program, link.looks, LOOK)]
            array = self.ctx.vertex_array(program, parts, skip_errors=True)
            self._set_route(program, frame, s)
            yield array, first, count
            array.release()

    def control_points(self, frame: Frame, n: int) -> NDArray[np.float32]:
        """(m, 11, 3) control points of link number `n` of the frame as the GPU computes them (transform feedback)."""
        s = frame.strands[n]
        link = self._links[s.key]
        self._set_route(self.check_program, frame, s)
        width = 3 * N_CONTROL + 2
        out = self.ctx.buffer(reserve=max(4, len(s.strands) * width * 4))
        link.arrays[2].transform(out, moderngl.POINTS, vertices=len(s.strands))
        data = np.frombuffer(out.read(), np.float32).reshape(-1, width)[: len(s.strands), : 3 * N_CONTROL]
        out.release()
        return data.reshape(-1, N_CONTROL, 3).copy()

    def _forget(self, key: Hashable) -> None:
        link = self._links.pop(key)
        for array in reversed(link.arrays):
            array.release()
        link.looks.release()

    def _forget_shape(self, key: Hashable) -> None:
        shape = self._shapes.pop(key)
        for item in (*shape.clusters, shape.buffer):
            item.release()

    def release(self) -> None:
        """Give everything back."""
        for key in list(self._links):
            self._forget(key)
        for key in list(self._shapes):
            self._forget_shape(key)
        for texture in self._anchors.values():
            texture.release()


def shape_of(s: StrandLayer) -> Hashable:
    """Names the strands' shape; the whole where the layer names no shape of its own."""
    return s.key if s.shape_key is None else s.shape_key


def _order(frame: Frame) -> Iterator[tuple[StrandLayer, int]]:
    """Layers with what is drawn of them: all (0), or what stands out (2), while the rest is a veil (1)."""
    if frame.state.focus.share <= 0.0:
        yield from ((s, 0) for s in frame.strands)
        return
    yield from ((s, 2) for s in frame.strands if s.lit is not None)


def _visible(s: StrandLayer, *, is_summed: bool = False) -> tuple[int, int]:
    """(first, count) of the strands that have any width: the rope, the single ones, or both."""
    if s.path in ("arc", "stave", "loop") or s.rope_share >= 1.0:
        return 0, s.n_trunk
    if is_summed:
        return 0, s.n_trunk if s.rope_share > 0.0 else 0
    if s.rope_share <= 0.0:
        return s.n_trunk, len(s.strands) - s.n_trunk
    return 0, len(s.strands)
