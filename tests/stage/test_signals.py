"""Signals of training as colours: what a tile shows is the figure of its unit or layer, on the scale of the key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nn3d.analysis.health.history import read_history
from nn3d.stage.commands import SetCompare, SetSample, SetScope, SetSignal, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Text
from nn3d.stage.resident import Resident
from nn3d.stage.shades import POWER
from nn3d.stage.signals import POWER as SIGNAL_POWER
from nn3d.stage.signals import SCALES
from nn3d.stage.state import ViewState
from tests.runs import bundled


def _tiles(state: ViewState) -> dict[int, np.ndarray]:
    """Layer → what the ramp is given for each tile's first cell."""
    run = bundled()
    frame = compose(run, state)
    found = {}
    for t in frame.tiles:
        assert t.values is not None
        shown = np.clip(t.values[0].cells[:, 0, 0] * t.gain[0], 0, 1) ** t.power
        found[t.layer] = shown
    return found


@pytest.fixture(scope="module")
def start() -> ViewState:
    run = bundled()
    return initial_state(run, Resident(run))


def test_zeros_are_the_share_of_zeros_of_each_unit_over_all_samples(start: ViewState) -> None:
    run = bundled()
    shown = _tiles(apply(start, SetSignal("zeros")))
    for name in ("conv2", "fc1", "fc3"):
        layer = run.layer(name)
        values = np.asarray(run.activations(name, -1))
        share = (values == 0).reshape(values.shape[0], values.shape[1], -1).mean(axis=(0, 2))
        np.testing.assert_allclose(shown[layer.index], share**POWER, atol=2e-3)


def test_the_ratio_of_a_layer_is_the_one_of_its_history_on_a_log_scale(start: ViewState) -> None:
    run = bundled()
    history = read_history(run)
    shown = _tiles(apply(start, SetSignal("ratio")))
    for k, layer in enumerate(history.layers):
        ratio = history.ratio[-1, k]
        if np.isfinite(ratio):
            np.testing.assert_allclose(shown[layer.index], (np.log10(ratio) + 5) / 4, atol=2e-3)
        elif layer.op != "input":
            assert (shown[layer.index] == 0).all()


def test_a_signal_is_the_same_for_every_sample_and_scope_and_the_bars_stay(start: ViewState) -> None:
    run, state = bundled(), apply(start, SetSignal("zeros"))
    plain, other = _tiles(state), _tiles(apply(apply(state, SetSample(5)), SetScope("map")))
    for layer in range(1, len(run.layers)):
        assert np.array_equal(plain[layer], other[layer])
    bars = [compose(run, s).marks for s in (start, state)]
    said = [{m.text for m in marks if isinstance(m, Text) and m.text.endswith(" %")} for marks in bars]
    assert said[0] >= {t for t in said[1] if "." in t}
    assert any("." in t for t in said[1])


@pytest.mark.parametrize("signal", sorted(SCALES))
def test_the_key_says_what_tiles_show_and_a_comparison_shows_values(start: ViewState, signal: str) -> None:
    run, state = bundled(), apply(start, SetSignal(signal))
    scale = SCALES[signal]
    texts = [m.text for m in compose(run, state).marks if isinstance(m, Text)]
    assert {scale.words, *(label for _, label in scale.ticks)} <= set(texts)
    assert "activation" not in texts
    assert scale.place(scale.ticks[0][0]) == 0.0
    assert scale.place(scale.ticks[-1][0]) == 1.0
    compared = compose(run, replace(apply(state, SetCompare(0))))
    assert scale.words not in [m.text for m in compared.marks if isinstance(m, Text)]


def test_the_scale_of_shares_is_bent_as_the_ramp_of_values_is() -> None:
    assert SIGNAL_POWER == POWER
