"""Owns names of TensorFlow Lite's operators and tensors: those of layers, without what all of them share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nn3d.extract.readers.tflite.file import LiteFile

_MOST = 120
_MAIN = re.compile(r"/(\w*conv\w*|depthwise\w*|MatMul\w*|BatchMatMul\w*)(\d+)?$", re.IGNORECASE)


def short_names(file: LiteFile) -> list[str]:
    """One an operator, unique: "net_1/conv_1/Relu;net_1/conv_1/BiasAdd" → "conv_1"."""
    whole = [_chosen(file.tensors[op.outputs[0]].name) if op.outputs else "" for op in file.operators]
    shared = _shared([name for name in whole if name])
    parts = [[part for part in name.split("/")[shared:] if part] for name in whole]
    taken: set[str] = set()
    found = []
    for own, operator in zip(parts, file.operators, strict=True):
        scope, name = ".".join(own[:-1])[:_MOST], ".".join(own)[:_MOST] or operator.kind.lower()
        found.append(_unique((scope, name) if scope else (name,), taken))
    return found


def labels(file: LiteFile) -> list[str]:
    """One a tensor, unique, from the names that were fused into its own the first."""
    taken: set[str] = set()
    return [_unique((_first(tensor.name)[:_MOST] or f"tensor {tensor.index}",), taken) for tensor in file.tensors]


def _unique(choices: Iterable[str], taken: set[str]) -> str:
    name = ""
    for name in choices:
        if name not in taken:
            taken.add(name)
            return name
    n = 2
    while f"{name}_{n}" in taken:
        n += 1
    taken.add(f"{name}_{n}")
    return f"{name}_{n}"


def _chosen(whole: str) -> str:
    """Of the names that were fused into one that of the operator with a kernel, else the first."""
    names = [_plain(name) for name in whole.split(";")]
    return next((name for name in names if _MAIN.search(name)), names[0])


def _first(whole: str) -> str:
    return _plain(whole.partition(";")[0])


def _plain(name: str) -> str:
    """Without the number of an output."""
    return re.sub(r":\d+$", "", name).replace(".", "_")


def _shared(names: Sequence[str]) -> int:
    """How many leading parts all names with several share."""
    parts = [name.split("/") for name in names if "/" in name]
    n = 0
    while parts and all(len(p) > n + 1 and p[n] == parts[0][n] for p in parts):
        n += 1
    return n
