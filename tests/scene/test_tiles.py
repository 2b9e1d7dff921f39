"""Laws of tiles: no aliasing, no mixing of tiles, cells that are not finite stay in sight, few draw calls, same picture
at rest and on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peer_nets import synthetic
from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run
from nn3d.scene.plates import CELLS, lattice_of
from nn3d.stage import commands as c
from nn3d.stage.atlas import Level, build_atlas
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.reference import tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from tests.networks import SMALL

EVERY_MAP = (c.UnfoldAll(at_once=True), c.SetOpen(None, True, at_once=True), c.SetSelection("off"))


@pytest.fixture(scope="module")
def _made() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


@pytest.fixture
def screen(_made: Offscreen) -> Offscreen:
    _made.activate()
    return _made


def one_layer(cells: np.ndarray) -> Run:
    """An input and a layer that shows (K, R, C) cells."""
    layers = [{"name": "input", "op": "input"}, {"name": "maps", "op": "conv2d"}]
    return run_from_arrays(layers, {"input": np.zeros((1, 4), np.float32), "maps": cells[None]}, model="maps")


def frame_of(run: Run, *commands: c.Command, size: tuple[int, int] = (960, 540)) -> Frame:
    resident = Resident(run)
    state: ViewState = initial_state(run, resident, size_px=size)
    for command in (c.Resize(size), *commands):
        state = c.apply(state, command)
    return compose(run, state, resident=resident)


def faces_only(frame: Frame) -> Frame:
    """The frame without text and structure."""
    return replace(frame, marks=(), boxes=frame.boxes[:0], shadows=frame.shadows[:0])


def grown(tile: TileLayer, scale: float) -> TileLayer:
    """A plate on its way out of a closed group."""
    (a, b), (p, q), (h, w) = tile.open_half, tile.mosaic_half, tile.block_half
    halves = {"open_half": (a * scale, b * scale), "mosaic_half": (p * scale, q * scale)}
    return replace(tile, scale=scale, block_half=(h * scale, w * scale), **halves)


def block_of(level: Level, atlas_page: np.ndarray, column: int, row: int) -> np.ndarray:
    top, left = level.y + row * level.rows, level.x + column * level.cols
    return atlas_page[top : top + level.rows, left : left + level.cols]


@pytest.mark.parametrize("shape", [(5, 7, 3), (33, 8, 8), (3, 1, 9), (17, 1, 1), (1, 11, 96), (6, 28, 28)])
@pytest.mark.parametrize("power", [0.7, 1.0])
def test_a_level_averages_what_is_shown_of_one_tile_and_of_no_other(
    rng: np.random.Generator, shape: tuple[int, int, int], power: float
) -> None:
    cells = rng.normal(size=shape).astype(np.float32)
    atlas = build_atlas(cells, power)
    shown = np.sign(cells) * np.abs(cells.astype(np.float64)) ** power / atlas.unit**power
    for depth, level in enumerate(atlas.levels):
        step = 1 << depth
        for tile in range(len(cells)):
            page, slot = divmod(tile, atlas.across * atlas.down)
            row, column = divmod(slot, atlas.across)
            got = block_of(level, atlas.pages[page], column, row)
            want = [
                [shown[tile, y : y + step, x : x + step].mean() for x in range(0, shape[2], step)]
                for y in range(0, shape[1], step)
            ]
            np.testing.assert_allclose(got, want, atol=2e-3)


def test_values_of_any_size_survive_the_half_floats(rng: np.random.Generator) -> None:
    for size in (1e-30, 1e-6, 1.0, 1e9, 3e37):
        cells = (rng.random((2, 5, 5)) * size).astype(np.float32)
        atlas = build_atlas(cells, 0.7)
        first = block_of(atlas.levels[0], atlas.pages[0], 0, 0).astype(np.float64)
        np.testing.assert_allclose(first ** (1 / 0.7) * atlas.unit, cells[0], rtol=3e-3, atol=1e-6 * size)


def test_the_block_of_the_shader_has_the_offsets_of_its_dtype(screen: Offscreen) -> None:
    frame = frame_of(one_layer(np.ones((4, 6, 6), np.float32)), *EVERY_MAP)
    screen.draw(frame)
    name, program = next((k, p) for k, p in screen.renderer.tiles.programs.items() if "plate" in k and "pick" not in k)
    assert program["Cells"].size == CELLS.itemsize, name


def test_a_lattice_is_found_in_rows_and_refused_elsewhere() -> None:
    at = np.array([(-1.5 * (k // 3), 2.0 * (k % 3)) for k in range(7)], np.float32)
    lattice = lattice_of(at, (0.5, 0.6))
    assert lattice is not None
    assert (lattice.rows, lattice.cols, lattice.pitch) == (3, 3, (1.5, 2.0))
    assert lattice_of(at[[1, 0, 2, 3, 4, 5, 6]], (0.5, 0.6)) is None
    ring = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 5, 7)], np.float32)
    assert lattice_of(ring, (0.1, 0.1)) is None


@pytest.mark.parametrize("scale", [1.0, 0.6])
@pytest.mark.parametrize("arrangement", ["grid", "line", "mosaic"])
def test_a_plate_at_rest_is_the_picture_of_its_single_tiles(
    screen: Offscreen, rng: np.random.Generator, arrangement: str, scale: float
) -> None:
    """One square for all tiles, and one for each, differ by how they meet the pixels at their edges and no more."""
    run = one_layer(np.maximum(rng.normal(size=(10, 9, 9)), 0).astype(np.float32))
    shape = c.SetOpen(1, False, at_once=True) if arrangement == "mosaic" else c.Arrange(1, arrangement, at_once=True)
    frame = faces_only(frame_of(run, *EVERY_MAP, shape))
    frame = replace(frame, tiles=tuple(grown(t, scale) for t in frame.tiles))
    together = screen.pixels(frame).astype(float)
    nearly = tuple(
        replace(t, opening=1e-9 if arrangement == "mosaic" else 1.0 - 1e-9) if t.layer == 1 else t for t in frame.tiles
    )
    apart = screen.pixels(replace(frame, tiles=nearly)).astype(float)
    difference = np.abs(together - apart).max(-1)
    assert together.std() > 5.0
    assert (difference > 12).mean() < 0.004
    assert difference.mean() < 0.25


@pytest.mark.parametrize(("kind", "on_tiles_at_most"), [("noise", 1.2), ("smooth", 2.0)])
def test_no_aliasing(screen: Offscreen, kind: str, on_tiles_at_most: float) -> None:
    """An open VGG-16 at half size is the average of its full-size picture.

    Within a mean of 2/255 of the tiles' own pixels: smooth maps have shapes of the size of a pixel, which a footprint
    that is too wide or leans the wrong way would blur.
    """
    vgg = synthetic("vgg16", weights=False, smooth=kind == "smooth")
    resident = Resident(vgg)
    state = initial_state(vgg, resident, size_px=(1280, 720))
    for command in EVERY_MAP:
        state = c.apply(state, command)
    full, half = (
        faces_only(compose(vgg, c.apply(state, c.Resize((1280, 720), scale)), resident=resident))
        for scale in (1.0, 0.5)
    )
    large, small = screen.pixels(full).astype(float), screen.pixels(half).astype(float)
    averaged = large.reshape(360, 2, 640, 2, 3).mean((1, 3))
    bare = screen.pixels(replace(half, tiles=())).astype(float)
    on_tiles = np.abs(small - bare).max(-1) > 6
    assert on_tiles.mean() > 0.1
    assert np.abs(averaged - small).mean() <= 0.8
    assert np.abs(averaged - small)[on_tiles].mean() <= on_tiles_at_most


def test_every_map_of_resnet_50_takes_a_draw_call_a_layer(screen: Offscreen) -> None:
    frame = frame_of(synthetic("resnet50", weights=False), *EVERY_MAP, size=(1280, 720))
    assert sum(t.table.size for t in frame.tiles) > 44_000
    screen.draw(frame)
    assert screen.figures.draw_calls <= len(frame.tiles) + 8


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_single_cell_that_is_not_finite_is_seen_and_only_it(
    screen: Offscreen, rng: np.random.Generator, bad: float, scale: float
) -> None:
    cells = np.maximum(rng.normal(size=(12, 56, 56)), 0).astype(np.float32)
    cells[5, 20, 31] = bad
    frame = faces_only(frame_of(one_layer(cells), *EVERY_MAP, c.Resize((960, 540), scale)))
    picture = screen.pixels(frame).astype(float)
    colour = np.array(frame.palette.nonfinite[:3]) * 255
    where = np.argwhere(np.abs(picture - colour).max(-1) < 24)
    assert 1 <= len(where) <= 30
    plate = next(t for t in frame.tiles if t.layer == 1)
    centres, half = (a[5] for a in tile_places(plate))
    at = centres + np.array([-plate.thickness[0], half[0] * (1 - 2 * 20.5 / 56), half[1] * (2 * 31.5 / 56 - 1)])
    x, y = frame.view.project(at, frame.state.size_px)[0]
    assert np.abs(where[:, ::-1] + 0.5 - scale * np.array([x, y])).max() < 6.0


def test_a_finite_map_beside_one_that_is_not_keeps_its_colours(screen: Offscreen, rng: np.random.Generator) -> None:
    cells = np.maximum(rng.normal(size=(4, 8, 8)), 0).astype(np.float32)
    broken = cells.copy()
    broken[2] = np.nan
    a, b = (faces_only(frame_of(one_layer(v), *EVERY_MAP)) for v in (cells, broken))
    gain = next(t for t in a.tiles if t.layer == 1).gain
    b = replace(b, tiles=tuple(replace(t, gain=gain) if t.layer == 1 else t for t in b.tiles))
    left, right = screen.pixels(a).astype(float), screen.pixels(b).astype(float)
    plate = next(t for t in a.tiles if t.layer == 1)
    centres, _ = tile_places(plate)
    px = a.view.project(centres - [plate.thickness[0], 0, 0], a.state.size_px).astype(int)
    same = [np.abs(left[y - 9 : y + 9, x - 9 : x + 9] - right[y - 9 : y + 9, x - 9 : x + 9]).max() for x, y in px]
    assert max(same[k] for k in (0, 1, 3)) <= 1.0
    assert same[2] > 50.0


@pytest.mark.parametrize("scope", ["map", "layer", "network"])
def test_the_scope_says_whose_largest_values_have_full_colour(screen: Offscreen, scope: str) -> None:
    cells = np.zeros((2, 4, 4), np.float32)
    cells[0], cells[1] = 1.0, 8.0
    layers = [{"name": n, "op": o} for n, o in (("input", "input"), ("weak", "conv2d"), ("strong", "conv2d"))]
    values = {"input": np.zeros((1, 4), np.float32), "weak": cells[None], "strong": 4 * cells[None]}
    run = run_from_arrays(layers, values)
    frame = frame_of(run, *EVERY_MAP, c.SetScope(scope))
    picture = screen.pixels(faces_only(frame))
    ramp = frame.palette.ramps["seq"] * 255.0
    full = {"map": (1, 8, 4, 32), "layer": (8, 8, 32, 32), "network": (32, 32, 32, 32)}[scope]
    for k, (layer, tile) in enumerate(((1, 0), (1, 1), (2, 0), (2, 1))):
        plate = next(t for t in frame.tiles if t.layer == layer)
        at = tile_places(plate)[0][tile] - [plate.thickness[0], -0.1, -0.1]
        x, y = frame.view.project(at, frame.state.size_px)[0].astype(int)
        value = float(cells[tile, 0, 0]) * (1 if layer == 1 else 4)
        want = ramp[round(255 * (value / full[k]) ** plate.power)]
        assert np.abs(picture[y, x] - want).max() <= 3.0


@pytest.mark.parametrize("arrangement", ["grid", "circle"])
def test_many_pages_draw_what_one_draws(
    screen: Offscreen, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, arrangement: str
) -> None:
    run = one_layer(np.maximum(rng.normal(size=(20, 9, 9)), 0).astype(np.float32))
    shape = c.Arrange(1, arrangement, at_once=True)
    one = screen.pixels(faces_only(frame_of(run, *EVERY_MAP, shape)))
    monkeypatch.setattr("nn3d.stage.atlas.MAX_PAGE", 40)
    frame = faces_only(frame_of(run, *EVERY_MAP, shape))
    frame = replace(frame, tiles=tuple(replace(t, key=("again", t.key)) for t in frame.tiles))
    values = next(t for t in frame.tiles if t.layer == 1).values
    assert values is not None
    assert values[0].atlas is not None
    assert len(values[0].atlas.pages) > 2
    fresh = tuple(replace(v, key=("again", v.key)) for v in values)
    many = replace(frame, tiles=tuple(replace(t, values=fresh) if t.layer == 1 else t for t in frame.tiles))
    assert np.abs(screen.pixels(many).astype(int) - one).max() <= 1
    assert one.std() > 5.0


@pytest.mark.parametrize("seams", [False, True])
@pytest.mark.parametrize("name", ["googlenet", "two_inputs"])
def test_the_order_of_plates_in_a_frame_changes_no_pixel(
    screen: Offscreen, rng: np.random.Generator, name: str, seams: bool
) -> None:
    """Soft edges are blended, also where plates in lanes are equally far from the eye."""
    run = capture(*SMALL[name]())
    resident = Resident(run)
    state = initial_state(run, resident, size_px=(640, 360))
    for command in (*EVERY_MAP, c.SetBudget(replace(state.budget, shade=False, seams=seams))):
        state = c.apply(state, command)
    for yaw, pitch in ((0.9, 0.2), (0.0, 0.0), (2.4, 0.6)):
        camera = replace(state.camera, yaw_rad=yaw, pitch_rad=pitch)
        frame = replace(compose(run, c.apply(state, c.SetCamera(camera)), resident=resident), strands=(), stands=())
        first = screen.pixels(frame)
        for _ in range(3):
            mixed = tuple(frame.tiles[k] for k in rng.permutation(len(frame.tiles)))
            np.testing.assert_array_equal(screen.pixels(replace(frame, tiles=mixed)), first)
