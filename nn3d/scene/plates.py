"""What one draw of a layer's tiles needs as numbers: its uniform block, and the lattice that tiles at rest stand in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.atlas import MAX_LEVELS, Atlas
from nn3d.stage.frame import Frame, TileLayer

KINDS = {"seq": 0, "grey": 0, "div": 1, "rgb": 2}

# The block `Cells` of shaders/include/cells.glsl, std140.
CELLS = np.dtype(
    [
        ("levels", "i4", (MAX_LEVELS, 4)), ("shape", "i4", 4), ("slots", "i4", 4), ("lattice", "i4", 4),
        ("grid", "f4", 4), ("half", "f4", 4), ("gain", "f4", 4), ("lit", "i4", 4), ("own", "i4", 4),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lattice:
    """Tiles in rows: how many rows and columns, (y, z) of the first centre, and the distances of rows and columns."""

    rows: int
    cols: int
    first: tuple[float, float]
    pitch: tuple[float, float]

    def scaled(self, scale: float) -> Lattice:
        """The lattice of a plate that grows or shrinks as a whole."""
        (y, z), (down, right) = self.first, self.pitch
        return Lattice(self.rows, self.cols, (y * scale, z * scale), (down * scale, right * scale))


def lattice_of(at: NDArray[np.float32], half: tuple[float, float]) -> Lattice | None:
    """The lattice of (n, 2) centres (y, z) in index order, rows downward; None when they stand otherwise."""
    n = len(at)
    if not n:
        return None
    at = at.astype(np.float64)
    near = 1e-3 * max(half)
    lower = np.flatnonzero(np.abs(at[:, 0] - at[0, 0]) > near)
    cols = int(lower[0]) if lower.size else n
    rows = -(-n // cols)
    down = at[0, 0] - at[cols, 0] if rows > 1 else 2.0 * half[0]
    right = (at[cols - 1, 1] - at[0, 1]) / (cols - 1) if cols > 1 else 2.0 * half[1]
    if down < 2.0 * half[0] - near or right < 2.0 * half[1] - near:
        return None
    k = np.arange(n)
    want = at[0] + np.stack([-(k // cols) * down, (k % cols) * right], 1)
    if np.abs(want - at).max() > near:
        return None
    return Lattice(rows, cols, (float(at[0, 0]), float(at[0, 1])), (float(down), float(right)))


@dataclass(frozen=True, slots=True)
class Scale:
    """Framebuffer px of a unit of a plate's height and width, where they are smallest and largest on it.

    depth : of its middle, from the eye.
    """

    smallest: tuple[float, float]
    largest: tuple[float, float]
    depth: float


def scales(frame: Frame) -> list[Scale]:
    """How large each plate of a frame is drawn; 0 … ∞ px where it reaches behind the eye."""
    if not frame.tiles:
        return []
    signs = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
    half = np.array([t.block_half for t in frame.tiles])
    points = np.zeros((len(frame.tiles), 4, 3, 3))
    points[..., 0] = np.array([t.x for t in frame.tiles])[:, None, None]
    points[..., 1:] = (signs * half[:, None])[:, :, None]
    points[..., 1] += np.array([t.y for t in frame.tiles])[:, None, None]
    points[:, :, 1, 1] += 1.0
    points[:, :, 2, 2] += 1.0
    clip = frame.view.clip_from_world @ np.pad(frame.view.world_from_bench, (0, 1)) + 0.0
    clip[:, 3] = frame.view.clip_from_world[:, 3]
    at = np.concatenate([points, np.ones((*points.shape[:3], 1))], -1) @ clip.T
    depth = np.maximum(at[..., 3], 1e-9)
    px = at[..., :2] / depth[..., None] * np.array(frame.state.size_px) * 0.5 * frame.state.scale
    size = np.linalg.norm(px[:, :, 1:] - px[:, :, :1], axis=-1)
    low, high, is_behind = size.min(1), size.max(1), at[..., 3].min((1, 2)) <= 1e-6
    low[is_behind], high[is_behind] = 0.0, np.inf
    middle = at[:, :, 0, 3].mean(1)
    return [
        Scale((float(a[0]), float(a[1])), (float(b[0]), float(b[1])), float(w))
        for a, b, w in zip(low, high, middle, strict=True)
    ]


def arrangement_at_rest(tile: TileLayer) -> str | None:
    """Where no tile of the layer is on its way, "mosaic", "line" or "grid"; None when some are, or in a circle."""
    if tile.opening <= 0.0:
        return "mosaic"
    if tile.opening < 1.0:
        return None
    return "line" if tile.weights[0] == 1.0 else "grid" if tile.weights[2] == 1.0 else None


def shown_gain(tile: TileLayer, atlases: tuple[Atlas, Atlas]) -> tuple[float, float, float, float]:
    """(gain a, gain b, bias a, bias b) that take texels to shares of full colour."""
    out = [(g * a.unit) ** a.power if tile.lut != "rgb" else a.unit for g, a in zip(tile.gain, atlases, strict=True)]
    bias = [-o * g for o, g in zip(tile.offset, tile.gain, strict=True)]
    return out[0], out[1], bias[0], bias[1]


def cells_block(
    tile: TileLayer, atlases: tuple[Atlas, Atlas] | None, lattice: Lattice | None, page: int
) -> NDArray[np.void]:
    """() CELLS of a layer, or of what of it lies on one page of its atlas."""
    out = np.zeros((), CELLS)
    n = tile.table.size
    is_open = tile.opening > 0.0
    out["shape"] = (*tile.cells, KINDS[tile.lut], 1)
    out["slots"] = (1, 0, n, 0)
    if atlases is not None:
        atlas = atlases[0]
        for k, level in enumerate(atlas.levels):
            out["levels"][k] = (level.x, level.y, level.rows, level.cols)
        first = page * atlas.across * atlas.down
        out["shape"][3] = len(atlas.levels)
        out["slots"] = (atlas.across, first, min(n, first + atlas.across * atlas.down), 1)
        out["gain"] = shown_gain(tile, atlases)
    if lattice is not None:
        out["lattice"] = (lattice.rows, lattice.cols, n, 0)
        out["grid"] = (*lattice.first, *lattice.pitch)
    else:
        out["lattice"] = (0, 0, n, 0)
        out["grid"] = 1.0
    half = tile.open_half if is_open else tile.mosaic_half
    out["half"] = (*half, tile.thickness[0 if is_open else 1], tile.bright)
    out["own"] = (0, 0, -1, 0)
    if tile.lit is not None:
        lit = tile.lit
        out["lit"], out["own"] = (lit.r0, lit.r1, lit.c0, lit.c1), (lit.first, lit.end, *lit.done)
    return out
