"""A reader in a child process cannot take the viewer with it: not by crashing, not without end, not by swelling."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats import isolation, onnx
from nn3d.extract.formats.isolation import open_isolated, record_isolated
from nn3d.extract.options import SourceOptions, options_from
from nn3d.extract.output import in_memory

_PLAIN = SourceOptions()
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are Linux's, and /proc is asked")


def endless(folder: Path) -> Path:
    """A model that counts to 2⁶² in a loop."""
    library = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = library.helper
    body = make.make_graph(
        [make.make_node("Identity", ["go"], ["on"]), make.make_node("Sin", ["a"], ["b"])], "body",
        [make.make_tensor_value_info("i", 7, []), make.make_tensor_value_info("go", 9, []),
         make.make_tensor_value_info("a", 1, [1, 8])],
        [make.make_tensor_value_info("on", 9, []), make.make_tensor_value_info("b", 1, [1, 8])],
    )  # fmt: skip
    nodes = [make.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)]
    held = [library.numpy_helper.from_array(np.array(v), name) for v, name in ((2**62, "n"), (True, "yes"))]
    graph = make.make_graph(
        nodes, "endless", [make.make_tensor_value_info("x", 1, [1, 8])],
        [make.make_tensor_value_info("y", 1, [1, 8])], held,
    )  # fmt: skip
    library.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), folder / "e.onnx")
    return folder / "e.onnx"


def _children() -> set[str]:
    """Processes that this one has started."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def test_a_child_gives_the_run_that_the_reader_makes_and_leaves_nothing(
    sample: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = sample("onnx")
    here = in_memory(onnx.FORMAT.record(path, _PLAIN))
    with open_isolated(onnx.FORMAT, path, _PLAIN) as there:
        assert there.path == ""
        assert not list(tmp_path.iterdir())
        assert there.graph == here.graph
        assert set(there.store.keys()) - {"manifest"} == set(here.store.keys())
        assert all(np.array_equal(there.store[k], here.store[k]) for k in here.store.keys())  # noqa: SIM118
        again = in_memory(record_isolated(onnx.FORMAT, path, _PLAIN))
        assert all(np.array_equal(again.store[k], here.store[k]) for k in here.store.keys())  # noqa: SIM118


def test_a_child_that_crashes_is_one_line(sample: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    ask = isolation._ask

    def crash(child: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any]:
        os.kill(child.pid, signal.SIGSEGV)
        return ask(child, request)

    monkeypatch.setattr(isolation, "_ask", crash)
    with pytest.raises(SourceError, match=r"net\.onnx: expected ONNX that can be read, got .*crashed \(SIGSEGV"):
        open_isolated(onnx.FORMAT, sample("onnx"), _PLAIN)


@pytest.mark.parametrize("clock", [4.0, 0.5])
def test_a_child_without_an_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    """By its own limit of processor time, or by the clock of the parent."""
    monkeypatch.setattr(isolation, "BASE_SECS", 1.0)
    monkeypatch.setattr(isolation, "CLOCK", clock)
    before, began = _children(), time.monotonic()
    with pytest.raises(SourceError, match="within 1 s, got no end"):
        open_isolated(onnx.FORMAT, endless(tmp_path), _PLAIN)
    assert time.monotonic() - began < 20
    assert _children() <= before


def test_a_child_that_swells_is_one_line(sample: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isolation.MEMORY_VARIABLE, "0")
    with pytest.raises(SourceError, match=r"net\.onnx: expected ONNX"):
        open_isolated(onnx.FORMAT, sample("onnx"), _PLAIN)


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nn3d", "info", str(endless(tmp_path))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    children: list[str] = []
    for _ in range(200):
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if children:
            break
        time.sleep(0.05)
    assert children
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not any(_is_alive(pid) for pid in children):
            return
        time.sleep(0.05)
    pytest.fail("the child lives on")


def _is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_options_reach_the_child_as_they_are(tmp_path: Path) -> None:
    options = SourceOptions(
        input="x.npy", samples=3, resize=(4, 5), mean=(0.5,), std=(0.25, 1.0), gray=True, classes=tmp_path / "c"
    )
    assert options_from(options.to_json()) == options
    moved = isolation._elsewhere(options)
    assert moved == replace(options, input=str(Path("x.npy").absolute()))


def test_a_child_sees_no_secrets_of_the_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_TOKEN", "hush")
    child = isolation._start(tmp_path)
    try:
        seen = Path(f"/proc/{child.pid}/environ").read_bytes()
        assert b"hush" not in seen
        assert os.readlink(f"/proc/{child.pid}/cwd") == str(tmp_path)
    finally:
        isolation._end(child)
