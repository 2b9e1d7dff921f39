"""Owns models whose parameters lie in parts on several ranks (fully_shard, DTensor): one whole parameter at a time.

Gathering is collective: every rank asks for the same parameters in the same order.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from nn3d.errors import TraceError
from nn3d.run.model import Array


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """The module inside torch.compile, DataParallel and DistributedDataParallel, however they are nested.

    Raises TraceError for FullyShardedDataParallel, whose parameters have lost their shapes.
    """
    while True:
        inner = getattr(model, "_orig_mod", model)
        if isinstance(inner, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            inner = inner.module
        if inner is model:
            break
        model = inner
    flat = _fsdp("FullyShardedDataParallel")
    if flat is not None and any(isinstance(m, flat) for m in model.modules()):
        raise TraceError(
            "model: expected parameters in their own shapes, got FullyShardedDataParallel, which flattens them. Shard "
            "with torch.distributed.fsdp.fully_shard."
        )
    return model


def class_name(module: torch.nn.Module) -> str:
    """The class that a person wrote, where fully_shard put one of its own in front."""
    kind = _fsdp("FSDPModule")
    if kind is None or not isinstance(module, kind):
        return type(module).__name__
    mro = type(module).__mro__
    return mro[mro.index(kind) + 1].__name__


def is_part(tensor: torch.Tensor) -> bool:
    """Whether other ranks hold parts of a tensor: a DTensor."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor with the parts of all ranks; collective for a DTensor, else the tensor itself."""
    if not is_part(tensor):
        return tensor
    part: Any = tensor
    home = part.device_mesh.device_type
    if part.device.type != home:  # kept on the CPU between steps: its ranks meet on their devices
        part = part.to(home)
    gathered: torch.Tensor = part.full_tensor()
    wait = getattr(gathered, "wait", None)  # of a collective that still runs
    return gathered if wait is None else wait()


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether a forward pass of a model needs all ranks."""
    kind = _fsdp("FSDPModule")
    has_fsdp = kind is not None and any(isinstance(m, kind) for m in model.modules())
    return has_fsdp or any(is_part(t) for t in [*model.parameters(), *model.buffers()])


def rest(model: torch.nn.Module) -> None:
    """Let every module hold its own shard alone, as it does between two steps; communicates nothing."""
    kind = _fsdp("FSDPModule")
    if kind is not None:
        for module in model.modules():
            if isinstance(module, kind):
                module.reshard()


@contextlib.contextmanager
def at_rest(model: torch.nn.Module) -> Iterator[None]:
    """Before and after: shards alone. A forward pass without a backward one leaves gathered parameters behind."""
    rest(model)
    try:
        yield
    finally:
        rest(model)


class Gathered(Mapping[int, Array]):
    """Parameters that are gathered when they are read, each once and in order: id → values.

    read : id → values; collective. The others' values are waiting for that order, so whoever stops half-way calls
    `drain`, and whoever needs none of them calls it at once.
    """

    def __init__(self, ids: tuple[int, ...], read: Callable[[int], Array]) -> None:
        self._ids, self._read = ids, read
        self._n_read = 0

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __getitem__(self, key: int) -> Array:
        if key not in self._ids:
            raise KeyError(key)
        if self._n_read >= len(self._ids) or key != self._ids[self._n_read]:
            raise TraceError(f"parameter {key}: expected to be gathered in order and once.")
        self._n_read += 1
        try:
            return self._read(key)
        except RuntimeError as error:
            raise TraceError(f"parameter {key}: expected every rank to gather it, got: {error}") from error

    def only(self, ids: frozenset[int]) -> Gathered:
        """Some of them; the rest is never gathered."""
        return Gathered(tuple(i for i in self._ids if i in ids), self._read)

    def drain(self) -> None:
        """Take part in what is left to gather, and keep nothing of it."""
        for key in self._ids[self._n_read :]:
            self[key]


def only(parameters: Mapping[int, Array], ids: frozenset[int]) -> Mapping[int, Array]:
    """Some parameters; of gathered ones none is read for it."""
    if isinstance(parameters, Gathered):
        return parameters.only(ids)
    return {k: values for k, values in parameters.items() if k in ids}


def _fsdp(name: str) -> Any:
    """A class of torch.distributed.fsdp; None while nobody has imported that, so that nobody can have used it."""
    module = sys.modules.get("torch.distributed.fsdp")
    return None if module is None else getattr(module, name, None)
