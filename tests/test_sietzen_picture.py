"""Sietzen's own network, drawn: every one of its 3,940 weight edges carries exactly its own weight."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.dump import dump_arrays
from nn3d.stage.frame import Text
from nn3d.stage.resident import Resident
from tests.runs import SIETZEN


def _file(name: str) -> list[tuple[str, list[int], object]]:
    with zipfile.ZipFile(SIETZEN) as archive:
        inside = next(n for n in archive.namelist() if n.endswith(name))
        data: list[tuple[str, list[int], object]] = json.loads(archive.read(inside))
    return data


@pytest.mark.parametrize("epoch", [0, 5, 10])
def test_every_weight_edge_carries_the_weight_of_its_own_index(epoch: int) -> None:
    run = open_source(SIETZEN, SourceOptions())
    resident = Resident(run)
    state = initial_state(run, resident)
    for command in (c.SetEpoch(float(epoch), at_once=True), c.SetLevel("kernels", at_once=True), c.SetSelection("all")):
        state = c.apply(state, command)
    dump = dump_arrays(run, compose(run, state, resident=resident))
    assert (dump["edge_param"] >= 0).sum() == 3940
    starts = {name: int(np.flatnonzero(dump["tile_layer"] == k)[0]) for k, name in enumerate(dump["layers"])}
    n_checked = 0
    for name, shape, values in _file(f"model_weights_epoch{epoch:03d}.json"):
        if len(shape) not in (2, 4) or f"{name}.weight" not in dump["params"]:
            continue
        w = np.array(values, np.float64).reshape(shape)
        param = dump["params"].tolist().index(f"{name}.weight")
        mine = dump["edge_param"] == param
        target = dump["edge_target_tile"][mine]
        source, weight = dump["edge_source_tile"][mine], dump["edge_weight"][mine]
        layer = str(dump["layers"][dump["tile_layer"][target[0]]])
        before = str(dump["layers"][dump["tile_layer"][source[0]]])
        o, i = target - starts[layer], source - starts[before]
        if w.ndim == 4:
            at = dump["edge_weight_index"][mine] % (w.shape[0] * w.shape[1])
            want = w[at // w.shape[1], at % w.shape[1], i, o]
        else:
            cell = np.maximum(dump["edge_source_cell"][mine], 0)
            n_maps = len(set(i.tolist()))
            row = cell * n_maps + i if w.shape[0] != n_maps else i
            want = w[row, o]
        np.testing.assert_allclose(weight, want, rtol=0, atol=1e-7)
        n_checked += mine.sum()
    assert n_checked == 3940


@pytest.mark.parametrize("epoch", [0, 5, 10])
def test_predictions_on_the_picture_are_those_of_the_files(epoch: int) -> None:
    run = open_source(SIETZEN, SourceOptions())
    with zipfile.ZipFile(SIETZEN) as archive:
        name = next(n for n in archive.namelist() if n.endswith(f"model_activations_epoch{epoch:03d}.json"))
        truth, predicted = (np.array(v).ravel() for v in json.loads(archive.read(name))[-1][:2])
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.SetEpoch(float(epoch), at_once=True))
    for sample in range(len(run.samples)):
        frame = compose(run, c.apply(state, c.SetSample(sample)), resident=resident)
        said = " ".join(m.text for m in frame.marks if isinstance(m, Text))
        assert f"predicted {run.classes[int(predicted[sample])]}, truth {run.classes[int(truth[sample])]}" in said
