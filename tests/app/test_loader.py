"""Laws of the loader thread: what a new picture does not need is not read, and long passes let the rest go first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nn3d.app.facts import Facts
from nn3d.app.loader import Loader
from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run
from nn3d.stage.holding import Wanted
from nn3d.stage.resident import Resident, ValuesNeed
from nn3d.stage.sums import SumsNeed


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not happened():
        assert time.monotonic() < end, "nothing happened for 10 s"
        time.sleep(0.005)


class Gated(Resident):
    """Reads one thing each time the gate opens; `read` lists what was read, slices too."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.gate = threading.Semaphore(0)
        self.read: list[Any] = []

    def warm(self, need: Any, wanted: Wanted | None = None) -> bool:
        self.gate.acquire(timeout=10.0)
        is_whole = super().warm(need, wanted)
        self.read.append(need)
        return is_whole


def test_what_the_picture_does_not_need_any_more_is_not_read(small_run: Run) -> None:
    resident = Gated(small_run)
    loader = Loader(resident, Facts(small_run, resident), lambda: None, n_readers=1)
    try:
        old = tuple(ValuesNeed(1, e, 0) for e in range(3))
        new = tuple(ValuesNeed(2, e, 1) for e in range(2))
        loader.want(old, Wanted(old))
        resident.gate.release()
        until(lambda: len(resident.read) == 1)
        loader.want(new, Wanted(new))
        resident.gate.release(8)
        until(lambda: loader.is_idle)
        assert set(resident.read) <= {*old[:2], *new}
        assert resident.read[-2:] == list(new)
    finally:
        resident.gate.release(9)
        loader.close()


def test_a_pass_over_weights_lets_what_is_asked_for_meanwhile_go_first(rng: np.random.Generator) -> None:
    w = rng.normal(size=(2048, 1024)).astype(np.float32)
    layers = [{"name": "x", "op": "input"}, {"name": "fc", "op": "linear", "parameters": {"weight": w}}]
    values = {"x": rng.normal(size=(2, 1024)).astype(np.float32), "fc": np.ones((2, 2048), np.float32)}
    run = run_from_arrays(layers, values, statistics=False)
    resident = Gated(run)
    loader = Loader(resident, Facts(run, resident), lambda: None, n_readers=1)
    try:
        sums, first, other = SumsNeed(0, 0), ValuesNeed(0, 0, 0), ValuesNeed(1, 0, 1)
        loader.want((sums, first), Wanted((sums, first)))
        resident.gate.release(2)
        until(lambda: len(resident.read) == 2)
        assert resident.read == [sums, first]
        assert not resident.knows(sums)
        loader.want((other, sums), Wanted((other, sums)))
        resident.gate.release(500)
        until(lambda: loader.is_idle)
        assert resident.read.index(other) <= 3
        assert resident.read[-1] == sums
        assert resident.knows(sums)
        version = loader.version
        assert version == 3, "slices alone do not ask for a new picture"
    finally:
        resident.gate.release(500)
        loader.close()


def test_recorded_values_are_read_side_by_side_and_everything_else_by_one(small_run: Run) -> None:
    class Noted(Resident):
        def __init__(self, run: Run) -> None:
            super().__init__(run)
            self.both = threading.Barrier(2, timeout=10.0)
            self.readers: dict[Any, str] = {}

        def warm(self, need: Any, wanted: Wanted | None = None) -> bool:
            self.readers[need] = threading.current_thread().name
            if isinstance(need, ValuesNeed) and need.layer in (1, 2) and need.signal == "values":
                self.both.wait()
            return super().warm(need, wanted)

    resident = Noted(small_run)
    one, two = ValuesNeed(1, 0, 0), ValuesNeed(2, 0, 0)
    others = tuple(ValuesNeed(1, e, 0, signal="zeros") for e in range(3))
    loader = Loader(resident, Facts(small_run, resident), lambda: None, n_readers=2)
    names = [thread.name for thread in loader._threads]
    try:
        loader.want((*others, one, two), Wanted((*others, one, two)))
        until(lambda: loader.has_all)
        assert loader.version == 5
        assert {resident.readers[one], resident.readers[two]} == set(names)
        assert {resident.readers[need] for need in others} == {names[0]}
    finally:
        loader.close()
