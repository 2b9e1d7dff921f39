"""Laws of amounts: big matrices are sampled without bias, columns first, and only drawn columns are touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nn3d.analysis import amounts as module
from nn3d.analysis import sampling
from nn3d.analysis.amounts import LargeAmounts, Moment, WholeAmounts, amounts_of
from nn3d.analysis.contribution import weighted_link
from nn3d.analysis.wiring import wiring
from nn3d.layout.arrange import fold
from nn3d.run.memory import run_from_arrays
from tests.runs import bundled, conv_run, mlp_run


def large(matrix: np.ndarray, by_column: np.ndarray | None = None) -> LargeAmounts:
    factor = np.ones(matrix.shape[1], np.float32) if by_column is None else by_column
    c = matrix * factor
    mass = np.abs(c).sum(0).astype(np.float32)
    return LargeAmounts(matrix, by_column, None, mass, (float(c[c > 0].sum()), float(-c[c < 0].sum())))


class Spy:
    """A matrix that remembers which columns were asked for."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.columns = data, data.shape, set[int]()

    def __getitem__(self, key: Any) -> np.ndarray:
        whole = isinstance(key, slice) or not isinstance(key, tuple)
        self.columns |= set(range(self.shape[1])) if whole else set(np.ravel(key[1]).tolist())
        return np.asarray(self.data[key])


def test_columns_first_is_unbiased_for_the_mass_of_every_block() -> None:
    rng = np.random.default_rng(3)
    w = rng.lognormal(sigma=1.2, size=(60, 800)).astype(np.float32)
    a = np.maximum(rng.normal(size=800), 0).astype(np.float32)
    block = (np.arange(60) // 20)[:, None] * 4 + np.arange(800)[None] // 200
    true = np.bincount(block.ravel(), np.abs(w * a).ravel())
    sums = []
    for _ in range(150):
        rows, cols = rng.permutation(60), rng.permutation(800)
        chosen = large(w[rows][:, cols], a[cols]).pick("sampled", 200)
        where = block[rows][:, cols].ravel()[chosen.index]
        sums.append(np.bincount(where, chosen.stands, true.size))
    spread = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.abs(np.mean(sums, axis=0) - true) < 4.5 * spread).all()


def test_only_the_drawn_columns_are_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COLUMNS", 40)
    rng = np.random.default_rng(0)
    whole = large(rng.normal(size=(50, 5000)).astype(np.float32))
    spy = Spy(np.asarray(whole.matrix))
    chosen = LargeAmounts(spy, None, None, whole.mass, whole.signs).pick("sampled", 300)  # type: ignore[arg-type]
    assert set((chosen.index % 5000).tolist()) <= spy.columns
    assert 0 < len(spy.columns) < 80
    assert abs(chosen.index.size - 300) < 5 * np.sqrt(300)


def test_columns_first_keeps_its_strands_when_weights_hardly_change() -> None:
    rng = np.random.default_rng(1)
    w = rng.normal(size=(100, 3000)).astype(np.float32)
    before, after = (large(m).pick("sampled", 500).index for m in (w, w * (1 + 0.01 * rng.normal(size=w.shape))))
    assert np.intersect1d(before, after).size > 0.9 * before.size


def test_the_strongest_of_a_big_matrix_are_found_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 1000)
    c = np.random.default_rng(2).normal(size=(77, 130)).astype(np.float32)
    found, whole = large(c).pick("top", 91), sampling.top(c, 91)
    assert np.array_equal(found.index, whole.index)
    np.testing.assert_allclose(found.stands, whole.stands)
    assert found.share == pytest.approx(whole.share, rel=1e-5)


@pytest.mark.parametrize("mode", ["weight", "contribution"])
def test_a_run_with_a_big_matrix_is_read_columns_first(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    run = bundled()
    wires = wires_of(run, run.layer("fc1").index)
    whole = amounts_of(run, wires, "kernels", Moment(3, 1, mode))
    monkeypatch.setattr(module, "LARGE_EDGES", 1000)
    big = amounts_of(run, wires, "kernels", Moment(3, 1, mode))
    assert isinstance(whole, WholeAmounts)
    assert isinstance(big, LargeAmounts)
    np.testing.assert_allclose(big.signs, whole.signs, rtol=2e-3)
    every = np.arange(wires.n_edges("kernels"))
    np.testing.assert_allclose(big.at(every), whole.values, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(big.mass, np.abs(whole.values.reshape(120, 400)).sum(0), rtol=2e-3, atol=1e-4)


def wires_of(run: Any, target: int) -> Any:
    layer = run.layers[target]
    source = run.layers[layer.links[0].source]
    link = weighted_link(run, target, layer.links[0])
    assert link is not None
    return wiring(link, fold(source.shape, source.axes), fold(layer.shape, layer.axes), False)


@pytest.mark.parametrize("level", ["kernels", "maps", "all"])
def test_gradient_mode_of_a_convolution_is_the_effect_of_each_edge_on_the_loss(level: str) -> None:
    """With loss = ½Σz², ∂L/∂z = z: the sum of all edges' effects is Σ z·z (there is no bias)."""
    plain = conv_run(channels=(2, 4), kernel=3, stride=2, groups=1)
    z = np.asarray(plain.activations("conv", 0))
    run = with_gradient(plain, z)
    found = amounts_of(run, wires_of(run, 1), level, Moment(0, 1, "gradient"))
    assert found is not None
    every = found.at(np.arange(wires_of(run, 1).n_edges(level)))
    assert every.sum(dtype=np.float64) == pytest.approx(float((z[1].astype(np.float64) ** 2).sum()), rel=1e-4)


def with_gradient(plain: Any, z: np.ndarray) -> Any:
    class Known(type(plain)):  # type: ignore[misc]
        def activation_gradient(self, node: int, output: int, epoch: int, sample: int) -> Any:
            return z[sample]

    plain.__class__ = Known
    return plain


def test_gradient_mode_is_none_where_nothing_was_recorded() -> None:
    run = mlp_run()
    assert amounts_of(run, wires_of(run, 1), "kernels", Moment(0, 0, "gradient")) is None


def test_a_recorded_gradient_of_the_weight_is_used_where_values_have_none() -> None:
    w = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)
    run = run_from_arrays(
        [{"name": "input", "op": "input"}, {"name": "fc", "op": "linear", "parameters": {"weight": [w]}}],
        {"input": [np.ones((1, 2), np.float32)], "fc": [np.ones((1, 2), np.float32)]},
    )
    run.parameter_gradient = lambda parameter, epoch: np.full((2, 2), 0.5)  # type: ignore[method-assign]
    found = amounts_of(run, wires_of(run, 1), "kernels", Moment(0, 0, "gradient"))
    assert found is not None
    assert found.at(np.arange(4)).tolist() == [0.5, -1.0, 1.5, 2.0]
