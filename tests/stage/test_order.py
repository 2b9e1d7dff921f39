"""Laws of the order by flow in the picture: what moves, what stays, and the way there and back."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from nn3d.run.run import Run
from nn3d.stage.commands import Advance, Command, SetOrder, apply, from_json, to_json
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.ordering import orders_of
from nn3d.stage.reference import control_points, tile_places
from nn3d.stage.resident import Resident
from tests.runs import bundled, mlp_run


def frames(run: Run, *steps: list[Command]) -> list[Frame]:
    """A frame after each list of commands."""
    resident = Resident(run)
    state = initial_state(run, resident)
    out = []
    for commands in steps:
        for command in commands:
            state = apply(state, command)
        out.append(compose(run, state, resident=resident))
    return out


FLOW, INDEX = SetOrder("flow", at_once=True), SetOrder("index", at_once=True)


def test_classes_and_pictures_stay_and_layers_joined_one_to_one_move_together() -> None:
    run = bundled()
    plan = Resident(run).plan
    orders = orders_of(run, plan)
    names = {plan.layers[k].layer.name: place for k, place in orders.places.items()}
    assert {"conv2", "fc1", "fc2"} <= set(names)
    assert not {"input", "fc3"} & set(names)
    assert np.array_equal(names["conv2"], names["pool2"])
    assert np.array_equal(names["conv1"], names["pool1"])
    assert orders.after < 0.69 * orders.before


def test_order_by_flow_moves_tiles_within_their_own_slots() -> None:
    index, flow = frames(bundled(), [], [FLOW])
    moved = 0
    for a, b in zip(index.tiles, flow.tiles, strict=True):
        (before, half), (after, half_after) = tile_places(a), tile_places(b)
        assert np.array_equal(half, half_after)
        order = [np.lexsort(c.T) for c in (before, after)]
        assert np.allclose(before[order[0]], after[order[1]], atol=1e-6)
        moved += int((np.abs(before - after).max(1) > 1e-6).sum())
    assert moved > 100


def test_strands_keep_their_weights_and_end_on_their_own_tiles_in_any_order() -> None:
    index, flow = frames(mlp_run((6, 9, 8, 4)), [], [FLOW])
    for a, b in zip(index.strands, flow.strands, strict=True):
        ends = [dict(zip(s.weight_index.tolist(), s.weight.tolist(), strict=True)) for s in (a, b)]
        assert ends[0] == ends[1]
        centres, halves = tile_places(flow.tiles[b.target])
        tile = b.strands["tiles"][b.n_trunk :, 1]
        last = control_points(flow, b)[b.n_trunk :, -1]
        assert (np.abs(last - centres[tile])[:, 1:] <= halves[tile] + 1e-4).all()


def test_toggling_back_restores_the_index_order_exactly() -> None:
    index, _, back = frames(bundled(), [], [FLOW], [INDEX])
    for a, b in zip(index.tiles, back.tiles, strict=True):
        assert a.key == b.key
        assert np.array_equal(a.table, b.table)
    assert [s.shape_key for s in index.strands] == [s.shape_key for s in back.strands]
    assert replace(index.state, order_blend=1.0) == back.state


def test_the_way_to_flow_is_continuous_and_can_turn_round() -> None:
    steps: list[list[Command]] = [[], [SetOrder("flow")], *([Advance(0.02)] for _ in range(4)), [SetOrder("index")]]
    seen = frames(mlp_run((6, 9, 8, 4)), *steps)
    places = [np.concatenate([tile_places(t)[0] for t in f.tiles]) for f in seen]
    jumps = [float(np.abs(b - a).max()) for a, b in pairwise(places)]
    assert jumps[0] == 0.0
    assert max(jumps) < 1.0
    assert jumps[-1] < 1e-5
    grows = [sum(s.grow for s in f.strands) for f in seen]
    assert np.allclose(grows, grows[0])


def test_set_order_survives_json() -> None:
    assert from_json(to_json(SetOrder("flow", at_once=True))) == SetOrder("flow", at_once=True)
