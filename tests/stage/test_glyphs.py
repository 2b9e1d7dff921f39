"""Laws of special layers in a composed frame, on networks that real torch ran: what is drawn is what was computed."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from nn3d.extract.trace import capture
from nn3d.layout.recurrent import LOOP_HEIGHT
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.dump import dump_arrays
from nn3d.stage.frame import PART, Frame, StrandLayer, Text
from nn3d.stage.reference import control_points
from nn3d.stage.resident import Resident
from nn3d.stage.steps import StepsNeed, lane_cells
from tests.networks import SMALL


@cache
def opened(name: str) -> tuple[Run, Resident, Frame]:
    """A network with every group open."""
    run = capture(*SMALL[name]())
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.UnfoldAll(at_once=True))
    return run, resident, compose(run, state, resident=resident)


def between(frame: Frame, source: int, target: int) -> list[StrandLayer]:
    return [
        s for s in frame.strands if frame.tiles[s.source].layer == source and frame.tiles[s.target].layer == target
    ]


def bend(points: np.ndarray) -> float:
    """Largest distance in height of control points from the straight line between their ends."""
    t = (points[:, :, 0] - points[:, :1, 0]) / (points[:, -1:, 0] - points[:, :1, 0])
    line = points[:, :1, 1] * (1 - t) + points[:, -1:, 1] * t
    return float(np.abs(points[:, :, 1] - line).max())


def test_the_residual_stream_is_straight_with_one_strand_a_token_from_the_embedding_to_the_last_norm() -> None:
    run, _, frame = opened("gpt")
    sums = [layer for layer in run.layers if layer.op == "add"]
    assert len(sums) == 5
    for before, after in pairwise(sums):
        (stream,) = between(frame, before.index, after.index)
        points = control_points(frame, stream)
        assert (stream.path, stream.colour, len(points)) == ("stave", "identity", 9)
        assert bend(points) < 1e-9
        np.testing.assert_allclose(points[:, 0, 1], points[:, -1, 1])
        assert (np.diff(points[:, 0, 1]) < 0).all(), "row is token, downward"


def test_blocks_are_detours_above_the_stream() -> None:
    run, _, frame = opened("gpt")
    stream = {layer.index for layer in run.layers if layer.op == "add"}
    top = max(t.y + t.block_half[0] for t in frame.tiles if t.layer in stream)
    blocks = [t for t in frame.tiles if run.layers[t.layer].module.startswith("h.") and t.layer not in stream]
    assert len(blocks) == 20
    assert all(t.y - t.block_half[0] > top for t in blocks)


def test_attention_is_a_grid_of_heads_whose_rows_sum_to_one() -> None:
    run, _, frame = opened("gpt")
    found = [t for t in frame.tiles if run.layers[t.layer].op == "attention"]
    assert len(found) == 2
    for tile in found:
        assert tile.values is not None
        cells = tile.values[0].cells
        assert cells.shape == (4, 9, 9)
        np.testing.assert_allclose(cells.sum(-1), 1.0, atol=1e-5)
        assert np.triu(cells[0], 1).max() == 0.0, "row is query, column is key: nothing looks ahead"
    said = [m.text for m in frame.marks if isinstance(m, Text)]
    assert [said.count(letter) for letter in "QKV"] == [2, 2, 2]


def test_words_stand_right_aligned_left_of_their_rows() -> None:
    run, _, frame = opened("gpt")
    ids = [f"{v:.0f}" for v in run.values(run.layers[0].shown, 0, 0, 0)]
    tile = frame.tiles[0]
    top, low = (tile.y + tile.block_half[0] * k for k in (1, -1))
    rows = [(tile.x, top + (low - top) * (k + 0.5) / len(ids), -tile.block_half[1]) for k in range(len(ids))]
    edges = frame.view.project(np.array(rows), frame.state.size_px)
    words = [m for m in frame.marks if isinstance(m, Text) and m.anchor == "rm" and m.text in ids and m.size_px < 12]
    words.sort(key=lambda m: m.y)
    assert [m.text for m in words] == ids, "every token is named, in order"
    middle = edges[:, 1].mean()
    for word, edge in zip(words, edges, strict=True):
        assert 0.0 < edge[0] - word.x < 45.0
        assert abs(word.y - middle) >= abs(edge[1] - middle) - 1.0, "where rows are low, words fan out from them"


def test_the_bus_of_a_dense_block_carries_exactly_what_is_copied() -> None:
    run, resident, frame = opened("densenet")
    buses = [k for k in resident.plan.links if k.link.argument.startswith("tensors[:")]
    assert len(buses) == 5
    for link in buses:
        source, target = (run.layers[i] for i in (link.source, link.target))
        held = run.values(source.nodes[0], 0, 0, 0)
        copied = run.values(target.nodes[0], 0, 0, 0)[: len(held)]
        np.testing.assert_array_equal(copied, held)
        (drawn,) = between(frame, link.source, link.target)
        assert (drawn.path, drawn.colour) == ("stave", "identity")


def test_the_links_of_a_dense_network_grow_with_its_layers() -> None:
    run, _, frame = opened("densenet")
    assert len(frame.strands) <= 2 * len(run.layers)


def test_skips_of_a_u_are_straight_staves_at_their_own_level() -> None:
    run, resident, frame = opened("unet")
    levels = resident.plan.topology.levels
    assert levels is not None
    for source, target in levels.skip:
        (skip,) = between(frame, int(source), int(target))
        assert (skip.path, skip.colour) == ("stave", "identity")
        assert run.layers[source].shape[1:] == run.layers[target].shape[1:]
        points = control_points(frame, skip)
        assert bend(points) < 1e-9
        assert points[:, -1, 1].mean() == pytest.approx(points[:, 0, 1].mean(), abs=1e-5)
    assert not [s for s in frame.strands if s.path == "arc"]


@pytest.mark.parametrize("name", ["lstm", "lstm_both"])
def test_plates_of_a_recurrent_layer_obey_its_equations(name: str) -> None:
    run, _, frame = opened(name)
    layer = next(la for la in run.layers if la.op == "lstm")
    plates = [t for t in frame.tiles if t.layer in (layer.index, PART + layer.index)]
    cells = [t.values[0].cells.astype(np.float64) for t in plates if t.values is not None]
    assert len(cells) == len(plates) > 0
    for gates, signed, c_cells, h_cells in zip(*(cells[k::4] for k in range(4)), strict=True):
        lanes = len(c_cells)
        i, f, o = np.swapaxes(gates.reshape(lanes, 3, *gates.shape[1:]), 0, 1)
        assert 0.0 <= gates.min() <= gates.max() <= 1.0
        np.testing.assert_allclose(h_cells, o * np.tanh(c_cells), atol=1e-5)
        for d in range(lanes):
            order = slice(None) if d == 0 else slice(None, None, -1)
            now, update, forget = c_cells[d][order], (i * signed)[d][order], f[d][order]
            np.testing.assert_allclose(now[0], update[0], atol=1e-5)
            np.testing.assert_allclose(now[1:], forget[1:] * now[:-1] + update[1:], atol=1e-5)
    assert all(t.gain == (1.0, 1.0) and t.power == 1.0 and t.lut == "seq" for t in plates[::4]), "true scale"


def test_a_recurrence_has_one_strand_a_step_against_the_flow_outside_of_its_lane() -> None:
    _, resident, frame = opened("lstm_both")
    loops = [s for s in frame.strands if s.path == "loop"]
    assert len(loops) == 4
    for loop in loops:
        source, target = frame.tiles[loop.source], frame.tiles[loop.target]
        points = control_points(frame, loop)
        assert source.x > target.x
        assert len(points) == 7
        sign = 1.0 if loop.apex > source.y else -1.0
        edge = source.y + sign * source.block_half[0]
        assert sign * (loop.apex - edge) == pytest.approx(LOOP_HEIGHT)
        assert (sign * (points[:, :, 1] - edge) >= -1e-9).all()
    need = StepsNeed(next(p.layer.index for p in resident.plan.layers if p.recurrent), 0, 0)
    steps = resident.steps(need)
    assert steps is not None
    assert (np.abs(steps.through_state[..., 0]) <= steps.through_state[..., 1] + 1e-9).all()
    assert steps.through_state[..., 1].min() > 0


def test_the_sums_of_a_step_are_those_of_its_weights() -> None:
    run, resident, _ = opened("lstm")
    layer = next(la for la in run.layers if la.op == "lstm")
    steps = resident.steps(StepsNeed(layer.index, 0, 0))
    assert steps is not None
    node, link = run.node(layer.shown), layer.links[0]
    x = run.values(link.node, link.output, 0, 0).astype(np.float64)
    w = run.parameter(node.parameters["weight_ih_l0"], 0).astype(np.float64)
    products = x[:, None, :] * w[None]
    np.testing.assert_allclose(steps.through_input[0, 0, 0, :, 0], products.sum((1, 2)), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(steps.through_input[0, 0, 0, :, 1], np.abs(products).sum((1, 2)), rtol=1e-6)


@pytest.mark.parametrize("name", ["gpt", "unet", "densenet", "lstm_both", "vit", "googlenet"])
def test_no_plate_covers_another(name: str) -> None:
    _, _, frame = opened(name)
    places = {(t.x, t.y): t.block_half for t in frame.tiles}
    at = np.array(list(places))
    half = np.array(list(places.values()))
    yaw = frame.state.camera.yaw_rad
    apart_x = np.abs(at[:, None, 0] - at[:, 0]) >= (half[:, None, 1] + half[:, 1]) / np.tan(yaw) - 1e-6
    apart_y = np.abs(at[:, None, 1] - at[:, 1]) >= half[:, None, 0] + half[:, 0] - 1e-6
    assert (apart_x | apart_y | np.eye(len(at), dtype=bool)).all()


def test_the_bars_are_the_softmax_of_the_last_row_strongest_first() -> None:
    run, _, frame = opened("gpt")
    logits = run.values(run.layers[-1].shown, 0, 0, 0)[-1].astype(np.float64)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = np.argsort(-shares)[:8]
    said = {m.text for m in frame.marks if isinstance(m, Text)}
    assert any(text.startswith("top 8 of 40, softmax of the stored logits") for text in said)
    assert {f"{100 * share:.1f} %" for share in shares[best] if share >= 0.001} <= said
    assert {str(k) for k in best} <= said


@pytest.mark.parametrize("name", ["gpt", "unet", "lstm_both"])
def test_a_dump_tells_every_stave_and_every_recurrence(name: str) -> None:
    run, _, frame = opened(name)
    arrays = dump_arrays(run, frame)
    drawn = [s for s in frame.strands if s.path in ("stave", "loop")]
    assert len(arrays["row_path"]) == sum(len(s.strands) for s in drawn) > 0
    np.testing.assert_allclose(
        arrays["row_control"], np.concatenate([control_points(frame, s) for s in drawn]), rtol=1e-6, atol=1e-5
    )
    assert set(np.unique(arrays["tile_layer"])) == set(range(len(run.layers)))
    ends = {(frame.tiles[s.source].layer % PART, frame.tiles[s.target].layer % PART) for s in drawn}
    assert {(int(a), int(b)) for a, b in zip(arrays["row_source"], arrays["row_target"], strict=True)} == ends


@pytest.mark.parametrize("directions", [1, 2])
def test_a_sequence_shows_the_same_whichever_axis_its_directions_are_on(directions: int) -> None:
    """Side by side, as torch gives them, or on an axis of their own, as ONNX does."""
    rows = np.arange(3 * directions * 4, dtype=np.float32).reshape(3, directions * 4)
    np.testing.assert_array_equal(lane_cells(rows, directions), lane_cells(rows.reshape(3, directions, 4), directions))
    assert lane_cells(rows, directions).shape == (directions, 3, 4)
