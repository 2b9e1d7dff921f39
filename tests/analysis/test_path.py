"""Laws of the bright path: hops are terms of the cells they join, strongest first; shares never exceed the whole."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.analysis.explain import explain
from nn3d.analysis.path import WIDEST, path_of
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from tests.runs import bundled, conv_run


@pytest.mark.parametrize("name", sorted(bundled_runs()))
def test_every_hop_is_a_term_of_the_cell_that_it_reaches(name: str, rng: np.random.Generator) -> None:
    run = open_run(bundled_runs()[name])
    last = len(run.epochs) - 1
    inner = [layer for layer in run.layers if layer.links and layer.shape]
    n_checked = 0
    for layer in [inner[k] for k in rng.choice(len(inner), min(3, len(inner)), replace=False)]:
        cell = tuple(int(rng.integers(n)) for n in layer.shape)
        path = path_of(run, layer.index, cell, 2, epoch=last, sample=0)
        for hop in path.hops[::3]:
            target, source = run.layers[hop.target[0]], run.layers[hop.source[0]]
            at = tuple(int(i) for i in np.unravel_index(hop.target[1], target.shape))
            found = explain(run, target.index, at, epoch=last, node=target.shown)
            want = [int(i) for i in np.unravel_index(hop.source[1], source.shape)]
            terms = [
                float(found.products[i])
                for i in range(len(found.products))
                if found.sources[found.source[i]] == source.name
                and [int(k) for k in found.cells[i] if k >= 0] == want
            ]
            assert any(t == pytest.approx(hop.amount, rel=0.02, abs=1e-2 * max(map(abs, terms))) for t in terms)
            n_checked += 1
    assert n_checked


def test_shares_of_a_step_are_parts_of_the_step_before() -> None:
    run = bundled()
    path = path_of(run, run.layer("fc3").index, (3,), 5, epoch=10, sample=0)
    back = {step: share for step, share in path.covered if step < 0}
    assert list(back) == [-1, -2, -3, -4, -5]
    assert 1.0 >= back[-1] >= back[-2] >= back[-5] > 0.0
    for step, _ in path.covered:
        hops = [h for h in path.hops if h.step == step]
        assert len(hops) <= WIDEST
        assert [h.share for h in hops] == sorted((h.share for h in hops), reverse=True)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 1, 1, 1), (2, 0, 1, 2), (1, 2, 2, 1)])
def test_onward_through_a_convolution_are_the_outputs_that_meet_the_cell(
    stride: int, padding: int, dilation: int, groups: int
) -> None:
    run = conv_run(channels=(4, 4), size=7, stride=stride, padding=padding, dilation=dilation, groups=groups)
    x, w = run.values(0, 0, 1, 0), run.parameter(run.layers[1].weight or 0, 1)
    cell = (3, 4, 2)
    path = path_of(run, 0, cell, 1, epoch=1, sample=0)
    out = run.layers[1].shape
    want = np.zeros(out)
    for o, r, k in np.ndindex(*out):
        first = o // (4 // groups) * (4 // groups)
        at = (cell[1] + padding - r * stride, cell[2] + padding - k * stride)
        ky, kx = at[0] // dilation, at[1] // dilation
        if all(v % dilation == 0 and 0 <= v // dilation < 3 for v in at) and first <= cell[0] < first + 4 // groups:
            want[o, r, k] = x[cell] * w[o, cell[0] - first, ky, kx]
    top = np.sort(np.abs(want).ravel())[::-1][: len(path.hops)]
    np.testing.assert_allclose([abs(h.amount) for h in path.hops], top, rtol=1e-5)
    for hop in path.hops:
        assert hop.amount == pytest.approx(want.ravel()[hop.target[1]], rel=1e-5)
    assert sum(h.share for h in path.hops) == pytest.approx(top.sum() / np.abs(want).sum(), rel=1e-5)
