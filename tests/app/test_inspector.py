"""What the inspector works out without a window: where kernels lie, how tensors become pictures, files and text."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.analysis.tensors import kernel_shape, matrix_of, read_kernels
from nn3d.app.copying import copied, values_text
from nn3d.app.errands import Errands
from nn3d.app.facts import Facts
from nn3d.app.panels.inspector.kernels import Sheet, piece_texels, sheet_of
from nn3d.app.panels.inspector.matrix import matrix_texels, plan_of
from nn3d.app.panels.inspector.ridges import shown_epochs
from nn3d.app.panels.inspector.rows import value_text
from nn3d.app.tensor_files import save_tensor
from nn3d.app.tints import colour_texels, signed_texels
from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage.commands import Select, apply
from nn3d.stage.complete import compose
from nn3d.stage.controls.requests import CopyValues, SaveTensor
from nn3d.stage.frame import Frame
from nn3d.stage.look import palette
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState
from tests.runs import bundled

SHAPES = st.tuples(st.integers(1, 90), st.integers(1, 70), st.integers(1, 11), st.integers(1, 11))


@pytest.fixture
def shown(small_run: Run) -> tuple[Facts, ViewState, Frame]:
    resident = Resident(small_run)
    frame = compose(small_run, resident=resident)
    return Facts(small_run, resident), frame.state, frame


@given(SHAPES, st.integers(276, 536), st.booleans())
def test_every_kernel_has_its_own_place_inside_the_column(
    shape: tuple[int, int, int, int], width: int, is_colour: bool
) -> None:
    kernels = kernel_shape(shape)
    if kernels is None:
        return
    sheet = sheet_of(kernels, float(width), is_colour=is_colour)
    outs, ins = np.meshgrid(np.arange(sheet.n_out), np.arange(sheet.n_in), indexing="ij")
    seen = set()
    for out, in_ in zip(outs.ravel()[::7].tolist(), ins.ravel()[::7].tolist(), strict=True):
        x, y = sheet.place(out, in_)
        seen.add((x, y))
        assert x >= 0
        assert x + sheet.cols * sheet.px <= width
        assert y + sheet.rows * sheet.px <= sheet.height
        middle = x + sheet.cols * sheet.px / 2, y + sheet.rows * sheet.px / 2
        assert sheet.at(*middle) == (out, in_, sheet.rows // 2, sheet.cols // 2)
    assert len(seen) == len(outs.ravel()[::7])


def test_all_filters_of_a_small_layer_stand_side_by_side_and_bands_are_of_one_length() -> None:
    small, large = kernel_shape((16, 6, 5, 5)), kernel_shape((64, 8, 3, 3))
    assert small is not None
    assert large is not None
    assert sheet_of(small, 300.0, is_colour=False).n_bands == 1
    sheet = sheet_of(large, 300.0, is_colour=False)
    assert sheet.n_bands * sheet.columns - sheet.n_out < sheet.n_bands


@given(SHAPES, st.floats(0.0, 1.0), st.floats(50.0, 900.0))
def test_the_pieces_in_sight_hold_every_kernel_in_sight(
    shape: tuple[int, int, int, int], share: float, height: float
) -> None:
    kernels = kernel_shape(shape)
    if kernels is None:
        return
    sheet = sheet_of(kernels, 300.0, is_colour=False)
    y0 = share * sheet.height
    pieces = list(sheet.pieces(y0, y0 + height))
    for out in range(0, sheet.n_out, 5):
        for in_ in range(0, sheet.n_in, 5):
            top = sheet.place(out, in_)[1]
            if y0 <= top and top + sheet.rows * sheet.px <= y0 + height:
                assert any(o[0] <= out < o[1] and i[0] <= in_ < i[1] for o, i in pieces)


def test_a_piece_shows_each_weight_in_its_place_and_colour() -> None:
    weights = np.random.default_rng(3).normal(size=(4, 5, 3, 2)).astype(np.float32)
    sheet = Sheet(4, 5, 3, 2, 3, 2, 4, 20.0, 16.0)
    texels = piece_texels(weights, sheet, 2.0, "dark", is_colour=False)
    assert texels.shape == (5 * 11 - 2, 4 * 8 - 2, 4)
    expected = signed_texels(weights, 2.0, "dark")
    assert np.array_equal(texels[1 * 11 + 2 * 3 + 1, 2 * 8 + 1 * 3 + 1], expected[2, 1, 2, 1])
    assert (texels[9:11, :, 3] == 0).all()
    assert (texels[:, 6:8, 3] == 0).all()


def test_orange_is_above_zero_blue_below_and_magenta_not_finite() -> None:
    for theme in ("dark", "light"):
        texels = signed_texels(np.array([-1.0, 0.0, 1.0, np.nan, np.inf], np.float32), 1.0, theme)
        look = palette(theme)
        ends = [look.negative, look.ramps["div"][127], look.positive, look.nonfinite, look.nonfinite]
        assert np.abs(texels[:, :3].astype(float) - np.array([np.array(c[:3]) * 255 for c in ends])).max() <= 2.0


def test_kernels_of_a_colour_picture_are_grey_at_zero_and_take_each_channel_apart() -> None:
    kernels = np.zeros((1, 3, 1, 2), np.float32)
    kernels[0, 0, 0, 1] = 0.5
    texels = colour_texels(kernels, 0.5)
    assert texels[0, 0].tolist() == [[128, 128, 128, 255], [255, 128, 128, 255]]


@given(st.lists(st.integers(1, 40), min_size=0, max_size=4), st.integers(276, 536))
def test_a_tensor_of_any_rank_has_a_picture_that_fits(shape: list[int], width: int) -> None:
    values = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    plan = plan_of(values.shape, float(width))
    matrix = matrix_of(values, plan.most)
    texels = matrix_texels(matrix.cells, matrix.full, plan, "dark")
    assert plan.size == (texels.shape[1], texels.shape[0])
    assert plan.size[0] <= width
    assert np.isclose(np.average(matrix.cells.astype(np.float64)), values.mean()) or matrix.block != (1, 1)


@given(st.integers(1, 2000), st.integers(0, 1999))
def test_ridges_show_the_first_the_last_and_the_shown_epoch(n: int, epoch: int) -> None:
    epoch = min(epoch, n - 1)
    found = shown_epochs(n, epoch)
    assert len(found) <= 11
    assert epoch in found
    assert list(found) == sorted(set(found))
    assert n <= 11 or found[0] in (0, epoch)
    assert n <= 11 or found[-1] in (n - 1, epoch)


def test_settings_are_said_as_people_do() -> None:
    assert [value_text(v) for v in ([2, 2], 0.1, True, None, {"a": 1}, [1, [2]], "same")] == [
        "2 × 2", "0.1", "yes", "", "", "", "same",
    ]  # fmt: skip


def test_saved_numbers_are_the_run_s(
    shown: tuple[Facts, ViewState, Frame], small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    facts, state, frame = shown
    layer = small_run.layer("conv1")
    assert layer.weight is not None
    weights = save_tensor(facts, state, frame, SaveTensor(layer.index, layer.weight))
    assert np.array_equal(np.load(weights), small_run.weights("features.conv1.weight"))
    state = replace(state, sample=2)
    values = save_tensor(facts, state, frame, SaveTensor(layer.index))
    assert np.array_equal(np.load(values), small_run.values(layer.shown, layer.shown_output, 3, 2))
    assert weights.name == "small-net-features-conv1-weight-epoch3.npy"
    assert values.name == "small-net-conv1-epoch3-sample2.npy"
    assert save_tensor(facts, state, frame, SaveTensor(layer.index)).name.endswith("sample2-2.npy")


def test_saved_pictures_show_every_value_once(
    shown: tuple[Facts, ViewState, Frame], small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    facts, state, frame = shown
    layer = small_run.layer("fc1")
    assert layer.weight is not None
    path = save_tensor(facts, state, frame, SaveTensor(layer.index, layer.weight, ".png"))
    weights = np.asarray(small_run.weights("classifier.fc1.weight"))
    matrix = matrix_of(weights, (4096, 4096))
    expected = signed_texels(weights, matrix.full, state.theme)
    assert np.array_equal(np.asarray(Image.open(path))[6::12, 6::12], expected)
    maps = np.asarray(Image.open(save_tensor(facts, state, frame, SaveTensor(1, -1, ".png"))))
    assert maps.shape[2] == 4
    weight = small_run.layers[1].weight
    assert weight is not None
    kernels = np.asarray(Image.open(save_tensor(facts, state, frame, SaveTensor(1, weight, ".png"))))
    conv = read_kernels(np.asarray(small_run.weights("features.conv1.weight")), (0, 4), (0, 1))
    assert (kernels[..., 3] > 0).sum() == conv.size * 12 * 12


def test_text_gives_every_float_back_and_keeps_rows() -> None:
    values = np.random.default_rng(5).normal(size=(2, 3, 4)).astype(np.float32) * np.float32(1e-7)
    blocks = [np.array([line.split("\t") for line in b.splitlines()], np.float32)
              for b in values_text(values, "x").split("\n\n")]  # fmt: skip
    assert np.array_equal(np.stack(blocks), values)
    assert values_text(np.float32([1, 2]), "x") == "1\n2"
    with pytest.raises(Nn3dError, match=r"1,050,000 values are too many for the clipboard\. Save them as \.npy"):
        values_text(np.zeros(1_050_000, np.float32), "x")


def test_what_is_selected_is_what_is_copied(shown: tuple[Facts, ViewState, Frame], small_run: Run) -> None:
    facts, state, _ = shown
    layer = small_run.layer("conv1")
    values = small_run.values(layer.shown, layer.shown_output, 3, 0)
    text, what = copied(facts, apply(state, Select(Thing(1, 2, 3, 4))), -1)
    assert (np.float32(text), what) == (values[2, 3, 4], "conv1 2 (3, 4)")
    text, what = copied(facts, apply(state, Select(Thing(1, 2))), -1)
    assert np.array_equal(np.array([r.split("\t") for r in text.splitlines()], np.float32), values[2])
    text, what = copied(facts, apply(state, Select(Thing(1))), -1)
    assert what == "256 values of conv1"
    text, what = copied(facts, state, -1)
    assert [line.split("\t")[0] for line in text.splitlines()] == ["layer", *(la.name for la in small_run.layers)]
    assert what == "4 layers"
    group = len(small_run.layers)
    text, what = copied(facts, apply(state, Select(Thing(group))), -1)
    assert len(text.splitlines()) == 1 + len(facts.groups.all[0].layers)
    weights, what = copied(facts, state, small_run.layers[3].weight or 0)
    assert (len(weights.splitlines()), what) == (5, "classifier.fc1.weight")


def test_errands_answer_in_order_and_tell_what_failed(
    shown: tuple[Facts, ViewState, Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, state, frame = shown
    monkeypatch.chdir(tmp_path)
    woken: list[int] = []
    errands = Errands(facts, lambda: woken.append(1))
    try:
        errands.begin(CopyValues(), apply(state, Select(Thing(1, 0, 0, 0))), frame)
        errands.begin(SaveTensor(1, -1, ".npy"), state, frame)
        errands.begin(CopyValues(99), state, frame)
        outcomes = []
        while errands.is_waiting:
            outcome = errands.arrived()
            outcomes += [outcome] if outcome is not None else []
    finally:
        errands.close()
    assert [o.text is None for o in outcomes] == [False, True, True]
    assert outcomes[0].message == "Copied conv1 0 (0, 0)"
    assert outcomes[2].message == "parameter: should be an id of the graph, got 99"
    assert len(woken) == 3


def test_facts_that_nobody_asks_for_any_more_are_not_read(small_run: Run) -> None:
    facts = Facts(small_run, Resident(small_run))
    facts.ask("scale", 0, 0)
    facts.ask("scale", 0, 1)
    facts.begin()
    facts.ask("scale", 0, 2)
    assert facts.wanted() == (("scale", 0, 2),)


def test_facts_keep_within_their_memory_and_the_latest_stay(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Facts(small_run, Resident(small_run))
    monkeypatch.setattr("nn3d.app.facts.HELD_BYTES", 3000)
    for epoch in range(4):
        facts.warm(("kernels", 0, epoch, (0, 4), (0, 1)))
        facts.warm(("matrix", small_run.layers[3].weight, epoch, (400, 300)))
    assert not facts.knows("kernels", 0, 0, (0, 4), (0, 1))
    assert facts.knows("matrix", small_run.layers[3].weight, 3, (400, 300))


def test_bundled_lenet_says_dead_of_all_samples_and_silent_of_one() -> None:
    run = bundled()
    facts = Facts(run, Resident(run))
    layer = run.layer("conv2")
    facts.warm(("moments", layer.shown, layer.shown_output, len(run.epochs) - 1))
    moments = facts.ask("moments", layer.shown, layer.shown_output, len(run.epochs) - 1)
    values = np.asarray(run.activations("conv2"))
    assert moments.dead == (values.max(axis=(0, 2, 3)) == 0).sum()
