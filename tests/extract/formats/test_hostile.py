"""Files made to do harm: no code runs, nothing outside is read or written, and one line says what is wrong, soon."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nn3d.errors import Nn3dError
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from tests.extract.formats import hostile_pickles
from tests.extract.formats.hostile_pickles import CANARY

resource = pytest.importorskip("resource")
MOST_BYTES, MOST_SECS = 1 << 30, 5.0
_RUNS_CODE = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "ctypes.dlopen", "socket.connect")


class Watch:
    """Hears what Python is asked to do while it is on: commands, connections, files that are opened."""

    def __init__(self) -> None:
        self.is_on = False
        self.heard: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.is_on and event in _RUNS_CODE:
            self.heard.append(f"{event} {args!r}"[:200])


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    made = Watch()
    yield made
    made.is_on = False


def _peak_bytes() -> int:
    """The most memory that this process, or a child of it, has held."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024


def refused(path: Path, options: SourceOptions) -> str:
    """The line that says what is wrong; "" where the file opened. Neither takes long, or much memory."""
    before, began = _peak_bytes(), time.perf_counter()
    try:
        with open_source(path, options) as run:
            for parameter in run.parameters:
                run.weights(parameter)
        line = ""
    except Nn3dError as error:
        line = str(error)
        assert line
        assert "\n" not in line
        assert len(line) < 1000
    assert time.perf_counter() - began < MOST_SECS
    assert _peak_bytes() - before < MOST_BYTES
    return line


@pytest.mark.parametrize("case", hostile_pickles.CASES)
def test_no_pickle_runs_wherever_it_hides(case: str, tmp_path: Path, watch: Watch) -> None:
    path, options = hostile_pickles.CASES[case](tmp_path)
    watch.heard.clear()
    watch.is_on = True
    try:
        refused(path, options)
    finally:
        watch.is_on = False
    assert not (tmp_path / CANARY).exists()
    assert not watch.heard
