"""NaN, +Inf and −Inf are told apart on plates and in the key, and tell nothing else of the picture apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nn3d.offscreen import Offscreen
from nn3d.stage.atlas import KIND, build_atlas
from nn3d.stage.frame import Frame, Text
from nn3d.stage.nonfinite import Odd, odd_of, together
from nn3d.stage.reference import tile_places
from tests.scene.test_tiles import EVERY_MAP, faces_only, frame_of, one_layer

ODD = (np.nan, np.inf, -np.inf)


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def maps() -> np.ndarray:
    """(4, 4, 4): a cell of each kind in the first three maps, none in the last."""
    cells = np.zeros((4, 4, 4), np.float32)  # nothing rises and hides them
    cells[3, 3, 0] = 1.0
    for k, odd in enumerate(ODD):
        cells[k, 1, 2] = odd
    return cells


def is_odd(picture: np.ndarray, frame: Frame, tile: int, across: float, down: float) -> bool:
    """Whether a place in the cell (1, 2) of a map, in shares of it, has the colour of what is not finite."""
    plate = next(t for t in frame.tiles if t.layer == 1)
    centres, half = (a[tile] for a in tile_places(plate))
    row, col = 1 + down, 2 + across
    at = centres + np.array([-plate.thickness[0], half[0] * (1 - 2 * row / 4), half[1] * (2 * col / 4 - 1)])
    x, y = frame.view.project(at, frame.state.size_px)[0]
    colour = np.array(frame.palette.nonfinite[:3]) * 255
    return bool(np.abs(picture[int(y), int(x)] - colour).max() < 24)


def test_each_kind_has_its_own_sign_where_a_cell_is_large(screen: Offscreen) -> None:
    frame = faces_only(frame_of(one_layer(maps()), *EVERY_MAP, size=(960, 540)))
    picture = screen.pixels(frame).astype(float)
    places = {"corner": (0.12, 0.12), "middle": (0.5, 0.5), "above": (0.5, 0.28), "beside": (0.28, 0.5)}
    seen = [{name: is_odd(picture, frame, k, *at) for name, at in places.items()} for k in range(4)]
    assert seen[1] == {"corner": True, "middle": False, "above": False, "beside": False}
    assert seen[2] == {"corner": True, "middle": False, "above": True, "beside": False}
    assert not any(seen[3].values())
    grid = [(x, y) for x in np.linspace(0.1, 0.9, 9) for y in np.linspace(0.1, 0.9, 9)]
    hatched = np.mean([is_odd(picture, frame, 0, *at) for at in grid])
    assert 0.25 < hatched < 0.65


def test_the_texels_of_a_kind_say_which_and_change_no_other_texel() -> None:
    cells = maps()
    with_kinds, as_nan = build_atlas(cells, 0.7), build_atlas(np.where(np.isfinite(cells), cells, np.nan), 0.7)
    page, plain = with_kinds.pages[0].astype(np.float64), as_nan.pages[0].astype(np.float64)
    codes = page[..., 0][page[..., 1] > 0] - plain[..., 0][plain[..., 1] > 0]
    assert sorted(set(np.round(codes, 6))) == sorted({-round(KIND, 6), 0.0, round(KIND, 6)})
    is_code = np.abs(page[..., 0] - plain[..., 0]) > 0
    assert is_code.sum() == 2
    assert (plain[..., 0][is_code] == 0.0).all()
    assert np.array_equal(page[..., 1], plain[..., 1])


def test_the_key_counts_each_kind_that_there_is(rng: np.random.Generator) -> None:
    cells = maps()
    cells[3, 2] = np.inf
    said = {m.text for m in frame_of(one_layer(cells), *EVERY_MAP).marks if isinstance(m, Text)}
    assert {"not finite", "NaN 1", "+Inf 5", "−Inf 1"} <= said
    cells[~np.isfinite(cells)] = 0.0
    assert "not finite" not in {m.text for m in frame_of(one_layer(cells), *EVERY_MAP).marks if isinstance(m, Text)}


def test_counts_are_those_of_the_cells(rng: np.random.Generator) -> None:
    cells = rng.choice(np.array([0.5, np.nan, np.inf, -np.inf, -3.0]), size=(7, 5, 9))
    found = odd_of(cells)
    assert found == Odd(int((cells != cells).sum()), int((cells == np.inf).sum()), int((cells == -np.inf).sum()))
    assert found.nan + found.up + found.down == (~np.isfinite(cells)).sum()
    assert together([found, Odd(1, 0, 2)]) == Odd(found.nan + 1, found.up, found.down + 2)
    assert Odd(0, 3, 0).words == (("+Inf", 3),)
