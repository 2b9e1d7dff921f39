"""What the panels say about a run, and the thread that reads it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.app.facts import Facts, accuracy_and_loss, metric, shape_text, tree_rows
from nn3d.app.loader import Loader
from nn3d.app.panels.timeline import accuracy_text, tick_every
from nn3d.app.saving import free_path, picture_name
from nn3d.app.tints import picture_of, tile_texels
from nn3d.run.run import Run
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.look import palette
from nn3d.stage.resident import Resident


@pytest.fixture
def facts(small_run: Run) -> Facts:
    return Facts(small_run, Resident(small_run))


def warmed(facts: Facts) -> None:
    for key in facts.wanted():
        facts.warm(key)


def test_tree_puts_layers_under_their_modules(small_run: Run) -> None:
    rows = [(r.depth, r.name, r.layer) for r in tree_rows(small_run.layers)]
    assert rows == [
        (0, "input", 0), (0, "features", -1), (1, "conv1", 1), (1, "pool1", 2), (0, "classifier", -1), (1, "fc1", 3),
    ]  # fmt: skip


def test_predictions_are_the_largest_outputs_and_wrong_ones_are_counted(small_run: Run, facts: Facts) -> None:
    assert facts.predictions(2) is None
    warmed(facts)
    predicted = facts.predictions(2)
    assert predicted is not None
    output = small_run.activations("fc1", epoch=2)
    assert predicted.tolist() == np.argmax(output, 1).tolist()
    labels = [s.label for s in small_run.samples]
    assert facts.wrong(2) == tuple(i for i, label in enumerate(labels) if label != predicted[i])


def test_inputs_become_small_pictures(facts: Facts) -> None:
    assert facts.input(1) is None
    warmed(facts)
    picture = facts.input(1)
    assert picture is not None
    assert picture.shape == (8, 8)
    assert (picture.min(), picture.max()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 200, 100), (50, 25, 3)), ((1, 28, 28), (28, 28)), ((7,), (3, 3)), ((5, 9), (5, 9)), ((), (1, 1))],
)
def test_any_input_has_a_picture(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert picture_of(np.ones(shape, np.float32)).shape == expected


def test_thumbs_have_the_colours_of_the_picture_and_mark_what_is_not_finite(small_run: Run) -> None:
    frame = compose(small_run)
    tiles = frame.tiles[1]
    texels = tile_texels(tiles, "dark", 0, 4)
    assert texels.shape == (4, 8, 8, 4)
    assert tiles.values is not None
    zero = tiles.values[1].cells == 0
    ground = (palette("dark").ramps["seq"][0] * 255 + 0.5).astype(np.uint8)
    assert (texels[zero][:, :3] == ground).all()


def test_metrics_are_found_by_name(small_run: Run) -> None:
    assert accuracy_and_loss(small_run) == ("accuracy", "loss")
    assert metric(small_run, "loss").tolist() == [2.0, 1.0, 0.5, 0.25]
    assert np.isnan(metric(small_run, "unknown")).all()


def test_words_for_numbers() -> None:
    assert shape_text((16, 10, 10)) == "16 × 10 × 10"
    assert shape_text(()) == "1"
    assert accuracy_text(0.9907) == "99.07 %"
    assert accuracy_text(float("nan")) == "–"
    assert [tick_every(last, 400.0) for last in (3, 11, 100, 5000)] == [1, 1, 10, 500]


def test_loader_reads_what_the_picture_and_the_panels_lack(small_run: Run) -> None:
    resident = Resident(small_run)
    facts = Facts(small_run, resident)
    woken = threading.Event()
    loader = Loader(resident, facts, woken.set)
    try:
        state = initial_state(small_run, resident)
        facts.input(0)
        missing: tuple[Any, ...] = compose_frame(small_run, state, resident).missing
        assert missing
        loader.want(missing)
        end = time.monotonic() + 10.0
        while not loader.is_idle and time.monotonic() < end:
            woken.wait(0.1)
        assert compose_frame(small_run, state, resident).missing == ()
        assert facts.input(0) is not None
        assert loader.version == len(missing)
        assert loader.facts_version == 1
        loader.check()
    finally:
        loader.close()


def test_what_stops_the_loader_is_raised_on_the_main_thread(small_run: Run) -> None:
    resident = Resident(small_run)
    stopped = threading.Event()
    loader = Loader(resident, Facts(small_run, resident), stopped.set)
    loader.want(("no such need",))  # type: ignore[arg-type]
    assert stopped.wait(10.0)
    with pytest.raises(AttributeError, match="no attribute"):
        loader.check()
    loader.close()


def test_pictures_are_named_after_what_they_show_and_never_overwrite(small_run: Run, tmp_path: Path) -> None:
    state = initial_state(small_run, Resident(small_run))
    name = picture_name(small_run, state)
    assert name == "small-net-epoch3-sample0"
    first = free_path(tmp_path, name, ".png")
    first.touch()
    assert free_path(tmp_path, name, ".png").name == f"{name}-2.png"
