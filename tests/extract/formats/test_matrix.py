"""Every format that is read opens its own sample under any name, gives what it says, and can be looked at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nn3d.extract.formats.format import EPOCHS, Format
from nn3d.extract.formats.registry import format_of
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.run.summary import text
from nn3d.stage.commands import Resize, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from tests.extract.formats.matrix import READ, found_in, open_sample, row, rows_of_page

Opened = tuple[Format, Path, Run, Run | None]


@pytest.fixture(scope="module", params=READ, ids=lambda known: known.key)
def opened(request: pytest.FixtureRequest, sample: Callable[[str], Path]) -> Opened:
    known: Format = request.param
    path = sample(known.key)
    return known, path, *open_sample(known, path)


@pytest.mark.parametrize("known", READ, ids=lambda known: known.key)
def test_a_sample_is_recognised_whatever_its_name(
    known: Format, sample: Callable[[str], Path], tmp_path: Path
) -> None:
    path, renamed = sample(known.key), tmp_path / "x.bin"
    (shutil.copytree if path.is_dir() else shutil.copy)(path, renamed)
    assert format_of(path) is known
    assert format_of(renamed) is known


def test_what_a_format_gives_is_what_it_says(opened: Opened) -> None:
    known, _, plain, more = opened
    found = found_in(plain).gives() | (set() if more is None else found_in(more).gives())
    if known.is_checkpoint:  # several files of it are its epochs, and --model makes the rest
        found |= {EPOCHS} | (set(known.gives) if plain.graph.kind == "inferred" and more is None else set())
    assert found == set(known.gives)


def test_the_matrix_of_the_docs_is_what_was_found(opened: Opened) -> None:
    known, path, plain, more = opened
    assert row(known, path, found_in(plain), None if more is None else found_in(more)) in rows_of_page()


def test_a_sample_can_be_listed_and_looked_at(opened: Opened, screen: Offscreen) -> None:
    run = opened[2]
    assert text(run, with_ops=True).count("\n") > len(run.layers)
    resident = Resident(run)
    frame = compose(run, apply(initial_state(run, resident), Resize((320, 240), 1.0)), resident=resident)
    assert np.ptp(screen.pixels(frame)) > 40
