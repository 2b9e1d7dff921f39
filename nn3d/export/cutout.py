"""A picture without its ground: the same frame before black and before white tells how much of each px is covered."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nn3d.offscreen import Offscreen
from nn3d.stage.frame import Colour, Frame


def cutout(frame: Frame, on: Offscreen | None = None) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 of a frame, top row first, straight alpha: before any ground it looks as if drawn there.

    Shadows stay, as what they darken. on : what draws; made anew when None. Raises GraphicsError without OpenGL 4.1.
    """
    with nullcontext(on) if on is not None else Offscreen() as screen:
        black, white = (screen.pixels(_before(frame, c)).astype(np.float64) / 255.0 for c in (0.0, 1.0))
    covered = np.clip(1.0 - (white - black).mean(2), 0.0, 1.0)
    covered[covered < 1.5 / 255.0] = 0.0
    colour = np.clip(black / np.maximum(covered, 1e-6)[..., None], 0.0, 1.0)
    out = np.concatenate([colour, covered[..., None]], 2)
    return np.asarray(np.round(out * 255.0), np.uint8)


def _before(frame: Frame, grey: float) -> Frame:
    ground: Colour = (grey, grey, grey, 1.0)
    palette = replace(frame.palette, background=(ground, ground), floor=(*frame.palette.floor[:3], 0.0))
    return replace(frame, palette=palette)
