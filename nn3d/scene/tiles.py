"""Tiles: the faces that look at the reader, one square a layer at rest, one instance a tile on its way; and sides."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.cubes import CubePass
from nn3d.scene.gpu import Uploads, attributes, make_buffer, set_uniforms
from nn3d.scene.maps import Maps
from nn3d.scene.plates import Lattice, Scale, arrangement_at_rest, cells_block, lattice_of, scales
from nn3d.scene.programs import shared_program
from nn3d.scene.ramps import Ramps
from nn3d.stage.frame import TILE, Frame, TileLayer
from nn3d.stage.stance import plate_axes

SEEN_PX = 0.35  # sides thinner than this are left out
# Where tiles are nearer to each other than this, their edges are blended over what lies behind; elsewhere they cover as
# many samples as their share of the pixel, so that strands behind an edge show through it.
SOFT_PX = 16.0
FAR_PX = 1.7  # in motion, of tiles nearer to each other than this the values are averaged
SEAM_PX = 14.0  # at rest, a pixel over tiles nearer to each other than this shows its part of each
LINES_PX = 4.4  # lines are drawn between cells of at least this size
SAMPLE_ALPHA_TO_COVERAGE = 0x809E
CAMERA = ("u_clip_from_world", "u_stance", "u_eye")
WITHOUT_VALUES = ("far", "mixed", "picture", "masked", "own_gains")  # what a plate without values does not heed
WITHOUT_RAMP = ("far", "masked")  # nor one in its own colours
PLACE = ("u_place", "u_weights", "u_half", "u_extent")


def end_uniforms(ends: tuple[TileLayer, ...]) -> dict[str, NDArray[np.float32]]:
    """The uniforms of place.glsl for one or two layers, (n, 4) each."""
    return {
        "u_place": np.array([(t.x, t.y, t.opening, t.thickness[0]) for t in ends], np.float32),
        "u_weights": np.array([(*t.weights, t.table.size) for t in ends], np.float32),
        "u_half": np.array([(*t.open_half, *t.mosaic_half) for t in ends], np.float32),
        "u_extent": np.array(
            [(2 * t.block_half[0], 2 * t.block_half[1], t.thickness[1], t.scale) for t in ends], np.float32
        ),
    }


@dataclass(slots=True)
class _Layer:
    """What is kept on the GPU for one table of tiles: its rows, vertex arrays by program, blocks by page."""

    table: NDArray[np.void]
    buffer: moderngl.Buffer
    arrays: dict[str, moderngl.VertexArray] = field(default_factory=dict)
    blocks: dict[int, tuple[bytes, moderngl.Buffer]] = field(default_factory=dict)
    lattices: dict[str, Lattice | None] = field(default_factory=dict)

    def lattice(self, tile: TileLayer) -> Lattice | None:
        """The lattice that the tiles stand in now, if they do."""
        name = arrangement_at_rest(tile)
        if name is None:
            return None
        if name not in self.lattices:
            half = tile.mosaic_half if name == "mosaic" else tile.open_half
            scale = max(tile.scale, 1e-9)
            self.lattices[name] = lattice_of(self.table[name], (half[0] / scale, half[1] / scale))
        found = self.lattices[name]
        return found if found is None or tile.scale == 1.0 else found.scaled(tile.scale)

    def release(self) -> None:
        """Give everything back."""
        for _, block in self.blocks.values():
            block.release()
        for array in self.arrays.values():
            array.release()
        self.buffer.release()


class TilePass:
    """Draws tiles; owns what each layer needs. Textures are kept by Maps."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self.maps = Maps(ctx, uploads)
        self.ramps = Ramps(ctx, uploads)
        self.cubes = CubePass(ctx, uploads, self.maps, self.ramps)
        self.programs: dict[str, moderngl.Program] = {}
        self._layers: dict[Hashable, _Layer] = {}

    def prepare(self, frame: Frame) -> None:
        """Upload what this frame shows and was not here; forget what it no longer shows."""
        self.maps.prepare(frame.tiles)
        self.cubes.prepare(frame)
        tables = {t.key: t.table for t in frame.tiles}
        for key in [k for k in self._layers if k not in tables]:
            self._layers.pop(key).release()
        for key, table in tables.items():
            if key not in self._layers:
                self._layers[key] = _Layer(table, make_buffer(self.ctx, table, self.uploads))

    def draw(self, frame: Frame, common: dict[str, object]) -> int:
        """Draw every layer's plate; returns the number of draw calls."""
        calls = 0
        canvas = self.ctx.fbo
        canvas.color_mask = True, True, True, False
        canvas.use()  # a mask counts from here on
        self.ctx.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        begun: set[str] = set()
        # Soft edges are blended: furthest plates first, those of one depth by number, in whatever order they come.
        plates = sorted(zip(frame.tiles, scales(frame), strict=True), key=lambda p: (-p[1].depth, p[0].layer))
        for tile, size in plates:
            calls += self._draw_faces(frame, tile, size, common, begun)
        canvas.color_mask = True, True, True, True  # alpha says what takes ambient shade: sides do, faces do not
        canvas.use()
        for tile, size in plates:
            calls += self._draw_sides(frame, tile, size, common, begun)
            calls += self._draw_cubes(frame, tile, {k: common[k] for k in CAMERA})
        return calls

    def _draw_cubes(self, frame: Frame, tile: TileLayer, camera: dict[str, object], *, is_pick: bool = False) -> int:
        atlases = self.maps.atlases(tile)
        if tile.cubes is None or atlases is None:
            return 0
        for page in range(len(atlases[0].pages)):
            layer = self._layers[tile.key]
            self._bind_block(layer, cells_block(tile, atlases, layer.lattice(tile), page), page)
            self.maps.use(tile, page)
            self.cubes.draw(frame, tile, camera | end_uniforms((tile,)), is_pick=is_pick)
        return len(atlases[0].pages)

    def _draw_faces(
        self, frame: Frame, tile: TileLayer, size: Scale, common: dict[str, object], begun: set[str]
    ) -> int:
        layer = self._layers[tile.key]
        lattice = layer.lattice(tile)
        atlases = self.maps.atlases(tile)
        pitch_px = np.inf if lattice is None else min(np.multiply(size.smallest, lattice.pitch))
        flags = {
            "plate": lattice is not None,
            "far": pitch_px < FAR_PX and not frame.state.budget.seams,
            "seams": frame.state.budget.seams and pitch_px < SEAM_PX,
            "lines": tile.cells != (1, 1) and min(_cell_px(tile, size)) >= LINES_PX,
            "mixed": frame.mix_of(tile) > 0.0,
            "picture": tile.lut == "rgb",
            "empty": atlases is None,
            "masked": atlases is not None and any(a.is_masked for a in atlases),
            "own_gains": tile.gains is not None,
        }
        name = _program_name(flags)
        program = self._program(name)
        if name not in begun:
            begun.add(name)
            self._set_faces(program, frame, common)
        set_uniforms(program, (*PLACE, "u_mix"), **end_uniforms((tile,)), u_mix=frame.mix_of(tile))
        self.ramps.use(frame, "seq" if tile.lut == "rgb" else tile.lut, 2)
        n_pages = 1 if atlases is None else len(atlases[0].pages)
        is_soft = pitch_px < SOFT_PX
        (self.ctx.enable if is_soft else self.ctx.disable)(moderngl.BLEND)
        (self.ctx.disable_direct if is_soft else self.ctx.enable_direct)(SAMPLE_ALPHA_TO_COVERAGE)
        for page in range(n_pages):
            self._bind_block(layer, cells_block(tile, atlases, lattice, page), page)
            self.maps.use(tile, page)
            self._render(layer, name, program, 1 if lattice is not None else tile.table.size, 4)
        self.ctx.disable(moderngl.BLEND)
        self.ctx.disable_direct(SAMPLE_ALPHA_TO_COVERAGE)
        return n_pages

    def _set_faces(self, program: moderngl.Program, frame: Frame, common: dict[str, object]) -> None:
        pal = frame.palette
        values = {
            **{k: common[k] for k in (*CAMERA, "u_fog")},
            "u_px": frame.view.px_per_unit / frame.state.scale, "u_rim": pal.rim[:3], "u_side": pal.side[:3],
            "u_nonfinite": pal.nonfinite[:3], "u_grid": pal.grid, "u_maps_a": 0,
            "u_maps_b": 1, "u_ramp": 2, "u_gains": 3, "Cells": 0,
        }  # fmt: skip
        set_uniforms(program, tuple(values), **values)

    def _draw_sides(
        self, frame: Frame, tile: TileLayer, size: Scale, common: dict[str, object], begun: set[str]
    ) -> int:
        if not _sides_show(tile, size):
            return 0
        program = self._program("side")
        if "side" not in begun:
            begun.add("side")
            keys = (*CAMERA, "u_fog", "u_fog_range")
            set_uniforms(
                program, (), **{k: common[k] for k in keys}, u_side=frame.palette.side[:3],
                u_light=float(frame.palette.is_light),
            )  # fmt: skip
        is_block = tile.opening <= 0.0
        set_uniforms(program, (), **end_uniforms((tile,)), u_block=int(is_block), u_bright=tile.bright)
        self._render(self._layers[tile.key], "side", program, 1 if is_block else tile.table.size, 6)
        return 1

    def draw_ids(self, frame: Frame) -> None:
        """Draw layer and tile numbers into the bound integer target."""
        begun: set[str] = set()
        view = frame.view
        camera = view.clip_from_world, plate_axes(view.world_from_bench), view.eye_world
        seen = dict(zip(CAMERA, camera, strict=True))
        for tile, size in zip(frame.tiles, scales(frame), strict=True):
            layer = self._layers[tile.key]
            lattice = layer.lattice(tile)
            is_block = tile.opening <= 0.0
            todo = [("pick-plate" if lattice is not None else "pick-tiles", 1 if lattice else tile.table.size, 4)]
            if _sides_show(tile, size):
                todo.append(("pick-side", 1 if is_block else tile.table.size, 6))
            self._bind_block(layer, cells_block(tile, None, lattice, 0), -1)
            for name, n, vertices in todo:
                program = self._program(name)
                if name not in begun:
                    begun.add(name)
                    set_uniforms(program, ("u_px", "Cells"), **seen, u_px=view.px_per_unit, Cells=0)
                optional = (*PLACE, "u_block")
                set_uniforms(program, optional, **end_uniforms((tile,)), u_layer=tile.layer, u_block=int(is_block))
                self._render(layer, name, program, n, vertices)
            self._draw_cubes(frame, tile, {**seen, "u_layer": tile.layer}, is_pick=True)

    def _render(self, layer: _Layer, name: str, program: moderngl.Program, n: int, vertices: int) -> None:
        array = layer.arrays.get(name)
        if array is None:
            content = [] if "plate" in name else [attributes(program, layer.buffer, TILE, per_instance=True)]
            array = layer.arrays[name] = self.ctx.vertex_array(program, content)
        array.render(moderngl.TRIANGLE_STRIP, vertices=vertices, instances=n)

    def _bind_block(self, layer: _Layer, block: NDArray[np.void], page: int) -> None:
        raw = block.tobytes()
        known = layer.blocks.get(page)
        if known is None:
            known = layer.blocks[page] = (raw, make_buffer(self.ctx, block[None], self.uploads))
        elif known[0] != raw:
            known[1].write(raw)
            self.uploads.add(len(raw))
            layer.blocks[page] = (raw, known[1])
        known[1].bind_to_uniform_block(0)

    def _program(self, name: str) -> moderngl.Program:
        if name not in self.programs:
            parts = name.split("-")
            flags = {k.upper(): True for k in parts if k not in ("tiles", "pick")}
            vertex = "side.vert" if "side" in parts else "tile.vert"
            fragment = "pick.frag" if "pick" in parts else "side.frag" if "side" in parts else "tile.frag"
            self.programs[name] = shared_program(self.ctx, vertex, fragment=fragment, defines={"ENDS": 1, **flags})
        return self.programs[name]

    def release(self) -> None:
        """Give everything back."""
        for layer in self._layers.values():
            layer.release()
        self._layers.clear()
        self.cubes.release()
        self.maps.release()
        self.ramps.release()


def _program_name(flags: dict[str, bool]) -> str:
    """What the program of a plate is called; what changes nothing about it is left out, so that few are compiled."""
    without = WITHOUT_VALUES if flags["empty"] else WITHOUT_RAMP if flags["picture"] else ()
    return "-".join(k for k, v in flags.items() if v and k not in without) or "tiles"


def _cell_px(tile: TileLayer, size: Scale) -> tuple[float, float]:
    """Height and width of a cell where the plate is nearest, in framebuffer px."""
    half = tile.open_half if tile.opening > 0.0 else tile.mosaic_half
    return 2.0 * half[0] / tile.cells[0] * size.largest[0], 2.0 * half[1] / tile.cells[1] * size.largest[1]


def _sides_show(tile: TileLayer, size: Scale) -> bool:
    """Whether the plate is thick enough on screen for its sides to be seen."""
    thickness = 2.0 * (tile.thickness[0] if tile.opening >= 1.0 else max(tile.thickness))
    return thickness * max(size.largest) >= SEEN_PX
