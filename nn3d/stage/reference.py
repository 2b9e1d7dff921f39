"""What the shaders compute, in numpy: tile centres, control points of strands, the cell under a ray.

The same formulae as shaders/include/place.glsl and route.glsl; a test reads both back from the GPU and compares.
Arrays are float64; lengths in u, on the bench (nn3d.stage.stance). This is what `nn3d render --dump` writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.stage import reference_paths, reference_wires
from nn3d.stage.frame import Frame, StrandLayer, TileLayer
from nn3d.stage.stance import behind_share, plate_axes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

STAGGER = 0.45
BEND = 0.24
PART = 0.34
GATHER = 0.42
RING_BACK = 0.45
RISE = 0.05
GOLDEN = 0.6180339887498949
FLIGHT_RADIUS = 0.95 * 1.2
N_CONTROL = 11

# Two cubic Béziers (knots 0⁴ ½ 1⁴) refined to eighths by knot insertion; exact.
REFINE_5 = np.array(
    [
        [128, 0, 0, 0, 0], [96, 32, 0, 0, 0], [48, 72, 8, 0, 0], [12, 81, 32, 3, 0], [0, 60, 56, 12, 0],
        [0, 30, 68, 30, 0], [0, 12, 56, 60, 0], [0, 3, 32, 81, 12], [0, 0, 8, 72, 48], [0, 0, 0, 32, 96],
        [0, 0, 0, 0, 128],
    ],
    np.float64,
) / 128.0  # fmt: skip

ROPE_AT = np.array([0.0, 0.06, 0.14, 0.24, 0.36, 0.50, 0.64, 0.80, 0.92, 0.985, 1.0])
ROPE_PART = np.array([0.5, 0.5, 0.55, 0.72, 0.9, 1.0, 1.0, 1.0, 1.0, 0.95, 0.85])
ROPE_OVER = np.array([0.0, 0.0, 0.06, 0.16, 0.33, 0.56, 0.80, 0.98, 1.0, 1.0, 1.0])
ROPE_ROOM = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.12, 0.4, 0.9, 0.95, 0.6, 0.02])
ROPE_WIDE = np.array([0.55, 0.7, 0.85, 0.95, 1.0, 1.0, 1.0, 0.97, 0.93, 0.86, 0.8])
ARC_AT = np.array([0.0, 0.0, 0.01, 0.05, 0.16, 0.5, 0.84, 0.95, 0.99, 1.0, 1.0])
ARC_UP = np.array([0.0, 0.35, 0.75, 0.96, 1.0, 1.0, 1.0, 0.96, 0.75, 0.35, 0.0])
DIRECT_AT = np.array([0.0, 0.14, 0.34, 0.60, 0.82, 1.0])
DIRECT_UP = np.array([0.0, 0.03, 0.22, 0.70, 1.0, 1.0])
DIRECT_OVER = np.array([0.0, 0.12, 0.36, 0.68, 0.92, 1.0])


def ease(p: Any) -> F64:
    """3p² − 2p³, clamped."""
    q = np.clip(np.asarray(p, np.float64), 0.0, 1.0)
    return np.asarray(q * q * (3.0 - 2.0 * q))


def opened(layer: TileLayer, tile: I64) -> F64:
    """(m,) how far each tile is open, 0 … 1: tiles start one after the other."""
    delay = STAGGER * tile / max(1.0, layer.table.size - 1.0)
    return ease(layer.opening * (1.0 + STAGGER) - delay)


def placed(layer: TileLayer, table: NDArray[np.void], open_: F64) -> F64:
    """(m, 2) places (y, z) in the layer's plane of the rows of a TILE table."""
    w = layer.weights
    at = w[0] * table["line"].astype(np.float64) + w[1] * table["circle"] + w[2] * table["grid"]
    return np.asarray(layer.scale * (table["mosaic"] * (1.0 - open_[:, None]) + at * open_[:, None]))


def half_sizes(layer: TileLayer, open_: F64) -> F64:
    """(m, 2) half height and half width of tiles."""
    return np.outer(1.0 - open_, layer.mosaic_half) + np.outer(open_, layer.open_half)


def half_thickness(layer: TileLayer, open_: Any) -> F64:
    """Half thickness of tiles."""
    return np.asarray(layer.thickness[1] * (1.0 - open_) + layer.thickness[0] * np.asarray(open_))


def tile_places(layer: TileLayer) -> tuple[F64, F64]:
    """(K, 3) centres on the bench of a layer's tiles and (K, 2) half sizes."""
    k = np.arange(layer.table.size)
    o = opened(layer, k)
    yz = placed(layer, layer.table, o)
    return np.column_stack([np.full(k.size, layer.x), layer.y + yz[:, 0], yz[:, 1]]), half_sizes(layer, o)


@dataclass(frozen=True, slots=True)
class _End:
    x: float
    y: float
    tile: F64
    cell: F64
    cluster: F64
    half: F64
    open: F64
    thick: F64
    ring: float

    def flipped(self) -> _End:
        """Along −x."""
        return replace(self, x=-self.x)


@dataclass(frozen=True, slots=True)
class _Way:
    """Which way strands run: side of the reader, gutter under the target's rows, half widths of source and target."""

    side: float
    gutter: float
    widths: tuple[float, float]
    is_direct: bool


def _end(layer: TileLayer, clusters: NDArray[np.void], tile: I64, cluster: I64, uv: F64) -> _End:
    o = opened(layer, tile)
    lift = np.array([layer.y, 0.0])
    at = placed(layer, layer.table[tile], o) + lift
    half = half_sizes(layer, o)
    cell = at + np.column_stack([(1.0 - 2.0 * uv[:, 1]) * half[:, 0], (2.0 * uv[:, 0] - 1.0) * half[:, 1]])
    whole = np.full(tile.size, float(ease(layer.opening)))
    return _End(
        layer.x, layer.y, at, cell, placed(layer, clusters[cluster], whole) + lift, half, o, half_thickness(layer, o),
        layer.weights[1],
    )


def _dock(layer: TileLayer, t: _End, dock: F64) -> F64:
    low = t.tile + np.column_stack([-t.half[:, 0], 2.0 * dock * t.half[:, 1]])
    inward = np.array([t.y, 0.0]) - t.tile
    scaled = np.abs(inward / np.maximum(t.half, 1e-6))
    m = np.maximum(scaled.max(1), 1e-6)
    upright = scaled[:, 0] > scaled[:, 1]
    along = np.where(
        upright[:, None],
        np.column_stack([0 * dock, dock * t.half[:, 1]]),
        np.column_stack([dock * t.half[:, 0], 0 * dock]),
    )
    inner = t.tile + np.clip(inward / m[:, None] + along, -t.half, t.half)
    w = (layer.weights[1] * t.open)[:, None]
    return np.asarray(low * (1.0 - w) + inner * w)


def control_points(frame: Frame, strands: StrandLayer) -> F64:
    """(m, 11, 3) control points of every strand of a link, rope first."""
    rows = strands.strands
    source, target = frame.tiles[strands.source], frame.tiles[strands.target]
    side, strength = frame.state.side, frame.state.edges.strength
    if strands.path in reference_paths.PATHS:
        out = reference_paths.path_points(source, target, strands, side, behind_share(frame.state))
    elif strands.path == "arc":
        out = _arc(source, target, strands.apex, rows["spread"][:, 1].astype(np.float64))
    else:
        n = strands.n_trunk
        out = np.concatenate(
            [_rope(frame, source, target, strands, rows[:n]), _single(frame, source, target, strands, rows[n:], side)]
        )
    return _straightened(out, strength)


def _mixed(frame: Frame, pair: NDArray[np.float32]) -> F64:
    p = pair.astype(np.float64)
    return np.asarray(p[:, 0] * (1.0 - frame.epoch_mix) + p[:, 1] * frame.epoch_mix)


def _signs(frame: Frame, rows: NDArray[np.void]) -> F64:
    signs = np.where(rows["amount"] < 0, -1.0, 1.0)
    return np.asarray(signs[:, 0] * (1.0 - frame.epoch_mix) + signs[:, 1] * frame.epoch_mix)


def _arc(source: TileLayer, target: TileLayer, apex: float, across: F64) -> F64:
    top = np.array([source.y + source.block_half[0], target.y + target.block_half[0]])
    base = np.array([top[0]] * 5 + [top.mean()] + [top[1]] * 5)
    out = np.empty((across.size, N_CONTROL, 3))
    out[:, :, 0] = source.x + (target.x - source.x) * ARC_AT
    out[:, :, 1] = base * (1.0 - ARC_UP) + apex * ARC_UP
    zs, zt = across * 0.84 * source.block_half[1], across * 0.84 * target.block_half[1]
    out[:, :, 2] = zs[:, None] + (zt - zs)[:, None] * ARC_AT
    return out


def _rope(frame: Frame, source: TileLayer, target: TileLayer, strands: StrandLayer, rows: NDArray[np.void]) -> F64:
    side, turn, behind = frame.state.side, strands.turn, behind_share(frame.state)
    front = _rope_between(frame, (source, target), 1.0, side, turn, strands, rows)
    if behind <= 0.0:
        return front
    back = _rope_between(frame, (target, source), -1.0, -side, (1.0 - turn[1], 1.0 - turn[0]), strands, rows)
    return front * (1.0 - behind) + _unflipped(back) * behind


def _rope_between(
    frame: Frame, ends: tuple[TileLayer, TileLayer], flip: float, side: float, turn: tuple[float, float],
    strands: StrandLayer, rows: NDArray[np.void],
) -> F64:  # fmt: skip
    a, b = ends
    open_s = float(ease(a.opening))
    radius = strands.rope[0] * np.sqrt(_mixed(frame, rows["area"]))
    sign = np.zeros(len(rows)) if strands.path == "direct" else _signs(frame, rows)
    xs, xt = flip * a.x + float(half_thickness(a, open_s)), flip * b.x
    z_out, z_in = side * 0.80 * a.block_half[1] * open_s, -side * b.block_half[1]
    leave = strands.leave if flip > 0 else 0.0
    arrive = 0.0 if flip > 0 else strands.leave
    y = a.y + leave + (b.y + arrive - a.y - leave) * ease((ROPE_AT - turn[0]) / max(turn[1] - turn[0], 1e-3))
    out = np.empty((len(rows), N_CONTROL, 3))
    out[:, :, 0] = xs + (xt - xs) * ROPE_AT
    out[:, :, 1] = y + (sign * strands.rope[1])[:, None] * ROPE_PART
    out[:, :, 2] = z_out + (z_in - z_out) * ROPE_OVER - side * ROPE_ROOM
    disc = rows["spread"][:, :2].astype(np.float64)
    out[:, :, 1:] += radius[:, None, None] * ROPE_WIDE[None, :, None] * disc[:, None, :]
    return out


def _unflipped(c: F64) -> F64:
    return np.asarray(c[:, ::-1] * np.array([-1.0, 1.0, 1.0]))


def _dock_behind(target: TileLayer, tile: I64, uv: F64) -> tuple[F64, F64]:
    """(dock, lane) on the source: in the order of the targets."""
    order = (tile + 0.98 * uv[:, 1] + 0.049 * uv[:, 0]) / max(1, target.table.size)
    lane = (tile + 0.73 * uv[:, 1] + 0.37 * uv[:, 0]) * GOLDEN % 1.0
    return (order - 0.5) * 0.76, np.abs(lane - 0.5) * 3.6 - 0.9


def _single(
    frame: Frame, source: TileLayer, target: TileLayer, strands: StrandLayer, rows: NDArray[np.void], side: float
) -> F64:
    tiles, clusters = rows["tiles"].astype(np.int64), rows["clusters"].astype(np.int64)
    s = _end(source, strands.source_clusters, tiles[:, 0], clusters[:, 0], rows["source_uv"].astype(np.float64))
    t = _end(target, strands.target_clusters, tiles[:, 1], clusters[:, 1], rows["target_uv"].astype(np.float64))
    dock, lane = rows["dock_lane"].astype(np.float64).T
    to, sign, spread = _dock(target, t, dock), _signs(frame, rows), rows["spread"].astype(np.float64)
    both = (s.open * t.open)[:, None, None]
    behind = behind_share(frame.state)
    if strands.path == "wire":
        u = rows["source_uv"][:, 0].astype(np.float64)
        open_path = reference_wires.wire_points((source, target), s, t, u, spread[:, :2], side, behind)
    else:
        widths = (source.block_half[1], target.block_half[1])
        way = _Way(side, strands.gutter, widths, strands.path == "direct")
        open_path = _open_way(way, s, t, to, spread[:, :2], lane, sign)
        if behind > 0.0:
            back = _Way(-side, strands.source_gutter, widths[::-1], strands.path == "direct")
            dock, lane = _dock_behind(target, tiles[:, 1], rows["target_uv"].astype(np.float64))
            ends = t.flipped(), s.flipped()
            other = _open_way(back, *ends, _dock(source, s, dock), spread[:, 2:], lane, sign)
            open_path = open_path * (1.0 - behind) + _unflipped(other) * behind
    return np.asarray(_flight(s, t, to, spread, sign) * (1.0 - both) + open_path * both)


def _open_way(way: _Way, s: _End, t: _End, to: F64, off: F64, lane: F64, sign: F64) -> F64:
    plain = _to_rows(way, s, t, to, off, lane, sign)
    return plain if t.ring <= 0.0 else plain * (1.0 - t.ring) + _ringed(plain, way, (s, t), to, off, sign) * t.ring


def _ringed(c: F64, way: _Way, ends: tuple[_End, _End], to: F64, off: F64, sign: F64) -> F64:
    s, t = ends
    z_in = -way.side * (way.widths[1] + 0.9)
    length = t.x - c[:, 0, 0]
    near_y = t.y + sign * PART + GATHER * off[:, 0]
    near, middle = np.column_stack([near_y, 0 * near_y + z_in]), np.array([t.y, 0.0])
    out = c.copy()
    for k, share, aside in ((2, 0.10, 0.5), (3, 0.45, 0.9), (4, 0.85, 1.0)):
        out[:, k, 1] = (s.cluster[:, 0] + GATHER * off[:, 0]) * (1.0 - share) + near_y * share
        out[:, k, 2] += (z_in - out[:, k, 2]) * aside
    out[:, 5] = np.column_stack([t.x - 0.08 * length, near_y, 0 * near_y + z_in * 1.02])
    back = [(1.0, near), (2.0, near * 0.3 + middle * 0.7), (2.0, middle * 0.55 + to * 0.45),
            (1.0, middle * 0.15 + to * 0.85), (0.0, to)]  # fmt: skip
    for k, (depth, yz) in enumerate(back, 6):
        out[:, k, 0], out[:, k, 1:] = t.x + depth * RING_BACK, yz
    return out


def _to_rows(way: _Way, s: _End, t: _End, to: F64, off: F64, lane: F64, sign: F64) -> F64:
    under = t.tile[:, 0] - t.half[:, 0] - 0.5 * way.gutter
    if way.is_direct:
        return _direct(s, t, to, under + lane * 0.30 * way.gutter, way.widths[1], way.side)
    mean = t.cluster[:, 0] - t.half[:, 0] - 0.5 * way.gutter
    gutter = under + (lane * 0.16 + sign * 0.14) * way.gutter
    return _routed(s, t, to, gutter, mean, way.widths, way.side, sign, off)


def _points(xs: list[Any], ys: list[Any], zs: list[Any], n: int) -> F64:
    out = np.empty((n, len(xs), 3))
    for k, (x, y, z) in enumerate(zip(xs, ys, zs, strict=True)):
        out[:, k, 0], out[:, k, 1], out[:, k, 2] = x, y, z
    return out


def _flight(s: _End, t: _End, to: F64, spread: F64, sign: F64) -> F64:
    x0, x1 = s.x + s.thick, t.x - t.thick
    h = sign * 0.10 * min(1.0, FLIGHT_RADIUS / 0.1) * abs(t.x - s.x) * 0.1
    oi, oj = spread[:, :2] * s.open[:, None], spread[:, 2:] * t.open[:, None]
    lift = np.column_stack([h, 0 * h])
    yz = [
        s.cell, s.cluster + 1.3 * FLIGHT_RADIUS * oi + lift * 0.5,
        (s.cluster + t.cluster) * 0.5 + FLIGHT_RADIUS * (oi + oj) * 0.5 + lift,
        t.cluster + 1.3 * FLIGHT_RADIUS * oj + lift * 0.5, to,
    ]  # fmt: skip
    at = (0.0, BEND, 0.5, 1.0 - BEND, 1.0)
    p = np.stack([np.column_stack([x0 + (x1 - x0) * a, v]) for a, v in zip(at, yz, strict=True)], 1)
    return np.asarray(np.einsum("kj,mjc->mkc", REFINE_5, p))


def _routed(
    s: _End, t: _End, to: F64, gutter: F64, mean: F64, widths: tuple[float, float], side: float, sign: F64, spread: F64
) -> F64:
    length = t.x - s.x
    z_in, z_out = -side * (widths[1] + 0.9), side * (widths[0] + 0.2)
    a, h = s.cluster, sign * PART
    oy, oz = spread[:, 0], spread[:, 1]
    y, z = a[:, 0], a[:, 1]
    return _points(
        [s.x + s.thick, s.x + 0.6, s.x + 0.13 * length, s.x + 0.34 * length, s.x + 0.60 * length, t.x - 0.10 * length,
         t.x - RISE, t.x - RISE, t.x + RISE, t.x + RISE, t.x],
        [s.cell[:, 0], s.cell[:, 0], y * 0.94 + mean * 0.06 + GATHER * oy * 0.8 + h * 0.5,
         y * 0.62 + mean * 0.38 + GATHER * oy * 0.7 + h, mean * 0.86 + y * 0.14 + h + GATHER * 0.6 * oy,
         gutter * 0.9 + mean * 0.1 + h * 0.5, gutter + h * 0.10, gutter, gutter, gutter * 0.35 + to[:, 0] * 0.65,
         to[:, 0]],
        [s.cell[:, 1], s.cell[:, 1], z * 0.55 + z_out * 0.10 + GATHER * oz * 0.8,
         z * 0.25 + GATHER * oz * 0.7, z_in * 0.62 + z * 0.12 + GATHER * oz * 0.6, z_in * 1.02,
         z_in * 0.98, (z_in + t.tile[:, 1]) * 0.5,
         to[:, 1] - 0.10 * side * t.half[:, 1], to[:, 1], to[:, 1]],
        len(sign),
    )  # fmt: skip


def _direct(s: _End, t: _End, to: F64, gutter: F64, width: float, side: float) -> F64:
    length, z_in = t.x - s.x, -side * (width + 0.9)
    xs: list[Any] = [s.x + a * length for a in DIRECT_AT]
    xs[0], xs[5] = s.x + s.thick, t.x - 0.4
    ys = [s.cell[:, 0] * (1 - u) + gutter * u for u in DIRECT_UP]
    zs = [s.cell[:, 1] * (1 - o) + z_in * o for o in DIRECT_OVER]
    return _points(
        [*xs, t.x - 0.08, t.x, t.x, t.x, t.x],
        [*ys, gutter, gutter, gutter, gutter * 0.35 + to[:, 0] * 0.65, to[:, 0]],
        [*zs, z_in * 0.94, (z_in + t.tile[:, 1]) * 0.5, to[:, 1] - 0.10 * side * t.half[:, 1], to[:, 1], to[:, 1]],
        len(gutter),
    )


def _straightened(c: F64, strength: float) -> F64:
    first, last = c[:, :1], c[:, -1:]
    length = last[:, :, 0] - first[:, :, 0]
    t = np.clip((c[:, :, 0] - first[:, :, 0]) / np.where(np.abs(length) < 1e-6, 1.0, length), 0.0, 1.0)[:, :, None]
    out = (first * (1 - t) + last * t) * (1 - strength) + c * strength
    out[:, 0], out[:, -1] = c[:, 0], c[:, -1]
    return np.asarray(out)


def cell_under(frame: Frame, layer: int, tile: int, x_px: float, y_px: float) -> tuple[int, int]:
    """(row, column) of the cell of a tile under a px: the ray through it meets the nearer face of the tile."""
    plate = next(t for t in frame.tiles if t.layer == layer)
    centre, half = (a[tile] for a in tile_places(plate))
    w, h = frame.state.size_px
    eye, axes = frame.view.eye_world, plate_axes(frame.view.world_from_bench)
    q = np.linalg.inv(frame.view.clip_from_world) @ np.array([2 * x_px / w - 1, 1 - 2 * y_px / h, 1.0, 1.0])
    middle = frame.view.world_from_bench @ centre
    # In the plate's own frame: normal, up, right.
    start, ray = (eye - middle) @ axes, (q[:3] / q[3] - eye) @ axes
    thick = float(half_thickness(plate, float(opened(plate, np.array([tile]))[0])))
    face = thick if start[0] > 0.0 else -thick
    p = start + ray * ((face - start[0]) / (ray[0] or 1e-12))
    u, v = p[2] / half[1] * 0.5 + 0.5, 0.5 - p[1] / half[0] * 0.5
    if start[0] > 0.0:
        u = 1.0 - u
    rows, cols = plate.cells
    return min(rows - 1, max(0, int(v * rows))), min(cols - 1, max(0, int(u * cols)))
