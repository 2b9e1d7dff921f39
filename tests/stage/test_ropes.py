"""Laws of ropes between clusters: strands add up to the matrix, block by block and neuron by neuron."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.analysis import amounts
from nn3d.analysis.amounts import Moment, WholeAmounts, amounts_of
from nn3d.analysis.clusters import clusters_of
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.links import choose_strands
from nn3d.stage.resident import Resident
from nn3d.stage.strands import StrandHistory, StrandsNeed
from tests.runs import bundled

RESIDENT = Resident(bundled())
LINK = next(k for k in RESIDENT.plan.links if k.target == bundled().layer("fc2").index)
NEED = StrandsNeed(LINK.index, (3, 4), 1, "contribution", "maps", "sampled", 900, single=True)


def made() -> StrandHistory:
    found = choose_strands(bundled(), RESIDENT.plan, NEED)
    assert isinstance(found, StrandHistory)
    return found


def matrix(epoch: int) -> np.ndarray:
    assert LINK.wiring is not None
    found = amounts_of(bundled(), LINK.wiring, "kernels", Moment(epoch, 1, "contribution"))
    assert isinstance(found, WholeAmounts)
    return found.values.reshape(84, 120).astype(np.float64)


@pytest.mark.parametrize("epoch", [3, 4])
def test_strands_of_ropes_add_up_to_every_block_of_the_matrix(epoch: int) -> None:
    history, m = made(), matrix(epoch)
    source, target = clusters_of(bundled(), LINK.source, 120), clusters_of(bundled(), LINK.target, 84)
    rows = history.table.strands[history.table.n_trunk :]
    looks = history.looks[epoch]
    k = 16 * rows["clusters"][:, 1] + rows["clusters"][:, 0]
    for sign, part in ((1.0, np.maximum(m, 0)), (-1.0, np.maximum(-m, 0))):
        here = np.sign(looks.amount) == sign
        want = np.bincount((16 * target[:, None] + source[None]).ravel(), part.ravel(), 256)
        np.testing.assert_allclose(np.bincount(k[here], looks.weight[here], 256), want, rtol=1e-4, atol=1e-3)


def test_strands_end_on_members_of_their_clusters_by_share() -> None:
    history = made()
    source, target = clusters_of(bundled(), LINK.source, 120), clusters_of(bundled(), LINK.target, 84)
    rows = history.table.strands[history.table.n_trunk :]
    assert np.array_equal(source[rows["tiles"][:, 0]], rows["clusters"][:, 0])
    assert np.array_equal(target[rows["tiles"][:, 1]], rows["clusters"][:, 1])
    looks = history.looks[3]
    m = np.abs(matrix(3))
    for axis, tile in ((0, rows["tiles"][:, 0]), (1, rows["tiles"][:, 1])):
        got, want = np.bincount(tile, looks.weight, m.shape[1 - axis]), m.sum(axis)
        assert np.corrcoef(got, want)[0, 1] > 0.9


def test_ropes_keep_their_geometry_from_epoch_to_epoch() -> None:
    state = initial_state(bundled(), RESIDENT)
    state = c.apply(state, c.SetLevel("maps", at_once=True))
    frames = [compose(bundled(), c.apply(state, c.SetEpoch(e, at_once=True)), resident=RESIDENT) for e in (4.5, 5.5)]
    for a, b in zip(frames[0].strands, frames[1].strands, strict=True):
        assert a.shape_key == b.shape_key
        np.testing.assert_array_equal(a.strands["area"][:, 1], b.strands["area"][:, 0])
        np.testing.assert_array_equal(a.strands["spread"], b.strands["spread"])


def test_ropes_of_a_big_matrix_are_estimated_from_drawn_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = made().looks[3]
    monkeypatch.setattr(amounts, "LARGE_EDGES", 1000)
    found = made().looks[3]
    assert float(found.weight.sum()) == pytest.approx(float(exact.weight.sum()), rel=0.1)
