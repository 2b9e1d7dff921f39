"""Inputs of one's own in the view: whole in its text, the same picture each time, and a wave that goes forward only."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nn3d.analysis.forward.engine import NumpyEngine
from nn3d.analysis.forward.network import Network
from nn3d.errors import Nn3dError
from nn3d.run.model import InputInfo
from nn3d.run.own import OwnArray, OwnInput, normalised, packed, pictured, unpacked
from nn3d.run.run import Run
from nn3d.stage import viewstring
from nn3d.stage.commands import (
    AddOwn,
    Advance,
    Command,
    EditOwn,
    RemoveOwn,
    Restore,
    SetSample,
    StartWave,
    apply,
    from_json,
    is_moving,
    to_json,
)
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.controls.window import pad_turned
from nn3d.stage.frame import Frame, Text
from nn3d.stage.history import History, recorded, redone, undone
from nn3d.stage.own import check_own, own_inputs, sample_number
from nn3d.stage.resident import Resident
from nn3d.stage.state import Panels, ViewState
from tests.runs import bundled, mlp_run


def sheet(seed: int = 0, name: str = "own 1") -> OwnInput:
    """A picture for the bundled LeNet with a bright bar somewhere."""
    canvas = np.zeros((1, 28, 28), np.uint8)
    canvas[0, 5:23, 8 + seed : 11 + seed] = 255
    return OwnInput(name, (packed("picture", canvas),), "drawn")


@pytest.fixture(scope="module")
def run() -> Run:
    return bundled()


@pytest.fixture(scope="module")
def resident(run: Run) -> Resident:
    return Resident(run)


@pytest.fixture(scope="module")
def start(run: Run, resident: Resident) -> ViewState:
    return initial_state(run, resident)


def cells(frame: Frame, layer: int) -> np.ndarray:
    """What a plate shows now, both ends mixed."""
    tile = frame.tiles[layer]
    assert tile.values is not None
    a, b = (v.cells for v in tile.values)
    mix = frame.mix_of(tile)
    return a * (1 - mix) + b * mix


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=7)))
def test_an_input_is_the_same_after_its_text(values: np.ndarray) -> None:
    assert np.array_equal(unpacked(packed("picture", values)), values)
    floats = values.astype(np.float32) / 3
    assert np.array_equal(unpacked(packed("array", floats)), floats)


@pytest.mark.parametrize("bad", [
    OwnArray("picture", (2, 2), "?"), OwnArray("picture", (2, 2), "AAAA"), OwnArray("sound", (1,), ""),
    OwnArray("picture", (0,), ""), OwnArray("picture", (1 << 20, 1 << 20), ""),
    replace(packed("picture", np.zeros(9, np.uint8)), shape=(8,)),
    replace(packed("picture", np.zeros(9, np.uint8)), shape=(10,)),
])  # fmt: skip
def test_a_text_that_holds_no_input_is_refused_in_one_line(bad: OwnArray) -> None:
    with pytest.raises(Nn3dError, match="own input: ") as caught:
        unpacked(bad)
    assert "\n" not in str(caught.value)


@given(st.sampled_from([((), (), None), ((0.5,), (0.25,), (0.0, 1.0)), ((), (), (0.0, 255.0)), ((), (), (-1.0, 1.0))]))
def test_a_picture_comes_back_from_what_a_network_reads(how: tuple[tuple[float, ...], tuple[float, ...], None]) -> None:
    info = InputInfo(0, "image", *how)
    picture = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(pictured(normalised(picture, info), info), picture)


def test_every_layer_shows_what_the_forward_pass_gives(run: Run, resident: Resident, start: ViewState) -> None:
    state = apply(start, AddOwn(sheet(), "at once"))
    frame = compose(run, state, resident=resident)
    read = normalised(unpacked(sheet().arrays[0]), InputInfo(0, "image"))
    expected = Network(run).infer([read[None]], len(run.epochs) - 1)
    for k, layer in enumerate(run.layers[1:], 1):
        assert np.array_equal(cells(frame, k).ravel(), expected[layer.shown, layer.shown_output].ravel()), layer.name


def test_a_recorded_sample_given_as_an_own_one_shows_what_was_recorded(
    run: Run, resident: Resident, start: ViewState
) -> None:
    info = run.graph.inputs[0]
    own = OwnInput("again", (packed("picture", pictured(run.values(0, 0, 0, 3), info)),))
    ours = compose(run, apply(start, AddOwn(own, "at once")), resident=resident)
    theirs = compose(run, apply(start, SetSample(3)), resident=resident)
    for k, layer in enumerate(run.layers):
        a, b = cells(ours, k), cells(theirs, k)
        assert np.abs(a - b).max() <= 0.01 * np.abs(b).max(), layer.name


def test_one_s_own_inputs_survive_every_text_of_the_view(run: Run, resident: Resident, start: ViewState) -> None:
    state = apply(apply(apply(start, AddOwn(sheet())), Advance(0.5)), EditOwn(0, sheet(4)))
    assert viewstring.from_text(viewstring.to_text(state)) == state
    assert viewstring.from_json(json.loads(json.dumps(viewstring.to_json(state)))) == state
    for command in (AddOwn(sheet(2), "hold"), EditOwn(0, sheet()), RemoveOwn(0)):
        assert from_json(json.loads(json.dumps(to_json(command)))) == command


def test_a_wave_passes_the_layers_in_order_and_none_goes_back(run: Run, resident: Resident, start: ViewState) -> None:
    state = apply(start, AddOwn(sheet()))
    before, after = (compose(run, s, resident=resident) for s in (start, replace(state, wave=None)))
    shares, reached = [], []
    while is_moving(state):
        frame = compose(run, state, resident=resident)
        row = []
        for k in range(len(run.layers)):
            a, b, now = cells(before, k), cells(after, k), cells(frame, k)
            row.append(float(((now - a) * (b - a)).sum() / ((b - a) ** 2).sum()))
            assert np.abs(now - (a + row[-1] * (b - a))).max() < 1e-4 * np.abs(b - a).max()
        shares.append(row)
        reached.append([m.text for m in frame.marks if isinstance(m, Text) and "its wave has reached" in m.text])
        state = apply(state, Advance(0.06))
    table = np.array(shares)
    assert len(table) in (30, 31)
    assert (table[0] < 1e-6).sum() == len(run.layers) - 1, "the input alone"
    assert (np.diff(table, axis=0) >= -1e-6).all()
    assert (np.diff(table, axis=1) <= 1e-6).all()
    assert len({tuple(np.round(row, 6)) for row in shares}) > 20
    assert (np.diff(table, axis=0) < 0.5).all(), "nothing jumps"
    assert reached[0], "the picture says how far it has come"
    assert state.wave is None
    assert state == replace(apply(start, AddOwn(sheet(), "at once")), time=state.time)


def test_what_waits_at_the_input_shows_there_alone(run: Run, resident: Resident, start: ViewState) -> None:
    held = apply(apply(apply(start, AddOwn(sheet(), "hold")), EditOwn(0, sheet(3), "hold")), Advance(5.0))
    before, frame = (compose(run, s, resident=resident) for s in (start, held))
    assert not is_moving(held)
    assert not np.array_equal(cells(frame, 0), cells(before, 0))
    for k in range(1, len(run.layers)):
        assert np.array_equal(cells(frame, k), cells(before, k))
    gone = apply(apply(held, EditOwn(0, sheet(3))), Advance(5.0))
    assert gone.wave is None


def test_a_sample_number_stands_for_one_content(run: Run, start: ViewState) -> None:
    first = apply(start, AddOwn(sheet(), "at once"))
    second = apply(first, EditOwn(0, sheet(5), "at once"))
    numbers = [sample_number(run, s) for s in (first, second, first)]
    assert numbers[0] == numbers[2] != numbers[1]
    assert min(numbers) >= len(run.samples)
    assert own_inputs(run).content(numbers[1]) == sheet(5)


@given(st.lists(st.sampled_from([
    AddOwn(sheet()), AddOwn(sheet(1), "hold"), EditOwn(0, sheet(2)), EditOwn(0, sheet(3), "hold"), RemoveOwn(0),
    EditOwn(1, sheet(4), "at once"), SetSample(2), SetSample(99), Advance(0.4), RemoveOwn(1),
]), max_size=12))  # fmt: skip
def test_whatever_one_does_the_sample_exists(commands: list[Command]) -> None:
    run = bundled()
    state = initial_state(run, Resident(run)) if not _STATES else _STATES[0]
    _STATES[:] = [state]
    for command in commands:
        if isinstance(command, EditOwn | RemoveOwn) and command.which >= len(state.own):
            with pytest.raises(Nn3dError, match="own input should be below"):
                apply(state, command)
            continue
        state = apply(state, command)
        assert 0 <= state.sample < state.n_samples == len(run.samples) + len(state.own)
        assert run.sample(sample_number(run, state)).name
        if state.wave is not None and state.wave.own is None:
            assert 0 <= state.wave.sample < len(run.samples)


_STATES: list[ViewState] = []


def test_an_input_of_another_size_is_refused(run: Run, start: ViewState) -> None:
    other = OwnInput("own 1", (packed("picture", np.zeros((1, 8, 8), np.uint8)),))
    with pytest.raises(Nn3dError, match=r"shape should be \(1, 28, 28\)"):
        check_own(run, apply(start, AddOwn(other)))


def test_a_run_that_cannot_be_computed_anew_says_why(tmp_path: Path) -> None:
    run = mlp_run()
    numbers = OwnInput("own 1", (packed("array", np.ones(5, np.float32)),))
    check_own(run, apply(initial_state(run, Resident(run)), AddOwn(numbers)))
    from nn3d.run.memory import run_from_arrays

    odd = run_from_arrays(
        [{"name": "input", "op": "input"}, {"name": "mine", "op": "other:mine"}],
        {"input": np.ones((1, 5), np.float32), "mine": np.ones((1, 5), np.float32)},
    )
    with pytest.raises(Nn3dError, match="mine: the operation mine is not known"):
        check_own(odd, apply(initial_state(odd, Resident(odd)), AddOwn(numbers)))


def test_memory_of_a_long_stroke_is_bounded_and_what_is_shown_stays_known(run: Run, start: ViewState) -> None:
    state = apply(start, AddOwn(sheet(), "hold"))
    ours = own_inputs(run)
    first = sample_number(run, state)
    for k in range(300):
        canvas = np.full((1, 28, 28), k % 251, np.uint8)
        canvas[0, 0, 0] = k // 251
        state = apply(state, EditOwn(0, OwnInput("own 1", (packed("picture", canvas),)), "hold"))
        assert ours.content(sample_number(run, state)) == state.own[0]
    assert len(ours._contents) == len(ours._numbers) <= 64
    assert not ours.knows(first)
    again = sample_number(run, apply(start, AddOwn(sheet(), "hold")))
    assert again > first
    assert ours.content(again) == sheet()


def test_while_one_draws_nothing_but_the_sheet_is_computed(run: Run, resident: Resident, start: ViewState) -> None:
    calls = []

    class Counting:
        name, reason = "counting", ""

        def infer(self, inputs: object, epoch: int, is_stopped: object = None) -> dict[tuple[int, int], np.ndarray]:
            calls.append(epoch)
            return Network(run).infer(inputs, epoch)  # type: ignore[arg-type]

    before, run.own = run.own, None
    try:
        own_inputs(run, Counting())
        fresh = Resident(run)
        state = apply(start, AddOwn(sheet(), "hold"))
        for k in range(5):
            state = apply(state, EditOwn(0, sheet(k), "hold"))
            assert cells(compose(run, state, resident=fresh), 0).max() == 1.0
        assert not calls
        compose(run, apply(state, EditOwn(0, sheet(5), "at once")), resident=fresh)
        assert sorted(calls) == list(range(11)), "each epoch of the strands' window once"
    finally:
        run.own = before


def test_a_wave_that_waits_for_its_values_begins_when_it_is_let(start: ViewState) -> None:
    state = apply(start, AddOwn(sheet(), "soon"))
    assert state.wave is not None
    assert state.wave.waits
    assert not is_moving(state)
    later = apply(apply(state, EditOwn(0, sheet(1), "hold")), EditOwn(0, sheet(2), "soon"))
    assert later.wave == state.wave, "it still goes over what was there before the first stroke"
    begun = apply(later, StartWave())
    assert is_moving(begun)
    assert begun.wave == replace(state.wave, is_held=False, waits=False)
    assert apply(begun, StartWave()) == begun
    assert apply(start, StartWave()) == start


def test_threads_that_ask_at_once_get_the_same_values_and_one_computation(start: ViewState) -> None:
    run = bundled()
    calls: list[int] = []

    class Counting:
        name, reason = "counting", ""

        def infer(self, inputs: object, epoch: int, is_stopped: object = None) -> dict[tuple[int, int], np.ndarray]:
            calls.append(epoch)
            return Network(run).infer(inputs, epoch)  # type: ignore[arg-type]

    before, run.own = run.own, None
    try:
        ours = own_inputs(run, Counting())
        numbers = [ours.number(sheet(k)) for k in range(4)]
        asked = [(node.id, n) for n in numbers for node in run.graph.nodes[1:]] * 3
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda at: run.values(at[0], 0, 10, at[1]).tobytes(), asked))
        alone = {at: run.values(at[0], 0, 10, at[1]).tobytes() for at in asked}
        assert [alone[at] for at in asked] == found
        assert calls == [10] * 4
    finally:
        run.own = before


def test_a_comparison_that_was_stopped_is_made_again(run: Run) -> None:
    engine = NumpyEngine(run)
    engine.stopping.set()
    assert "stopped" in engine.reason
    engine.stopping.clear()
    assert engine.reason == ""
    assert engine.check.n_outputs == 12


def test_undo_takes_back_a_stroke_and_redo_draws_it_again(start: ViewState) -> None:
    first = apply(start, AddOwn(sheet(), "at once"))
    history = recorded(History(), start, first, 1)
    drawn = apply(first, EditOwn(0, sheet(1), "hold"))
    history = recorded(history, first, drawn, 2)
    second = apply(drawn, EditOwn(0, sheet(2), "at once"))
    history = recorded(history, drawn, second, 2)
    state, seen = second, []
    for turned in (undone, undone, redone, redone):
        history, turn = turned(history)
        assert turn is not None
        state = apply(state, Restore(turn.view, turn.parts))
        assert state.n_recorded == start.n_recorded
        seen.append((state.own, state.sample))
    assert seen == [(first.own, 16), ((), 0), (first.own, 16), (second.own, 16)]


def test_d_opens_and_closes_the_pad_and_brings_it_up_from_the_picture_alone() -> None:
    shut, alone = Panels(), Panels(picture_only=True, pad=True)
    assert pad_turned(shut) == replace(shut, pad=True)
    assert pad_turned(pad_turned(shut)) == shut
    assert pad_turned(alone) == replace(alone, picture_only=False)
