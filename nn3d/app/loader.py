"""The loader: threads that read what the picture and the panels lack, most urgent first.

One of them reads everything, one item at a time; the others help it with recorded values of layers, which don't depend
on each other and whose decoding runs beside Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from threading import Condition, Thread
from time import monotonic
from typing import Final

from nn3d.app.facts import Facts
from nn3d.errors import Nn3dError
from nn3d.stage.holding import Wanted
from nn3d.stage.resident import Need, Resident, ValuesNeed

FACTS_SECS: Final = 0.03
MOST_READERS: Final = 4
_UNREADABLE: Final = (Nn3dError, OSError, KeyError, IndexError, ValueError)


@dataclass(frozen=True, slots=True)
class _Task:
    """Something to read; `read` says whether it is whole. is_needed : the picture lacks it."""

    read: Callable[[], bool]
    is_needed: bool = False


class Loader:
    """Warms `Frame.missing` and what panels asked for. `wake` is called on a thread after each item.

    version : grows with every item that became resident, so that the main loop knows when to compose again.
    facts_version : grows when facts were read: then only the panels are drawn again. is_lenient : what cannot be read
    is passed over, since the files of a run that is followed may go away at any moment. n_readers : threads; None: as
    many as there are cores, at most 4.
    """

    def __init__(
        self, resident: Resident, facts: Facts, wake: Callable[[], None], *, is_lenient: bool = False,
        n_readers: int | None = None,
    ) -> None:  # fmt: skip
        self._is_lenient = is_lenient
        self.version = 0
        self.facts_version = 0
        self._resident = resident
        self._facts = facts
        self._wake = wake
        self._missing: tuple[Need, ...] = ()
        self._wanted: Wanted | None = None
        self._ahead: tuple[Need, ...] = ()
        self._n_busy = self._n_needed = 0
        self._is_closed = False
        self._error: Exception | None = None
        self._changed = Condition()
        n = max(1, min(MOST_READERS, os.cpu_count() or 1)) if n_readers is None else n_readers
        work: list[Callable[[], None]] = [self._work, *[partial(self._work, helps=True)] * (n - 1)]
        self._threads = [Thread(target=w, name=f"nn3d loader {k}", daemon=True) for k, w in enumerate(work)]
        for thread in self._threads:
            thread.start()

    def want(
        self, missing: tuple[Need, ...], wanted: Wanted | None = None, ahead: tuple[Need, ...] = ()
    ) -> None:
        """Replace what the picture lacks: what an earlier picture lacked and this one does not is not read any more.

        wanted : all that the picture is made of, so that memory keeps it. ahead : what a later picture will need, read
        when there is nothing else to do. Facts speak for themselves.
        """
        with self._changed:
            self._missing, self._wanted, self._ahead = missing, wanted, ahead
            self._changed.notify_all()

    def look(self) -> None:
        """Panels were drawn: they may have asked for facts."""
        with self._changed:
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Nothing is missing and nothing is being read."""
        with self._changed:
            return not (self._n_busy or self._missing or self._ahead or self._facts.wanted())

    @property
    def has_all(self) -> bool:
        """All that the picture lacked when it was last asked for has been read."""
        with self._changed:
            return not (self._missing or self._n_needed)

    def check(self) -> None:
        """Raise, on the caller's thread, what stopped the loader."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop after the items in hand."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _next(self, *, helps: bool) -> _Task | None:
        """Wait for something to read; None when closed. helps : with recorded values of layers alone."""
        with self._changed:
            while not self._is_closed:
                found = self._help() if helps else self._first()
                if found is not None:
                    self._n_busy += 1
                    self._n_needed += found.is_needed
                    return found
                self._changed.wait()
        return None

    def _first(self) -> _Task | None:
        """What is most urgent of everything."""
        if self._missing:
            need, self._missing = self._missing[0], self._missing[1:]
            return _Task(partial(self._warm, need, self._wanted), is_needed=True)
        if self._facts.wanted():
            return _Task(self._warm_facts)
        if self._ahead:
            need, self._ahead = self._ahead[0], self._ahead[1:]
            return _Task(partial(self._warm_ahead, need))
        return None

    def _help(self) -> _Task | None:
        """What is most urgent of the values that can be read beside others."""
        need = next((n for n in self._missing if self._is_recorded(n)), None)
        if need is None:
            return None
        self._missing = tuple(n for n in self._missing if n is not need)
        return _Task(partial(self._warm, need, self._wanted), is_needed=True)

    def _is_recorded(self, need: Need) -> bool:
        n_recorded = max(1, len(self._resident.run.samples))
        return isinstance(need, ValuesNeed) and need.signal == "values" and need.sample < n_recorded

    def _warm(self, need: Need, wanted: Wanted | None) -> bool:
        """Read one thing, or a slice of it: then it waits behind the others, and is forgotten with its picture."""
        if self._resident.warm(need, wanted):
            return True
        with self._changed:
            if self._wanted is wanted:
                self._missing = (*self._missing, need)
        return False

    def _warm_ahead(self, need: Need) -> bool:
        """Read something that no picture waits for yet."""
        self._resident.warm(need)
        return False

    def _warm_facts(self) -> bool:
        """Read facts for some 30 ms, or until the picture lacks something: panels are drawn once for all of them."""
        end = monotonic() + FACTS_SECS
        while wanted := self._facts.wanted():
            self._warm_fact(wanted[0])
            if self._missing or self._is_closed or monotonic() >= end:
                break
        self.facts_version += 1
        self._wake()
        return False

    def _warm_fact(self, key: Hashable) -> None:
        try:
            self._facts.warm(key)
        except _UNREADABLE:
            if not self._is_lenient:
                raise
            self._facts.pass_over(key)

    def _tried(self, read: Callable[[], bool]) -> bool:
        try:
            return read()
        except _UNREADABLE:
            if not self._is_lenient:
                raise
            return False

    def _work(self, *, helps: bool = False) -> None:
        try:
            while (task := self._next(helps=helps)) is not None:
                is_whole = self._tried(task.read)
                with self._changed:
                    self._n_busy -= 1
                    self._n_needed -= task.is_needed
                    self.version += is_whole
                if is_whole:
                    self._wake()
        except Exception as error:  # handed to the main thread by `check`
            self._error = error
            self._wake()
