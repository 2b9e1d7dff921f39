"""Owns the step from a graph of operations to what a person calls layers: producers with their stages."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from nn3d.errors import RunFormatError
from nn3d.run.kinds import kind_of, macs_of
from nn3d.run.model import Graph, Layer, LayerLink, Node, Output, Parameter
from nn3d.run.ops import is_stage, op_of


def topological(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Nodes so that every input comes before its reader, otherwise in the given order.

    Raises RunFormatError when an input names no node, or when the graph has a circle.
    """
    place = {node.id: i for i, node in enumerate(nodes)}
    waiting = [0] * len(nodes)
    readers: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for source in {s.node for s in node.inputs}:
            if source not in place:
                where = f"node {node.id} ({node.name[:60]})"
                raise RunFormatError(f"{where}: input should name a node of the graph, got {source}")
            readers[place[source]].append(i)
            waiting[i] += 1
    ready = [i for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    done: list[Node] = []
    while ready:
        i = heapq.heappop(ready)
        done.append(nodes[i])
        for reader in readers[i]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    if len(done) < len(nodes):
        stuck = next(node for i, node in enumerate(nodes) if waiting[i])
        raise RunFormatError(f"graph: should have no circle, got one through node {stuck.id} ({stuck.name})")
    return tuple(done)


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """All layers of a graph, in topological order; every node belongs to exactly one."""
    ordered = topological(graph.nodes)
    chains = _chains(ordered)
    names = layer_names([chain[0].name for chain in chains])
    member = {node.id: i for i, chain in enumerate(chains) for node in chain}
    by_id = {node.id: node for node in ordered}
    parameters = {p.id: p for p in graph.parameters}
    return tuple(_layer(i, names[i], chain, member, by_id, parameters) for i, chain in enumerate(chains))


def _chains(ordered: Sequence[Node]) -> list[list[Node]]:
    """Producers with their stages; a stage joins while the output that it reads has no other reader.

    A split of a layer joins it too, as its last: its parts are the layer's own values.
    """
    readers = Counter((s.node, s.output) for node in ordered for s in node.inputs)
    outputs_read = Counter(node for node, _ in readers)
    chain_at: dict[int, list[Node]] = {}
    chains: list[list[Node]] = []
    for node in ordered:
        chain = None
        is_split = op_of(node.op).family == "split" and len(node.inputs) == 1 and node.op != "topk"
        if is_stage(node) or is_split:
            source = node.inputs[0]
            before = chain_at[source.node]
            is_last = before[-1].id == source.node
            is_only = readers[source.node, source.output] == 1 and outputs_read[source.node] == 1 and not source.output
            if is_last and is_only and _may_join(node, before):
                chain = before
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(node)
        chain_at[node.id] = chain
    return chains


def _may_join(stage: Node, chain: Sequence[Node]) -> bool:
    """An input, a constant or a part of a split takes rearrangements only: a norm on the picture is a layer."""
    family = op_of(chain[0].op).family
    if len(chain) > 1 and op_of(chain[-1].op).family == "split":
        return False
    if family in {"input", "parameter", "split"}:
        return op_of(stage.op).family == "rearrange"
    return stage.missing == chain[0].missing


def _layer(
    index: int,
    name: str,
    chain: Sequence[Node],
    member: Mapping[int, int],
    by_id: Mapping[int, Node],
    parameters: Mapping[int, Parameter],
) -> Layer:
    first = chain[0]
    shown = _shown(chain)
    number = _shown_output(shown)
    output = shown.outputs[number] if shown.outputs else Output((), ())
    used = tuple(dict.fromkeys(p for node in chain for p in node.parameters.values() if p in parameters))
    inputs = {node.id: _input_shapes(node, by_id) for node in chain}
    return Layer(
        index=index,
        name=name,
        op=first.op,
        kind=kind_of(chain, parameters, inputs[first.id]),
        module=first.module,
        nodes=tuple(node.id for node in chain),
        shown=shown.id,
        shown_output=number,
        shape=output.shape,
        axes=output.axes,
        links=_links(index, chain, member),
        parameters=used,
        weight=edge_weight(first),
        n_params=sum(prod(parameters[p].shape) for p in used if parameters[p].kind == "parameter"),
        macs=sum(macs_of(node, parameters, inputs[node.id]) for node in chain),
        missing=first.missing,
    )


def _input_shapes(node: Node, by_id: Mapping[int, Node]) -> list[tuple[int, ...]]:
    sources = [(by_id[s.node], s.output) for s in node.inputs]
    return [n.outputs[o].shape if o < len(n.outputs) else () for n, o in sources]


def _shown(chain: Sequence[Node]) -> Node:
    """The last node that changes values: a pool that is flattened afterwards is still drawn as maps."""
    kept = len(chain)
    hidden = {"rearrange", "dropout", "split"}
    while kept > 1 and (op_of(chain[kept - 1].op).family in hidden or not chain[kept - 1].outputs):
        kept -= 1
    return chain[kept - 1]


def _shown_output(node: Node) -> int:
    """The first output; of attention its weights (heads, query, key) where they are known: who looks at whom."""
    if op_of(node.op).family != "attention":
        return 0
    return next((i for i, output in enumerate(node.outputs) if output.name == "weights" and len(output.shape) == 3), 0)


def edge_weight(node: Node) -> int | None:
    """Id of the parameter whose entries are the edges into a node, or None for operations without one."""
    if not op_of(node.op).is_weighted and not (node.op == "multi_head_attention" or node.op.startswith("other:")):
        return None
    roles = ("weight", "weight_ih_l0", "weight_ih", "in_proj_weight")
    return next((node.parameters[role] for role in roles if role in node.parameters), None)


def _links(index: int, chain: Sequence[Node], member: Mapping[int, int]) -> tuple[LayerLink, ...]:
    links = []
    for node in chain:
        is_weighted = edge_weight(node) is not None
        for i, source in enumerate(node.inputs):
            if member[source.node] == index:
                continue
            kind = "weight" if is_weighted and i == 0 else "map"
            links.append(LayerLink(member[source.node], source.node, source.output, source.argument, kind, node.id))
    return tuple(links)


def layer_names(full: Sequence[str]) -> tuple[str, ...]:
    """Shortest unique ending of each dotted name that does not begin with a number.

    "encoder.conv1" → "conv1"; of "layer1.0.conv1" and "layer2.0.conv1" both stay whole, "features.0" does too.
    """
    endings = [[".".join(parts[k:]) for k in range(len(parts))][::-1] for parts in (name.split(".") for name in full)]
    count = Counter(ending for name in endings for ending in name)
    names: list[str] = []
    taken: set[str] = set()
    for candidates, whole in zip(endings, full, strict=True):
        good = (c for c in candidates if count[c] == 1 and c and not c[0].isdigit())
        name = next(good, whole or "layer")
        unique, n = name, 2
        while unique in taken:
            unique, n = f"{name} #{n}", n + 1
        taken.add(unique)
        names.append(unique)
    return tuple(names)
