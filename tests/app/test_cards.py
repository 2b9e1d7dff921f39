"""Where the window's cards lie, without a window."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.app.cards import Layout, Needs, arrange_cards, fitting_panels, steady
from nn3d.stage.state import Panels

SIZES = [(800, 500), (1000, 640), (1280, 720), (1366, 768), (1600, 900), (1920, 1080), (2560, 1440)]
panels = st.builds(
    Panels, tree=st.booleans(), inspector=st.booleans(), help=st.booleans(), picture_only=st.booleans(),
    inspector_w=st.floats(0, 900), pad=st.booleans(),
)  # fmt: skip
needs = st.builds(
    Needs,
    file_w=st.floats(100, 360),
    tree_h=st.floats(40, 2000),
    inspector_h=st.floats(100, 2000),
    has_epochs=st.booleans(),
    n_samples=st.integers(0, 100),
    has_banner=st.booleans(),
)


def assert_tidy(layout: Layout, size: tuple[int, int]) -> None:
    w, h = size
    for name, box in layout.boxes.items():
        assert box.w > 0, name
        assert box.h > 0, name
        assert box.x >= 12, name
        assert box.y >= 12, name
        assert box.x1 <= w - 12, name
        assert box.y1 <= h - 12, name
    for (a, one), (b, other) in combinations(layout.boxes.items(), 2):
        assert not one.overlaps(other), f"{a} over {b} at {size}"


@given(st.sampled_from(SIZES), panels, needs)
def test_cards_never_overlap_and_stay_inside(size: tuple[int, int], panels: Panels, needs: Needs) -> None:
    assert_tidy(arrange_cards(size, panels, needs), size)


@given(st.integers(480, 4000), st.integers(360, 2400), panels, needs)
def test_cards_never_overlap_at_any_size(w: int, h: int, panels: Panels, needs: Needs) -> None:
    assert_tidy(arrange_cards((w, h), panels, needs), (w, h))


@pytest.mark.parametrize(("size", "tree", "inspector"), list(product(SIZES, (True, False), (True, False))))
def test_free_rectangle_lies_between_the_open_cards(size: tuple[int, int], tree: bool, inspector: bool) -> None:
    panels = fitting_panels(Panels(tree=tree, inspector=inspector), size[0])
    layout = arrange_cards(size, panels, Needs(inspector_h=900, tree_h=900))
    x0, y0, x1, y1 = layout.anchors.free
    assert 0 <= x0 < x1 <= size[0]
    assert 0 <= y0 < y1 <= size[1]
    for name, box in layout.boxes.items():
        assert not (box.x < x1 and x0 < box.x1 and box.y < y1 and y0 < box.y1), name


@pytest.mark.parametrize("tree_h", [100.0, 3000.0])
@pytest.mark.parametrize("size", SIZES)
def test_key_and_strands_line_stand_clear_of_the_cards(size: tuple[int, int], tree_h: float) -> None:
    layout = arrange_cards(size, fitting_panels(Panels(), size[0]), Needs(tree_h=tree_h, inspector_h=tree_h))
    anchors = layout.anchors
    assert anchors.title is None
    assert anchors.hud is not None
    assert layout.at(anchors.hud[0], anchors.hud[2]) is None
    if anchors.key is not None:
        assert layout.at(anchors.key[0] - 1, anchors.key[1] + 10) is None


def test_default_screen_has_the_measures_of_the_design() -> None:
    boxes = arrange_cards((1600, 900), Panels(), Needs()).boxes
    assert (boxes["timeline"].x, boxes["timeline"].y, boxes["timeline"].w, boxes["timeline"].h) == (12, 764, 1240, 124)
    assert (boxes["samples"].x, boxes["samples"].w) == (1264, 324)
    assert (boxes["inspector"].x, boxes["inspector"].y, boxes["inspector"].w) == (1264, 64, 324)
    assert (boxes["tree"].x, boxes["tree"].y, boxes["tree"].w) == (12, 64, 208)


@given(st.integers(480, 4000), st.floats(-50.0, 900.0), st.booleans())
def test_the_inspector_is_as_wide_as_asked_for_but_leaves_room_for_the_picture(w: int, wide: float, tree: bool) -> None:
    panels = Panels(inspector_w=wide, tree=tree)
    box = arrange_cards((w, 900), panels, Needs()).boxes.get("inspector")
    if box is None:
        return
    assert 300 <= box.w <= 560
    assert box.w == min(max(wide, 300), 560) or box.w <= 324 or box.x - 12 - (232 if tree else 12) >= 319.9


def test_narrow_windows_open_without_inspector_then_without_tree() -> None:
    assert fitting_panels(Panels(), 1280) == Panels()
    assert fitting_panels(Panels(), 1279) == Panels(inspector=False)
    assert fitting_panels(Panels(), 999) == Panels(inspector=False, tree=False)


def test_toolbar_sheds_labels_before_anything_else() -> None:
    steps = [arrange_cards((w, 900), Panels(), Needs()).view_step for w in range(2000, 400, -20)]
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert steps[-1] > 1


def test_dock_shrinks_without_epochs_and_the_picture_gets_the_rest() -> None:
    full = arrange_cards((1600, 900), Panels(), Needs())
    bare = arrange_cards((1600, 900), Panels(), replace(Needs(), has_epochs=False, n_samples=0))
    one_row = arrange_cards((1600, 900), Panels(), replace(Needs(), has_epochs=False, n_samples=4))
    assert [x.boxes["timeline"].h for x in (full, one_row, bare)] == [124, 86, 48]
    assert bare.anchors.free[3] > full.anchors.free[3]


def test_picture_only_leaves_two_corners_and_the_pill() -> None:
    layout = arrange_cards((1600, 900), Panels(picture_only=True), Needs())
    assert set(layout.boxes) == {"left", "right", "pill"}
    assert (layout.boxes["pill"].w, layout.boxes["pill"].h) == (560, 44)
    assert layout.anchors.title is not None


def test_a_taller_inspector_leaves_the_room_for_the_picture_alone() -> None:
    low = arrange_cards((1600, 900), Panels(), replace(Needs(), inspector_h=150.0))
    high = arrange_cards((1600, 900), Panels(), replace(Needs(), inspector_h=600.0))
    assert low.boxes["inspector"] != high.boxes["inspector"]
    assert steady(low).boxes == steady(high).boxes


def test_help_covers_everything() -> None:
    layout = arrange_cards((1600, 900), Panels(help=True), Needs())
    assert layout.help is not None
    assert layout.at(800, 400) == "help"
    assert layout.at(5, 5) == "help"
