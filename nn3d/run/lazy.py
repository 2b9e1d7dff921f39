"""Owns arrays that lie in somebody's file until they are looked at: what is known of one before, and a store of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run.memory import MemoryStore
from nn3d.run.model import Array


@dataclass(frozen=True, slots=True)
class LazyArray:
    """An array that is read when it is asked for.

    shape : as a run has it (canonical layout, a scalar as (1,)). dtype : the file's own element type, for people
    ("BF16", "Q4_K"). read : gives all of it, in a type that a run holds (float16, float32 or integers), exactly.
    rows : gives some of its first axis, where that is cheaper; None where only the whole can be had.
    n_bytes : of it in its file. Any thread may call both.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], Array]
    rows: Callable[[slice], Array] | None = None
    n_bytes: int = 0

    @property
    def size(self) -> int:
        """How many values it holds."""
        return prod(self.shape)


class LazyStore:
    """Arrays in memory beside arrays that are read on demand; nothing that was read is kept here."""

    def __init__(
        self, arrays: Mapping[str, Array], lazy: Mapping[str, LazyArray], close: Callable[[], None] = lambda: None
    ) -> None:
        self._held = MemoryStore(arrays)
        self._lazy = dict(lazy)
        self._close = close

    def __contains__(self, key: str) -> bool:
        return key in self._lazy or key in self._held

    def __getitem__(self, key: str) -> Array:
        found = self._lazy.get(key)
        return self._held[key] if found is None else whole(key, found)

    def keys(self) -> Iterable[str]:
        """All keys."""
        return [*self._held.keys(), *self._lazy]

    def lazy(self, key: str) -> LazyArray | None:
        """What is known of an array that is not read yet; None of others."""
        return self._lazy.get(key)

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays, without reading them."""
        return sum(self._held[key].nbytes for key in self._held.keys()) + sum(  # noqa: SIM118 (a store is no dict)
            array.n_bytes for array in self._lazy.values()
        )

    def close(self) -> None:
        """Give the files back, as far as no array that was handed out needs them."""
        self._close()


def whole(name: str, array: LazyArray) -> Array:
    """Read an array, read-only. Raises RunFormatError when what its file gives is not what was announced."""
    values = np.asarray(array.read()).view()
    if values.shape != array.shape:
        raise RunFormatError(f"{name}: should be {array.shape}, got {values.shape}")
    values.flags.writeable = False
    return values
