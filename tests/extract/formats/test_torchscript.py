"""TorchScript: the archive's code, computed by nn3d, is what the module computes; none of it runs elsewhere."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nn3d.analysis.forward.engine import NumpyEngine
from nn3d.errors import SourceError
from nn3d.extract.formats.head import look_at
from nn3d.extract.formats.registry import format_of
from nn3d.extract.formats.torchscript import FORMAT
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.trace import capture
from nn3d.run.run import Run
from tests.conftest import SOAK
from tests.networks import SMALL


def saved(name: str, how: str, folder: Path) -> tuple[Path, torch.nn.Module, Any]:
    model, inputs = SMALL[name]()
    model.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(model) if how == "script" else torch.jit.trace(model, inputs, check_trace=False)
    made.save(str(folder / f"{name}.pt"))
    return folder / f"{name}.pt", model, inputs


def read(path: Path, **options: Any) -> Run:
    return in_memory(FORMAT.record(path, SourceOptions(**options)))


_FEW = [("lenet", "script"), ("gpt", "trace")]
_MORE = [*_FEW, ("lenet", "trace"), ("resnet", "trace"), ("gpt", "script"), ("lstm", "trace"), ("lstm", "script")]


@pytest.mark.soak
@pytest.mark.parametrize(("name", "how"), _MORE if SOAK else _FEW)
def test_an_archive_is_the_network_that_was_saved(name: str, how: str, tmp_path: Path) -> None:
    path, model, inputs = saved(name, how, tmp_path)
    assert format_of(path) is FORMAT
    shape = "x".join(str(n) for n in inputs.shape[1:])
    run = read(path, input=f"random:{shape}") if inputs.is_floating_point() else read(path)
    live = capture(model, inputs)
    assert run.graph.kind == "file"
    mine, theirs = ([(n.name, n.op) for n in r.graph.nodes if n.op != "slice"] for r in (run, live))
    assert mine == theirs
    assert sorted(run.parameters) == sorted(live.parameters)
    for parameter in live.parameters:
        np.testing.assert_array_equal(run.weights(parameter), live.weights(parameter))
    assert NumpyEngine(run).reason == ""


def test_values_are_what_the_module_gives_on_the_same_input(tmp_path: Path) -> None:
    path, model, inputs = saved("lenet", "script", tmp_path)
    np.save(tmp_path / "x.npy", inputs.numpy())
    run, live = read(path, input=str(tmp_path / "x.npy")), capture(model, inputs)
    for node in live.graph.nodes:
        for sample in range(len(inputs)):
            np.testing.assert_array_equal(
                run.values(node.id, 0, 0, sample), live.values(node.id, 0, 0, sample), err_msg=node.name
            )


class Branches(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 3)
        self.times = 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(self.times):
            x = self.fc(x) if i % 2 == 0 else torch.relu(self.fc(x))
        parts: list[torch.Tensor] = []
        while len(parts) < 2:
            parts.append(x)
        return torch.cat(parts, 1)


def test_loops_and_branches_run_as_often_as_they_say(tmp_path: Path) -> None:
    model = Branches().eval()
    torch.jit.script(model).save(str(tmp_path / "b.pt"))
    run = read(tmp_path / "b.pt", samples=2)
    assert [n.op for n in run.graph.nodes] == ["input", "linear", "linear", "relu", "linear", "concat"]
    x = torch.from_numpy(np.stack([run.values(0, 0, 0, s) for s in range(2)]))
    with torch.no_grad():
        np.testing.assert_array_equal(np.stack([run.values(5, 0, 0, s) for s in range(2)]), model(x).numpy())


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    out = path.with_name("other.pt")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out


class Canary:
    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


@pytest.mark.parametrize("member", ["/data.pkl", "/constants.pkl"])
def test_no_pickle_runs(member: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, *_ = saved("loop", "script", tmp_path)
    monkeypatch.chdir(tmp_path)
    other = rewritten(path, lambda name, data: pickle.dumps(Canary(), 2) if name.endswith(member) else data)
    assert FORMAT.sniff(look_at(other))
    with pytest.raises(SourceError, match="system is neither module, number nor tensor") as caught:
        FORMAT.record(other, SourceOptions())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('torch.save(x, "canary")', "not called"),
        ('torch.from_file("canary", True, 8)', "not called"),
        ('open("canary", "w")', "not called"),
        ('torch.__getattribute__("hub")', "not called"),
        ('torch.__reduce_ex__(2)', "not called"),
        ('x.apply_(x)', "expected a module to call"),
        ("().__class__", "expected it in the file"),
        ("x.__class__.__mro__", "expected it in the file"),
        ("torch.ops.load_library", "expected a name"),
        ("[y for y in x]", "expected TorchScript"),
        ("exec", "expected a name"),
    ],
)
def test_code_reaches_nothing_but_operators(
    line: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, *_ = saved("loop", "trace", tmp_path)
    monkeypatch.chdir(tmp_path)

    def bad(name: str, data: bytes) -> bytes:
        if "/tests/networks" in name and name.endswith(".py"):
            head, _, rest = data.decode().partition(" -> Tensor:\n")
            return f"{head} -> Tensor:\n    bad = {line}\n{rest}".encode()
        return data

    recording = FORMAT.record(rewritten(path, bad), SourceOptions())
    assert recording.graph.kind == "inferred"
    assert why in recording.left_out[0]
    assert not (tmp_path / "canary").exists()


def test_code_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nn3d.extract.readers.torchscript.steps.MOST_STEPS", 2000)
    path, *_ = saved("loop", "trace", tmp_path)

    def bad(name: str, data: bytes) -> bytes:
        if "/tests/networks" in name and name.endswith(".py"):
            head, _, rest = data.decode().partition(" -> Tensor:\n")
            return f"{head} -> Tensor:\n    while True:\n      y = 1\n{rest}".encode()
        return data

    assert "2,000 steps" in FORMAT.record(rewritten(path, bad), SourceOptions()).left_out[0]


def test_damaged_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    path, *_ = saved("loop", "trace", tmp_path)

    def cut(name: str, data: bytes) -> bytes:
        return data[:-4] if "/data/" in name else data

    def claims(name: str, data: bytes) -> bytes:
        return data.replace(b"(K\x04K\x04t", b"(J\xff\xff\xff\x7fK\x04t") if name.endswith("data.pkl") else data

    for change in (cut, claims, lambda name, data: data[:20] if name.endswith("data.pkl") else data):
        with pytest.raises(SourceError) as caught:
            FORMAT.record(rewritten(path, change), SourceOptions())
        assert "\n" not in str(caught.value)
