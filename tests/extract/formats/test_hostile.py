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
from tests.extract.formats import hostile_pickles, hostile_tensors, hostile_zips
from tests.extract.formats.hostile_pickles import CANARY
from tests.extract.formats.mutant_reader import bound_memory

resource = pytest.importorskip("resource")
if not Path("/proc/self/clear_refs").exists():
    pytest.skip("memory is measured as Linux tells it", allow_module_level=True)
MOST_BYTES, MOST_SECS = 1 << 30, 5.0
# What opens all the same, and may.
HARMLESS = ("deep_hugging_face",)
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


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Whoever takes far too much gets a MemoryError, not the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    bound_memory()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _begin() -> int:
    """Forget the most memory that was held, and give what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    """The most memory that this process has held since `_begin`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def _children_bytes() -> int:
    """The most memory that a child has held."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def refused(path: Path, options: SourceOptions) -> str:
    """The line that says what is wrong; "" where the file opened. Neither takes long, or much memory."""
    before, children, began = _begin(), _children_bytes(), time.perf_counter()
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
    assert _children_bytes() < max(children, 2 * MOST_BYTES)
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


@pytest.mark.parametrize("case", hostile_zips.CASES)
def test_a_zip_or_json_that_swells_climbs_or_digs_is_refused(case: str, tmp_path: Path) -> None:
    path, options = hostile_zips.CASES[case](tmp_path)
    before = sorted(tmp_path.parent.iterdir())
    assert refused(path, options) or case in HARMLESS
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize("case", hostile_tensors.CASES)
def test_tensors_that_lie_or_point_outside_are_refused(case: str, tmp_path: Path) -> None:
    path, options = hostile_tensors.CASES[case](tmp_path)
    line = refused(path, options)
    assert line
    assert "1234" not in line  # what stands in the secret file
