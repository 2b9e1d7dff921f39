"""Tiles: one instanced box a tile, its faces sampled from a texture of the layer's real values; one draw a layer."""

from __future__ import annotations

from collections.abc import Hashable

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.gpu import Uploads, attributes, make_buffer, make_texture, set_uniforms
from nn3d.scene.library import load_program
from nn3d.scene.meshes import CORNER, unit_box
from nn3d.stage.frame import TILE, Frame, TileLayer, Values
from nn3d.stage.stance import plate_axes

ANISOTROPY = 16.0
SINGLE_ROW = 1024
KINDS = {"seq": 0, "grey": 0, "div": 1, "rgb": 2}


def end_uniforms(ends: tuple[TileLayer, ...]) -> dict[str, NDArray[np.float32]]:
    """The uniforms of place.glsl for one or two layers, (n, 4) each."""
    return {
        "u_place": np.array([(t.x, t.y, t.opening, t.thickness[0]) for t in ends], np.float32),
        "u_weights": np.array([(*t.weights, t.table.size) for t in ends], np.float32),
        "u_half": np.array([(*t.open_half, *t.mosaic_half) for t in ends], np.float32),
        "u_extent": np.array([(2 * t.block_half[0], 2 * t.block_half[1], t.thickness[1], t.scale) for t in ends], np.float32),
    }




class TilePass:
    """Owns tile programs, instance buffers and value textures."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self.program = load_program(ctx, "tile.vert", fragment="tile.frag", defines={"ENDS": 1})
        self.pick_program = load_program(ctx, "tile.vert", fragment="pick.frag", defines={"ENDS": 1})
        self.box = make_buffer(ctx, unit_box(), uploads)
        self.empty = make_texture(ctx, np.zeros((1, 1, 1), np.float32), uploads, layers=True)
        self._arrays: dict[Hashable, tuple[moderngl.Buffer, moderngl.VertexArray, moderngl.VertexArray]] = {}
        self._textures: dict[Hashable, moderngl.TextureArray] = {}
        self._ramps: dict[tuple[str, str], moderngl.Texture] = {}

    def prepare(self, frame: Frame) -> None:
        """Upload what this frame shows and was not here; forget what it no longer shows."""
        wanted = {v.key: (v, t) for t in frame.tiles if t.values is not None for v in t.values}
        for key in [k for k in self._textures if k not in wanted]:
            self._textures.pop(key).release()
        for key, (values, tile) in wanted.items():
            if key not in self._textures:
                self._textures[key] = self._upload(values, tile)
        tables = {t.key: t for t in frame.tiles}
        for key in [k for k in self._arrays if k not in tables]:
            self._forget(key)
        for key, tile in tables.items():
            if key not in self._arrays:
                self._arrays[key] = self._array(tile)

    def _array(self, tile: TileLayer) -> tuple[moderngl.Buffer, moderngl.VertexArray, moderngl.VertexArray]:
        buffer = make_buffer(self.ctx, tile.table, self.uploads)
        both = [
            self.ctx.vertex_array(
                p, [attributes(p, self.box, CORNER), attributes(p, buffer, TILE, per_instance=True)], skip_errors=True
            )
            for p in (self.program, self.pick_program)
        ]
        return buffer, both[0], both[1]

    def _upload(self, values: Values, tile: TileLayer) -> moderngl.TextureArray:
        cells = values.cells
        if tile.cells == (1, 1) and tile.lut != "rgb":
            rows = -(-cells.size // SINGLE_ROW)
            padded = np.zeros(rows * min(SINGLE_ROW, max(1, cells.size)), np.float32)
            padded[: cells.size] = cells.ravel()
            return self._texture(padded.reshape(1, rows, -1), mips=False)
        pack = self._pack(tile)
        if pack > 1:
            n_layers = -(-len(cells) // pack)
            padded = np.zeros((n_layers * pack, *cells.shape[1:]), np.float32)
            padded[: len(cells)] = cells
            cells = padded.reshape(n_layers, -1, cells.shape[2])
        return self._texture(cells, mips=True)

    def _pack(self, tile: TileLayer) -> int:
        """How many tiles share a texture layer: more than one only beyond the GPU's number of layers."""
        return -(-tile.table.size // int(self.ctx.info["GL_MAX_ARRAY_TEXTURE_LAYERS"]))

    def _texture(self, cells: NDArray[np.float32], *, mips: bool) -> moderngl.TextureArray:
        texture = make_texture(self.ctx, cells, self.uploads, layers=True)
        assert isinstance(texture, moderngl.TextureArray)
        if mips:
            texture.build_mipmaps()
            texture.filter = moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR
            texture.anisotropy = ANISOTROPY
        return texture

    def _ramp(self, frame: Frame, name: str) -> moderngl.Texture:
        key = (frame.palette.name, name)
        if key not in self._ramps:
            ramp = np.clip(frame.palette.ramps[name] * 255.0 + 0.5, 0, 255).astype(np.uint8)[None]
            texture = make_texture(self.ctx, ramp, self.uploads, nearest=False)
            assert isinstance(texture, moderngl.Texture)
            self._ramps[key] = texture
        return self._ramps[key]

    def draw(self, frame: Frame, common: dict[str, object]) -> int:
        """Draw every layer's plate; returns the number of draw calls."""
        p, pal = self.program, frame.palette
        set_uniforms(p, (), **{k: common[k] for k in ("u_clip_from_world", "u_stance", "u_eye", "u_fog", "u_fog_range")})
        set_uniforms(
            p, (), u_rim=pal.rim[:3], u_side=pal.side[:3], u_nonfinite=pal.nonfinite[:3],
            u_grid=(pal.grid, float(pal.is_light)), u_maps_a=0, u_maps_b=1, u_ramp=2,
        )  # fmt: skip
        for tile in frame.tiles:
            self._bind(frame, tile)
            self._arrays[tile.key][1].render(moderngl.TRIANGLES, instances=tile.table.size)
        return len(frame.tiles)

    def _bind(self, frame: Frame, tile: TileLayer) -> None:
        here = tile.values is not None
        maps = [self._textures[v.key] for v in tile.values] if tile.values is not None else [self.empty, self.empty]
        maps[0].use(0)
        maps[1].use(1)
        self._ramp(frame, "seq" if tile.lut == "rgb" else tile.lut).use(2)
        set_uniforms(
            self.program, (), **end_uniforms((tile,)), u_gain=(*tile.gain, *tile.offset),
            u_show=(frame.epoch_mix, tile.power, tile.bright, float(here)),
            u_cells=(*tile.cells, KINDS[tile.lut], self._in_a_row(tile)),
        )  # fmt: skip

    def _in_a_row(self, tile: TileLayer) -> int:
        return min(SINGLE_ROW, max(1, tile.table.size)) if tile.cells == (1, 1) else self._pack(tile)

    def draw_ids(self, frame: Frame, clip_from_world: NDArray[np.float64]) -> None:
        """Draw layer and tile numbers into the bound integer target."""
        axes = plate_axes(frame.view.world_from_bench)
        set_uniforms(self.pick_program, (), u_clip_from_world=clip_from_world, u_stance=axes)
        for tile in frame.tiles:
            set_uniforms(self.pick_program, ("u_extent", "u_half"), **end_uniforms((tile,)), u_layer=tile.layer)
            self._arrays[tile.key][2].render(moderngl.TRIANGLES, instances=tile.table.size)

    def _forget(self, key: Hashable) -> None:
        buffer, a, b = self._arrays.pop(key)
        for item in (b, a, buffer):
            item.release()

    def release(self) -> None:
        """Give everything back."""
        for key in list(self._arrays):
            self._forget(key)
        textures = (*self._textures.values(), *self._ramps.values(), self.empty)
        for item in (*textures, self.box, self.pick_program, self.program):
            item.release()
