"""How the values of a layer become colours: ramp, power, gain and offset of its faces, by the scope of the colour key.

A shown value is lut(t^power), t = (v − offset)·gain. The scope says whose quantile is full colour: the map's own, the
layer's, or the largest of the network's layers. Pictures keep their own colours in every scope.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import InputInfo
from nn3d.stage.atlas import build_atlas
from nn3d.stage.frame import Gains, Values

if TYPE_CHECKING:
    from nn3d.stage.plan import LayerPlan
    from nn3d.stage.resident import LayerValues, ValuesNeed

F32 = NDArray[np.float32]
Pair = tuple[float, float]

POWER = 0.7
SIGNED_POWER = 0.8
SEQUENTIAL_QUANTILE = 0.995
SIGNED_QUANTILE = 0.97
MOST_CELLS = 4096  # of a map that its own quantile is taken from


@dataclass(frozen=True, slots=True)
class PeaksNeed:
    """The quantile of each map of a layer, for the scope "map"."""

    values: ValuesNeed


@dataclass(frozen=True, slots=True)
class Peaks:
    """full : (K,) float32, the value that is drawn at full colour in each map."""

    full: F32

    @property
    def nbytes(self) -> int:
        """Memory of the quantiles."""
        return self.full.nbytes


@dataclass(frozen=True, slots=True)
class Shade:
    """The fields of TileLayer that say how values become colours."""

    lut: str
    power: float
    gain: Pair
    offset: Pair = (0.0, 0.0)
    gains: Gains | None = None


EMPTY = Shade("seq", POWER, (1.0, 1.0))


def shade_of(info: InputInfo | None, values: tuple[LayerValues, LayerValues] | None, *, is_weights: bool) -> Shade:
    """The shade of a layer's faces in the scope "layer", at the two epochs that are mixed."""
    if values is None:
        return EMPTY
    if info is not None and info.kind == "image":
        if values[0].picture is not None:
            return Shade("rgb", 1.0, (1.0, 1.0))
        low, high = _picture_range(info, values[0])
        return Shade("grey", 1.0, (1.0 / (high - low),) * 2, (low, low))
    gain = 1.0 / values[0].full, 1.0 / values[1].full
    if is_weights or any(v.is_signed for v in values):
        return Shade("div", SIGNED_POWER, gain)
    return Shade("seq", POWER, gain)


def by_network(shade: Shade, full: Pair) -> Shade:
    """The shade with one full colour for the whole network."""
    return shade if shade.lut in ("rgb", "grey") else replace(shade, gain=(1.0 / full[0], 1.0 / full[1]))


def by_map(shade: Shade, peaks: tuple[Peaks, Peaks], key: object) -> Shade:
    """The shade with a full colour for each map; maps of one cell keep the layer's. key : names the peaks."""
    if shade.lut in ("rgb", "grey"):
        return shade
    gains = np.stack([1.0 / (p.full * g) for p, g in zip(peaks, shade.gain, strict=True)], 1).astype(np.float32)
    gains.setflags(write=False)
    return replace(shade, gains=Gains(("gains", key), gains))


def network_full(values: list[tuple[LayerValues, LayerValues]]) -> Pair:
    """The largest of the layers' quantiles at the two epochs; pictures left out by the caller."""
    a, b = (max((pair[k].full for pair in values), default=1.0) for k in (0, 1))
    return a, b


def peaks_of(found: LayerValues) -> Peaks:
    """The quantile of each map: of its magnitudes where the layer is signed, else of its positive cells."""
    cells = found.values.cells
    flat = cells.reshape(cells.shape[0], -1)
    flat = flat[:, :: -(-flat.shape[1] // MOST_CELLS)]
    finite = np.isfinite(flat)
    size = np.where(finite, np.abs(flat) if found.is_signed else flat, 0.0).astype(np.float32)
    size.sort(axis=1)
    counts = finite.sum(1) if found.is_signed else (size > 0).sum(1)
    quantile = SIGNED_QUANTILE if found.is_signed else SEQUENTIAL_QUANTILE
    at = flat.shape[1] - 1 - np.maximum(counts - 1, 0) * (1.0 - quantile)
    low = np.floor(at).astype(np.int64)
    rows = np.arange(len(size))
    above = size[rows, np.minimum(low + 1, size.shape[1] - 1)]
    full = size[rows, low] + (at - low) * (above - size[rows, low])
    full = np.where(full > 0, full, found.full).astype(np.float32)
    full.setflags(write=False)
    return Peaks(full)


def dressed(found: LayerValues, plan: LayerPlan) -> LayerValues:
    """Values with what the GPU is given of them: an atlas, or the picture in its own colours with its atlas."""
    is_image = plan.input is not None and plan.input.kind == "image"
    if is_image and plan.input is not None and found.values.cells.shape[0] == 3:
        picture = _picture(found.values.cells, plan.input)
        values = Values((found.values.key, "rgb"), picture, build_atlas(picture, 1.0))
        return replace(found, picture=values)
    is_signed = found.is_signed or plan.shows == "weights"
    power = 1.0 if is_image else SIGNED_POWER if is_signed else POWER
    span = None if found.n_nonfinite else (found.lowest, found.highest)
    atlas = build_atlas(found.values.cells, power, columns=plan.tiles.grid[1], span=span)
    return replace(found, values=replace(found.values, atlas=atlas))


def _picture_range(info: InputInfo, values: LayerValues) -> Pair:
    low, high = info.value_range or (min(0.0, values.lowest), values.highest)
    if info.value_range is not None and len(info.mean) == 1 and len(info.std) == 1:
        low, high = ((v - info.mean[0]) / info.std[0] for v in (low, high))
    return low, high if high > low else low + 1.0


def _picture(cells: F32, info: InputInfo) -> F32:
    """(3, R, C) of a normalised colour picture, back in its own colours 0 … 1."""
    out = cells.astype(np.float32)
    if len(info.mean) == 3 and len(info.std) == 3:
        out = out * np.array(info.std, np.float32)[:, None, None] + np.array(info.mean, np.float32)[:, None, None]
    finite = out[np.isfinite(out)]
    low, high = info.value_range or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    shown: F32 = np.clip((out - low) / ((high - low) or 1.0), 0.0, 1.0).astype(np.float32)
    shown.setflags(write=False)
    return shown
