"""Laws of strands about a pixel wide: in a bundle they are an even tone, whichever of them is drawn first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, StrandLayer
from nn3d.stage.resident import Resident
from tests.runs import bundled

EVEN = 12.0


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def seen(*commands: c.Command, size_px: tuple[int, int] = (960, 540)) -> Frame:
    """The bundled run."""
    resident = Resident(bundled())
    state = initial_state(bundled(), resident, size_px=size_px)
    for command in (c.Resize(size_px), *commands):
        state = c.apply(state, command)
    return compose(bundled(), state, resident=resident)


def unevenness(screen: Offscreen, frame: Frame) -> float:
    """Mean standard deviation of the brightness, 0 … 255, in the 3 × 3 px around each px amid orange strands."""
    screen.activate()
    drawn, without = (screen.pixels(f).astype(np.int64) for f in (frame, replace(frame, strands=())))
    orange = (drawn[..., 0] - drawn[..., 2] > 25) & (np.abs(without[..., 0] - without[..., 2]) < 15)
    amid = sliding_window_view(orange, (3, 3)).all((2, 3))
    assert amid.sum() > 500
    bright: NDArray[np.float64] = sliding_window_view(drawn[..., :3] @ np.array([0.3, 0.59, 0.11]), (3, 3))
    return float(bright.std((2, 3))[amid].mean())


def shuffled(layer: StrandLayer, seed: int) -> StrandLayer:
    """The same single strands in another order."""
    n, rng = layer.n_trunk, np.random.default_rng(seed)
    order = np.concatenate([np.arange(n), n + rng.permutation(len(layer.strands) - n)])
    names = ("shuffled", seed, layer.key), ("shuffled", seed, layer.shape_key)
    return replace(layer, strands=layer.strands[order], key=names[0], shape_key=names[1])


@pytest.mark.parametrize("commands", [(), (c.SetOpen(None, False, at_once=True),)], ids=["strands", "ropes"])
def test_bundles_of_fine_strands_are_an_even_tone(screen: Offscreen, commands: tuple[c.Command, ...]) -> None:
    assert unevenness(screen, seen(*commands)) <= EVEN


def test_strands_that_are_wide_enough_keep_their_sides(screen: Offscreen) -> None:
    assert unevenness(screen, seen(c.SetOpen(None, False, at_once=True), size_px=(2400, 1350))) > EVEN


def test_the_order_of_opaque_strands_does_not_matter(screen: Offscreen) -> None:
    frame = seen(size_px=(1280, 720))
    screen.activate()
    other = replace(frame, strands=tuple(shuffled(s, n) for n, s in enumerate(frame.strands))[::-1])
    first, again = (screen.pixels(f).astype(np.int16) for f in (frame, other))
    assert (np.abs(first - again).max(2) > 2).mean() <= 0.0001
