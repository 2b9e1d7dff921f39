"""Owns tensors that TensorFlow and Keras named, without their wires: their roles, layouts and order, for inference.

Names say what a tensor is ("conv1/kernel", "bn/moving_mean:0"); the order of a checkpoint is the alphabet's, so layers
are put in the order of their names, kernels before matrices, outputs last, and norms after what they fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from nn3d.extract.infer import infer_graph
from nn3d.extract.inference.names import EMBEDDING
from nn3d.extract.inputs import natural
from nn3d.extract.readers.keras.build import Entry, Shape
from nn3d.run.model import Array, Graph

_ROLES = {
    **dict.fromkeys(("kernel", "weights", "weight", "w", "embeddings", "embedding", "gamma", "scale",
                     "depthwise_kernel", "depthwise_weights", "pointwise_kernel", "pointwise_weights"), "weight"),
    **dict.fromkeys(("bias", "biases", "b", "beta", "offset"), "bias"),
    **dict.fromkeys(("moving_mean", "running_mean"), "running_mean"),
    **dict.fromkeys(("moving_variance", "moving_var", "running_var"), "running_var"),
}  # fmt: skip
# What optimisers and savers keep beside a model's own tensors.
_ASIDE = re.compile(
    r"(^|/)(global_step|beta[12]_power|save_counter|iter|iteration|learning_rate|decay|beta_[12]|momentum|step)$"
    r"|/(Adam(_1)?|Momentum|RMSProp(_1)?|Adagrad|Adadelta(_1)?|Ftrl(_1)?|ExponentialMovingAverage)$"
    r"|\.OPTIMIZER_SLOT|(^|/)_?optimizer(/|$)|(^|/)seed_generator|^_CHECKPOINTABLE|(^|/)keras_api(/|$)"
)
_LAST = re.compile(r"(^|[._/])(out|output|logits|predictions?|classifier|head|top)([._/]|$)", re.IGNORECASE)
_LETTERS = {3: "LIO", 4: "HWIO", 5: "DHWIO"}


@dataclass(frozen=True, slots=True)
class Named:
    """A graph that was inferred, and what brings a file's tensor into the layout of each parameter.

    places : parameter id → (name in the file, conversion). left_out : tensors that are no part of the model.
    """

    graph: Graph
    places: Mapping[int, tuple[str, Callable[[Array], Array]]]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tensor:
    source: str
    role: str
    shape: Shape
    layout: str
    convert: Callable[[Array], Array]


def infer_named(entries: Mapping[str, Entry], *, is_ordered: bool = False) -> Named | None:
    """A graph from names and shapes; None where no tensor is left. is_ordered : the file's order is the network's."""
    aside = [name for name in entries if _ASIDE.search(name.partition(":")[0])]
    groups: dict[str, list[_Tensor]] = {}
    for name, entry in entries.items():
        if name not in aside and 0 not in entry.shape:
            layer, role = split_name(name)
            is_table = len(entry.shape) == 2 and EMBEDDING.search(layer) is not None
            groups.setdefault(layer, []).append(_tensor(name, "embeddings" if is_table else role, entry.shape))
    if not groups:
        return None
    groups = {layer: _recurrent(group) for layer, group in groups.items()}
    order = list(groups) if is_ordered else _ordered(groups)
    tensors = {f"{layer}.{t.role}" if layer else t.role: t for layer in order for t in groups[layer]}
    graph = infer_graph({name: t.shape for name, t in tensors.items()})
    layouts = {p.id: tensors[p.name].layout for p in graph.parameters}
    columns = _columns(graph)
    parameters = tuple(replace(p, source_layout=layouts[p.id]) for p in graph.parameters)
    places = {}
    for p in graph.parameters:
        t = tensors[p.name]
        steps = [t.convert]
        if p.source_layout:
            steps.append(lambda v: np.swapaxes(v, 0, 1))
        if p.id in columns:
            steps.append(partial(_permuted, channels=columns[p.id]))
        places[p.id] = (t.source, partial(_all, steps))
    line = (f"{counted(len(aside), 'tensor')} of the optimiser and the saver ({aside[0]}, …)",) if aside else ()
    return Named(replace(graph, parameters=parameters), places, line)


def counted(n: int, what: str) -> str:
    """"1 tensor", "2 tensors"."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def split_name(name: str) -> tuple[str, str]:
    """"block/conv1/kernel:0" → ("block.conv1", "kernel")."""
    plain = name.partition(":")[0].removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")
    layer, _, role = plain.rpartition("/")
    if not layer and "." in plain:
        layer, _, role = plain.rpartition(".")
    return layer.replace("/", "."), role


def _tensor(name: str, role: str, shape: Shape) -> _Tensor:
    rank = len(shape)
    known = _ROLES.get(role, role)
    if known != "weight" or rank < 2 or role.startswith("embedding"):
        whole = shape or (1,)
        return _Tensor(name, known, whole, "", partial(np.reshape, shape=whole))
    if role.startswith("depthwise") and rank > 2:
        made = (shape[-2] * shape[-1], 1, *shape[:-2])
        return _Tensor(name, known, made, f"{_LETTERS[rank][:-2]}CM", _depthwise) if rank in _LETTERS else _plain(
            name, known, shape)  # fmt: skip
    if rank == 2:
        return _Tensor(name, known, shape[::-1], "IO", np.transpose)
    if rank not in _LETTERS:
        return _plain(name, known, shape)
    return _Tensor(name, known, (shape[-1], shape[-2], *shape[:-2]), _LETTERS[rank], _kernel)


def _plain(name: str, role: str, shape: Shape) -> _Tensor:
    return _Tensor(name, role, shape, "", np.asarray)


def _kernel(values: Array) -> Array:
    return np.moveaxis(values, (-1, -2), (0, 1))


def _depthwise(values: Array) -> Array:
    moved = np.moveaxis(values, (-2, -1), (0, 1))
    return moved.reshape(-1, 1, *values.shape[:-2])


def _permuted(weight: Array, channels: int) -> Array:
    """Columns (place, channel) of a linear layer after maps → (channel, place)."""
    n_out, n_in = weight.shape
    return weight.reshape(n_out, n_in // channels, channels).swapaxes(1, 2).reshape(n_out, n_in)


def _all(steps: Sequence[Callable[[Array], Array]], values: Array) -> Array:
    for step in steps:
        values = step(values)
    return np.ascontiguousarray(values)


def _recurrent(group: list[_Tensor]) -> list[_Tensor]:
    """Kernels of a cell by torch's roles; LSTM's gates i f c o are its i f g o."""
    again = next((t for t in group if t.role == "recurrent_kernel" and len(t.shape) == 2), None)
    if again is None or again.shape[1] % again.shape[0] or again.shape[1] // again.shape[0] == 3:
        return group
    roles = {"weight": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0", "bias": "bias_ih_l0"}
    turned = replace(again, shape=again.shape[::-1], layout="IO", convert=np.transpose)
    return [replace(turned if t is again else t, role=roles.get(t.role, t.role)) for t in group]


def _ordered(groups: Mapping[str, list[_Tensor]]) -> list[str]:
    """Layers in the order in which their names count, norms after the layer that gives as many channels."""
    kernels = {layer: g for layer, g in groups.items() if any(len(t.shape) > 1 for t in g)}
    norms = [layer for layer in sorted(groups, key=natural) if layer not in kernels]
    order = sorted(kernels, key=lambda k: (_LAST.search(k) is not None, _rank(kernels[k]) < 3, natural(k)))
    given = {layer: max((t.shape[0] for t in kernels[layer] if len(t.shape) > 1), default=0) for layer in order}
    at = -1
    wanted = [max((t.shape[0] for t in groups[layer]), default=0) for layer in norms]
    for i, (layer, n) in enumerate(zip(norms, wanted, strict=True)):
        fits = [k for k in range(at + 1, len(order)) if given.get(order[k]) == n]
        left = sum(1 for m in wanted[i:] if m == n)
        run = [k for j, k in enumerate(fits) if all(given.get(order[q], n) == n for q in range(fits[0], k + 1))]
        place = (fits[0] if len(fits) <= left else run[-1]) if fits else len(order) - 1
        order.insert(place + 1, layer)
        at = place + 1
    return order


def _rank(group: Sequence[_Tensor]) -> int:
    return max(len(t.shape) for t in group)


def _columns(graph: Graph) -> dict[int, int]:
    """Linear weights that read flattened maps → how many channels those have."""
    found = {}
    for node in graph.nodes:
        weight = node.parameters.get("weight")
        if node.op != "linear" or weight is None or not node.inputs:
            continue
        before = graph.nodes[node.inputs[0].node].outputs[0].shape
        shape = next(p.shape for p in graph.parameters if p.id == weight)
        if before and 1 < before[0] < shape[1] and shape[1] % before[0] == 0:
            found[weight] = before[0]
    return found
