"""Laws of faces that show weights, and of pictures that leave the weights alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage import filters
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.filters import filter_faces
from nn3d.stage.resident import Resident


def run_of(w: np.ndarray, *, statistics: bool = True) -> Run:
    layers = [{"name": "x", "op": "input"}, {"name": "fc", "op": "linear", "parameters": {"weight": w}}]
    rng = np.random.default_rng(1)
    values = {"x": rng.normal(size=(2, w.shape[1])).astype(np.float32), "fc": np.ones((2, len(w)), np.float32)}
    return run_from_arrays(layers, values, statistics=statistics)


@pytest.mark.parametrize("statistics", [True, False])
def test_a_neurons_face_is_the_mean_of_its_weights(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, statistics: bool
) -> None:
    monkeypatch.setattr(filters, "SLICE_VALUES", 100)
    w = rng.normal(size=(37, 21)).astype(np.float32)
    faces = filter_faces(run_of(w, statistics=statistics), 0, 0, (1, 1))
    np.testing.assert_allclose(faces[:, 0, 0], w.mean(1), atol=1e-6)


def test_a_weight_that_is_not_finite_shows_on_its_neurons_face(rng: np.random.Generator) -> None:
    w = rng.normal(size=(5, 4)).astype(np.float32)
    w[2, 1] = np.nan
    assert np.isnan(filter_faces(run_of(w), 0, 0, (1, 1))[:, 0, 0]).tolist() == [False, False, True, False, False]


def test_a_closed_network_with_stored_sums_is_drawn_without_a_look_at_its_weights(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(rng.normal(size=(37, 21)).astype(np.float32))
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.SetOpen(None, False, at_once=True))
    whole = compose(run, state, resident=Resident(run))

    def refuse(*_: Any) -> Any:
        raise AssertionError("a weight was read")

    monkeypatch.setattr(Run, "parameter", refuse)
    monkeypatch.setattr(Run, "computing_parameter_stats", refuse)
    monkeypatch.setattr(Run, "computed_parameter_stats", Run.parameter_stats)
    closed = compose(run, state, resident=resident)
    np.testing.assert_array_equal(closed.strands[0].strands, whole.strands[0].strands)
    assert len(closed.strands[0].strands)
