"""Files made to do harm: no code runs, nothing outside is read or written, and one line says what is wrong, soon."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nn3d.app import settings
from nn3d.cli.states import read_state
from nn3d.cli.tours import read_tour
from nn3d.cli.viewing import read_script
from nn3d.errors import Nn3dError
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.run.run import Run
from tests.conftest import SOAK
from tests.extract.formats import hostile_inputs, hostile_pickles, hostile_tensors, hostile_zips
from tests.extract.formats.hostile_pickles import CANARY
from tests.extract.formats.mutant_reader import bound_memory
from tests.run.small import small_run

resource = pytest.importorskip("resource")
if not Path("/proc/self/clear_refs").exists():
    pytest.skip("memory is measured as Linux tells it", allow_module_level=True)
# Seconds of processor time, and of them those that a child takes to start with torch in it.
MOST_BYTES, MOST_SECS, START_SECS = 1 << 30, 5.0, 4.0
# What opens all the same, and may.
HARMLESS = ("deep_hugging_face", "keras_lambda", "keras_import", "keras_huge", "hugging_face_class")
# Those that start a child with torch or import transformers, or do once more what another case does: in `make soak`.
LONG = (
    *("torchscript", "exported", "exported_before", "deep_export", "hugging_face", "hugging_face_code"),
    *("hugging_face_size", "hugging_face_layers", "hugging_face_class", "deep_hugging_face", "onnx_absolute"),
    *("onnx_link", "onnx_shape", "onnx_linked_folder", "hdf5_storage", "hdf5_claim", "hdf5_circle", "keras_import"),
    *("deep_models", "keras_tensor_bomb", "deep_keras", "hdf5_config", "same_place_twice", "input_picture_bomb"),
)
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


def _cases(cases: dict[str, hostile_zips.Case]) -> list[object]:
    """The names of cases, the long ones for `make soak` alone."""
    skip = pytest.mark.skipif(not SOAK, reason="long: NN3D_SOAK=1")
    return [pytest.param(name, marks=(pytest.mark.soak, skip)) if name in LONG else name for name in cases]


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """Whoever takes far too much gets a MemoryError, not the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    bound_memory()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def _script(run: Run, text: str) -> object:
    return read_script(text)


def _begin() -> int:
    """Forget the most memory that was held, and give what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_bytes()


def _peak_bytes() -> int:
    """The most memory that this process has held since `_begin`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def _secs() -> float:
    """Processor time of this process and its children, whatever else the machine does."""
    return sum(os.times()[:4])


def _children_bytes() -> int:
    """The most memory that a child has held."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def refused(path: Path, options: SourceOptions) -> str:
    """The line that says what is wrong; "" where the file opened. Neither takes long, or much memory."""
    before, children, began = _begin(), _children_bytes(), _secs()
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
    assert _secs() - began < MOST_SECS + START_SECS
    assert _peak_bytes() - before < MOST_BYTES
    assert _children_bytes() < max(children, 2 * MOST_BYTES)
    return line


@pytest.mark.parametrize("case", _cases(hostile_pickles.CASES))
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


@pytest.mark.parametrize("case", _cases(hostile_zips.CASES))
def test_a_zip_or_json_that_swells_climbs_or_digs_is_refused(case: str, tmp_path: Path) -> None:
    path, options = hostile_zips.CASES[case](tmp_path)
    before = sorted(tmp_path.parent.iterdir())
    assert refused(path, options) or case in HARMLESS
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize("case", _cases(hostile_tensors.CASES))
def test_tensors_that_lie_or_point_outside_are_refused(case: str, tmp_path: Path) -> None:
    path, options = hostile_tensors.CASES[case](tmp_path)
    line = refused(path, options)
    assert line or case in HARMLESS
    assert "1234" not in line  # what stands in the secret file


@pytest.mark.parametrize("case", _cases(hostile_inputs.CASES))
def test_pictures_numbers_and_hdf5_that_lie_swell_or_point_outside_are_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, options = hostile_inputs.CASES[case](tmp_path)
    line = refused(path, options)
    assert line or case in HARMLESS
    assert "1234" not in line
    assert not (tmp_path / CANARY).exists()


@pytest.mark.parametrize("text", hostile_inputs.TEXTS)
@pytest.mark.parametrize("reader", [read_state, read_tour, _script], ids=["state", "tour", "script"])
def test_views_tours_and_scripts_are_refused_in_one_line(
    reader: Callable[[Run, str], object], text: str, tmp_path: Path
) -> None:
    run, content = small_run(), hostile_inputs.TEXTS[text]
    (tmp_path / "file.json").write_text(content)
    for given in (content, str(tmp_path / "file.json")):
        before, began = _begin(), _secs()
        with pytest.raises(Nn3dError) as caught:
            reader(run, given)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
        assert _secs() - began < MOST_SECS
        assert _peak_bytes() - before < MOST_BYTES


@pytest.mark.parametrize("text", hostile_inputs.TEXTS)
def test_settings_that_cannot_be_read_are_set_aside(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.FOLDER, str(tmp_path))
    (tmp_path / "settings.json").write_text(hostile_inputs.TEXTS[text])
    found, line = settings.load()
    assert found == settings.Settings()
    assert "set aside" in line
