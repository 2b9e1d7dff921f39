"""Owns which node a tensor's present value comes from, also through views and in-place writes.

A tensor is known by its Python object first, then by the memory it shows. Everything ever remembered stays alive while
a trace lasts, so neither ids nor addresses are used twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

MemoryKey = tuple[int, tuple[int, ...], tuple[int, ...], torch.dtype]


@dataclass(frozen=True, slots=True)
class Known:
    """`tensor` held output `output` of node `node` when its storage had been written `version` times."""

    tensor: torch.Tensor
    version: int
    node: int
    output: int


def version_of(tensor: torch.Tensor) -> int:
    """How often the storage was written; 0 for tensors that do not count (inference mode)."""
    return 0 if tensor.is_inference() else int(tensor._version)


def memory_key(tensor: torch.Tensor) -> MemoryKey | None:
    """Address, shape and strides; None for tensors without own memory (empty, meta, sparse, sharded, given back)."""
    if tensor.layout is not torch.strided or not tensor.numel() or tensor.device.type == "meta":
        return None
    address = tensor.data_ptr()
    return (address, tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype) if address else None


def span(tensor: torch.Tensor) -> tuple[int, int]:
    """First and one past last byte that a strided tensor shows."""
    reach = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    return tensor.data_ptr(), tensor.data_ptr() + reach * tensor.element_size()


class Identity:
    """Tensors and the node outputs that they hold."""

    def __init__(self) -> None:
        self._by_id: dict[int, Known] = {}
        self._by_memory: dict[MemoryKey, Known] = {}
        self._writers: dict[int, list[Known]] = {}
        self._alive: list[torch.Tensor] = []

    def keep(self, tensor: torch.Tensor) -> None:
        """Keep a tensor alive until the trace ends."""
        self._alive.append(tensor)

    def remember(self, tensor: torch.Tensor, node: int, output: int, *, written: bool = False) -> None:
        """From now on the tensor holds this output; `written`: by a write into existing storage."""
        known = Known(tensor, version_of(tensor), node, output)
        self._by_id[id(tensor)] = known
        key = memory_key(tensor)
        if key is not None:
            self._by_memory[key] = known
        if written and key is not None:
            self._writers.setdefault(tensor.untyped_storage().data_ptr(), []).append(known)
        self.keep(tensor)

    def find(self, tensor: torch.Tensor) -> Known | None:
        """What the tensor was remembered as, or what its memory shows; None if neither."""
        known = self._by_id.get(id(tensor))
        if known is not None:
            return known
        key = memory_key(tensor)
        return self._by_memory.get(key) if key is not None else None

    def writes_since(self, known: Known, tensor: torch.Tensor) -> list[Known]:
        """Later writes into memory that the tensor shows."""
        if version_of(tensor) <= known.version or memory_key(tensor) is None:
            return []
        start, stop = span(tensor)
        writers = self._writers.get(tensor.untyped_storage().data_ptr(), [])
        later = [w for w in writers if w.version > known.version]
        return [w for w in later if span(w.tensor)[0] < stop and start < span(w.tensor)[1]]

    def forget(self, first: int) -> None:
        """Unlearn everything about nodes from `first` on (steps that were tried and dropped)."""
        self._by_id = {k: v for k, v in self._by_id.items() if v.node < first}
        self._by_memory = {k: v for k, v in self._by_memory.items() if v.node < first}
        self._writers = {k: [w for w in v if w.node < first] for k, v in self._writers.items()}
