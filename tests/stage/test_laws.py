"""Laws that hold for the composed frame of any network in any moment, on random small graphs."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage import state as views
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.reference import control_points, half_thickness, opened, tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from tests.conftest import SEED, SOAK
from tests.graphs import runs
from tests.runs import mlp_run

N = 300 if SOAK else 12
pytestmark = pytest.mark.soak


def law(*given_: Any, examples: int = N) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property with the numbers of `make test` or of `make soak`, repeatable by NN3D_SEED."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

    def wrap(test: Callable[..., None]) -> Callable[..., None]:
        return seed(SEED)(settings(max_examples=examples, suppress_health_check=slow)(given(*given_)(test)))

    return wrap


def layer_numbers() -> st.SearchStrategy[int]:
    """Numbers that `played` takes modulo the layers there are."""
    return st.integers(0, 30)


MOMENTS = st.lists(
    st.one_of(
        st.builds(c.Advance, st.floats(0, 0.5)),
        st.builds(c.SetOpen, layer_numbers(), st.booleans(), st.booleans()),
        st.builds(c.Arrange, layer_numbers(), st.sampled_from(["line", "circle", "grid"]), st.booleans()),
        st.builds(c.SetEpoch, st.floats(0, 1), st.booleans()),
        st.builds(c.SetStrength, st.floats(0, 1), st.booleans()),
    ),
    max_size=7,
)


def played(run: Run, commands: list[c.Command], resident: Resident) -> Frame:
    """The frame after commands; layer numbers count modulo the layers there are."""
    state = initial_state(run, resident)
    for command in commands:
        if isinstance(command, c.SetOpen | c.Arrange) and command.layer is not None:
            command = replace(command, layer=command.layer % len(state.layers))
        state = c.apply(state, command)
    return compose(run, state, resident=resident)


def extent(tile: TileLayer) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (x, y) of everything a layer's tiles cover."""
    centre, half = tile_places(tile)
    thick = float(half_thickness(tile, opened(tile, np.arange(tile.table.size))).max())
    low = np.array([tile.x - thick, (centre[:, 1] - half[:, 0]).min()])
    high = np.array([tile.x + thick, (centre[:, 1] + half[:, 0]).max()])
    return low, high


@law(runs(), MOMENTS)
def test_no_two_layers_overlap_at_any_openness_and_arrangement(run: Run, commands: list[c.Command]) -> None:
    frame = played(run, commands, Resident(run))
    corners = [extent(t) for t in frame.tiles]
    for i, (low, high) in enumerate(corners):
        for other_low, other_high in corners[i + 1 :]:
            assert (high < other_low).any() or (other_high < low).any()


@law(runs(), MOMENTS)
def test_a_collapsed_layer_keeps_its_centre_whatever_its_arrangement(run: Run, commands: list[c.Command]) -> None:
    resident = Resident(run)
    state = initial_state(run, resident)
    n = len(state.layers)
    closing: list[c.Command] = [c.SetOpen(k, False, at_once=True) for k in range(0, n, 2)]
    before = played(run, closing, resident)
    after = played(run, [*commands, *closing], resident)
    for tile, again in zip(before.tiles[::2], after.tiles[::2], strict=True):
        for seen in (tile, again):
            centre, half = tile_places(seen)
            low, high = (centre[:, 1:] - half).min(0), (centre[:, 1:] + half).max(0)
            np.testing.assert_allclose((low + high) / 2, [seen.y, 0.0], atol=1e-4)
        np.testing.assert_allclose(tile_places(tile)[1], tile_places(again)[1], atol=1e-6)


@law(runs(), MOMENTS)
def test_every_edge_ends_on_its_tiles(run: Run, commands: list[c.Command]) -> None:
    frame = played(run, commands, Resident(run))
    for strands in frame.strands:
        points = control_points(frame, strands)[strands.n_trunk :]
        if strands.path == "arc" or not len(points):
            continue
        for end, index, side in ((0, strands.source, 0), (-1, strands.target, 1)):
            plate = frame.tiles[index]
            tile = strands.strands["tiles"][strands.n_trunk :, side].astype(int)
            centre, half = (a[tile] for a in tile_places(plate))
            off = np.abs(points[:, end] - centre)
            assert (off[:, 1:] <= half * 1.001 + 1e-6).all()
            thick = half_thickness(plate, opened(plate, tile))
            assert (off[:, 0] <= thick + 1e-6).all()


@law(runs(), st.integers(0, 30), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.floats(0, 1), st.floats(0, 1))
def test_tile_places_are_linear_in_arrangement_and_openness(
    run: Run, which: int, shares: tuple[float, float], opening: float, mix: float
) -> None:
    frame = played(run, [], Resident(run))
    plate = frame.tiles[which % len(frame.tiles)]
    ends = [replace(plate, weights=w, opening=1.0) for w in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))]
    a, b = shares[0], (1 - shares[0]) * shares[1]
    weights = (a, b, 1 - a - b)
    mixed = tile_places(replace(plate, weights=weights, opening=1.0))
    for k in range(2):
        parts = [w * tile_places(e)[k] for w, e in zip(weights, ends, strict=True)]
        np.testing.assert_allclose(mixed[k], np.sum(parts, axis=0), atol=1e-4)
    some = replace(plate, weights=weights, opening=opening)
    share = opened(some, np.arange(plate.table.size))[:, None]
    shut, wide = tile_places(replace(some, opening=0.0)), tile_places(replace(some, opening=1.0))
    for k in range(2):
        np.testing.assert_allclose(tile_places(some)[k], shut[k] * (1 - share) + wide[k] * share, atol=1e-4)
    assert (np.diff(share[:, 0]) <= 1e-12).all(), "tiles open one after the other"


@law(runs(), MOMENTS)
def test_strength_zero_is_straight_in_any_moment(run: Run, commands: list[c.Command]) -> None:
    frame = played(run, [*commands, c.SetStrength(0.0, at_once=True)], Resident(run))
    for strands in frame.strands:
        points = control_points(frame, strands)
        along = points[:, -1:] - points[:, :1]
        off = points - points[:, :1]
        away = np.linalg.norm(np.cross(np.broadcast_to(along, off.shape), off), axis=-1)
        assert (away <= 1e-6 * (1 + np.linalg.norm(along, axis=-1) ** 2)).all()


def same(a: Any, b: Any, where: str = "frame") -> None:
    """Raise AssertionError at the first place where two plain values differ."""
    assert type(a) is type(b), where
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        for f in dataclasses.fields(a):
            same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}")
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, where
        assert a.tobytes() == b.tobytes(), where
    elif isinstance(a, tuple | list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, float):
        assert a == b or (math.isnan(a) and math.isnan(b)), where
    else:
        assert a == b, where


@law(runs(), MOMENTS, MOMENTS)
def test_the_same_state_is_the_same_frame_however_it_was_reached(
    run: Run, commands: list[c.Command], detour: list[c.Command]
) -> None:
    resident = Resident(run)
    frame = played(run, commands, Resident(run))
    played(run, detour, resident)
    same(frame, compose(run, frame.state, resident=resident))


def commands_of_any_kind() -> st.SearchStrategy[c.Command]:
    """Every kind of command, built from the annotations of its fields."""
    return st.sampled_from(sorted(c.COMMANDS)).flatmap(lambda name: of_type(c.COMMANDS[name]))


WORDS = (
    [w for words in ("ARRANGEMENTS", "LEVELS", "MODES", "ORDERS", "RAMPS", "SCOPES", "SELECTIONS", "THEMES")
     for w in getattr(views, words)]
    + ["", "nonsense", "ünïcode"]
)  # fmt: skip


def of_type(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation: dataclasses, tuples, unions and plain values."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{name: st.deferred(lambda t=t: of_type(t)) for name, t in hints.items()})
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return st.lists(of_type(args[0]), max_size=3).map(tuple)
        return st.tuples(*(of_type(a) for a in args))
    if args:
        return st.one_of(*(of_type(a) for a in args))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        float: st.floats(-4, 4), int: st.integers(-1, 5), bool: st.booleans(), str: st.sampled_from(WORDS),
        type(None): st.none(),
    }  # fmt: skip
    return plain[kind]


def outcome(state: ViewState, command: c.Command) -> ViewState | str:
    """The next state, or what the refusal says."""
    try:
        return c.apply(state, command)
    except Nn3dError as error:
        return str(error)


RUN = mlp_run()
FIRST = initial_state(RUN, Resident(RUN))


@law(st.lists(commands_of_any_kind(), max_size=6), examples=4 * N)
def test_a_command_read_from_its_json_does_the_same(commands: list[c.Command]) -> None:
    state = FIRST
    for command in commands:
        again = c.from_json(json.loads(json.dumps(c.to_json(command))))
        assert again == command
        first, second = outcome(state, command), outcome(state, again)
        assert first == second
        state = first if isinstance(first, ViewState) else state


def shown_values(frame: Frame) -> list[np.ndarray]:
    """What the faces show before the ramp: the two epochs' scaled values, mixed as the shader does."""
    out = []
    for t in frame.tiles:
        if t.values is None:
            continue
        a, b = ((v.cells - o) * g for v, o, g in zip(t.values, t.offset, t.gain, strict=True))
        out.append(a * (1 - frame.epoch_mix) + b * frame.epoch_mix)
    return out


@law(runs(3), st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from([1e-6, -1e-6]))
def test_faces_change_continuously_through_a_recorded_epoch(run: Run, epoch: float, step: float) -> None:
    resident = Resident(run)
    here = shown_values(played(run, [c.SetEpoch(epoch, at_once=True)], resident))
    near = shown_values(played(run, [c.SetEpoch(min(2.0, max(0.0, epoch + step)), at_once=True)], resident))
    assert len(here) == len(near)
    for a, b in zip(here, near, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def widths(frame: Frame) -> list[dict[tuple[int, ...], float]]:
    """Half width in u of every single strand that has one, by what it stands for, for each link."""
    out = []
    for s in frame.strands:
        rows = s.strands[s.n_trunk :]
        area = rows["area"][:, 0] * (1.0 - frame.epoch_mix) + rows["area"][:, 1] * frame.epoch_mix
        ends = np.column_stack([rows["tiles"], s.weight_index, s.source_cell, s.target_cell]).astype(int)
        thick = s.hw * np.sqrt(np.maximum(area, 0.0))
        out.append({tuple(k): w for k, w in zip(ends.tolist(), thick.tolist(), strict=True) if w > 1e-3})
    return out


@law(runs(3), st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from([1e-7, -1e-7]), st.sampled_from(["sampled", "top"]))
def test_strands_grow_and_fade_continuously_through_a_recorded_epoch(
    run: Run, epoch: float, step: float, selection: str
) -> None:
    resident = Resident(run)
    state = initial_state(run, resident)
    few = [c.SetSelection(selection), c.SetBudget(replace(state.budget, strands=20))]
    here = played(run, [*few, c.SetEpoch(epoch, at_once=True)], resident)
    near = played(run, [*few, c.SetEpoch(min(2.0, max(0.0, epoch + step)), at_once=True)], resident)
    for a, b in zip(widths(here), widths(near), strict=True):
        for strand in a.keys() | b.keys():
            assert abs(a.get(strand, 0.0) - b.get(strand, 0.0)) < 2e-3
