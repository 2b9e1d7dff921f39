"""Owns `nn3d info`: a run as the JSON of the command line, and as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

from nn3d.errors import one_line
from nn3d.run.costs import costs_of
from nn3d.run.describe import epoch_json, sample_json
from nn3d.run.lazy import LazyStore
from nn3d.run.manifest import FORMAT, VERSION
from nn3d.run.model import JSON, Layer
from nn3d.run.run import Run


def summary(run: Run) -> dict[str, JSON]:
    """What `nn3d info --json` prints. `bytes`: of the file or folder, or of the arrays of a run in memory."""
    parameters = [p for p in run.graph.parameters if p.kind == "parameter"]
    return {
        "format": f"{FORMAT} {run.manifest.get('version', VERSION)}",
        "model": run.name,
        "source": run.source,
        "graph": run.graph.kind,
        "identity": run.identity,
        "layers": [_layer(run, layer) for layer in run.layers],
        "epochs": [{k: v for k, v in epoch_json(e).items() if k != "wall_time"} for e in run.epochs],
        "samples": [sample_json(s) for s in run.samples],
        "classes": list(run.classes),
        "params_total": sum(prod(p.shape) for p in parameters),
        "macs_total": sum(layer.macs for layer in run.layers),
        "bytes": size_bytes(run),
        "left_out": list(run.left_out),
        "notes": list(run.notes),
    }


def _layer(run: Run, layer: Layer) -> dict[str, JSON]:
    return {
        "id": layer.index,
        "name": layer.name,
        "op": layer.op,
        "kind": layer.kind,
        "module": layer.module,
        "shape": list(layer.shape),
        "axes": list(layer.axes),
        "params": layer.n_params,
        "macs": layer.macs,
        "inputs": list(dict.fromkeys(run.layers[link.source].name for link in layer.links)),
        "missing": layer.missing,
    }


def size_bytes(run: Run) -> int:
    """Bytes on disk, or in memory for a run that lies there."""
    if isinstance(run.store, LazyStore):
        return run.store.n_bytes
    if not run.path:
        return sum(run.store[key].nbytes for key in run.store.keys())  # noqa: SIM118 (a Store is no dict)
    path = Path(run.path)
    files = (p for p in path.iterdir() if p.is_file()) if path.is_dir() else iter((path,))
    return sum(p.stat().st_size for p in files)


def node_table(run: Run) -> list[dict[str, JSON]]:
    """What `--ops` adds: every operation with the layer it belongs to, and what is recorded of it."""
    home = {node: layer.name for layer in run.layers for node in layer.nodes}
    costs = {cost.node: cost for cost in costs_of(run.graph)}
    last = len(run.epochs) - 1
    return [
        {
            "id": node.id,
            "op": node.op,
            "name": node.name,
            "layer": home[node.id],
            "inputs": [[s.node, s.output] for s in node.inputs],
            "shapes": [list(o.shape) for o in node.outputs],
            "params": costs[node.id].n_params,
            "macs": costs[node.id].macs,
            "activation_bytes": costs[node.id].n_bytes,
            "recorded": [last >= 0 and run.has_values(node.id, o, last) for o in range(len(node.outputs))],
            "missing": node.missing,
            "recomputed": node.recomputed,
        }
        for node in run.graph.nodes
    ]


def text(run: Run, *, with_ops: bool = False) -> str:
    """The same for people: layers with shape, parameters, share and MACs, then metrics by epoch."""
    facts = summary(run)
    n_samples, n_epochs = len(run.samples), len(run.epochs)
    head = f"{run.name or 'unnamed model'}: {_many(len(run.layers), 'layer')}, {_many(n_epochs, 'epoch')}, "
    head += f"{_many(n_samples, 'sample')}, {facts['bytes'] / 1e6:,.1f} MB, graph {run.graph.kind}"
    total = max(1, facts["params_total"])
    rows = [
        (la.name, la.kind, _times(la.shape), f"{la.n_params:,}", f"{100 * la.n_params / total:.1f} %", f"{la.macs:,}")
        for la in run.layers
    ]
    rows.append(("total", "", "", f"{facts['params_total']:,}", "", f"{facts['macs_total']:,}"))
    parts = [_shown(head), *(_shown(f"from {run.source}") for _ in range(bool(run.source)))]
    parts += ["", _table(("layer", "kind", "shape", "parameters", "share", "MACs"), rows, n_left=3)]
    if with_ops:
        parts += ["", _ops(run)]
    if any(e.metrics for e in run.epochs):
        parts += ["", _metrics(run)]
    parts += [_shown(f"left out: {entry}") for entry in run.left_out] + [_shown(f"note: {n}") for n in run.notes]
    return "\n".join(parts)


def _ops(run: Run) -> str:
    """Every operation with what it costs for one sample, and the sum."""
    nodes = node_table(run)
    names = ("params", "macs", "activation_bytes")
    rows = [
        (
            *(str(n["id"]), n["name"], n["op"], n["layer"], " ".join(map(_times, n["shapes"]))),
            *(_some(n[k]) for k in names),
        )
        for n in nodes
    ]
    total = [sum(n[k] for n in nodes) for k in names]
    rows.append(("", "total", f"{len(nodes):,} operations", "", "", *(f"{n:,}" for n in total)))
    head = ("id", "operation", "op", "layer", "shapes", "parameters", "MACs", "bytes of output")
    return _table(head, rows, n_left=5) + "\n\nMACs and bytes are of one sample; see docs/ops.md for what counts."


def _some(number: int) -> str:
    return f"{number:,}" if number else "–"


def _metrics(run: Run) -> str:
    names = list(dict.fromkeys(name for e in run.epochs for name in e.metrics))
    rows = [
        (str(e.id), "" if e.step is None else str(e.step), *(_number(e.metrics.get(name)) for name in names))
        for e in run.epochs
    ]
    return _table(("epoch", "step", *names), rows, n_left=0)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _times(shape: Sequence[int]) -> str:
    return "×".join(str(n) for n in shape) or "1"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, n_left: int) -> str:
    """Columns two spaces apart; the first `n_left` are flush left, the others flush right."""
    widths = [max(len(_shown(row[i])) for row in (header, *rows)) for i in range(len(header))]
    places = [("<" if i < n_left else ">") + str(width) for i, width in enumerate(widths)]
    lines = ["  ".join(map(format, (_shown(cell) for cell in row), places)) for row in (header, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def _shown(cell: str) -> str:
    """Names come from files: nothing in them moves the terminal's cursor."""
    return cell if cell.isprintable() else one_line(cell)
