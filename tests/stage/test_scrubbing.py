"""Scrubbing a training: an epoch change reads what it shows, once, and memory stays flat however long one scrubs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.epoch_runs import write_training
from benchmarks.visible import n_bytes, parts
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from tests.conftest import SOAK

N_EPOCHS = 12
N_SCRUBS = 1000 if SOAK else 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("training") / "run"
    write_training(path, N_EPOCHS, 4, (1, 1, 1, 1), 32, 10)
    return path


@pytest.fixture
def run(folder: Path) -> Iterator[Run]:
    with open_run(folder) as opened:
        yield opened


def at(state: ViewState, epoch: float) -> ViewState:
    return c.apply(state, c.SetEpoch(epoch, at_once=True))


@pytest.mark.parametrize("view", ["first", "open", "closed", "weights"])
def test_an_epoch_change_reads_at_most_a_tenth_more_than_what_it_shows(run: Run, view: str) -> None:
    resident = Resident(run)
    state = initial_state(run, resident)
    if view in ("open", "closed"):
        state = c.apply(state, c.SetOpen(None, view == "open", at_once=True))
    if view == "weights":
        state = c.apply(c.apply(state, c.SetOpen(None, True, at_once=True)), c.SetMode("weight"))
    compose(run, at(state, 0.0), resident=resident)
    for epoch in (1.0, 7.0, 2.0):
        before = run.bytes_read
        frame = compose(run, at(state, epoch), resident=resident)
        read, shown = run.bytes_read - before, n_bytes(run, parts(run, resident, frame))
        assert 0 < read <= 1.1 * shown


@pytest.mark.parametrize("view", ["first", "open"])
def test_an_epoch_of_which_nothing_is_in_memory_reads_each_array_once(run: Run, view: str) -> None:
    state = initial_state(run, Resident(run))
    state = c.apply(state, c.SetOpen(None, True, at_once=True)) if view == "open" else state
    for epoch in (3.0, 9.0):
        resident = Resident(run)
        run.forget()
        before = run.bytes_read
        frame = compose(run, at(state, epoch), resident=resident)
        read, shown = run.bytes_read - before, n_bytes(run, parts(run, resident, frame))
        assert 0 < read <= 1.1 * shown


def test_an_epoch_that_is_still_in_memory_is_not_read_again(run: Run) -> None:
    resident = Resident(run)
    state = initial_state(run, resident)
    for epoch in (0.0, 1.0):
        compose(run, at(state, epoch), resident=resident)
    before = run.bytes_read
    compose(run, at(state, 0.0), resident=resident)
    compose(run, at(state, 1.0), resident=resident)
    assert run.bytes_read == before


def test_what_was_handed_out_a_moment_ago_is_the_same_array_and_cannot_be_written(run: Run) -> None:
    layer = run.layers[1]
    first = run.values(layer.shown, layer.shown_output, 0, 0)
    before = run.bytes_read
    again = run.values(layer.shown, layer.shown_output, 0, 0)
    assert np.shares_memory(first, again)
    assert run.bytes_read == before
    with pytest.raises(ValueError, match="read-only"):
        again[:] = 0
    assert not np.array_equal(run.values(layer.shown, layer.shown_output, 1, 0), first)
    assert run.bytes_read == before + first.nbytes // 2


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_anonymous_memory_stays_flat_over_random_scrubs(run: Run, seed: int) -> None:
    rng = np.random.default_rng(seed)
    resident = Resident(run)
    state = initial_state(run, resident)
    state = c.apply(state, c.SetBudget(replace(state.budget, memory_mb=2)))
    held: list[float] = []
    for _ in range(N_SCRUBS):
        compose(run, at(state, float(rng.uniform(0, N_EPOCHS - 1))), resident=resident)
        held.append(anonymous_mb())
    early, late = held[N_SCRUBS // 2], held[-1]
    assert late - early < 3.0
    assert resident.held.nbytes <= state.budget.memory_mb << 20


def anonymous_mb() -> float:
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no line about anonymous memory")
