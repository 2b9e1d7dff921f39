"""A comparison as text for people, and as the JSON of `nn3d diff`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nn3d.analysis.comparison.change import Change
from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.comparison.report import LayerLine, Report, SampleLine
from nn3d.run.model import JSON
from nn3d.run.run import Run

MOST_LINES = 12
MOST_LAYERS = 24
BAR = 14


def as_json(found: Difference, report: Report, epoch: int) -> dict[str, JSON]:
    """One object; lists are sorted most changed first. Numbers that are not finite are null."""
    return {
        "a": _moment_json(found.against, found.epoch),
        "b": _moment_json(found.after, epoch),
        "same_inputs": report.is_same_input,
        "samples_shared": report.n_samples,
        "layers": [_layer_json(line) for line in report.layers],
        "parameters": [
            {"name": p.name, "a": p.partner, "kind": p.kind, "shape": list(p.shape), **_change_json(p.change)}
            for p in report.parameters
        ],
        "filters": [
            {"layer": f.name, "parameter": f.parameter, "filter": f.row, **_change_json(f.change)}
            for f in report.filters
        ],
        "predictions": [_sample_json(s) for s in report.samples],
        "only_a": [{"name": name, "why": why} for name, why in report.alone_before],
        "only_b": [{"name": name, "why": why} for name, why in report.alone_after],
    }


def _moment_json(run: Run, epoch: int) -> dict[str, JSON]:
    return {"model": run.name, "path": run.path, "epoch": epoch, "id": run.epochs[epoch].id}


def _change_json(change: Change) -> dict[str, JSON]:
    return {
        "delta_norm": change.length, "a_norm": change.before, "relative": change.relative,
        "max_abs": change.largest, "not_finite": change.n_odd,
    }  # fmt: skip


def _layer_json(line: LayerLine) -> dict[str, JSON]:
    values = line.values
    return {
        "id": line.index, "name": line.name, "a": line.partner, "matched_by": line.how,
        "weights": None if line.weights is None else _change_json(line.weights),
        "activations": None if values is None else {
            "mean_abs": values.mean_abs, "a_mean_abs": values.mean_before, "cosine": values.cosine,
            "samples": values.n_samples,
        },
    }  # fmt: skip


def _sample_json(s: SampleLine) -> dict[str, JSON]:
    a, b = (v if math.isfinite(v) else None for v in (s.share_before, s.share_after))
    return {
        "sample": s.sample, "name": s.name, "truth": s.truth, "a": s.before, "b": s.after, "changed": s.has_changed,
        "a_share": a, "b_share": b, "change": None if a is None or b is None else b - a,
    }  # fmt: skip


def text(found: Difference, report: Report, epoch: int) -> str:
    """The same for people: weights, filters, values, predictions, and what has no partner."""
    parts = [_head(found, report, epoch), _weights(report), _filters(report), _values(report), _samples(found, report)]
    return "\n\n".join(part for part in [*parts, _alone(report)] if part)


def _head(found: Difference, report: Report, epoch: int) -> str:
    a, b = (_moment(run, e) for run, e in ((found.against, found.epoch), (found.after, epoch)))
    name = f"{found.after.name or 'unnamed model'}: " if found.against is found.after else ""
    lines = [f"{name}B − A", f"  A  {a}", f"  B  {b}"]
    if found.against is not found.after:
        n = len(found.layers), len(found.against.layers)
        by_shape = sum(line.how == "shape" for line in report.layers)
        how = f", {by_shape} of them by shape" if by_shape else " by name"
        known = f"{len(report.layers)}" if report.layers else "none"
        lines.append(f"of {n[0]} layers of B and {n[1]} of A, {known} belong together{how if report.layers else ''}")
        if not report.is_same_input:
            lines.append("A has other inputs than B: values are compared sample by sample all the same")
    return "\n".join(lines)


def _moment(run: Run, epoch: int) -> str:
    at = run.epochs[epoch]
    shown = [f"epoch {at.id}", *(f"{name} {value:.4g}" for name, value in list(at.metrics.items())[:4])]
    return ", ".join([run.path or run.name or "unnamed model", *shown])


def _weights(report: Report) -> str:
    lines = [line for line in report.layers if line.weights is not None]
    if not lines:
        return ""
    most = max((_finite(line.weights) for line in lines), default=0.0)
    rows = [
        (_name(line), _bar(_finite(line.weights), most), _percent(line.weights.relative), _figure(line.weights.length),
         _figure(line.weights.before), _figure(line.weights.largest), _odd(line.weights.n_odd))
        for line in lines[:MOST_LAYERS] if line.weights is not None
    ]  # fmt: skip
    header = ("weights and biases", "", "‖ΔW‖/‖W_A‖", "‖ΔW‖", "‖W_A‖", "max |Δ|", "")
    return _table(header, rows, n_left=2) + _more(len(lines), MOST_LAYERS)


def _name(line: LayerLine) -> str:
    return line.name if line.partner == line.name else f"{line.name} (A: {line.partner}, by {line.how})"


def _filters(report: Report) -> str:
    moved = [f for f in report.filters if f.change.length > 0.0]
    if not moved:
        return ""
    rows = [
        (f"{f.name} {f.word} {f.row}", _percent(f.change.relative), _figure(f.change.length), _figure(f.change.largest))
        for f in moved[:MOST_LINES]
    ]
    return _table(("most changed filters", "‖ΔW‖/‖W_A‖", "‖ΔW‖", "max |Δ|"), rows, n_left=1) + _more(
        len(moved), MOST_LINES
    )


def _values(report: Report) -> str:
    known = [(line, line.values) for line in report.layers if line.values is not None]
    if not known:
        return ""
    known.sort(key=lambda pair: 2.0 if pair[1].cosine is None else pair[1].cosine)
    rows = [
        (_name(line), _figure(v.mean_abs), _figure(v.mean_before), "" if v.cosine is None else _fixed(v.cosine, 3))
        for line, v in known[:MOST_LAYERS]
    ]
    n = known[0][1].n_samples
    header = (f"activations, {n:,} sample{'s' * (n != 1)}", "mean |Δ|", "mean |a| of A", "cosine")
    return _table(header, rows, n_left=1) + _more(len(known), MOST_LAYERS)


def _samples(found: Difference, report: Report) -> str:
    if not report.samples:
        return ""
    n = sum(s.has_changed for s in report.samples)
    rows = []
    for s in report.samples[:MOST_LINES]:
        says = f"{_class(found, s.before)} → {_class(found, s.after)}" if s.has_changed else _class(found, s.after)
        points = _fixed(100.0 * (s.share_after - s.share_before), 1, sign=True)
        shares = [f"{100.0 * v:.1f} %" if math.isfinite(v) else "not finite" for v in (s.share_before, s.share_after)]
        truth = "" if s.truth is None else _class(found, s.truth)
        rows.append((s.name, truth, says, " → ".join(shares), points))
    of = "share of the truth" if report.samples[0].truth is not None else "share of B's class"
    head = f"{n:,} of {len(report.samples):,} samples changed class"
    return _table((head, "truth", "predicted", of, "points"), rows, n_left=3) + _more(len(report.samples), MOST_LINES)


def _alone(report: Report) -> str:
    lines = []
    for name, alone in (("only in B", report.alone_after), ("only in A", report.alone_before)):
        lines += [f"{name}: {which}" + (f" ({why})" if why else "") for which, why in alone[:MOST_LINES]]
        lines += [f"{name}: {len(alone) - MOST_LINES:,} more"] if len(alone) > MOST_LINES else []
    return "\n".join(lines)


def _class(found: Difference, k: int) -> str:
    if k < 0:
        return "not finite"
    return found.classes[k] if k < len(found.classes) else str(k)


def _finite(change: Change | None) -> float:
    return 0.0 if change is None or change.relative is None else change.relative


def _bar(value: float, most: float) -> str:
    """A bar of eighths of a character."""
    eighths = round(8 * BAR * value / most) if most > 0 else 0
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def _percent(share: float | None) -> str:
    if share is None:
        return "from 0"
    return f"{100.0 * share:.3g} %" if share < 9.995 else f"×{share:.3g}"


def _figure(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _fixed(value: float, digits: int, *, sign: bool = False) -> str:
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−") if math.isfinite(value) else "not finite"


def _odd(n: int) -> str:
    return f"{n:,} not finite" if n else ""


def _more(n: int, shown: int) -> str:
    return f"\n… {n - shown:,} more (--json has all)" if n > shown else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, n_left: int) -> str:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    places = [("<" if i < n_left else ">") + str(width) for i, width in enumerate(widths)]
    return "\n".join("  ".join(map(format, row, places)).rstrip() for row in (header, *rows))


