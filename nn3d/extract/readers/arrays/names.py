"""Owns what names of plain arrays mean: which belong to one layer, in which role, and how their axes lie.

The conventions (docs/formats.md): flax and Keras (`layer/kernel`, `layer/bias`), torch (`layer.weight`), haiku
(`layer/w`), scikit-learn (`coefs_0`, `intercepts_0`), textbooks (`W1`, `b1`), and arrays without names in pairs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nn3d.extract.infer import infer_graph
from nn3d.run.model import Array, Graph

Shape = tuple[int, ...]
IO, OI = "io", "oi"
_COLLECTIONS = ("params", "batch_stats", "state", "weights", "variables")
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "w")
_ROLES = {
    **dict.fromkeys((*_KERNELS, "W", "weight", "weights", "scale", "gamma"), "weight"),
    **dict.fromkeys(("embedding", "embeddings", "table"), "weight"),
    **dict.fromkeys(("bias", "b", "beta", "offset"), "bias"),
    **dict.fromkeys(("mean", "moving_mean", "running_mean"), "running_mean"),
    **dict.fromkeys(("var", "moving_variance", "moving_var", "running_var"), "running_var"),
}
_NUMBERED = re.compile(r"(?:(?P<w>w|W|weights?|kernels?|coefs)|(?P<b>b|B|bias|biases|intercepts))_?(?P<n>\d{1,6})")
_LISTED = re.compile(r"arr_(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Meant:
    """What an array is. name : path and role as torch has them. layout : its own axes, "" where they are torch's."""

    name: str
    layout: str = ""


def meanings(shapes: Mapping[str, Shape], layout: str = "") -> dict[str, Meant]:
    """What each array of a file is. layout : "io" or "oi" where somebody says how matrices and kernels lie."""
    found = {name: _meaning(name, shape) for name, shape in shapes.items()} | _pairs(shapes)
    if layout:
        found = {name: replace(m, layout=_said(m, shapes[name], layout)) for name, m in found.items()}
    if len({m.name for m in found.values()}) < len(found):
        return _apart(shapes)
    return found


def _apart(shapes: Mapping[str, Shape]) -> dict[str, Meant]:
    """Each array for itself, where names of two would mean the same."""
    found: dict[str, Meant] = {}
    taken: set[str] = set()
    for name in shapes:
        path = _dotted(name)
        while path in taken:
            path += "_"
        taken.add(path)
        found[name] = Meant(f"{path}.weight")
    return found


def _said(meant: Meant, shape: Shape, layout: str) -> str:
    is_kernel = meant.name.endswith(".weight") and len(shape) >= 2 and not _is_table(meant.name)
    return _axes(len(shape)) if is_kernel and layout == IO else ""


def _is_table(name: str) -> bool:
    return "emb" in name.lower()


def _axes(rank: int) -> str:
    return f"{'DHW'[5 - rank :] if rank > 2 else ''}IO" if 2 <= rank <= 5 else ""


def _dotted(name: str) -> str:
    """`params/Dense_0/kernel:0` and `['params']['Dense_0']['kernel']` → Dense_0.kernel."""
    name = re.sub(r"\[['\"]?([^'\"\]]*)['\"]?\]", r"/\1", name)
    parts = [p for p in re.split(r"[/.]", re.sub(r":\d+$", "", name)) if p]
    while len(parts) > 2 and parts[0] in _COLLECTIONS:
        parts = parts[1:]
    return ".".join(parts) or "array"


def _meaning(name: str, shape: Shape) -> Meant:
    path, _, leaf = _dotted(name).rpartition(".")
    role = _ROLES.get(leaf)
    if role is not None and path:
        is_kernel = leaf in _KERNELS and len(shape) >= 2
        return Meant(f"{path}.{role}", _axes(len(shape)) if is_kernel else "")
    numbered = _NUMBERED.fullmatch(leaf)
    if numbered:
        kind = "coefs" if leaf.startswith(("coefs", "intercepts")) else "layer"
        home = f"{path}.{kind}_{numbered['n']}" if path else f"{kind}_{numbered['n']}"
        is_kernel = bool(numbered["w"]) and (kind == "coefs" or leaf.startswith("kernel"))
        return Meant(f"{home}.{'weight' if numbered['w'] else 'bias'}", _axes(len(shape)) if is_kernel else "")
    return Meant(f"{path}.{leaf}.weight" if path else f"{leaf}.weight")


def _pairs(shapes: Mapping[str, Shape]) -> dict[str, Meant]:
    """`arr_0`, `arr_1`, …: a list that was saved; a vector belongs to the array before it, if it fits an end of it."""
    listed = sorted((name for name in shapes if _LISTED.fullmatch(name)), key=lambda name: int(name[4:]))
    if len(listed) < len(shapes):
        return {}
    found, before = {}, ""
    for name in listed:
        shape, is_bias = shapes[name], False
        if before and len(shape) == 1 and len(shapes[before]) > 1:
            is_bias = shape[0] in (shapes[before][0], shapes[before][-1])
        found[name] = Meant(f"{before}.bias" if is_bias else f"{name}.weight")
        before = "" if is_bias else name
    return found


def canonical(values: Array, layout: str) -> Array:
    """An array as torch has it: (…, in, out) → (out, in, …)."""
    if not layout:
        return values
    rank = values.ndim
    return values.transpose(rank - 1, rank - 2, *range(rank - 2))


def canonical_shape(shape: Shape, layout: str) -> Shape:
    """The shape of the same."""
    return (shape[-1], shape[-2], *shape[:-2]) if layout else shape


def infer(shapes: Mapping[str, Shape], meant: Mapping[str, Meant]) -> Graph:
    """The graph of arrays by what they mean; parameters keep the names of the file. shapes : canonical."""
    graph = infer_graph({meant[name].name: shape for name, shape in shapes.items()})
    own = {meant[name].name: name for name in shapes}
    return replace(graph, parameters=tuple(replace(p, name=own[p.name]) for p in graph.parameters))
