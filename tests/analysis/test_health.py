"""Signals of training on runs that were built to have each fault, against numpy on the arrays that went in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nn3d.analysis.health.history import History, read_history
from nn3d.analysis.health.marks import Mark, find_marks, robust_z
from nn3d.run.memory import run_from_arrays
from nn3d.run.model import Epoch
from nn3d.run.run import Run
from tests.runs import bundled, mlp_run

N, EPOCHS = 6, 5


def _relu_run(
    *, n_dead: list[int], units: int = 10, last: np.ndarray | None = None, activation: str = "relu",
    weights: list[np.ndarray] | None = None, metrics: dict[str, list[float]] | None = None, encoding: str = "f32",
    statistics: bool = True,
) -> Run:  # fmt: skip
    """input → fc (linear) → activation; the first `n_dead[e]` units are zero on all samples at epoch e."""
    rng = np.random.default_rng(7)
    n_epochs = len(n_dead)
    x = rng.normal(size=(N, 4)).astype(np.float32)
    values = [np.abs(rng.normal(size=(N, units))).astype(np.float32) + 0.1 for _ in range(n_epochs)]
    for array, n in zip(values, n_dead, strict=True):
        array[:, :n] = 0.0
        array[0, n:] = 0.0  # silent on a sample is not dead
    if last is not None:
        values[-1] = last
    weights = weights or [rng.normal(size=(units, 4)).astype(np.float32) for _ in range(n_epochs)]
    layers = [
        {"name": "input", "op": "input"},
        {"name": "fc", "op": "linear", "parameters": {"weight": weights}},
        {"name": "act", "op": activation},
    ]
    given = metrics or {}
    epochs = [Epoch(e, metrics={k: v[e] for k, v in given.items()}) for e in range(n_epochs)]
    return run_from_arrays(
        layers, {"input": [x] * n_epochs, "act": values}, epochs=epochs, encoding=encoding, statistics=statistics,
    )  # fmt: skip


def _of(run: Run) -> tuple[History, tuple[Mark, ...]]:
    history = read_history(run)
    return history, find_marks(history)


def _said(marks: tuple[Mark, ...]) -> list[tuple[int, str, str]]:
    return [(m.epoch, m.kind, m.words) for m in marks]


@pytest.mark.parametrize("encoding", ["f32", "f16", "u8"])
@pytest.mark.parametrize("statistics", [True, False])
def test_dead_units_are_those_that_are_zero_on_all_samples(encoding: str, statistics: bool) -> None:
    history, marks = _of(_relu_run(n_dead=[0, 0, 4, 10, 1], encoding=encoding, statistics=statistics))
    assert history.dead[:, 1].tolist() == [0, 0, 4, 10, 1]
    assert history.dead[:, 0].tolist() == [-1] * 5  # an input cannot die
    assert _said(marks) == [
        (2, "dead", "fc: 4 units died"), (3, "died", "fc died"), (4, "woke", "fc: 9 units woke up"),
    ]  # fmt: skip


def test_a_unit_that_comes_and_goes_is_no_mark() -> None:
    assert _of(_relu_run(n_dead=[0, 1, 0, 1, 0], units=40))[1] == ()


@pytest.mark.parametrize(("activation", "scale"), [("tanh", 1.0), ("sigmoid", 0.5)])
@pytest.mark.parametrize("encoding", ["f32", "u8"])
def test_saturated_units_lie_at_the_ends_of_their_function(activation: str, scale: float, encoding: str) -> None:
    rng = np.random.default_rng(3)
    inner = rng.uniform(-0.8, 0.8, (40, 5)).astype(np.float32)
    ends = np.sign(rng.normal(size=(40, 5))).astype(np.float32) * rng.uniform(0.97, 1.0, (40, 5)).astype(np.float32)
    ends[0], ends[1] = 1.0, -1.0
    both = np.concatenate([inner[:, :3], ends[:, 3:]], 1)
    offset = 0.0 if activation == "tanh" else 0.5
    values = [v * np.float32(scale) + np.float32(offset) for v in (inner, both, ends)]
    weights = [np.ones((5, 4), np.float32)] * 3
    layers = [
        {"name": "input", "op": "input"}, {"name": "fc", "op": "linear", "parameters": {"weight": weights}},
        {"name": "act", "op": activation},
    ]  # fmt: skip
    run = run_from_arrays(layers, {"input": [np.ones((40, 4), np.float32)] * 3, "act": values}, encoding=encoding)
    history, marks = _of(run)
    assert history.saturated[:, 1].tolist() == [0, 2, 5]
    assert [m for m in _said(marks) if m[1] == "saturated"] == [
        (1, "saturated", "fc: 2 units saturated"), (2, "saturated", "fc: all units saturated"),
    ]  # fmt: skip


def test_units_of_a_function_without_ends_are_not_called_saturated() -> None:
    assert (_of(_relu_run(n_dead=[0, 0]))[0].saturated == -1).all()


@pytest.mark.parametrize("encoding", ["f32", "u8"])
def test_the_first_value_that_is_not_finite_is_found_and_counted(encoding: str) -> None:
    bad = np.ones((N, 10), np.float32)
    bad[1:3, 2], bad[4, 5], bad[5, 5] = np.inf, np.nan, -np.inf
    metrics = {"loss": [1.0, 0.9, 0.8, 0.7, np.nan]}
    history, marks = _of(_relu_run(n_dead=[0] * 5, last=bad, metrics=metrics, encoding=encoding))
    assert (history.n_nan[-1, 1], history.n_inf[-1, 1], history.n_odd[:-1].sum()) == (1, 3, 0)
    assert _said(marks) == [
        (3, "best", "best loss"), (4, "not finite", "fc: 1 value NaN, 3 values Inf"), (4, "not finite", "loss NaN"),
    ]  # fmt: skip


def test_parameters_that_are_not_finite_are_counted_before_what_follows_from_them() -> None:
    weights = [np.ones((10, 4), np.float32) for _ in range(3)]
    weights[2][0, 0], weights[2][1, 1] = np.nan, -np.inf
    history, marks = _of(_relu_run(n_dead=[0] * 3, weights=weights))
    assert (history.w_nan[2, 1], history.w_inf[2, 1]) == (1, 1)
    assert _said(marks) == [(2, "not finite", "fc: 1 parameter NaN, 1 parameter Inf")]


def test_minus_infinity_of_a_mask_is_no_fault() -> None:
    scores = np.zeros((2, 3, 3), np.float32)
    scores[:, 0, 1:] = -np.inf
    layers = [
        {"name": "input", "op": "input"}, {"name": "mask", "op": "masked_fill"},
        {"name": "soft", "op": "softmax"},
    ]  # fmt: skip
    values = {"input": np.ones((2, 3, 3), np.float32), "mask": scores, "soft": np.full((2, 3, 3), np.nan, np.float32)}
    history, _ = _of(run_from_arrays(layers, values))
    assert history.n_inf.sum() == 0
    assert history.n_nan.sum() == 18


@pytest.mark.parametrize("statistics", [True, False])
def test_the_ratio_is_the_length_of_the_change_by_that_of_the_weights_before(statistics: bool) -> None:
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(10, 4)).astype(np.float32) for _ in range(4)]
    history, _ = _of(_relu_run(n_dead=[0] * 4, weights=weights, statistics=statistics))
    wanted = [np.linalg.norm(b - a) / np.linalg.norm(a) for a, b in pairwise(weights)]
    assert np.isnan(history.ratio[0, 1])
    np.testing.assert_allclose(history.ratio[1:, 1], wanted, rtol=1e-5)


def test_figures_of_a_recorded_training_are_those_of_its_tensors(tmp_path: Path) -> None:
    """Weights, gradients and changes of a real optimizer, from the statistics that were recorded."""
    torch = pytest.importorskip("torch")
    import nn3d

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    x, y = torch.randn(16, 4), torch.randint(3, (16,))
    recorder = nn3d.Recorder(tmp_path / "run", model, x, labels=y.tolist(), encoding="f32", gradients=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    weights = []
    for epoch in range(3):
        if epoch:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        recorder.record(epoch)
        weights.append([p.detach().numpy().copy() for p in model[0].parameters()])
    run = nn3d.load(tmp_path / "run")
    history = read_history(run)
    at = [layer.name for layer in history.layers].index(run.layers[1].name)
    flat = [np.concatenate([p.ravel() for p in w]) for w in weights]
    wanted = [np.linalg.norm(b - a) / np.linalg.norm(a) for a, b in pairwise(flat)]
    np.testing.assert_allclose(history.ratio[1:, at], wanted, rtol=1e-4)
    assert np.isfinite(history.gradient[1:, at]).all()
    assert (history.gradient[1:, at] > 0).all()


def _with(**metrics: list[float]) -> tuple[Mark, ...]:
    n = len(next(iter(metrics.values())))
    return _of(_relu_run(n_dead=[0] * n, metrics=metrics))[1]


def test_a_loss_that_jumps_is_a_spike_whatever_its_unit() -> None:
    losses = [2.0, 1.5, 1.2, 1.0, 0.85, 0.75, 3.0, 0.6, 0.55, 0.5]
    steps = np.diff(np.log(losses))
    middle = np.median(steps)
    z = (steps - middle) / (1.4826 * np.median(np.abs(steps - middle)))
    np.testing.assert_allclose(robust_z(steps), z)
    for unit in (1.0, 1e-6, 1e6):
        marks = _with(loss=[v * unit for v in losses])
        assert [m.epoch for m in marks if m.kind == "spike"] == (np.flatnonzero(z > 5) + 1).tolist() == [6]


def test_a_loss_that_falls_evenly_or_trembles_has_no_spike() -> None:
    rng = np.random.default_rng(0)
    for trembling in (0.0, 0.05, 0.2):
        losses = (np.exp(-0.2 * np.arange(40)) * np.exp(trembling * rng.uniform(-1, 1, 40))).tolist()
        assert not [m for m in _with(loss=losses) if m.kind == "spike"]


@pytest.mark.parametrize("whole", [1.0, 100.0])
def test_an_accuracy_that_falls_is_a_drop_and_the_first_highest_the_best(whole: float) -> None:
    shares = [0.1, 0.7, 0.8, 0.85, 0.87, 0.88, 0.89, 0.4, 0.88, 0.9, 0.9]
    marks = _with(accuracy=[v * whole for v in shares])
    assert [(m.epoch, m.words) for m in marks if m.kind == "drop"] == [(7, "accuracy fell by 49.0 %")]
    assert [m.epoch for m in marks if m.kind == "best"] == [9]


def test_the_bundled_run_has_the_dead_units_of_its_values() -> None:
    run = bundled()
    history = read_history(run)
    names = [layer.name for layer in history.layers]
    for epoch in (0, 1, 10):
        for name in ("conv2", "fc1", "fc2"):
            values = np.asarray(run.activations(name, epoch))
            zero = (values == 0).reshape(values.shape[0], values.shape[1], -1).all(axis=(0, 2))
            assert history.dead[epoch, names.index(name)] == zero.sum()


def test_statistics_are_taken_where_they_are_and_no_tensor_is_read() -> None:
    run = mlp_run()
    reads: list[str] = []
    inner = run.store

    class Watched:
        def __contains__(self, key: str) -> bool:
            return key in inner

        def __getitem__(self, key: str) -> np.ndarray:
            reads.append(key)
            return inner[key]

        def keys(self) -> object:
            return inner.keys()

        def close(self) -> None:
            inner.close()

    run._store = Watched()  # type: ignore[assignment]
    read_history(run, most_values=0)
    assert reads
    assert all("/s/" in key for key in reads)
