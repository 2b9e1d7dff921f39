"""Biases of a small network as stubs: from a grey foot up to the tile, as thick as a strand of that value. u."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import BOX, Palette, TileLayer
from nn3d.stage.reference import opened, tile_places
from nn3d.stage.small import Neurons

F64 = NDArray[np.float64]

LENGTH = 0.62
ACROSS = 0.30
FOOT = (0.10, 0.07, 0.16)
SQUARE = 0.886  # a square rod of half side .886·r has the cross-section of a round one of radius r
FLOOR = 0.5
THINNEST = 0.02


def stub_places(t: TileLayer, side: float) -> tuple[F64, F64]:
    """(K, 3) upper ends of the stubs, at the tiles' lower edges, and (K, 3) of their feet; toward the input's side."""
    centres, halves = tile_places(t)
    top = centres + np.column_stack([0 * halves[:, 0], -halves[:, 0], -side * ACROSS * 2.0 * halves[:, 1]])
    reach = LENGTH * opened(t, np.arange(len(t.table)))
    return top, top - np.column_stack([0 * reach, reach, 0 * reach])


def stub_boxes(
    palette: Palette, tiles: tuple[TileLayer, ...], neurons: Neurons | None, mix: float, side: float
) -> NDArray[np.void]:
    """BOX rows of all stubs and feet: colour by sign, as strong as a strand of that share of the largest."""
    parts = []
    for t in tiles:
        bias = None if neurons is None else neurons.biases.get(t.layer)
        if neurons is None or bias is None or t.opening <= 0.0 or t.weights[2] < 0.5:
            continue
        value = bias[:, 0] * (1.0 - mix) + bias[:, 1].astype(np.float64) * mix
        largest = neurons.largest[0] * (1.0 - mix) + neurons.largest[1] * mix
        share = np.minimum(1.0, np.abs(np.nan_to_num(value)) / largest)
        parts.append(_boxes(palette, stub_places(t, side), np.copysign(share, value), neurons.thickest))
    return np.concatenate(parts) if parts else np.zeros(0, BOX)


def _boxes(palette: Palette, places: tuple[F64, F64], share: F64, thickest: float) -> NDArray[np.void]:
    """share : (K,) of the largest, with the bias's sign."""
    (top, foot), n = places, len(share)
    out = np.zeros(2 * n, BOX)
    rods, feet = out[:n], out[n:]
    half = np.maximum(SQUARE * thickest * np.sqrt(np.abs(share)), THINNEST)
    rods["centre"] = (top + foot) / 2.0
    rods["half"] = np.column_stack([half, (top - foot)[:, 1] / 2.0, half])
    strength = (FLOOR + (1.0 - FLOOR) * np.abs(share) ** 0.6)[:, None]
    fog = np.array(palette.fog[:3])
    hue = np.where(share[:, None] < 0, np.array(palette.negative[:3]), np.array(palette.positive[:3]))
    rods["colour"] = fog + (hue - fog) * strength
    feet["centre"], feet["half"], feet["colour"] = foot, FOOT, palette.neutral[:3]
    out["fog"] = 0.3
    return out
