"""Small pictures in the panels: tiles and inputs as the picture has them, signed tensors, colour kernels, legends."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import FloatArray
from nn3d.stage.frame import TileLayer
from nn3d.stage.look import palette
from nn3d.stage.shades import SIGNED_POWER

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
THUMB_CELLS: Final = 64
LEGEND: Final = 129


def signed_texels(values: FloatArray, full: float, theme: str) -> U8:
    """(…, 4) uint8 of values: orange above 0, blue below, full colour at ±full; magenta where they are not finite."""
    look = palette(theme)
    ramp = look.ramps["div"]
    shown = np.clip(np.nan_to_num(values) / full, -1.0, 1.0)
    place = (np.sign(shown) * np.abs(shown) ** SIGNED_POWER + 1.0) / 2.0
    texels = np.empty((*values.shape, 4), np.uint8)
    texels[..., :3] = _bytes(ramp)[(place * (len(ramp) - 1) + 0.5).astype(np.intp)]
    texels[..., 3] = 255
    is_odd = ~np.isfinite(values)
    if is_odd.any():
        texels[is_odd] = (*_bytes(np.array(look.nonfinite[:3], np.float32)), 255)
    return texels


def colour_texels(kernels: FloatArray, full: float) -> U8:
    """(o, rows, cols, 4) uint8 of kernels (o, 3, rows, cols) that read red, green, blue: 0 is grey, ±full the ends."""
    rgb = np.clip(0.5 + 0.5 * np.nan_to_num(np.moveaxis(kernels, 1, -1)) / full, 0.0, 1.0)
    return np.concatenate([_bytes(rgb), np.full((*rgb.shape[:-1], 1), 255, np.uint8)], -1)


def legend_texels(theme: str) -> U8:
    """(1, 129, 4) uint8: the signed colours from −full to +full, even in value."""
    return signed_texels(np.linspace(-1.0, 1.0, LEGEND, dtype=np.float32)[None], 1.0, theme)


def colour_legend() -> U8:
    """(1, 129, 4) uint8: what one channel of a colour kernel becomes, from −full to +full."""
    grey = np.linspace(-1.0, 1.0, LEGEND, dtype=np.float32)[None, None, None].repeat(3, 1)
    return np.asarray(colour_texels(grey, 1.0)[0])


def _bytes(colours: FloatArray) -> U8:
    scaled: FloatArray = np.clip(colours, 0.0, 1.0) * 255.0 + 0.5
    return scaled.astype(np.uint8)


def picture_of(values: F32) -> F32:
    """An input as a small picture: (H, W) or (H, W, 3), each in 0 … 1; at most 64 cells a side."""
    if values.ndim == 3 and values.shape[0] == 3:
        picture = np.moveaxis(values, 0, 2)
    elif values.ndim >= 2:
        picture = values.reshape(-1, *values.shape[-2:])[0]
    else:
        side = max(1, int(np.ceil(np.sqrt(values.size))))
        picture = np.resize(np.append(values.ravel(), np.zeros(side)), (side, side))
    step = -(-max(picture.shape[:2]) // THUMB_CELLS)
    picture = np.nan_to_num(picture[::step, ::step], posinf=0.0, neginf=0.0)
    low, high = float(picture.min()), float(picture.max())
    return ((picture - low) / max(high - low, 1e-9)).astype(np.float32)


def tile_texels(
    tiles: TileLayer, theme: str, first: int, count: int, ramp_name: str = "jade", *, most_cells: int = THUMB_CELLS
) -> U8:
    """(count, h, w, 4) uint8: tiles as the picture colours them, thinned to at most `most_cells` a side."""
    assert tiles.values is not None
    cells = tiles.values[1].cells
    step = -(-max(cells.shape[1:]) // most_cells)
    look = palette(theme, ramp_name)
    if tiles.lut == "rgb":
        colours = np.moveaxis(cells[:, ::step, ::step], 0, 2)[None]
    else:
        cut = cells[first : first + count, ::step, ::step]
        shown = (np.nan_to_num(cut) - tiles.offset[1]) * tiles.gain[1]
        if tiles.gains is not None:
            shown *= tiles.gains.values[first : first + count, 1, None, None]
        t = np.sign(shown) * np.clip(np.abs(shown), 0.0, 1.0) ** tiles.power
        ramp = look.ramps["div" if tiles.lut == "div" else tiles.lut]
        place = (t + 1.0) / 2.0 if tiles.lut == "div" else np.clip(t, 0.0, 1.0)
        colours = ramp[(place * (len(ramp) - 1) + 0.5).astype(np.intp)]
        colours = np.where(np.isfinite(cut)[..., None], colours, np.array(look.nonfinite[:3], np.float32))
    return rgba_texels(colours)


def rgba_texels(colours: F32) -> U8:
    """Opaque uint8 texels (…, 4) of colours (…, 3) in 0 … 1."""
    rgb = (np.clip(colours, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return np.concatenate([rgb, np.full((*rgb.shape[:-1], 1), 255, np.uint8)], -1)


def input_texels(picture: F32, theme: str) -> U8:
    """(h, w, 4) uint8 of an input picture: its own colours, or the theme's greys."""
    if picture.ndim == 3:
        return rgba_texels(picture)
    ramp = palette(theme).ramps["grey"]
    return rgba_texels(ramp[(picture * (len(ramp) - 1) + 0.5).astype(np.intp)])


def thumb_texels(canvas: U8, theme: str) -> U8:
    """(h, w, 4) uint8 of a picture (C, H, W): grey in the theme's greys, as its tile is; at most 64 cells a side."""
    step = -(-max(canvas.shape[1:]) // THUMB_CELLS)
    return canvas_texels(canvas[:, ::step, ::step], theme)


def canvas_texels(canvas: U8, theme: str) -> U8:
    """The same, of every px."""
    picture = canvas.astype(np.float32) / 255.0
    return input_texels(np.moveaxis(picture[:3], 0, 2) if canvas.shape[0] >= 3 else picture[0], theme)
