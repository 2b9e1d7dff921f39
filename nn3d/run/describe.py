"""Owns the other way: graph, epochs and samples → the JSON of a manifest, as nn3d.run.manifest reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from nn3d.run.manifest import FORMAT, VERSION
from nn3d.run.model import JSON, Epoch, Graph, InputInfo, Node, Output, Parameter, Sample


def manifest_json(
    graph: Graph,
    *,
    model: str = "",
    source: str = "",
    run_id: str = "",
    epochs: Sequence[Epoch] = (),
    samples: Sequence[Sample] = (),
    classes: Sequence[str] = (),
    left_out: Sequence[str] = (),
    notes: Sequence[str] = (),
    extra: Mapping[str, JSON] | None = None,
) -> dict[str, JSON]:
    """A manifest as a JSON object. `extra` keys are kept as they are; the known ones win."""
    return dict(extra or {}) | {
        "format": FORMAT,
        "version": VERSION,
        "run_id": run_id,
        "model": model,
        "source": source,
        "graph": graph.kind,
        "nodes": [_node(n) for n in graph.nodes],
        "parameters": [_parameter(p) for p in graph.parameters],
        "modules": [{"path": m.path, "type": m.type} for m in graph.modules],
        "inputs": [_input(i) for i in graph.inputs],
        "outputs": [{"name": name, "node": node, "output": output} for name, node, output in graph.outputs],
        "graph_notes": list(graph.notes),
        "epochs": [epoch_json(e) for e in epochs],
        "samples": [sample_json(s) for s in samples],
        "classes": list(classes),
        "left_out": list(left_out),
        "notes": list(notes),
    }


def dump_json(value: JSON) -> bytes:
    """Strict UTF-8 JSON; raises ValueError on a number that is not finite."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def epoch_json(epoch: Epoch) -> dict[str, JSON]:
    """One epoch; metrics that are not finite are written as the texts "NaN", "Infinity", "-Infinity"."""
    metrics = {name: _number(value) for name, value in epoch.metrics.items()}
    return {"id": epoch.id, "step": epoch.step, "wall_time": epoch.wall_time, "metrics": metrics}


def _number(value: float) -> JSON:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def sample_json(sample: Sample) -> dict[str, JSON]:
    """One sample."""
    return {"name": sample.name, "label": sample.label, "tokens": list(sample.tokens)}


def _node(node: Node) -> dict[str, JSON]:
    return {
        "id": node.id,
        "op": node.op,
        "name": node.name,
        "module": node.module,
        "attributes": _plain(node.attributes),
        "inputs": [{"node": s.node, "output": s.output, "argument": s.argument} for s in node.inputs],
        "outputs": [_output(o) for o in node.outputs],
        "parameters": dict(node.parameters),
        "missing": node.missing,
        "recomputed": node.recomputed,
    }


def _output(output: Output) -> dict[str, JSON]:
    return {
        "shape": list(output.shape),
        "axes": list(output.axes),
        "dtype": output.dtype,
        "per_sample": output.per_sample,
        "name": output.name,
        "recomputed": output.recomputed,
    }


def _parameter(parameter: Parameter) -> dict[str, JSON]:
    return {
        "id": parameter.id,
        "name": parameter.name,
        "shape": list(parameter.shape),
        "axes": list(parameter.axes),
        "kind": parameter.kind,
        "source_layout": parameter.source_layout,
        **({"dtype": parameter.dtype} if parameter.dtype else {}),
    }


def _input(info: InputInfo) -> dict[str, JSON]:
    return {
        "node": info.node,
        "kind": info.kind,
        "mean": list(info.mean),
        "std": list(info.std),
        "value_range": None if info.value_range is None else list(info.value_range),
        "note": info.note,
        **({"names": list(info.names)} if info.names else {}),
    }


def _plain(value: JSON) -> JSON:
    """Attributes as JSON holds them: tuples as lists; numbers that are not finite and anything else as text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
