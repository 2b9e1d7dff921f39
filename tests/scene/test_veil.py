"""Laws of transparency: what recedes is translucent, and the order of drawing never matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, StrandLayer
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize((800, 450)))


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def hovering(seconds: float) -> Frame:
    """The bundled run `seconds` after the pointer came over a map of conv2."""
    state = FIRST
    for command in (c.Hover(Thing(bundled().layer("conv2").index, 5)), c.Advance(seconds)):
        state = c.apply(state, command)
    return compose(bundled(), state, resident=RESIDENT)


def shuffled(layer: StrandLayer, seed: int) -> StrandLayer:
    """The same single strands in another order."""
    n, rng = layer.n_trunk, np.random.default_rng(seed)
    order = np.concatenate([np.arange(n), n + rng.permutation(len(layer.strands) - n)])
    return replace(
        layer, strands=layer.strands[order], key=("shuffled", layer.key), shape_key=("shuffled", layer.shape_key)
    )


def pixels(screen: Offscreen, frame: Frame) -> NDArray[np.int16]:
    screen.activate()
    return screen.pixels(frame).astype(np.int16)


def test_the_order_of_links_does_not_matter(screen: Offscreen) -> None:
    frame = hovering(0.0)
    first, other = pixels(screen, frame), pixels(screen, replace(frame, strands=frame.strands[::-1]))
    assert (np.abs(first - other).max(2) > 2).mean() <= 0.0005


@pytest.mark.parametrize("seconds", [0.03, 0.06, 1.0])
def test_the_order_of_translucent_strands_does_not_matter(screen: Offscreen, seconds: float) -> None:
    frame = hovering(seconds)
    first = pixels(screen, frame)
    layers = tuple(shuffled(s, n) if s.n_trunk < len(s.strands) else s for n, s in enumerate(frame.strands))
    other = pixels(screen, replace(frame, strands=layers[::-1]))
    worst = np.abs(first - other).max(2)
    assert (worst > 2).mean() <= 0.0005


def test_what_recedes_lets_through_what_lies_behind_it_and_stays_visible(screen: Offscreen) -> None:
    plain, dim = pixels(screen, hovering(0.0)), pixels(screen, hovering(1.0))
    none = pixels(screen, replace(hovering(1.0), strands=()))
    strands = np.abs(plain - none).max(2) > 40
    assert np.abs(dim - none)[strands].mean() < 0.5 * np.abs(plain - none)[strands].mean()
    assert np.abs(dim - none)[strands].mean() > 2.0


def test_the_strands_of_the_hovered_tile_keep_their_colour(screen: Offscreen) -> None:
    frame = hovering(1.0)
    lit = replace(frame, strands=tuple(s for s in frame.strands if s.lit is not None))
    assert lit.strands
    bright = pixels(screen, frame).max(2) - pixels(screen, replace(frame, strands=())).max(2)
    assert (bright > 60).sum() > 50
