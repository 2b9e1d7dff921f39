"""Laws of clusters and of what they keep of a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.analysis.amounts import Moment
from nn3d.analysis.clusters import MOST, clusters_of, drawn, epochs_of, k_means, n_clusters, ordered
from nn3d.analysis.fidelity import block_means, fidelity, r_squared
from nn3d.paths import bundled_runs
from nn3d.run.memory import run_from_arrays
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from tests.runs import bundled, mlp_run


def planted(noise: float = 0.1, seed: int = 0) -> tuple[Run, np.ndarray]:
    """Two linear layers whose 48 hidden neurons come in 6 kinds; and the kind of each."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.arange(48) % 6)
    w1 = (rng.normal(size=(6, 30))[kind] + noise * rng.normal(size=(48, 30))).astype(np.float32)
    w2 = (rng.normal(size=(20, 6))[:, kind] + noise * rng.normal(size=(20, 48))).astype(np.float32)
    x = rng.normal(size=(3, 30)).astype(np.float32)
    layers = [{"name": "input", "op": "input"}, {"name": "a", "op": "linear", "parameters": {"weight": [w1]}},
              {"name": "b", "op": "linear", "parameters": {"weight": [w2]}}]  # fmt: skip
    return run_from_arrays(layers, {"input": [x], "a": [x @ w1.T], "b": [x @ w1.T @ w2.T]}), kind


def test_clusters_are_the_kinds_of_neurons_that_there_are() -> None:
    run, kind = planted()
    label = clusters_of(run, 1, 48)
    assert len(set(zip(label.tolist(), kind.tolist(), strict=True))) == 6


def test_clusters_are_the_same_for_the_same_run_and_numbered_without_gaps() -> None:
    first, again = (open_run(bundled_runs()["lenet-mnist"]) for _ in range(2))
    index = first.layer("fc1").index
    label = clusters_of(first, index, 120)
    assert np.array_equal(label, clusters_of(again, index, 120))
    assert np.array_equal(np.unique(label), np.arange(n_clusters(120)))
    means = [np.flatnonzero(label == k).mean() for k in range(label.max() + 1)]
    assert means == sorted(means)


@pytest.mark.parametrize("n", [1, 5, 10, 11, 40, 500, 4096])
def test_a_layer_has_six_to_ten_clusters_or_every_neuron_its_own(n: int) -> None:
    assert n_clusters(n) == n if n <= MOST else 6 <= n_clusters(n) <= 10


def test_clusters_stay_while_a_run_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = planted()
    before = clusters_of(run, 1, 48)
    monkeypatch.setattr(type(run), "parameter", lambda *_: np.random.default_rng(9).normal(size=(48, 30)))
    assert clusters_of(run, 1, 48) is before


def test_a_sketch_takes_few_epochs_with_the_first_and_the_last() -> None:
    assert epochs_of(3) == [0, 1, 2]
    assert len(epochs_of(1000)) == 8
    assert epochs_of(1000)[0] == 0
    assert epochs_of(1000)[-1] == 999
    assert epochs_of(0) == [0]


def test_heavy_columns_are_drawn_into_the_sketch_and_always_the_same() -> None:
    mass = np.ones(1000)
    mass[[3, 500]] = 1e6
    at = drawn(mass, 20)
    assert at.size == 20
    assert {3, 500} <= set(at.tolist())
    assert np.array_equal(at, drawn(mass, 20))


def test_every_part_has_a_member_even_among_equal_points() -> None:
    assert np.array_equal(np.unique(k_means(np.zeros((12, 3)), 5)), np.arange(5))


def test_parts_are_numbered_by_where_their_members_stand() -> None:
    assert ordered(np.array([7, 7, 2, 2, 5])).tolist() == [0, 0, 1, 1, 2]


def test_block_means_keep_all_of_a_block_matrix_and_nothing_of_its_rest() -> None:
    rows, columns = np.array([0, 0, 1]), np.array([0, 1, 1, 1])
    m = np.array([[1.0, 4.0], [2.0, -3.0]])[rows][:, columns]
    np.testing.assert_allclose(block_means(m, rows, columns), m)
    assert r_squared(m, rows, columns) == pytest.approx(1.0)
    assert r_squared(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros(2, int), np.zeros(2, int)) == pytest.approx(0.0)


def test_trained_structure_is_kept_and_shuffled_weights_show_none() -> None:
    run, _ = planted()
    link = run.layers[2].links[0]
    kept = fidelity(run, 2, link, Moment(0, 0, "weight"))
    assert kept is not None
    assert kept.share > 0.5
    assert kept.shuffled < 0.6 * kept.share


def test_fidelity_is_of_linear_links_only_and_silent_without_gradients() -> None:
    run = bundled()
    conv = run.layer("conv2")
    assert fidelity(run, conv.index, conv.links[0], Moment(0, 0, "weight")) is None
    plain = mlp_run()
    assert fidelity(plain, 1, plain.layers[1].links[0], Moment(0, 0, "gradient")) is None
