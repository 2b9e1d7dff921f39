"""Which value of a layer is shown: after its producing operation, or after a later stage of it (norm, activation)."""

from __future__ import annotations

from nn3d.errors import Nn3dError
from nn3d.run.model import Layer
from nn3d.run.ops import op_of
from nn3d.run.run import Run

LAST = -1


def stages_of(run: Run, layer: Layer, epoch: int) -> tuple[int, ...]:
    """Node ids of the stages whose values were recorded in the layer's shape; the last one is shown by default."""
    nodes = layer.nodes[: layer.nodes.index(layer.shown)] if layer.shown in layer.nodes else ()
    same = [n for n in nodes if run.node(n).outputs and run.output(n, 0).shape == layer.shape]
    return (*(n for n in same if run.has_values(n, 0, epoch)), layer.shown)


def node_of(run: Run, layer: Layer, stage: int, epoch: int) -> tuple[int, int]:
    """(node, output) that a layer shows. stage : index into `stages_of`, −1 for the last. Raises Nn3dError."""
    if stage == LAST:
        return layer.shown, layer.shown_output
    found = stages_of(run, layer, epoch)
    if not -1 <= stage < len(found):
        last = len(found) - 1
        raise Nn3dError(f"layer {layer.name!r}: stage should be 0 to {last} (or -1 for the last), got {stage}")
    return (layer.shown, layer.shown_output) if stage == len(found) - 1 else (found[stage], 0)


def labels_of(run: Run, layer: Layer, epoch: int) -> tuple[str, ...]:
    """What people call the stages: "Conv", "BN", "ReLU"."""
    return tuple(op_of(run.node(n).op).label for n in stages_of(run, layer, epoch))


def stage_kind(run: Run, layer: Layer, stage: int, epoch: int) -> str:
    """The kind that a card names: "Conv 5×5 · ReLU", or "Conv 5×5, before ReLU" when an earlier stage is shown."""
    labels = labels_of(run, layer, epoch) if stage != LAST and run.epochs else ()
    if not 0 <= stage < len(labels) - 1:
        return layer.kind
    kind = layer.kind
    for label in reversed(labels[stage + 1 :]):
        kind = kind.removesuffix(f" · {label}")
    return f"{kind}, before {labels[stage + 1]}"
