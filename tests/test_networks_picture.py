"""Every network of tests/networks.py becomes a picture: captured by real torch, composed, drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import PART
from nn3d.stage.reference import control_points, tile_places
from nn3d.stage.resident import Resident
from tests.networks import SMALL


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


@pytest.mark.parametrize("opened", [None, True])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_is_drawn_with_every_layer_and_link(screen: Offscreen, name: str, opened: bool | None) -> None:
    run = capture(*SMALL[name]())
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.Resize((640, 360)))
    state = c.apply(state, c.UnfoldAll(at_once=True))
    if opened is not None:
        state = c.apply(state, c.SetOpen(None, opened, at_once=True))
    frame = compose(run, state, resident=resident)
    screen.activate()
    picture = screen.pixels(frame)
    assert picture.std() > 4.0
    assert sorted(t.layer for t in frame.tiles if t.layer < PART) == list(range(len(run.layers)))
    wanted = {(link.source, layer.index) for layer in run.layers for link in layer.links}
    ends = [[frame.tiles[i].layer % PART for i in (s.source, s.target)] for s in frame.strands]
    drawn = {(s, t) for s, t in ends if s != t}
    concats = {layer.index for layer in run.layers if layer.op == "concat"}

    def is_told(source: int, target: int) -> bool:
        """Drawn, or one of the parts that a bus brings from an earlier concatenation."""
        buses = [c for c, t in drawn if t == target and c in concats and target in concats]
        return (source, target) in drawn or any(is_told(source, c) for c in buses)

    assert all(is_told(*pair) for pair in wanted)
    assert all(pair in wanted or set(pair) <= concats for pair in drawn)
    extent = max(abs(t.x) for t in frame.tiles) + 1.0
    for n, strands in enumerate(frame.strands):
        gpu, reference = screen.renderer.ribbons.control_points(frame, n), control_points(frame, strands)
        assert np.isfinite(reference).all()
        assert np.abs(gpu - reference).max() < 1e-5 * extent


def test_a_bare_state_dict_says_that_its_wires_are_inferred(screen: Offscreen, tmp_path: object) -> None:
    from pathlib import Path

    import torch

    from nn3d.extract.options import SourceOptions
    from nn3d.extract.sources import open_source
    from nn3d.stage.frame import Text

    path = Path(str(tmp_path)) / "weights.pt"
    torch.save(SMALL["lenet"]()[0].state_dict(), path)
    run = open_source(path, SourceOptions())
    frame = compose(run)
    said = " ".join(m.text for m in frame.marks if isinstance(m, Text))
    assert "wires inferred" in said
    assert "dashed = inferred" in said
    assert all(s.is_dashed for s in frame.strands)
    screen.activate()
    assert screen.pixels(frame).std() > 4.0


def test_a_plate_of_gates_is_picked_as_its_layer_and_h_by_its_cell(screen: Offscreen) -> None:
    run = capture(*SMALL["lstm_both"]())
    frame = compose(run)
    screen.activate()
    layer = next(la.index for la in run.layers if la.op == "lstm")
    plates = [t for t in frame.tiles if t.layer % PART == layer]
    for plate in (plates[0], plates[-1]):
        centres, half = tile_places(plate)
        at = centres[0] + [-plate.thickness[0], 0.4 * half[0, 0], 0.4 * half[0, 1]]
        x, y = frame.view.project(at, frame.state.size_px)[0]
        hit = screen.renderer.pick(frame, float(x), float(y))
        assert hit is not None
        assert hit.layer == layer
        assert (hit.tile, hit.row) == ((0, 2) if plate is plates[-1] else (-1, -1))
