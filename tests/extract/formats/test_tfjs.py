"""TensorFlow.js: folders that its own converter wrote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats import tfjs
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.run.run import Run
from tests.extract.formats.samples import TENSORFLOW

RESULTS = json.loads((TENSORFLOW / "results.json").read_text())


def opened(path: Path, folder: Path) -> Run:
    np.save(folder / "ones.npy", np.ones((1, 2, 8, 8), np.float32))
    return in_memory(tfjs.FORMAT.record(path, SourceOptions(input=str(folder / "ones.npy"))))


@pytest.mark.parametrize("inside", ["", "model.json"])
def test_a_layers_model_gives_what_keras_computed(tmp_path: Path, inside: str) -> None:
    run = opened(TENSORFLOW / "tfjs" / inside, tmp_path)
    last = next(n for n in run.graph.nodes if n.name == "out.softmax")
    assert np.allclose(run.values(last.id, 0, 0, 0), RESULTS["keras2"], rtol=1e-4, atol=1e-7)
    assert [layer.name for layer in run.layers] == ["picture", "conv", "deep", "add", "pool", "out"]


def test_quantised_shards_are_within_half_a_step_of_the_weights(tmp_path: Path) -> None:
    whole, coarse = (opened(TENSORFLOW / name, tmp_path) for name in ("tfjs", "tfjs_uint8"))
    manifest = json.loads((TENSORFLOW / "tfjs_uint8" / "model.json").read_text())["weightsManifest"]
    steps = {w["name"]: w["quantization"]["scale"] for group in manifest for w in group["weights"]}
    assert len(steps) == len(whole.graph.parameters)
    for p in whole.graph.parameters:
        assert np.abs(whole.parameter(p.id, 0) - coarse.parameter(p.id, 0)).max() <= 0.501 * steps[p.name]
    assert {p.dtype for p in coarse.graph.parameters} == {"uint8"}
    assert any("dequantised" in note for note in coarse.graph.notes)


def _climbs(model: Any) -> None:
    model["weightsManifest"][0]["paths"] = ["../secret.bin"]


def _absolute(model: Any) -> None:
    model["weightsManifest"][0]["paths"] = ["/etc/hostname"]


def _missing(model: Any) -> None:
    model["weightsManifest"][0]["paths"] = ["other.bin"]


def _claims(model: Any) -> None:
    model["weightsManifest"][0]["weights"][0]["shape"] = [1 << 20, 1 << 20]


def _texts(model: Any) -> None:
    model["weightsManifest"][0]["weights"][0] |= {"dtype": "string", "shape": [1 << 30]}


def _no_manifest(model: Any) -> None:
    del model["weightsManifest"]


@pytest.mark.parametrize("spoil", [_climbs, _absolute, _missing, _claims, _texts, _no_manifest])
def test_what_leads_outside_or_does_not_fit_ends_in_one_line(tmp_path: Path, spoil: Callable[[Any], None]) -> None:
    folder = tmp_path / "model"
    shutil.copytree(TENSORFLOW / "tfjs", folder)
    (tmp_path / "secret.bin").write_bytes(bytes(4096))
    model = json.loads((folder / "model.json").read_text())
    spoil(model)
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(SourceError, match="expected") as error:
        tfjs.FORMAT.record(folder, SourceOptions())
    assert "\n" not in str(error.value)


def test_weights_of_a_graph_model_are_shown_with_inferred_wires(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(TENSORFLOW / "tfjs", folder)
    model = json.loads((folder / "model.json").read_text())
    model |= {"format": "graph-model", "modelTopology": {"node": []}}
    (folder / "model.json").write_text(json.dumps(model))
    found = tfjs.FORMAT.record(folder, SourceOptions())
    assert found.graph.kind == "inferred"
    assert any("wires" in line for line in found.left_out)
