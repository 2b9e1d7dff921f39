"""A tensor as a file: its numbers as they are stored, or a picture, in the current folder, never over another."""

from __future__ import annotations

import re
from math import ceil, sqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.tensors import kernel_shape, matrix_of, read_kernels, scale_of
from nn3d.app.facts import Facts
from nn3d.app.panels.inspector.kernels import Sheet, piece_texels
from nn3d.app.panels.inspector.parameters import shows_colour, shows_kernels
from nn3d.app.saving import free_path
from nn3d.app.tints import signed_texels, tile_texels
from nn3d.errors import Nn3dError
from nn3d.export.png import save_picture
from nn3d.run.model import Array, Layer
from nn3d.stage.controls.requests import SaveTensor
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.stages import LAST
from nn3d.stage.state import ViewState

LONGEST_PX: Final = 4096
USUAL_PX: Final = 1024
LARGEST: Final = 12


def save_tensor(facts: Facts, state: ViewState, frame: Frame, wanted: SaveTensor) -> Path:
    """Write what was asked for. Raises Nn3dError or OSError when it cannot be read or written."""
    layer = facts.layer(wanted.item)
    path = free_path(Path.cwd(), tensor_name(facts, state, layer, wanted.parameter), wanted.suffix)
    if wanted.suffix == ".npy":
        np.save(path, _numbers(facts, state, layer, wanted.parameter))
        return path
    if wanted.parameter >= 0:
        texels = parameter_picture(facts, layer, wanted.parameter, round(state.time.epoch), state.theme)
    else:
        tiles = next((t for t in frame.tiles if t.layer == wanted.item and t.values is not None), None)
        if tiles is None:
            raise Nn3dError(f"{layer.name}: its values are still being read. Try again in a moment.")
        texels = values_picture(tiles, state)
    save_picture(path, texels)
    return path


def tensor_name(facts: Facts, state: ViewState, layer: Layer, parameter: int) -> str:
    """`lenet-5-conv2-weight-epoch10`, `lenet-5-conv2-epoch10-sample3`: of letters that every file system takes."""
    run = facts.run
    what = run.parameter_info(parameter).name if parameter >= 0 else layer.name
    words = [run.name or "network", what]
    if run.epochs:
        words.append(f"epoch{run.epochs[round(state.time.epoch)].id}")
    if parameter < 0 and run.samples:
        words.append(f"sample{state.sample}")
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def _numbers(facts: Facts, state: ViewState, layer: Layer, parameter: int) -> Array:
    epoch = round(state.time.epoch)
    if parameter >= 0:
        return facts.run.parameter(parameter, epoch)
    is_one = layer.index < len(state.layers) and facts.run.layers[layer.index] is layer
    node, output = facts.node(layer, epoch, state.layers[layer.index].stage if is_one else LAST)
    return facts.run.values(node, output, epoch, facts.number(state))


def parameter_picture(facts: Facts, layer: Layer, parameter: int, epoch: int, theme: str) -> NDArray[np.uint8]:
    """(H, W, 4) uint8: all kernels with clear gaps, or the matrix, at most 4,096 px a side, each value a square."""
    values = facts.run.parameter(parameter, epoch)
    shape = kernel_shape(values.shape) if shows_kernels(layer, parameter, values.shape) else None
    if shape is None:
        matrix = matrix_of(values, (LONGEST_PX, LONGEST_PX))
        px = max(1, min(LARGEST, USUAL_PX // max(matrix.cells.shape)))
        return np.ascontiguousarray(signed_texels(matrix.cells, matrix.full, theme).repeat(px, 0).repeat(px, 1))
    is_colour = shows_colour(facts, layer, shape)
    n_in = 1 if is_colour else shape.n_in
    columns = min(ceil(sqrt(shape.n_out)) if n_in == 1 else shape.n_out, max(1, LONGEST_PX // (shape.cols + 1)))
    across, down = columns * (shape.cols + 1), -(-shape.n_out // columns) * n_in * (shape.rows + 1)
    if max(across, down) > LONGEST_PX:
        raise Nn3dError(f"{layer.name}: {shape.n_out} × {n_in} kernels are too many for a picture. Save them as .npy.")
    px = max(1, min(LARGEST, USUAL_PX // max(across, down)))
    full = scale_of(values).full
    sheet = Sheet(shape.n_out, n_in, shape.rows, shape.cols, px, 1, columns, 0.0, 0.0)
    bands = []
    for first in range(0, shape.n_out, columns):
        last = min(shape.n_out, first + columns)
        kernels = read_kernels(values, (first, last), (0, 3 if is_colour else n_in))
        texels = piece_texels(kernels, sheet, full, theme, is_colour=is_colour)
        wide = columns * (shape.cols * px + 1) - 1
        bands.append(np.pad(texels, ((0, 1), (0, wide - texels.shape[1]), (0, 0))))
    return np.ascontiguousarray(np.concatenate(bands)[:-1])


def values_picture(tiles: TileLayer, state: ViewState) -> NDArray[np.uint8]:
    """(H, W, 4) uint8: the maps of a layer side by side as the picture colours them, at least a px a cell."""
    assert tiles.values is not None
    n = 1 if tiles.lut == "rgb" else len(tiles.values[1].cells)
    texels = tile_texels(tiles, state.theme, 0, n, state.ramp, most_cells=LONGEST_PX)
    rows, cols = texels.shape[1:3]
    columns = min(n, max(1, round(sqrt(n * rows / cols))))
    px = max(1, min(LARGEST, USUAL_PX // max(columns * (cols + 1), -(-n // columns) * (rows + 1))))
    texels = np.pad(texels.repeat(px, 1).repeat(px, 2), ((0, -n % columns), (0, 1), (0, 1), (0, 0)))
    grid = texels.reshape(-1, columns, *texels.shape[1:]).transpose(0, 2, 1, 3, 4)
    whole = grid.reshape(grid.shape[0] * grid.shape[1], -1, 4)
    return np.ascontiguousarray(whole[:-1, :-1])
