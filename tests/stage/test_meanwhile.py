"""While an epoch is read, another one stands in for what is missing: stable, named, and gone when all is there."""

from __future__ import annotations

import pytest

from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame, Text
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from tests.runs import bundled


@pytest.fixture(scope="module")
def some_run() -> Run:
    return bundled()


def at(state: ViewState, epoch: float) -> ViewState:
    return c.apply(state, c.SetEpoch(epoch, at_once=True))


def contents(frame: Frame) -> tuple[list[object], list[object]]:
    """What the GPU is given, by name."""
    return [t.values and [v.key for v in t.values] for t in frame.tiles], [s.key for s in frame.strands]


def said(frame: Frame) -> str:
    return "   ".join(m.text for m in frame.marks if isinstance(m, Text))


def test_what_is_missing_is_shown_as_it_was_at_another_epoch_and_the_title_says_so(some_run: Run) -> None:
    resident = Resident(some_run)
    state = initial_state(some_run, resident)
    before = compose(some_run, at(state, 1.0), resident=resident)
    bare = compose_frame(some_run, at(state, 3.0), resident)
    frame = compose_frame(some_run, at(state, 3.0), resident, (2, 1))
    assert frame.missing == bare.missing
    assert len(frame.stand_ins) > 3
    assert set(frame.stand_ins.values()) == {1}
    assert any(t.values is None for t in bare.tiles)
    assert contents(frame)[0] == contents(before)[0]
    mine = {s.key for s in before.strands} | {s.key for s in bare.strands}
    assert {s.key for s in frame.strands} <= mine, "strands of a block of epochs are there already, ropes stand in"
    assert len(frame.strands) == len(before.strands)
    assert (frame.view.clip_from_world == before.view.clip_from_world).all()
    shown = some_run.epochs[1].id
    assert f"of epoch {shown}" in said(frame)
    assert f"epoch {some_run.epochs[3].id} of" in said(frame)
    assert "predicted" not in said(frame)


def test_what_has_come_takes_the_place_of_its_stand_in_one_by_one(some_run: Run) -> None:
    resident = Resident(some_run)
    state = initial_state(some_run, resident)
    compose(some_run, at(state, 1.0), resident=resident)
    state = at(state, 3.0)
    counts = []
    while (frame := compose_frame(some_run, state, resident, (1,))).missing:
        counts.append(len(frame.stand_ins))
        resident.warm(frame.missing[0], frame.wanted)  # type: ignore[arg-type]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] <= 2
    assert not frame.stand_ins
    whole = compose(some_run, state, resident=Resident(some_run))
    assert contents(frame) == contents(whole)
    assert said(frame) == said(whole)


def test_without_anything_in_memory_nothing_stands_in(some_run: Run) -> None:
    resident = Resident(some_run)
    frame = compose_frame(some_run, initial_state(some_run, resident), resident, (0, 1))
    assert not frame.stand_ins
    assert frame.missing
