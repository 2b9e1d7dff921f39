"""Layers of graphs that are not a plain chain of convolutions."""

from __future__ import annotations

import pytest

from nn3d.errors import RunFormatError
from nn3d.run.layers import layers_of, topological
from nn3d.run.model import Graph, Node, Output, Parameter, Source


def _node(i: int, op: str, *inputs: int | tuple[int, int], shape: tuple[int, ...] = (4,), **more: object) -> Node:
    pairs = [(s, 0) if isinstance(s, int) else s for s in inputs]
    sources = tuple(Source(node, output, f"arg{k}") for k, (node, output) in enumerate(pairs))
    outputs = (Output(shape, tuple(f"axis{k}" for k in range(len(shape)))),) * int(str(more.pop("n_outputs", 1)))
    return Node(i, op, f"{op}{i}", inputs=sources, outputs=outputs, **more)  # type: ignore[arg-type]


def test_an_lstm_with_several_outputs_keeps_its_other_readers() -> None:
    parameters = (Parameter(0, "wi", (32, 6)), Parameter(1, "wh", (32, 8)))
    lstm = _node(1, "lstm", 0, shape=(7, 8), n_outputs=3, parameters={"weight_ih_l0": 0, "weight_hh_l0": 1})
    graph = Graph(
        "traced",
        (_node(0, "input", shape=(7, 6)), lstm, _node(2, "dropout", (1, 0), shape=(7, 8)), _node(3, "tanh", (1, 1))),
        parameters,
    )
    layers = layers_of(graph)
    assert [la.nodes for la in layers] == [(0,), (1,), (2,), (3,)]
    assert layers[1].weight == 0
    assert layers[1].macs == 7 * (32 * 6 + 32 * 8)
    assert layers[1].links[0].kind == "weight"
    assert layers[3].links[0].output == 1


def test_a_position_embedding_without_readers_of_its_own_is_a_stage_and_as_a_node_a_layer() -> None:
    position = (Parameter(0, "pos", (5, 4)),)
    as_stage = Graph("traced", (_node(0, "embedding"), _node(1, "add", 0, parameters={"other": 0})), position)
    as_node = Graph(
        "traced",
        (_node(0, "embedding"), _node(2, "parameter", parameters={"weight": 0}), _node(1, "add", 0, 2)),
        position,
    )
    assert [la.kind for la in layers_of(as_stage)] == ["Embedding · Add"]
    assert [la.kind for la in layers_of(as_node)] == ["Embedding", "Parameter", "Add"]


def test_attention_says_its_heads_and_counts_both_products() -> None:
    q = [_node(i, "linear", shape=(12, 10, 64)) for i in range(3)]
    layers = layers_of(Graph("traced", (*q, _node(3, "attention", 0, 1, 2, shape=(12, 10, 64))), ()))
    assert layers[3].kind == "Attention, 12 heads"
    assert layers[3].macs == 2 * 12 * 10 * 10 * 64
    assert {link.kind for link in layers[3].links} == {"map"}


def test_a_value_that_enters_one_node_twice_is_not_swallowed_by_it() -> None:
    graph = Graph("traced", (_node(0, "linear"), _node(1, "mul", 0, 0), _node(2, "other:fold_in", 1)), ())
    layers = layers_of(graph)
    assert [la.kind for la in layers] == ["Linear", "Multiply", "fold_in"]
    assert len(layers[1].links) == 2


def test_parts_of_a_split_are_told_apart() -> None:
    nodes = (_node(0, "linear"), _node(1, "chunk", 0, n_outputs=2), _node(2, "relu", (1, 0)), _node(3, "relu", (1, 1)))
    layers = layers_of(Graph("traced", nodes, ()))
    assert [(la.links[0].node, la.links[0].output) for la in layers[1:]] == [(1, 0), (1, 1)]


def test_strides_groups_and_global_pools_are_told() -> None:
    parameters = (Parameter(0, "w", (32, 1, 3, 3)),)
    conv = _node(
        1, "conv2d", 0, shape=(32, 8, 8), parameters={"weight": 0}, attributes={"stride": [2, 2], "groups": 32}
    )
    pool = _node(2, "adaptive_avg_pool2d", 1, shape=(32, 1, 1), attributes={"output_size": [1, 1]})
    layers = layers_of(Graph("traced", (_node(0, "input", shape=(32, 16, 16)), conv, pool), parameters))
    assert [la.kind for la in layers] == ["Input", "Conv 3×3 /2, depthwise", "AdaptiveAvgPool 1×1"]
    assert layers[1].macs == 32 * 9 * 64


def test_nodes_in_any_order_are_sorted_and_a_circle_is_refused() -> None:
    assert [n.id for n in topological((_node(1, "relu", 0), _node(0, "input")))] == [0, 1]
    with pytest.raises(RunFormatError, match="circle"):
        topological((_node(0, "add", 1), _node(1, "relu", 0)))
