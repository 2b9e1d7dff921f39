"""Cells of near tiles as cubes: one instanced draw a layer, values from the same textures as the faces."""

from __future__ import annotations

from collections.abc import Hashable

import moderngl
import numpy as np

from nn3d.scene.gpu import Uploads, make_texture, set_uniforms
from nn3d.scene.maps import Maps
from nn3d.scene.programs import shared_program
from nn3d.scene.ramps import Ramps
from nn3d.stage.cubes import FROM_PX, FULL_PX
from nn3d.stage.frame import Frame, TileLayer

ROW = 1024
VERTICES = 18
ANCHORS, RAISED = 4, 5


class CubePass:
    """Owns the programs, the places of tiles that have cubes, and the lists of raised tiles."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads, maps: Maps, ramps: Ramps) -> None:
        self.ctx, self.uploads, self.maps, self.ramps = ctx, uploads, maps, ramps
        self._programs: dict[str, tuple[moderngl.Program, moderngl.VertexArray]] = {}
        self._textures: dict[Hashable, moderngl.Texture] = {}

    def prepare(self, frame: Frame) -> None:
        """Upload lists and places that are new; forget those that are not drawn."""
        wanted: dict[Hashable, np.ndarray] = {}
        for tile in frame.tiles:
            if tile.cubes is not None:
                wanted[_list_key(tile)] = _wrapped(tile.cubes)
                wanted["anchors", tile.key] = _anchors(tile)
        for key in [k for k in self._textures if k not in wanted]:
            self._textures.pop(key).release()
        for key, array in wanted.items():
            if key not in self._textures:
                texture = make_texture(self.ctx, array, self.uploads)
                assert isinstance(texture, moderngl.Texture)
                self._textures[key] = texture

    def draw(self, frame: Frame, tile: TileLayer, values: dict[str, object], *, is_pick: bool = False) -> int:
        """Draw a layer's cubes; its block `Cells` and its textures are bound. Returns the number of draw calls."""
        if tile.cubes is None:
            return 0
        flags = {"PICK": is_pick, "MIXED": frame.mix_of(tile) > 0.0, "OWN_GAINS": tile.gains is not None}
        program, array = self._program(flags)
        self._textures[_list_key(tile)].use(RAISED)
        self._textures["anchors", tile.key].use(ANCHORS)
        if not is_pick:
            self.ramps.use(frame, tile.lut, 2)
        given = {
            **values, "u_px": frame.view.px_per_unit, "u_rise": (FROM_PX, FULL_PX), "u_power": tile.power,
            "u_raised": RAISED, "u_anchors": ANCHORS, "u_maps_a": 0, "u_maps_b": 1, "u_ramp": 2, "u_gains": 3,
            "u_mix": frame.mix_of(tile), "u_fog": frame.palette.fog[:3], "u_light": float(frame.palette.is_light),
            "u_signed": float(tile.lut == "div"), "u_layer": tile.layer, "Cells": 0,
        }  # fmt: skip
        set_uniforms(program, tuple(given), **given)
        array.render(moderngl.TRIANGLES, vertices=VERTICES, instances=tile.cubes.size * tile.cells[0] * tile.cells[1])
        return 1

    def _program(self, flags: dict[str, bool]) -> tuple[moderngl.Program, moderngl.VertexArray]:
        name = "-".join(k for k, v in flags.items() if v)
        if name not in self._programs:
            program = shared_program(self.ctx, "cube.vert", fragment="cube.frag", defines={"ENDS": 1, **flags})
            self._programs[name] = program, self.ctx.vertex_array(program, [])
        return self._programs[name]

    def release(self) -> None:
        """Give everything back."""
        for texture in self._textures.values():
            texture.release()
        for _, array in self._programs.values():
            array.release()


def _list_key(tile: TileLayer) -> Hashable:
    assert tile.cubes is not None
    return "raised", tile.key, tile.cubes.tobytes()


def _wrapped(numbers: np.ndarray) -> np.ndarray:
    out = np.zeros((-(-numbers.size // ROW), ROW), np.int32)
    out.ravel()[: numbers.size] = numbers
    return out


def _anchors(tile: TileLayer) -> np.ndarray:
    """(rows, 2 · 1024, 4) float32: line and circle, grid and mosaic of each tile."""
    n = tile.table.size
    out = np.zeros((-(-n // ROW) * ROW, 8), np.float32)
    out[:n] = np.ascontiguousarray(tile.table).view(np.float32).reshape(n, 8)
    return out.reshape(-1, 2 * ROW, 4)
