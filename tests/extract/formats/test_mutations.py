"""Whatever is done to the bytes of a file: it opens, or one line says what is wrong. Nothing else, and soon."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nn3d.extract.formats.format import Format
from tests.conftest import SOAK
from tests.extract.formats.matrix import READ
from tests.extract.formats.mutant_reader import MOST_SECS, OPENED, REFUSED, bound_memory, outcome
from tests.extract.formats.mutating import broken_copy

HERE = tuple(known for known in READ if not known.is_isolated)
IN_CHILD = tuple(known for known in READ if known.is_isolated)
DIED = "died"
# How many broken copies of a format stand for one of a quick one: those take longer to read.
COST = {
    "sietzen": 15, "checkpoints": 15, "saved-model": 8, "tensorflow-folder": 6, "keras-h5": 3, "tfjs": 3, "torch": 2,
    "numpy-folder": 2, "torch-export": 60, "torchscript": 60, "huggingface": 100,
}  # fmt: skip
LONG, ENOUGH = 60, 20


def _count(known: Format, total: int) -> int:
    """Its share of all mutations. Skips those that take long to make, but in `make soak`."""
    if COST.get(known.key, 1) >= LONG and not SOAK:
        pytest.skip("long: NN3D_SOAK=1")
    return max(5, round(total / COST.get(known.key, 1) / sum(1 / COST.get(other.key, 1) for other in READ)))


@pytest.fixture
def bounded() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    bound_memory()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


class Reader:
    """A child that reads broken files of the formats that are read in a child; another one when it has died."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None

    def __call__(self, path: Path) -> str:
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps({"path": str(path)}) + "\n")
        child.stdin.flush()
        clock = threading.Timer(MOST_SECS, child.kill)  # a library in C without an end hears no signal
        clock.start()
        line = child.stdout.readline()
        clock.cancel()
        if line:
            return str(json.loads(line)["outcome"])
        self.close()
        return DIED

    def _start(self) -> subprocess.Popen[str]:
        libraries = {name for known in IN_CHILD for name in known.libraries if find_spec(name) is not None}
        command = [sys.executable, "-m", "tests.extract.formats.mutant_reader", *sorted(libraries)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p or "." for p in sys.path), "MALLOC_ARENA_MAX": "2"},
        )  # fmt: skip
        assert self._child.stdout is not None
        self._child.stdout.readline()
        return self._child

    def close(self) -> None:
        if self._child is not None:
            with self._child as child:
                child.kill()
        self._child = None


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.close()


def _broken(
    known: Format, n: int, sample: Callable[[str], Path], folder: Path, seed: int, read: Callable[[Path], str]
) -> Counter[str]:
    """How n broken copies of a sample ended. What was neither opened nor refused is shown."""
    good = sample(known.key)
    rng = np.random.default_rng(seed)
    ends: Counter[str] = Counter()
    for i in range(n):
        bad = broken_copy(good, folder / "bad", rng)
        end = read(bad)
        if end not in (OPENED, REFUSED, DIED):
            pytest.fail(f"{known.key}, mutation {i} of seed {seed}:\n{end}")
        ends[end] += 1
    return ends


@pytest.mark.soak
@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("known", HERE, ids=lambda known: known.key)
def test_a_broken_file_opens_or_is_refused_in_one_line(
    known: Format, sample: Callable[[str], Path], tmp_path: Path, seed: int, soaking: Callable[[int, int], int]
) -> None:
    n = _count(known, soaking(500, 20_000))
    ends = _broken(known, n, sample, tmp_path, seed, lambda path: outcome(path, alone=False))
    assert ends[REFUSED] > 0 or n < ENOUGH or known.key == "checkpoints"  # of these, the broken ones are passed over


@pytest.mark.soak
@pytest.mark.parametrize("known", IN_CHILD, ids=lambda known: known.key)
def test_a_broken_file_that_a_library_parses_opens_or_is_refused_or_ends_its_child(
    known: Format, sample: Callable[[str], Path], tmp_path: Path, seed: int, reader: Reader,
    soaking: Callable[[int, int], int],
) -> None:  # fmt: skip
    n = _count(known, soaking(500, 20_000))
    ends = _broken(known, n, sample, tmp_path, seed, reader)
    assert ends[REFUSED] > 0 or n < ENOUGH
    assert ends[DIED] <= n // 5
