"""What of a picture fits into memory: a store with a budget, in which what is wanted most urgently stays.

What does not fit is refused and named, so that the picture can say so, and is not read again and again; which needs
are refused follows from their order and sizes alone, not from what was looked at before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

BUDGET_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one picture is made of. needs : most urgent first. budget_bytes : how much of it may be held at once."""

    needs: tuple[Hashable, ...] = ()
    budget_bytes: int = BUDGET_BYTES


class Holding(Generic[Item]):
    """Items by their need, with sizes in bytes. Every method may be called from any thread."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._held: OrderedDict[Hashable, tuple[Item, int]] = OrderedDict()
        self._wanted = Wanted(budget_bytes=budget_bytes)
        self._rank: dict[Hashable, int] = {}
        self._refused: frozenset[Hashable] = frozenset()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of all that is held."""
        return self._bytes

    @property
    def wanted_bytes(self) -> int:
        """Bytes of what is held and the picture at hand needs."""
        with self._lock:
            return sum(size for need, (_, size) in self._held.items() if need in self._rank)

    def get(self, need: Hashable) -> Item | None:
        """The item, or None when it is not held."""
        with self._lock:
            found = self._held.get(need)
            if found is None:
                return None
            self._held.move_to_end(need)
            return found[0]

    def refused(self, wanted: Wanted) -> frozenset[Hashable]:
        """Needs of this picture that were read and found to be too much beside the more urgent ones."""
        with self._lock:
            return self._refused if wanted == self._wanted else frozenset()

    def put(self, need: Hashable, item: Item, nbytes: int, wanted: Wanted | None = None) -> None:
        """Hold an item and let go of what is less urgent; or refuse it, when more urgent ones leave no room.

        wanted : what the picture at hand needs; None: that of the last call, and `need` comes before all of it.
        """
        with self._lock:
            self._turn_to(wanted)
            self._drop(need)
            if self._bytes + nbytes > self._wanted.budget_bytes and not self._make_room(need, nbytes):
                self._refused |= {need}
                return
            self._held[need] = (item, nbytes)
            self._bytes += nbytes

    def _make_room(self, need: Hashable, nbytes: int) -> bool:
        """Let go of what is less urgent; False when what is more urgent leaves no room."""
        budget, rank = self._wanted.budget_bytes, self._rank.get(need, -1)
        before = sum(size for n, (_, size) in self._held.items() if 0 <= self._rank.get(n, -1) < rank)
        if rank >= 0 and before + nbytes > budget:
            return False
        for victim in self._least_urgent():
            if self._bytes + nbytes <= budget:
                break
            self._drop(victim)
        return True

    def _turn_to(self, wanted: Wanted | None) -> None:
        if wanted is None or wanted == self._wanted:
            return
        self._wanted, self._refused = wanted, frozenset()
        self._rank = {need: k for k, need in enumerate(wanted.needs)}

    def _least_urgent(self) -> list[Hashable]:
        """Everything else in the order in which it may go: first what the picture does not need, oldest first."""
        idle = [n for n in self._held if n not in self._rank]
        needed = sorted((n for n in self._held if n in self._rank), key=lambda n: -self._rank[n])
        return idle + needed

    def _drop(self, need: Hashable) -> None:
        _, size = self._held.pop(need, (None, 0))
        self._bytes -= size
