"""Colours of tensors in the panels: signs as the picture has them, colour kernels as small pictures, their legend."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import FloatArray
from nn3d.stage.look import palette
from nn3d.stage.shades import SIGNED_POWER

U8 = NDArray[np.uint8]
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
