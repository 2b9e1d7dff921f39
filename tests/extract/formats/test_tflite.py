"""TensorFlow Lite: files that its own converter wrote, against what its own interpreter computed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats import tflite
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.readers.tflite.file import read
from nn3d.extract.readers.tflite.names import labels
from nn3d.run.run import Run
from tests.extract.formats.samples import TENSORFLOW

RESULTS = json.loads((TENSORFLOW / "results.json").read_text())["tflite"]
NET = TENSORFLOW / "net.tflite"


def opened(path: Path, folder: Path) -> Run:
    np.save(folder / "ones.npy", np.ones((1, 2, 8, 8), np.float32))
    return in_memory(tflite.FORMAT.record(path, SourceOptions(input=str(folder / "ones.npy"))))


@pytest.mark.parametrize("name", ["net", "net_int8"])
def test_operators_and_tensors_are_as_many_as_the_interpreter_counts(name: str, tmp_path: Path) -> None:
    file = read(TENSORFLOW / f"{name}.tflite")
    assert len(file.operators) == RESULTS[name]["n_ops"]
    assert len(file.tensors) == RESULTS[name]["n_tensors"]
    run = opened(TENSORFLOW / f"{name}.tflite", tmp_path)
    assert not run.left_out
    outputs = {file.tensors[o.outputs[0]].index for o in file.operators}
    own = [n for n in run.graph.nodes if n.op != "input" and "." not in n.name]
    assert len(outputs) == len(own) + sum(n.name.startswith("out.") for n in run.graph.nodes)


def test_floats_give_what_the_interpreter_computed(tmp_path: Path) -> None:
    run = opened(NET, tmp_path)
    _, node, output = run.graph.outputs[0]
    assert np.allclose(run.values(node, output, 0, 0), RESULTS["net"]["output"], rtol=1e-4, atol=1e-7)
    assert [layer.name for layer in run.layers] == ["picture", "conv", "deep", "add", "pool", "out"]


def test_quantised_weights_are_within_half_a_step_and_say_their_type(tmp_path: Path) -> None:
    whole, coarse = opened(NET, tmp_path), opened(TENSORFLOW / "net_int8.tflite", tmp_path)
    file = read(TENSORFLOW / "net_int8.tflite")
    scales = {name: max(t.scale) for name, t in zip(labels(file), file.tensors, strict=True) if t.scale}
    for p in whole.graph.parameters:
        other = next(q for q in coarse.graph.parameters if q.name == p.name)
        assert np.abs(whole.parameter(p.id, 0) - coarse.parameter(other.id, 0)).max() <= 0.501 * scales[p.name]
        assert other.dtype in ("int8", "int32")
    _, node, output = coarse.graph.outputs[0]
    assert np.allclose(coarse.values(node, output, 0, 0), RESULTS["net_int8"]["output"], atol=1 / 128)


def _said(path: Path) -> str:
    """The error that a file ends in, "" when it opens."""
    try:
        tflite.FORMAT.record(path, SourceOptions())
    except SourceError as error:
        return str(error)
    return ""


def test_a_file_cut_anywhere_or_changed_anywhere_opens_or_ends_in_one_line(tmp_path: Path) -> None:
    data, rng = NET.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "x.tflite"
    for trial in range(60):
        changed = bytearray(data[: int(rng.integers(8, len(data)))] if trial % 2 else data)
        for place in rng.integers(8, len(changed), 4) if len(changed) > 8 else ():
            changed[int(place)] = int(rng.integers(0, 256))
        path.write_bytes(bytes(changed))
        assert "\n" not in _said(path)
