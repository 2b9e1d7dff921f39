"""Owns what a run handed out last: who asks for the same again gets the same array, and nothing is read anew."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from nn3d.run.model import Array


class Recent:
    """Read-only arrays by key, at most so many bytes and so many of them; the last one always. Any thread may ask."""

    def __init__(self, most_bytes: int, most: int) -> None:
        self._most_bytes, self._most = most_bytes, most
        self._held: OrderedDict[Hashable, Array] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable, read: Callable[[], Array]) -> Array:
        """The array that was handed out under this key, or what `read` gives."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        array = read()
        array.flags.writeable = False
        with self._lock:
            if key not in self._held:
                self._bytes += array.nbytes
            self._held[key] = array
            while len(self._held) > 1 and (self._bytes > self._most_bytes or len(self._held) > self._most):
                self._bytes -= self._held.popitem(last=False)[1].nbytes
        return array

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._held.clear()
            self._bytes = 0
