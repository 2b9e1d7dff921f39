"""What is found by a typed text, in which order and by which letters; what the palette offers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.bookmarks import marked
from nn3d.stage.commands import (
    SetBookmark,
    SetEpoch,
    SetLevel,
    SetMode,
    SetOrder,
    SetPrint,
    SetRamp,
    SetSample,
    SetScope,
    SetSelection,
    SetSpeed,
    SetStrength,
    SetTheme,
    apply,
)
from nn3d.stage.compose import initial_state
from nn3d.stage.controls import TABLE
from nn3d.stage.controls.offers import Catalogue, offers
from nn3d.stage.finding import Entry, Found, listing, words_of
from nn3d.stage.resident import Resident
from nn3d.stage.state import (
    LEVELS,
    MODES,
    ORDERS,
    PRINTS,
    RAMPS,
    SCOPES,
    SELECTIONS,
    THEMES,
    Search,
    Thing,
    ViewState,
)

ENTRIES = [
    Entry("layer", "features.conv1", "Conv 5×5 · ReLU", "6 × 28 × 28", "conv2d relu"),
    Entry("layer", "features.conv2", "Conv 3×3 · ReLU", "64 × 28 × 28", "conv2d relu"),
    Entry("layer", "conv", "Conv 3×3", "8 × 14 × 14", "conv2d"),
    Entry("layer", "pool", "MaxPool 2×2", "64 × 14 × 14", "max_pool2d"),
    Entry("parameter", "features.conv1.weight", "of conv1", "6 × 1 × 5 × 5", "parameter"),
    Entry("command", "Open every layer"),
]
NAMES = st.lists(st.text("abcxyz019._-", min_size=1, max_size=12), min_size=1, max_size=12, unique=True)


def names(text: str, *, is_mixed: bool = False) -> list[str]:
    return [f.entry.name for f in listing(ENTRIES, text, is_mixed=is_mixed).found]


def test_sizes_are_one_word_however_they_are_written() -> None:
    assert words_of("Conv 3 x 3") == words_of("conv 3*3") == words_of("conv  3×3") == ("conv", "3×3")
    assert words_of("64x28X28") == ("64×28×28",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv 3x3", ["conv", "features.conv2"]),
        ("64×28×28", ["features.conv2"]),
        ("64 x 14 x 14", ["pool"]),
        ("relu", ["features.conv1", "features.conv2"]),
        ("maxpool", ["pool"]),
        ("nothing like it", []),
    ],
)
def test_layers_are_found_by_name_type_and_shape(text: str, expected: list[str]) -> None:
    assert [n for n in names(text) if n in [e.name for e in ENTRIES[:4]]] == expected


def test_the_whole_name_comes_before_its_beginning_before_its_middle() -> None:
    assert names("conv")[0] == "conv"
    assert names("features")[:2] == ["features.conv1", "features.conv2"]


def test_scattered_letters_answer_only_where_nothing_else_does() -> None:
    assert names("fcv2") == ["features.conv2"]
    assert "Open every layer" not in names("pool")


@given(NAMES, st.data())
def test_every_part_of_a_name_finds_it_and_the_spans_say_where(given_names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(given_names))
    low = data.draw(st.integers(0, len(name) - 1))
    high = data.draw(st.integers(low + 1, len(name)))
    part = name[low:high]
    found = {f.entry.name: f for f in listing([Entry("layer", n) for n in given_names], part).found}
    if words_of(part) == (part,):
        assert name in found
        assert "".join(name[a:b] for a, b in found[name].names) == part


@given(NAMES, st.text("abcxyz01 ", max_size=6))
def test_more_words_never_find_more(given_names: list[str], text: str) -> None:
    entries = [Entry("layer", n) for n in given_names]

    def exactly(said: str) -> set[str]:
        return {f.entry.name for f in listing(entries, said).found if f.rank < 9}

    assert exactly(f"{text} a") <= exactly(text) or not exactly(text)


def test_a_mixed_list_is_short_of_each_kind_and_says_of_how_many() -> None:
    many = [Entry("layer", f"conv{k}") for k in range(40)] + [Entry("command", "Convert")]
    shown = listing(many, "conv", is_mixed=True)
    assert len(shown.found) == 9
    assert dict(shown.totals) == {"layer": 40, "command": 1}
    assert shown.n_found == 41
    assert len(listing(many[:40], "conv", is_mixed=True).found) == 40


@pytest.fixture(scope="module")
def lenet() -> Run:
    return open_run(bundled_runs()["lenet-mnist"])


@pytest.fixture(scope="module")
def first(lenet: Run) -> ViewState:
    return initial_state(lenet, Resident(lenet))


def with_text(state: ViewState, kind: str, text: str) -> ViewState:
    return replace(state, search=Search(kind, text, len(text), len(text)))


def found_in(run: Run, state: ViewState, kind: str, text: str) -> list[Found]:
    catalogue = Catalogue(run, Resident(run).plan.groups)
    return list(catalogue.of(with_text(state, kind, text))[0].found)


def test_every_layer_group_and_parameter_of_a_run_is_found_by_its_name(lenet: Run, first: ViewState) -> None:
    catalogue = Catalogue(lenet, Resident(lenet).plan.groups)
    for layer in lenet.layers:
        shown, _ = catalogue.of(with_text(first, "layers", layer.name))
        assert shown.found[0].entry.thing == Thing(layer.index)
    for parameter in lenet.graph.parameters:
        shown, _ = catalogue.of(with_text(first, "all", parameter.name))
        assert any(f.entry.name == parameter.name and f.entry.kind == "parameter" for f in shown.found)
    assert {f.entry.name for f in catalogue.of(with_text(first, "layers", ""))[0].found} >= {"features", "classifier"}


def test_every_key_of_the_table_is_in_the_palette_with_words_of_its_own(lenet: Run, first: ViewState) -> None:
    found = [f.entry for f in found_in(lenet, first, "all", "") if f.entry.trigger]
    assert len({e.name for e in found}) == len(found)
    assert {e.trigger for e in found} == {t for row in TABLE for t, _, _ in row.key_words()}


CHOICES = {
    SetLevel: LEVELS, SetMode: MODES, SetSelection: SELECTIONS, SetScope: SCOPES, SetRamp: RAMPS, SetTheme: THEMES,
    SetPrint: PRINTS, SetOrder: ORDERS,
}  # fmt: skip


@pytest.mark.parametrize("kind", CHOICES, ids=lambda kind: kind.__name__)
def test_every_value_of_every_setting_is_found_by_its_name(lenet: Run, first: ViewState, kind: Any) -> None:
    catalogue = Catalogue(lenet, Resident(lenet).plan.groups)
    for value in CHOICES[kind]:
        shown, given = catalogue.of(with_text(first, "all", value))
        found = [given[f.entry.number].command for f in shown.found if f.entry.number >= 0]
        assert kind(value) in found, value


def test_each_offer_is_applied_and_is_then_the_one_that_is_on(lenet: Run, first: ViewState) -> None:
    for offer in offers(lenet, first):
        after = apply(first, offer.command)
        again = [o for o in offers(lenet, after) if o.command == offer.command]
        assert not offer.value or not again or offer.value.isdigit() or again[0].is_on, offer.words


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("epoch 7", SetEpoch(7.0)),
        ("epoch 10", SetEpoch(10.0)),
        ("sample 3", SetSample(3)),
        ("strength 0.35", SetStrength(0.35)),
        ("strength 0,35", SetStrength(0.35)),
        ("speed 12", SetSpeed(12.0)),
    ],
)
def test_a_number_is_completed_in_the_field(lenet: Run, first: ViewState, text: str, command: object) -> None:
    catalogue = Catalogue(lenet, Resident(lenet).plan.groups)
    shown, given = catalogue.of(with_text(first, "all", text))
    assert given[shown.found[0].entry.number].command == command


@pytest.mark.parametrize("text", ["epoch 99", "strength 2", "strength nan", "speed -1", "sample zebra"])
def test_a_number_that_cannot_be_is_not_offered(lenet: Run, first: ViewState, text: str) -> None:
    assert found_in(lenet, first, "all", text) == []


def test_matching_a_large_network_takes_a_few_milliseconds() -> None:
    rng = np.random.default_rng(1)
    many = [Entry("layer", f"block{rng.integers(9)}.conv{k}", "Conv 3×3", "64 × 7 × 7") for k in range(2000)]
    start = time.process_time()
    listing(many, "block3 conv 3x3")
    assert time.process_time() - start < 0.25


def test_a_digit_says_where_its_bookmark_leads(lenet: Run, first: ViewState) -> None:
    there = replace(first, selection=Thing(3), sample=5)
    state = apply(first, SetBookmark(4, marked(there, 4).view))
    said = {f.entry.trigger: f.entry.detail for f in found_in(lenet, state, "all", "go to bookmark")}
    assert said["4"] == "conv2 · epoch 10 · sample 5"
    assert said["5"] == "not set"
