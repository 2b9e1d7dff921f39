"""Laws of comparison: every figure is numpy's, partners are found by name and then by shape, nothing big is formed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nn3d.analysis import amounts as amounts_module
from nn3d.analysis.amounts import Amounts, Moment, WholeAmounts, amounts_of
from nn3d.analysis.comparison import change, difference
from nn3d.analysis.comparison.difference import Difference, Gap
from nn3d.analysis.comparison.report import difference_report
from nn3d.analysis.contribution import trunk_sums, weighted_link
from nn3d.analysis.wiring import wiring
from nn3d.layout.arrange import fold
from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run
from nn3d.run.statistics import parameter_vector
from tests.runs import bundled, conv_run, mlp_run


def values_of(run: Run, name: str, epoch: int) -> np.ndarray:
    return np.asarray(run.activations(name, epoch), np.float64)


def softmax(v: np.ndarray) -> np.ndarray:
    e = np.exp(v - v.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def test_listed_changes_of_the_bundled_run_are_numpys() -> None:
    run = bundled()
    report = difference_report(Difference(run, run, 0), 10)
    by_name = {p.name: p.change for p in report.parameters}
    assert set(by_name) == set(run.parameters)
    for name in run.parameters:
        a, b = (np.asarray(run.weights(name, e), np.float64) for e in (0, 10))
        found = by_name[name]
        assert found.length == pytest.approx(np.linalg.norm(b - a))
        assert found.before == pytest.approx(np.linalg.norm(a))
        assert found.largest == pytest.approx(np.abs(b - a).max())
    for line in report.layers:
        if line.values is None:
            continue
        a, b = (values_of(run, line.name, e) for e in (0, 10))
        assert line.values.mean_abs == pytest.approx(np.abs(b - a).mean(), rel=1e-6)
        assert line.values.cosine == pytest.approx((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-6)
    shares = [softmax(values_of(run, run.layers[-1].name, e)) for e in (0, 10)]
    for s in report.samples:
        assert (s.before, s.after) == tuple(int(p[s.sample].argmax()) for p in shares)
        before, after = (float(p[s.sample, run.samples[s.sample].label]) for p in shares)
        assert (s.share_before, s.share_after) == pytest.approx((before, after))


def test_filters_are_listed_most_changed_first_and_all_of_them() -> None:
    run = bundled()
    report = difference_report(Difference(run, run, 0), 10)
    assert len(report.filters) == 6 + 16 + 120 + 84 + 10
    shares = [f.change.relative for f in report.filters if f.change.relative is not None]
    assert all(x >= y for x, y in pairwise(shares))
    first = report.filters[0]
    a, b = (np.asarray(run.weights(first.parameter, e), np.float64)[first.row] for e in (0, 10))
    assert first.change.relative == pytest.approx(np.linalg.norm(b - a) / np.linalg.norm(a))


def test_slices_give_the_same_figures_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 5, 3)), rng.normal(size=(7, 5, 3))
    b[2, 1, 0], a[4, 0, 0] = np.nan, np.inf
    whole = change.rows_changed(b, a)
    for size in (1, 4, 16, 40):
        monkeypatch.setattr(change, "SLICE_VALUES", size)
        part = change.rows_changed(b, a)
        assert np.allclose(part.change, whole.change)
        assert np.allclose(part.before, whole.before)
        assert np.array_equal(part.largest, whole.largest)
        assert part.n_odd == whole.n_odd == 2


def renamed(run: Run, names: dict[str, str]) -> Run:
    """The same arrays under other names of nodes and parameters."""
    graph = run.graph
    nodes = tuple(replace(n, name=names.get(n.name, n.name), module="") for n in graph.nodes)
    parameters = tuple(
        replace(p, name=".".join([names.get(p.name.split(".")[0], p.name.split(".")[0]), *p.name.split(".")[1:]]))
        for p in graph.parameters
    )
    return Run(run.store, replace(run.header, graph=replace(graph, nodes=nodes, parameters=parameters)))


def test_layers_belong_together_by_name_and_where_names_differ_by_shape() -> None:
    run = mlp_run((5, 7, 7, 4))
    other = renamed(run, {"fc1": "second"})
    found = Difference(other, run, 0)
    assert {run.layers[p.before].name: p.how for p in found.matching.pairs} == {
        "input": "name", "fc0": "name", "fc1": "shape", "fc2": "name",
    }  # fmt: skip
    assert not found.alone
    report = difference_report(found, 1)
    moved = {line.name: line.weights for line in report.layers}["second"]
    a, b = (np.asarray(run.weights("fc1.weight", e), np.float64) for e in (0, 1))
    assert moved is not None
    assert moved.length == pytest.approx(np.linalg.norm(b - a))


def test_what_has_no_partner_is_named_and_everything_else_is_compared() -> None:
    a, b = mlp_run((5, 7, 4)), mlp_run((5, 7, 6, 4))
    found = Difference(b, a, 0)
    report = difference_report(found, 0)
    assert {name for name, _ in report.alone_after} == {"fc1", "fc2"}
    assert dict(report.alone_after)["fc1"] == "shape 6 against 4"
    assert {name for name, _ in report.alone_before} == {"fc1"}
    assert {line.name for line in report.layers} == {"input", "fc0"}


def test_the_difference_of_a_run_with_itself_is_zero_everywhere() -> None:
    run = bundled()
    found = Difference(run, run, 4)
    for layer in run.layers[1:]:
        assert not found.values(layer.shown, layer.shown_output, 4, 3).any()
    assert all(p.change.length == 0.0 for p in difference_report(found, 4).parameters)
    assert np.array_equal(found.values(run.layers[0].shown, 0, 4, 3), run.values(run.layers[0].shown, 0, 4, 3))


def test_a_gap_reads_only_what_is_asked_for() -> None:
    class Once:
        """An array that remembers how many values were read."""

        def __init__(self, data: np.ndarray) -> None:
            self.data, self.shape, self.ndim, self.size, self.read = data, data.shape, data.ndim, data.size, 0

        def __getitem__(self, at: Any) -> np.ndarray:
            part = np.asarray(self.data[at])
            self.read += part.size
            return part

    rng = np.random.default_rng(1)
    a, b = (Once(rng.normal(size=(60, 50))) for _ in range(2))
    gap = Gap(b, a)  # type: ignore[arg-type]
    assert np.allclose(gap[3:5], b.data[3:5] - a.data[3:5])
    assert a.read == b.read == 100


def test_statistics_of_a_gap_are_those_of_the_difference() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=(9, 4, 3)).astype(np.float32) for _ in range(2))
    assert np.allclose(parameter_vector(Gap(b, a)), parameter_vector(b - a))  # type: ignore[arg-type]


def both(run: Run, layer: int, mode: str, *, level: str = "kernels") -> tuple[Amounts, np.ndarray]:
    """Amounts of the difference of epoch 1 and 0, and the same formed the long way."""
    target = run.layers[layer]
    link = weighted_link(run, layer, target.links[0])
    assert link is not None
    source = run.layers[target.links[0].source]
    wires = wiring(link, fold(source.shape, source.axes), fold(target.shape, target.axes), False)
    assert wires is not None
    found = amounts_of(Difference(run, run, 0), wires, level, Moment(1, 1, mode))
    sides = [amounts_of(run, wires, level, Moment(e, 1, mode)) for e in (1, 0)]
    every = np.arange(wires.n_edges(level))
    assert found is not None
    return found, sides[0].at(every) - sides[1].at(every)  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["weight", "contribution"])
def test_an_edge_of_a_difference_is_the_difference_of_the_edges(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = mlp_run((40, 30, 20))
    found, expected = both(run, 1, mode)
    assert isinstance(found, WholeAmounts)
    assert np.allclose(found.values, expected, atol=1e-6)
    monkeypatch.setattr(amounts_module, "LARGE_EDGES", 10)
    monkeypatch.setattr(amounts_module, "PIECE", 97)
    monkeypatch.setattr(difference, "WHOLE_VALUES", 10)
    large, _ = both(run, 1, mode)
    assert isinstance(large, amounts_module.LargeDifference)
    assert np.allclose(large.at(np.arange(expected.size)), expected, atol=1e-6)
    assert large.signs == pytest.approx((expected[expected > 0].sum(), -expected[expected < 0].sum()), rel=1e-5)
    picked = large.pick("top", 25)
    assert set(picked.index) == set(np.argsort(-np.abs(expected))[:25])
    drawn = large.pick("sampled", 300)
    assert drawn.index.size > 100
    assert np.all(drawn.stands >= np.abs(expected[drawn.index]) * (1 - 1e-5))


def test_products_of_a_convolution_are_subtracted_cell_by_cell() -> None:
    found, expected = both(conv_run(), 1, "contribution", level="all")
    assert np.allclose(found.at(np.arange(expected.size)), expected, atol=1e-6)


def test_a_rope_of_a_difference_carries_the_sums_of_its_edges() -> None:
    for run in (mlp_run((6, 9, 5)), conv_run(groups=1), conv_run(channels=(4, 4), groups=2)):
        link = weighted_link(run, 1, run.layers[1].links[0])
        assert link is not None
        for mode, sample in (("weight", None), ("contribution", 1)):
            _, expected = both(run, 1, mode)
            up, down = trunk_sums(Difference(run, run, 0), link, 1, sample)
            assert up == pytest.approx(expected[expected > 0].sum(), rel=1e-4)
            assert down == pytest.approx(-expected[expected < 0].sum(), rel=1e-4)


def test_other_inputs_are_noticed_and_predictions_then_left_out() -> None:
    a, b = mlp_run(seed=1), mlp_run(seed=2)
    found = Difference(b, a, 0)
    assert not found.is_same_input
    assert not difference_report(found, 0).samples


def test_a_weight_that_was_nothing_has_no_relative_change() -> None:
    zero, one = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    layers: list[dict[str, object]] = [
        {"name": "input", "op": "input"},
        {"name": "fc", "op": "linear", "parameters": {"weight": [zero, one]}},
    ]
    x = np.ones((1, 3), np.float32)
    run = run_from_arrays(layers, {"input": [x, x], "fc": [x @ zero.T, x @ one.T]}, model="from nothing")
    report = difference_report(Difference(run, run, 0), 1)
    assert report.parameters[0].change.relative is None
    assert report.parameters[0].change.length == pytest.approx(6**0.5)


def test_runs_without_samples_are_not_said_to_have_other_inputs() -> None:
    run, other = mlp_run(seed=1), mlp_run(seed=2)
    bare = [Run(r.store, replace(r.header, samples=())) for r in (run, other)]
    assert Difference(bare[0], bare[1], 0).is_same_input
    report = difference_report(Difference(bare[0], bare[1], 0), 1)
    assert not report.samples
    assert all(line.values is None for line in report.layers)
    assert [p.name for p in report.parameters]
