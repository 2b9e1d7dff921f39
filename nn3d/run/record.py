"""Owns the step from named arrays of one epoch to members of a file: keys, encodings, statistics, checked shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run import keys
from nn3d.run.encoding import encode
from nn3d.run.model import Array, Graph, Node, Output
from nn3d.run.statistics import channel_axis, channel_table, parameter_vector, sample_table

Name = str | int | tuple[int, int]


def epoch_members(
    graph: Graph,
    epoch_id: int,
    activations: Mapping[str, Array] | Mapping[tuple[int, int], Array],
    parameters: Mapping[str, Array] | Mapping[int, Array],
    *,
    parameter_gradients: Mapping[str, Array] | Mapping[int, Array] | None = None,
    activation_gradients: Mapping[str, Array] | Mapping[tuple[int, int], Array] | None = None,
    updates: Mapping[int, Array] | None = None,
    changes: Mapping[int, Array] | None = None,
    encoding: str = "f16",
    statistics: bool = True,
) -> Iterator[tuple[str, Array]]:
    """Members of one epoch, each made when it is asked for: of a mapping that reads its arrays, one is held at a time.

    updates : parameter id → figures of its change (nn3d.run.updates). changes : parameter id → the change itself.

    activations : (node id, output) or "node name" or "node name.output" → (N, *shape), or shape where not per sample.
    parameters : id or name → array, canonical layout. Raises RunFormatError when a name or a shape does not fit.
    """
    weights = "f32" if encoding == "f32" else "f16"
    find_node, find_parameter = _Outputs(graph), _Parameters(graph)
    for name, array in activations.items():
        node, output, info = find_node(name)
        values = _fitting_output(np.asarray(array), info, node)
        if node.op == "input" and not output and statistics is False:
            continue
        is_input = node.op == "input" and not output
        if not is_input:
            yield from encode(values, encoding).members(keys.activation_key(epoch_id, node.id, output))
        if statistics:
            yield from _output_statistics(epoch_id, node.id, output, info, values).items()
    for which, array in parameters.items():
        parameter, shape = find_parameter(which)
        values = _fitting(np.asarray(array), shape, f"parameter {which}")
        yield from encode(values, weights).members(keys.parameter_key(epoch_id, parameter))
        if statistics and values.dtype.kind == "f":
            yield keys.parameter_stats_key(epoch_id, parameter), parameter_vector(values)
        del array, values  # before the next is read
    for which, array in (parameter_gradients or {}).items():
        parameter, shape = find_parameter(which)
        values = _fitting(np.asarray(array), shape, f"gradient of {which}")
        yield from encode(values, weights).members(keys.parameter_gradient_key(epoch_id, parameter))
    for which, vector in (updates or {}).items():
        yield keys.update_stats_key(epoch_id, which), vector
    for which, array in (changes or {}).items():
        parameter, shape = find_parameter(which)
        values = _fitting(np.asarray(array), shape, f"change of {which}")
        yield from encode(values, weights).members(keys.update_key(epoch_id, parameter))
    for name, array in (activation_gradients or {}).items():
        node, output, info = find_node(name)
        values = _fitting_output(np.asarray(array), info, node)
        yield from encode(values, encoding).members(keys.activation_gradient_key(epoch_id, node.id, output))


def epoch_arrays(
    graph: Graph,
    epoch_id: int,
    activations: Mapping[str, Array] | Mapping[tuple[int, int], Array],
    parameters: Mapping[str, Array] | Mapping[int, Array],
    **more: Any,
) -> dict[str, Array]:
    """All `epoch_members` at once."""
    return dict(epoch_members(graph, epoch_id, activations, parameters, **more))


def input_arrays(graph: Graph, activations: Mapping[str, Array] | Mapping[tuple[int, int], Array]) -> dict[str, Array]:
    """Members `in/<i>` of the input nodes among `activations`, float32 (integers as they are)."""
    order = {n.id: i for i, n in enumerate(n for n in graph.nodes if n.op == "input")}
    find = _Outputs(graph)
    members: dict[str, Array] = {}
    for name, array in activations.items():
        node, output, info = find(name)
        if node.op == "input" and not output:
            values = _fitting_output(np.asarray(array), info, node)
            members |= encode(values, "f32").members(keys.input_key(order[node.id]))
    return members


def _output_statistics(epoch_id: int, node: int, output: int, info: Output, values: Array) -> dict[str, Array]:
    table = channel_table(values, channel_axis(info.shape, info.axes), per_sample=info.per_sample)
    members = {keys.channel_stats_key(epoch_id, node, output): table}
    if info.per_sample:
        members[keys.sample_stats_key(epoch_id, node, output)] = sample_table(values)
    return members


class _Outputs:
    """Finds (node, output) by ids or by name."""

    def __init__(self, graph: Graph) -> None:
        self._by_id = {n.id: n for n in graph.nodes}
        self._by_name = {n.name: n for n in graph.nodes}

    def __call__(self, name: Name) -> tuple[Node, int, Output]:
        node, output = self._split(name)
        if node is None or not 0 <= output < len(node.outputs):
            raise RunFormatError(f"activations: should name a node and one of its outputs, got {str(name)[:80]!r}")
        return node, output, node.outputs[output]

    def _split(self, name: Name) -> tuple[Node | None, int]:
        if isinstance(name, tuple):
            return self._by_id.get(name[0]), name[1]
        if isinstance(name, int):
            return self._by_id.get(name), 0
        if name in self._by_name:
            return self._by_name[name], 0
        whole, _, last = name.rpartition(".")
        return self._by_name.get(whole), int(last) if last.isdecimal() and len(last) < 9 else -1


class _Parameters:
    """Finds a parameter's id and shape by id or by name."""

    def __init__(self, graph: Graph) -> None:
        self._shapes = {p.id: p.shape for p in graph.parameters}
        self._ids = {p.name: p.id for p in graph.parameters}

    def __call__(self, which: str | int) -> tuple[int, tuple[int, ...]]:
        parameter = self._ids.get(which) if isinstance(which, str) else which
        if parameter is None or parameter not in self._shapes:
            raise RunFormatError(f"parameters: should name a parameter of the graph, got {str(which)[:80]!r}")
        return parameter, self._shapes[parameter]


def _fitting_output(array: Array, info: Output, node: Node) -> Array:
    if info.per_sample:
        if array.ndim != len(info.shape) + 1 or array.shape[1:] != info.shape:
            expected = "(" + ", ".join(["samples", *(str(n) for n in info.shape)]) + ")"
            raise RunFormatError(f"node {node.name!r}: activations should be {expected}, got {array.shape}")
        return array
    return _fitting(array, info.shape, f"node {node.name!r}: activations")


def _fitting(array: Array, shape: tuple[int, ...], what: str) -> Array:
    if array.shape != shape:
        raise RunFormatError(f"{what}: should be {shape}, got {array.shape}")
    return array
