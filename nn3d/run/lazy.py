"""Owns arrays that lie in a file until they are looked at: what is known of one before, and a store of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run.model import Array

# Of files that hold more than this, arrays of more values than that are read only for who looks at them.
READ_AT_ONCE_BYTES, SMALL_VALUES = 512 << 20, 1 << 20


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
        self._held = {key: _fixed(array) for key, array in arrays.items()}
        self._lazy = dict(lazy)
        self._close = close
        self._is_large = sum(array.n_bytes for array in lazy.values()) > READ_AT_ONCE_BYTES

    def __contains__(self, key: str) -> bool:
        return key in self._lazy or key in self._held

    def __getitem__(self, key: str) -> Array:
        found = self._lazy.get(key)
        return self._held[key] if found is None else whole(key, found)

    def keys(self) -> Iterable[str]:
        """All keys."""
        return [*self._held, *self._lazy]

    def waits(self, key: str) -> bool:
        """Whether an array is so much of so large a file that it is read only for who looks at it."""
        found = self._lazy.get(key)
        return self._is_large and found is not None and found.size > SMALL_VALUES

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays, without reading them."""
        return sum(a.nbytes for a in self._held.values()) + sum(a.n_bytes for a in self._lazy.values())

    def close(self) -> None:
        """Give the files back, as far as no array that was handed out needs them."""
        self._close()


def whole(name: str, array: LazyArray) -> Array:
    """Read an array, read-only. Raises RunFormatError when what its file gives is not what was announced."""
    values = array.read()
    if values.shape != array.shape:
        raise RunFormatError(f"{name}: should be {array.shape}, got {values.shape}")
    return _fixed(values)


def _fixed(array: Array) -> Array:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
