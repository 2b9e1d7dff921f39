"""Owns what nodes of an ONNX graph are called, and the module tree that their names tell of.

A node's own name counts; where a file has only numbers for names, those of its weights. Nodes without a path stand in
the module of what they read, or of what reads them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nn3d.extract.readers.onnx.values import Values

Path_ = tuple[str, ...]
_NUMBER = re.compile(r"^[A-Za-z]?_?\d+$|^(node|n|op)_?\d*$|^onnx::", re.IGNORECASE)
_ROLE = re.compile(r"([._/](weights?|kernel|w|W|gamma|scale|quantized|bias|b|B))?([_.:]\d+)*$")
_EXPORTED = re.compile(r"^node_|(_\d+)+$")
_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_WEIGHTED = frozenset((
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"),
    *("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization"),
    *("Gather", "PRelu", "LSTM", "GRU", "RNN"),
))
# Operations that read one value and belong to where that is read, not to where it was made.
_AHEAD = frozenset(("MaxPool", "AveragePool", "GlobalAveragePool", "Pad", "Resize"))


class Names:
    """Names and modules of the drawn nodes, by their place in the graph. types : module path → class, where told."""

    def __init__(self, nodes: Sequence[Any], values: Values) -> None:
        self.types: dict[str, str] = {}
        self._nodes = nodes
        told = [self._told(node, values) for node in nodes]
        told = _without_shared(told)
        paths = [path for path, _ in told]
        modules = _filled(nodes, paths)
        alone = Counter(modules)
        around = {m[:k] for m in modules for k in range(len(m))}
        taken: Counter[str] = Counter()
        self.modules = [".".join(m) for m in modules]
        self.names = []
        for node, module, (path, leaf) in zip(nodes, modules, told, strict=True):
            is_leaf = bool(module) and alone[module] == 1 and module not in around
            is_told = any(p.key == _SCOPES for p in node.metadata_props)
            is_own = is_leaf and path is not None and (is_told or _is_kind(leaf, node))
            name = ".".join(module if is_own else (*module, leaf or node.op_type.lower()))
            self.names.append(_unique(name or node.op_type.lower(), taken))

    def _told(self, node: Any, values: Values) -> tuple[Path_ | None, str]:
        """Module path and own name of a node; None where nothing tells the path, "" where the path is its name."""
        scopes = self._scopes(node)
        if scopes is not None:
            leaf = _EXPORTED.sub("", node.name).lower() or node.op_type.lower()
            if node.op_type == "Conv" and "Norm" in self.types.get(".".join(scopes), ""):
                return _weight_path(node.input[1], values) or scopes, leaf  # a norm was folded into it
            return scopes, leaf
        name = node.name.strip("/")
        if name and not _NUMBER.match(name.rsplit("/", 1)[-1]):
            return _split(name)
        for value in node.input if node.op_type in _WEIGHTED else ():
            root = values.root(value) if values.is_fixed(value) else ""
            known = _ROLE.sub("", root)
            if root and known and not _NUMBER.match(known):
                path, leaf = _split(known)
                return path, leaf
        return None, name if name and not _NUMBER.match(name) else node.op_type.lower()

    def _scopes(self, node: Any) -> Path_ | None:
        """The modules that torch's exporter wrote beside a node, innermost path last; their classes are kept."""
        told = {p.key: p.value for p in node.metadata_props}
        if _SCOPES not in told:
            return None
        scopes, classes = (_listed(told.get(key, "")) for key in (_SCOPES, _CLASSES))
        for path, kind in zip(scopes[:-1], classes[:-1], strict=False):
            self.types[path] = kind.rsplit(".", 1)[-1]
        inner = scopes[-2] if len(scopes) > 1 else ""
        return tuple(inner.split(".")) if inner else ()


def _weight_path(value: str, values: Values) -> Path_:
    """(layer1, 0, conv1) of a weight that is called "layer1.0.conv1.weight"; () of all else."""
    root = values.root(value) if values.is_fixed(value) else ""
    return tuple(root.split(".")[:-1]) if root.endswith(".weight") else ()


def _without_shared(told: Sequence[tuple[Path_ | None, str]]) -> list[tuple[Path_ | None, str]]:
    """Paths without what all of them begin with: a graph's or a device's name is no module of it."""
    while (firsts := {path[:1] for path, _ in told if path is not None}) and len(firsts) == 1 and firsts != {()}:
        told = [(None if path is None else path[1:], leaf) for path, leaf in told]
    return list(told)


def _is_kind(leaf: str, node: Any) -> bool:
    """Whether a name only says what a node does: "Conv", "Conv_12", "conv2d"."""
    return leaf.rstrip("_0123456789").lower() in (node.op_type.lower(), node.op_type.lower() + "d", "")


def _listed(text: str) -> list[str]:
    if len(text) > 4096:
        return []
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [str(v) for v in found] if isinstance(found, list) else []


def _split(name: str) -> tuple[Path_, str]:
    """"/layer1/layer1.0/conv1/Conv" → (layer1, 0, conv1), Conv; "block.conv" → (block,), conv."""
    parts = [p for p in name.split("/") if p]
    if len(parts) == 1:
        dotted = [p for p in parts[0].split(".") if p]
        return tuple(dotted[:-1]), dotted[-1] if dotted else parts[0]
    path = ""
    for part in parts[:-1]:
        *before, last = path.split(".")
        if path and (part == path or part.startswith(f"{path}.")):
            path = part
        elif path and part.startswith(f"{last}."):
            path = ".".join([*before, part])
        else:
            path = f"{path}.{part}".strip(".")
    return tuple(p for p in path.split(".") if p), parts[-1]


def _filled(nodes: Sequence[Any], told: Sequence[Path_ | None]) -> list[Path_]:
    """A module for every node: its own, else where what it reads stands, or, of pools, what reads it."""
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    readers: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for name in node.input:
            if name in maker:
                readers[maker[name]].append(i)
    found: list[Path_ | None] = list(told)
    for i, node in enumerate(nodes):
        if found[i] is None and node.op_type in _AHEAD:
            ahead = [told[r] for r in readers[i]]
            if ahead and all(p is not None for p in ahead):
                found[i] = _common([p for p in ahead if p is not None])
    for i, node in enumerate(nodes):
        if found[i] is None:
            before = [found[maker[name]] for name in node.input if name in maker]
            found[i] = _common([p for p in before if p is not None])
    return [p or () for p in found]


def _common(paths: Sequence[Path_]) -> Path_:
    if not paths:
        return ()
    first = min(paths, key=len)
    n = next((k for k in range(len(first)) if any(p[k] != first[k] for p in paths)), len(first))
    return first[:n]


def _unique(name: str, taken: Counter[str]) -> str:
    taken[name] += 1
    return name if taken[name] == 1 else _unique(f"{name}_{taken[name]}", taken)


def modules_of(paths: Sequence[str], types: Mapping[str, str]) -> list[tuple[str, str]]:
    """(path, class) of all modules and those around them, the whole first."""
    found = {""}
    for path in paths:
        parts = path.split(".") if path else []
        found |= {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
    return [(path, types.get(path, "")) for path in sorted(found)]
