"""Small pictures of numbers in cards: patches, kernels and products, each with its own ramp, and the words in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import Cells, Mark, Text
from nn3d.stage.overlay.facts import Facts

F64 = NDArray[np.float64]
POWER = 0.8
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DARK_INK = 0.45


def cell_picture(
    f: Facts, at: tuple[float, float], cell_px: float, values: F64, full: float, lut: str, is_inside: NDArray[np.bool_]
) -> Cells:
    """A picture of (R, C) values, `full` in full colour; cells of the padding are holes.

    lut : "seq", "div" or "grey", as in TileLayer.
    """
    ramp = f.palette.ramps[lut]
    share = np.nan_to_num(values) / (full or 1.0)
    t = np.clip(np.abs(share), 0.0, 1.0) ** POWER
    place = 0.5 + 0.5 * np.sign(share) * t if lut == "div" else np.where(share > 0.0, t, 0.0)
    colours = np.ones((*values.shape, 4), np.float32)
    colours[..., :3] = ramp[np.rint(place * (len(ramp) - 1)).astype(np.int64)]
    colours[~np.isfinite(values), :3] = f.palette.nonfinite[:3]
    colours[~is_inside] = (*f.palette.side[:3], 0.28)
    colours.setflags(write=False)
    return Cells(at[0], at[1], cell_px, cell_px, 1.0 if cell_px >= 5.0 else 0.0, colours.tobytes(), colours)


def numbers_in(f: Facts, picture: Cells, values: F64, is_inside: NDArray[np.bool_], size_px: float) -> list[Mark]:
    """The values written on their cells, in an ink that stands out from each."""
    cols = values.shape[1]
    bright = picture.colours[..., :3] @ np.array([0.299, 0.587, 0.114])
    out: list[Mark] = []
    for k, v in enumerate(values.ravel().tolist()):
        r, c = divmod(k, cols)
        if not is_inside[r, c]:
            continue
        ink = (0.06, 0.08, 0.1, 1.0) if bright[r, c] > DARK_INK else (0.93, 0.95, 0.96, 1.0)
        x, y = picture.x + (c + 0.5) * picture.width, picture.y + (r + 0.5) * picture.height
        out.append(Text(x, y, short(v), size_px, "medium", ink, "mm"))
    return out


def power_of(values: F64) -> int:
    """The power of ten by which values are divided before they are written on cells: 0 where they fit as they are."""
    largest = float(np.nanmax(np.abs(np.where(np.isfinite(values), values, 0.0)), initial=0.0))
    if largest == 0.0 or 0.095 <= largest < 999.5:
        return 0
    return int(np.floor(np.log10(largest))) + (largest < 1.0)


def power_words(power: int) -> str:
    """What is said of numbers divided by a power of ten: " · 10⁻³", "" for none."""
    return "" if power == 0 else " · 10" + str(power).translate(RAISED)


def short(v: float) -> str:
    """A number in at most five characters: "1.24", ".07", "−13", "2e5"."""
    if not np.isfinite(v):
        return "NaN" if v != v else "∞" if v > 0 else "−∞"
    size = abs(v)
    if size >= 9999.5:
        text = f"{v:.0e}".replace("e+0", "e")
    elif size >= 99.5:
        text = f"{v:.0f}"
    elif size >= 9.95:
        text = f"{v:.1f}"
    else:
        text = f"{v:.2f}"
        text = "0" if size == 0 else text.replace("0.", ".", 1) if size < 0.995 else text
        text = text.replace("-.00", ".00")
    return text.replace("-", "−")
