"""An explanation as JSON and as a table for people: patch × kernel, products largest first, sum, stored value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn3d.analysis.explain.explanation import Box, Explanation, Step
from nn3d.analysis.explain.patch import Patch
from nn3d.run.model import JSON
from nn3d.run.run import Run

# Products that are listed for people, and the widest kernel that is printed as a patch.
N_LISTED, MOST_COLUMNS = 12, 7


def as_json(run: Run, found: Explanation, *, epoch: int, sample: int) -> dict[str, JSON]:
    """What `nn3d explain --json` prints. A number that there is not is null, NaN and ±∞ too."""
    measured = ("stored", "computed", "abs_error", "tolerance", "bias", "before")
    return {
        "layer": found.layer,
        "node": found.node,
        "cell": list(found.cell),
        "epoch": epoch,
        "sample": sample,
        "op": found.op,
        "formula": found.formula,
        **{name: _number(getattr(found, name)) for name in measured},
        "known": found.known,
        "reason": found.reason,
        "is_sum": found.is_sum,
        "steps": [_step_json(step) for step in found.steps],
        "terms": _terms_json(run, found),
        "weights_of": found.weight_names[0] if found.weight_names else None,
        "receptive_field": {name: [list(axis) for axis in box] for name, box in found.receptive_field.items()},
        "extras": {name: _plain(value) for name, value in found.extras.items()},
    }


def _step_json(step: Step) -> dict[str, JSON]:
    return {
        "node": step.node,
        "op": step.op,
        "formula": step.formula,
        "value": _number(step.value),
        "stored": _number(step.stored),
        "extras": {name: _number(value) for name, value in step.extras.items()},
    }


def _terms_json(run: Run, found: Explanation) -> list[dict[str, JSON]]:
    outputs = [run.output(*ref).name for ref in found.source_nodes]
    columns = (found.source.tolist(), found.cells.tolist(), found.inputs, found.weights, found.products)
    return [
        {
            "source": found.sources[s],
            "output": outputs[s],
            "cell": [i for i in cell if i >= 0],
            "input": _number(a),
            "weight": _number(w),
            "product": _number(p),
        }
        for s, cell, a, w, p in zip(*columns, strict=True)
    ]


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _plain(value: Any) -> JSON:
    return [_number(v) for v in value.reshape(-1)] if isinstance(value, np.ndarray) else _number(value)


def _read_names(run: Run, found: Explanation) -> list[str]:
    """Names of the sources; where a layer has several outputs, with the output's."""
    outputs = [run.output(*ref).name for ref in found.source_nodes]
    return [f"{name} {out}" if out else name for name, out in zip(found.sources, outputs, strict=True)]


def text(run: Run, found: Explanation, patch: Patch | None, *, epoch: int, sample: int) -> str:
    """The same for people."""
    lines = [_head(run, found, epoch, sample), ""]
    if found.formula:
        lines += [f"  {found.formula}", ""]
    if patch is not None:
        lines += _patch_lines(run, patch)
    lines += _term_lines(found, _read_names(run, found))
    lines += _extra_lines(run, found, sample)
    lines += _end_lines(found)
    return "\n".join(lines)


def _head(run: Run, found: Explanation, epoch: int, sample: int) -> str:
    layer = run.layer(found.layer)
    axes = ", ".join(f"{axis} {i}" for axis, i in zip(layer.axes, found.cell, strict=False))
    where = f"epoch {run.epochs[epoch].id}"
    if run.samples:
        where += f" · {run.sample(sample).name}"
    return f"{found.layer} · {layer.kind} · cell {axes or 'the only one'} · {where}"


def _index(cell: Sequence[int]) -> str:
    return ",".join(str(i) for i in cell if i >= 0)


def _patch_lines(run: Run, patch: Patch) -> list[str]:
    """inputs × weights = products of the channel whose products sum to the most, where they fit on a line."""
    if patch.inputs.ndim != 3 or patch.inputs.shape[2] > MOST_COLUMNS or patch.inputs[0].size < 2:
        return []
    sums = np.abs(np.nan_to_num(patch.products.sum((1, 2))))
    k = int(sums.argmax())
    inside = patch.cells[k][(patch.cells[k] >= 0).all(-1)]
    first, last = inside.min(0), inside.max(0)
    name = f"{patch.source} map {patch.channels[k]}, rows {first[-2]} to {last[-2]}, columns {first[-1]} to {last[-1]}"
    others = f" (the largest of {len(sums)} maps)" if len(sums) > 1 else ""
    tables = [_grid(values[k]) for values in (patch.inputs, patch.weights, patch.products)]
    heads = [title.ljust(len(table[0])) for title, table in zip(("input", "weight", "product"), tables, strict=True)]
    middle = len(tables[0]) // 2
    rows = [
        (" × " if i == middle else "   ").join(row[:2]) + (" = " if i == middle else "   ") + row[2]
        for i, row in enumerate(zip(*tables, strict=True))
    ]
    return [f"  {name}{others}", "  " + "   ".join(heads), *("  " + row for row in rows), ""]


def _grid(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    cells = [[f"{v:.3f}" for v in row + 0.0] for row in values]
    width = max(len(c) for row in cells for c in row)
    return [" ".join(c.rjust(width) for c in row) for row in cells]


def _term_lines(found: Explanation, names: Sequence[str]) -> list[str]:
    if not len(found.products):
        return []
    rows = [("source", "cell", "input", "weight", "product")]
    for k in range(min(N_LISTED, len(found.products))):
        weight = "" if np.isnan(found.weights[k]) else f"{found.weights[k]:.5g}"
        source = names[int(found.source[k])]
        rows.append(
            (source, _index(found.cells[k]), f"{found.inputs[k]:.5g}", weight, f"{found.products[k] + 0.0:+.5g}")
        )
    rest = found.products[N_LISTED:]
    if len(rest):
        rows.append((f"{len(rest):,} more", "", "", "", f"{rest.sum():+.5g}"))
    if found.bias is not None:
        rows.append(("bias", "", "", "", f"{found.bias:+.5g}"))
    if found.is_sum:
        rows.append(("sum", "", "", "", f"{found.before:+.5g}"))
    rows += [(step.formula, "", "", "", f"{step.value:+.5g}") for step in found.steps]
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    lines = []
    for row in rows:
        left, right = [row[0].ljust(widths[0])], [row[k].rjust(widths[k]) for k in range(1, 5)]
        lines.append("  " + "  ".join(left + right))
    return [*lines, ""]


def _extra_lines(run: Run, found: Explanation, sample: int) -> list[str]:
    lines = []
    for name, value in found.extras.items():
        if isinstance(value, np.ndarray):
            best = np.argsort(-np.nan_to_num(value), kind="stable")[:8]
            words = _words(run, len(value), sample)
            shown = ", ".join(f"{words[int(i)]} {value[i]:.4g}" for i in best)
            more = f", … ({len(value):,} in all)" if len(value) > len(best) else ""
            lines.append(f"  {name}: {shown}{more}")
        elif name != "winner":
            lines.append(f"  {name} {value:.6g}")
    for step in found.steps:
        if step.extras:
            lines.append(f"  {step.op}: " + ", ".join(f"{name} {value:.6g}" for name, value in step.extras.items()))
    return [*lines, ""] if lines else []


def _words(run: Run, n: int, sample: int) -> Sequence[str]:
    """Names of the n entries of a row: the sample's tokens, the classes, else their numbers."""
    tokens = run.sample(sample).tokens if run.samples else ()
    for names in (tokens, run.classes):
        if len(names) == n:
            return [repr(word) if not word.strip() else word for word in names]
    return [f"[{i}]" for i in range(n)]


def _end_lines(found: Explanation) -> list[str]:
    lines = []
    if found.receptive_field:
        boxes = "; ".join(f"{name} {_box(box)}" for name, box in found.receptive_field.items())
        lines.append(f"  looks at {boxes}")
    if found.stored is not None:
        lines.append(f"  stored {found.stored:.7g}")
    if np.isfinite(found.computed):
        within = "within" if found.abs_error <= found.tolerance else "beyond"
        off = "" if not np.isfinite(found.abs_error) else f", off by {found.abs_error:.3g}, {within} the tolerance of "
        lines.append(f"  computed {found.computed:.7g}{off}{f'{found.tolerance:.3g}' if off else ''}")
    if not found.known:
        lines.append(f"  not known: {found.reason}")
    return lines


def _box(box: Box) -> str:
    return ",".join(str(a) if b == a + 1 else f"{a}–{b - 1}" for a, b in box)
