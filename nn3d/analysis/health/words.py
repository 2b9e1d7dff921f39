"""Signals of training as text for people, and as the JSON of `nn3d info --health`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn3d.analysis.health.history import History
from nn3d.analysis.health.marks import Mark
from nn3d.run.model import JSON
from nn3d.run.run import Run

TRAIL = "▁▂▃▄▅▆▇█"
MOST_TRAIL = 24


def as_json(history: History, marks: Sequence[Mark]) -> dict[str, JSON]:
    """{"layers": [{name, epochs: [figures]}], "marks": [...]}; null is what is not known."""
    return {
        "layers": [
            {"id": layer.index, "name": layer.name, "units": _count(int(history.units[-1, k])),
             "epochs": [_cell(history, e, k) for e in range(len(history.epochs))]}
            for k, layer in enumerate(history.layers)
        ],
        "marks": [
            {"epoch": m.epoch, "id": history.epochs[m.epoch].id, "kind": m.kind, "words": m.words,
             "layer": None if m.layer < 0 else m.layer}
            for m in marks
        ],
    }  # fmt: skip


def _cell(history: History, epoch: int, at: int) -> dict[str, JSON]:
    counts = {name: _count(int(getattr(history, name)[epoch, at])) for name in ("dead", "saturated")}
    odd = {name: int(getattr(history, name)[epoch, at]) for name in ("n_nan", "n_inf", "w_nan", "w_inf")}
    numbers = {name: _number(float(getattr(history, name)[epoch, at])) for name in ("gradient", "ratio")}
    return {"epoch": epoch, **counts, **odd, **numbers}


def _count(n: int) -> int | None:
    return None if n < 0 else n


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def text(run: Run, history: History, marks: Sequence[Mark]) -> str:
    """Marks, then a line a layer: figures of the last epoch, and the trail of its ratio over all of them."""
    if not history.epochs:
        return "health: no epoch is recorded"
    parts = [_marks(history, marks), _layers(history)]
    notes = _notes(run, history)
    return "\n\n".join(part for part in [*parts, notes] if part)


def _marks(history: History, marks: Sequence[Mark]) -> str:
    if not marks:
        return "health: nothing happened that is worth a mark"
    wide = max(len(f"{history.epochs[m.epoch].id}") for m in marks)
    lines = [f"  epoch {history.epochs[m.epoch].id:>{wide}}  {m.words}" for m in marks]
    return "\n".join(["health, by epoch", *lines])


def _layers(history: History) -> str:
    header = [f"layer, epoch {history.epochs[-1].id}", "units", "dead", "saturated", "NaN", "Inf"]
    header += ["gradient", "ΔW/W", "ΔW/W by epoch, log"]
    rows = [_line(history, k) for k in range(len(history.layers))]
    kept = [i for i in range(len(header)) if i == 0 or any(row[i] for row in rows)]
    widths = {i: max(len(row[i]) for row in (header, *rows)) for i in kept}
    lines = []
    for row in (header, *rows):
        cells = [f"{row[i]:<{widths[i]}}" if i in (0, len(header) - 1) else f"{row[i]:>{widths[i]}}" for i in kept]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _line(history: History, k: int) -> list[str]:
    """Cells of one layer at the last epoch; "" where nothing is known, "–" where there is none."""
    units = int(history.units[-1, k])
    nan, inf = (int(a[-1, k] + b[-1, k]) for a, b in ((history.n_nan, history.w_nan), (history.n_inf, history.w_inf)))
    return [
        history.layers[k].name, f"{units:,}" if units >= 0 else "",
        _share(int(history.dead[-1, k]), units), _share(int(history.saturated[-1, k]), units),
        f"{nan:,}" if nan else "", f"{inf:,}" if inf else "",
        _figure(float(history.gradient[-1, k])), _figure(float(history.ratio[-1, k])), _trail(history.ratio, k),
    ]  # fmt: skip


def _share(n: int, units: int) -> str:
    if n < 0:
        return ""
    return "–" if n == 0 else f"{n:,} ({100 * n / max(1, units):.0f} %)"


def _figure(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else ""


def _trail(table: np.ndarray, k: int) -> str:
    """One block an epoch (at most 24, the largest of each group), from the smallest to the largest of all layers."""
    known = table[np.isfinite(table) & (table > 0)]
    values = table[1:, k]
    if not known.size or not np.isfinite(values).any():
        return ""
    low, high = np.log(known.min()), np.log(known.max())
    step = -(-len(values) // MOST_TRAIL)
    groups = [values[i : i + step] for i in range(0, len(values), step)]
    marks = []
    for group in groups:
        finite = group[np.isfinite(group) & (group > 0)]
        place = (np.log(finite.max()) - low) / max(high - low, 1e-9) if finite.size else -1.0
        marks.append(TRAIL[round(float(place) * (len(TRAIL) - 1))] if place >= 0 else " ")
    return "".join(marks)


def _notes(run: Run, history: History) -> str:
    """What a reader should know of the figures."""
    n = len(run.samples)
    notes = [f"dead: zero on all {n:,} samples" if n > 1 else "dead: zero on the one sample that is recorded"]
    if (history.saturated >= 0).any():
        notes.append("saturated: 95 % of a unit's values in the outer twentieth at either end")
    if np.isfinite(history.ratio).any():
        notes.append("ΔW/W: ‖ΔW‖/‖W‖ since the epoch before" + _grain(run))
    if not np.isfinite(history.gradient).any():
        notes.append("no gradient is recorded")
    return "\n".join(notes)


def _grain(run: Run) -> str:
    """What float16 weights do to small ratios, where the change itself was not recorded."""
    keys = run.store.keys()
    if any("/s/u/" in key for key in keys):
        return ""
    first = next((key for key in keys if "/w/" in key and "/s/" not in key), None)
    is_half = first is not None and run.store[first].dtype == np.float16
    return "; weights are stored as float16, ratios below 0.0005 are rounding" if is_half else ""
