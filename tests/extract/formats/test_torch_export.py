"""torch.export archives: the graph in the file, computed, is what the module computes; nothing in it is unpickled."""

from __future__ import annotations

import json
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
from nn3d.extract.formats.torch_export import FORMAT
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.trace import capture
from nn3d.run.run import Run
from tests.conftest import SOAK
from tests.networks import SMALL


def exported(name: str, folder: Path) -> tuple[Path, torch.nn.Module, Any]:
    model, inputs = SMALL[name]()
    model.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        torch.export.save(torch.export.export(model, given), folder / f"{name}.pt2")
    return folder / f"{name}.pt2", model, inputs


def read(path: Path, **options: Any) -> Run:
    return in_memory(FORMAT.record(path, SourceOptions(**options)))


def parts(run: Run) -> list[tuple[str, str, dict[str, str]]]:
    names = {p.id: p.name for p in run.graph.parameters}
    return [(n.name, n.op, {role: names[p] for role, p in n.parameters.items()}) for n in run.graph.nodes]


@pytest.mark.soak
@pytest.mark.parametrize("name", ["lenet", "resnet", "lstm", "gpt", "two_inputs"] if SOAK else ["lstm", "two_inputs"])
def test_an_archive_is_the_network_that_was_exported(name: str, tmp_path: Path) -> None:
    path, model, inputs = exported(name, tmp_path)
    run, live = read(path), capture(model, inputs)
    assert run.graph.kind == "file"
    assert parts(run) == parts(live)
    assert [o.shape for n in run.graph.nodes for o in n.outputs] == [
        o.shape for n in live.graph.nodes for o in n.outputs
    ]
    assert sorted(run.parameters) == sorted(live.parameters)
    for name in live.parameters:
        np.testing.assert_array_equal(run.weights(name), live.weights(name))
    assert NumpyEngine(run).reason == ""


def test_values_are_what_the_module_gives_on_the_same_input(tmp_path: Path) -> None:
    path, model, inputs = exported("lenet", tmp_path)
    np.save(tmp_path / "x.npy", inputs.numpy())
    run = read(path, input=str(tmp_path / "x.npy"))
    live = capture(model, inputs)
    for node in live.graph.nodes:
        for sample in range(len(inputs)):
            np.testing.assert_array_equal(
                run.values(node.id, 0, 0, sample), live.values(node.id, 0, 0, sample), err_msg=node.name
            )


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The archive with other members."""
    out = path.with_name("other.pt2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return out


class Canary:
    def __reduce__(self) -> Any:
        return os.system, ("touch canary",)


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, *_ = exported("two_inputs", tmp_path)
    monkeypatch.chdir(tmp_path)

    def bad(name: str, data: bytes) -> bytes:
        if name.endswith("weights_config.json"):
            config = json.loads(data)
            for entry in config["config"].values():
                entry["use_pickle"] = True
            return json.dumps(config).encode()
        return pickle.dumps(Canary()) if "weight_" in name or "sample_inputs" in name else data

    with pytest.raises(SourceError) as caught:
        FORMAT.record(rewritten(path, bad), SourceOptions())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("torch.ops.aten.from_file.default", "not called"),
        ("torch.ops.prim.device.default", "not called"),
        ("os.system", "not called"),
        ("torch.ops.aten.__class__.default", "not called"),
    ],
)
def test_operators_that_reach_out_are_not_called(target: str, why: str, tmp_path: Path) -> None:
    path, *_ = exported("two_inputs", tmp_path)

    def bad(name: str, data: bytes) -> bytes:
        if name.endswith("models/model.json"):
            program = json.loads(data)
            program["graph_module"]["graph"]["nodes"][0]["target"] = target
            return json.dumps(program).encode()
        return data

    recording = FORMAT.record(rewritten(path, bad), SourceOptions())
    assert why in recording.left_out[0]
    assert recording.graph.kind == "inferred"


def test_damaged_archives_are_refused_in_one_line(tmp_path: Path) -> None:
    path, *_ = exported("two_inputs", tmp_path)

    def shorter(name: str, data: bytes) -> bytes:
        return data[:-4] if name.endswith("weight_0") else data

    def larger(name: str, data: bytes) -> bytes:
        return data.replace(b'"sizes": [{"as_int"', b'"sizes": [{"as_int": 1099511627776, "a"')

    def deep(name: str, data: bytes) -> bytes:
        return b"[" * 200_000 if name.endswith("model.json") else data

    def old(name: str, data: bytes) -> bytes:
        return data.replace(b'"major": 8', b'"major": 7') if name.endswith("model.json") else data

    for change in (shorter, larger, deep, old, lambda name, data: None if name.endswith("weight_0") else data):
        with pytest.raises(SourceError) as caught:
            FORMAT.record(rewritten(path, change), SourceOptions())
        assert "\n" not in str(caught.value)
