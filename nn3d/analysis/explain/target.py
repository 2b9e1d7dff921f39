"""Owns which output is meant by a name, and which operations of its layer make it: one that adds up, then steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nn3d.analysis.explain.functions import NAMES
from nn3d.analysis.explain.terms import Ref
from nn3d.errors import Nn3dError
from nn3d.run.model import Layer, Node, Output
from nn3d.run.ops import op_of
from nn3d.run.run import Run

# Operations that make one value of one value, and can be read as a step after a sum.
_STEPS = NAMES | {"prelu", "batch_norm", "dropout", "alpha_dropout", "drop_path", "cast"}
_ARITHMETIC = frozenset(("add", "sub", "mul", "div", "pow"))


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be explained.

    ref : the output. chain : ids of nodes of the layer, the one that adds up first, that of `ref` last.
    """

    layer: Layer
    ref: Ref
    output: Output
    chain: tuple[int, ...]

    @property
    def forced(self) -> frozenset[Ref]:
        """Outputs that are computed even where they are recorded: all of the chain but the last."""
        return frozenset(Ref(node, 0) for node in self.chain[:-1])


def target_of(
    run: Run,
    which: str | int,
    epoch: int,
    *,
    node: int | None = None,
    output: int | None = None,
    alone: bool = False,
) -> Target:
    """A layer by name or index, or a node by its full name; of a layer its last recorded operation up to what it shows.

    node : id of the operation of the layer to stop at. output : of a node with several. alone : `which` is a node,
    even where a layer has that name. Raises Nn3dError.
    """
    if isinstance(which, str) and node is None and (alone or which not in {la.name for la in run.layers}):
        exact = [n.id for n in run.graph.nodes if n.name == which]
        if exact:
            ref = Ref(exact[0], output or 0)
            return Target(_layer_of(run, ref.node), ref, run.output(*ref), (ref.node,))
    layer = run.layer(which)
    if node is None:
        node = _last_recorded(run, layer, epoch)
    elif node not in layer.nodes:
        raise Nn3dError(f"node: should be one of layer {layer.name}, {layer.nodes}, got {node}")
    if output is None:
        output = layer.shown_output if node == layer.shown else 0
    ref = Ref(node, output)
    return Target(layer, ref, run.output(*ref), _chain(run, layer, ref))


def _layer_of(run: Run, node: int) -> Layer:
    return next(layer for layer in run.layers if node in layer.nodes)


def _last_recorded(run: Run, layer: Layer, epoch: int) -> int:
    """The last node with values that the layer's cells can name, else the one it shows."""
    upto = layer.nodes[: layer.nodes.index(layer.shown) + 1]
    for node in reversed(upto):
        output = layer.shown_output if node == layer.shown else 0
        if run.output(node, output).shape == layer.shape and run.has_values(node, output, epoch):
            return node
    return layer.shown


def _chain(run: Run, layer: Layer, ref: Ref) -> tuple[int, ...]:
    chain = [ref.node]
    place = layer.nodes.index(ref.node)
    while place > 0 and ref.output == 0 and is_step(run, run.node(layer.nodes[place])):
        place -= 1
        chain.insert(0, layer.nodes[place])
    return tuple(chain)


def is_step(run: Run, node: Node) -> bool:
    """Whether a node makes each value of one value of its only source, in the same place or another."""
    if len(node.inputs) != 1:
        return False
    if node.op == "batch_norm":
        return "running_mean" in node.parameters
    return node.op in _STEPS or node.op in _ARITHMETIC or op_of(node.op).keeps_values


def checked_cells(shape: Sequence[int], axes: Sequence[str], cell: Sequence[int], name: str) -> tuple[int, ...]:
    """The cell, if it lies in the shape; 0 names that of a single number. Raises Nn3dError with the valid range."""
    if len(cell) == len(shape) and all(0 <= i < n for i, n in zip(cell, shape, strict=True)):
        return tuple(int(i) for i in cell)
    if not shape and tuple(cell) == (0,):
        return ()
    count = "one number" if len(shape) == 1 else f"{len(shape)} numbers"
    named = ", ".join(f"{axis} 0 to {n - 1}" for axis, n in zip(axes, shape, strict=False))
    got = ",".join(str(i) for i in cell)
    raise Nn3dError(f"cell: of {name} should be {count}, {named}; got {got}")
