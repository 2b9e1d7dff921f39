"""A frame as plain arrays: what `nn3d render --dump` writes, from nn3d.stage.reference and the run's own numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage import reference_paths
from nn3d.stage.frame import PART, Frame
from nn3d.stage.reference import N_CONTROL, control_points, tile_places

MAX_EDGES = 5_000_000
KINDS: dict[str, np.dtype[Any]] = {
    "source_tile": np.dtype(np.int32), "target_tile": np.dtype(np.int32), "source_cell": np.dtype(np.int32),
    "target_cell": np.dtype(np.int32), "param": np.dtype(np.int32), "weight_index": np.dtype(np.int64),
    "weight": np.dtype(np.float32), "level": np.dtype("U8"), "control": np.dtype(np.float32),
}  # fmt: skip


def dump_arrays(run: Run, frame: Frame) -> dict[str, NDArray[Any]]:
    """The arrays of docs: layers, tile_*, params, edge_* and row_* on the bench, and world_from_bench.

    With closed groups in the picture the names of all groups follow those of the layers. Ropes are left out: they stand
    for edges that are not drawn. row_* are the strands of staves and recurrences: items at their two ends, path,
    colour, control points, and at the first epoch amount and area.

    Raises Nn3dError when a drawn picture holds more than 5,000,000 edges.
    """
    n_edges = sum(s.weight_index.size for s in frame.strands)
    if n_edges > MAX_EDGES:
        raise Nn3dError(f"a dump holds at most {MAX_EDGES:,} edges, this picture has {n_edges:,}. Use --edges top.")
    starts = np.cumsum([0, *(t.table.size for t in frame.tiles)])
    bench = {"world_from_bench": frame.view.world_from_bench.astype(np.float32)}
    return {**_tiles(run, frame), **_edges(run, frame, starts), **_rows(frame), **bench}


def _tiles(run: Run, frame: Frame) -> dict[str, NDArray[Any]]:
    places = [tile_places(t) for t in frame.tiles]
    values = [
        np.full(t.table.size, np.nan, np.float32)
        if t.values is None
        else _means(t.values[0].cells, t.values[1].cells, frame.mix_of(t), t.table.size)
        for t in frame.tiles
    ]
    return {
        "layers": np.array([*(layer.name for layer in run.layers), *_closed(run, frame)], np.str_),
        "tile_layer": np.concatenate([np.full(t.table.size, t.layer % PART, np.int32) for t in frame.tiles]),
        "tile_index": np.concatenate([np.arange(t.table.size, dtype=np.int32) for t in frame.tiles]),
        "tile_center": np.concatenate([c for c, _ in places]).astype(np.float32),
        "tile_size": np.concatenate([2.0 * h[:, ::-1] for _, h in places]).astype(np.float32),
        "tile_value": np.concatenate(values).astype(np.float32),
    }


def _closed(run: Run, frame: Frame) -> list[str]:
    """Names of all groups, where one of them is drawn closed."""
    if frame.groups is None or all(t.layer % PART < len(run.layers) for t in frame.tiles):
        return []
    return [g.name for g in frame.groups.all]


def _rows(frame: Frame) -> dict[str, NDArray[Any]]:
    drawn = [s for s in frame.strands if s.path in reference_paths.PATHS]
    items = [t.layer % PART for t in frame.tiles]

    def each(values: list[Any], dtype: Any) -> NDArray[Any]:
        return np.repeat(np.array(values, dtype), [len(s.strands) for s in drawn])

    points = [control_points(frame, s) for s in drawn] or [np.zeros((0, N_CONTROL, 3))]
    return {
        "row_source": each([items[s.source] for s in drawn], np.int32),
        "row_target": each([items[s.target] for s in drawn], np.int32),
        "row_path": each([s.path for s in drawn], "U5"),
        "row_colour": each([s.colour for s in drawn], "U8"),
        "row_amount": np.concatenate([s.strands["amount"][:, 0] for s in drawn] or [np.zeros(0, np.float32)]),
        "row_area": np.concatenate([s.strands["area"][:, 0] for s in drawn] or [np.zeros(0, np.float32)]),
        "row_control": np.concatenate(points).astype(np.float32),
    }


def _means(a: NDArray[np.float32], b: NDArray[np.float32], mix: float, n: int) -> NDArray[np.float32]:
    mean = a.reshape(n, -1).mean(1) if a.shape[0] % n == 0 else np.full(n, a.mean())
    other = b.reshape(n, -1).mean(1) if b.shape[0] % n == 0 else np.full(n, b.mean())
    return np.asarray(mean * (1.0 - mix) + other * mix, np.float32)


def _edges(run: Run, frame: Frame, starts: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    names = list(run.parameters)
    columns: dict[str, list[NDArray[Any]]] = {
        k: []
        for k in KINDS
    }
    for s in frame.strands:
        seen = np.flatnonzero(np.ones(s.weight_index.size, bool) if s.is_drawn is None else s.is_drawn)
        rows = s.strands[s.n_trunk :][seen]
        if not len(rows):
            continue
        param = -1 if s.parameter is None else names.index(run.parameter_info(s.parameter).name)
        columns["source_tile"].append(starts[s.source] + rows["tiles"][:, 0])
        columns["target_tile"].append(starts[s.target] + rows["tiles"][:, 1])
        columns["source_cell"].append(s.source_cell[seen])
        columns["target_cell"].append(s.target_cell[seen])
        columns["param"].append(np.full(len(rows), param))
        columns["weight_index"].append(s.weight_index[seen])
        columns["weight"].append(s.weight[seen])
        columns["level"].append(np.full(len(rows), s.level, dtype="U8"))
        columns["control"].append(control_points(frame, s)[s.n_trunk :][seen])
    empty = {"control": np.zeros((0, N_CONTROL, 3))}
    out: dict[str, NDArray[Any]] = {"params": np.array(names, np.str_)}
    for name, parts in columns.items():
        joined = np.concatenate(parts) if parts else empty.get(name, np.zeros(0))
        out[f"edge_{name}"] = joined.astype(KINDS[name])
    return out
