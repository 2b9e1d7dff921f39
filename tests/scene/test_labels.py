"""Laws of labels: what is drawn where, how sharp, in what order, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from nn3d.paths import asset
from nn3d.scene.glyphs import GlyphAtlas, rasterise
from nn3d.scene.labels import Labels
from nn3d.stage.frame import Line, Mark, Rect, Text
from nn3d.stage.type import inter, text_width

WHITE = (1.0, 1.0, 1.0, 1.0)
RED = (1.0, 0.0, 0.0, 1.0)
BLUE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def ctx() -> Iterator[moderngl.Context]:
    context = moderngl.create_context(standalone=True, backend="egl", require=410)
    yield context
    context.release()


@pytest.fixture(scope="module")
def labels(ctx: moderngl.Context) -> Iterator[Labels]:
    made = Labels(ctx)
    yield made
    made.release()


def draw(labels: Labels, marks: tuple[Mark, ...], size: tuple[int, int] = (64, 32), scale: float = 1.0) -> np.ndarray:
    """The picture (H, W, 4) uint8 of marks over opaque black."""
    w, h = round(size[0] * scale), round(size[1] * scale)
    target = labels.ctx.simple_framebuffer((w, h))
    target.use()
    target.clear(0.0, 0.0, 0.0, 1.0)
    labels.draw(marks, size, scale)
    pixels = np.frombuffer(target.read(components=4), np.uint8).reshape(h, w, 4)[::-1].copy()
    target.release()
    return pixels


def steepness(ink: np.ndarray) -> float:
    """How sharp a picture of text is: the share of its ink in steps between neighbouring rows and columns."""
    ink = ink.astype(np.float64)
    return float((np.abs(np.diff(ink, axis=0)).sum() + np.abs(np.diff(ink, axis=1)).sum()) / ink.sum())


@pytest.mark.parametrize("size_px", [10.0, 11.0, 13.0, 15.0, 25.0])
def test_text_is_as_sharp_as_pillow_draws_it(labels: Labels, size_px: float) -> None:
    text = "conv2d 5×5 fully connected 0.9904"
    ours = draw(labels, (Text(4, 4, text, size_px, "regular", WHITE),), (460, 40))[..., 0]
    other = Image.new("L", (460, 40))
    font = ImageFont.truetype(asset("fonts", "Inter-Regular.otf"), size_px)
    ImageDraw.Draw(other).text((4, 4), text, font=font, fill=255)
    assert steepness(ours) >= 0.95 * steepness(np.asarray(other))
    assert ours.sum() == pytest.approx(np.asarray(other).sum(), rel=0.1)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_baseline_x_height_and_capitals_end_on_whole_pixels(labels: Labels, scale: float) -> None:
    size = 11.0
    ink = draw(labels, (Text(4, 20, "xzHE", size, "regular", WHITE, "ls"),), (64, 32), scale)[..., 0]
    rows = np.flatnonzero(ink.max(axis=1))
    assert rows[-1] == 20 * scale - 1
    assert (ink[[rows[0], rows[-1]]].max(axis=1) > 200).all()


def test_a_line_is_as_wide_as_its_metrics_say(labels: Labels) -> None:
    text, size = "Handgloves", 20.0
    ink = draw(labels, (Text(10, 4, text, size, "semibold", WHITE),), (200, 32))[..., 0]
    columns = np.flatnonzero(ink.max(axis=0))
    assert columns[-1] - columns[0] + 1 == pytest.approx(text_width(text, size, "semibold"), abs=3.0)


@pytest.mark.parametrize(("anchor", "low", "high"), [("ls", 60, 63), ("ms", 45, 50), ("rs", 28, 36)])
def test_anchors_place_the_line_across(labels: Labels, anchor: str, low: int, high: int) -> None:
    ink = draw(labels, (Text(60, 20, "HHH", 12, "regular", WHITE, anchor),), (120, 32))[..., 0]
    assert low <= np.flatnonzero(ink.max(axis=0))[0] <= high


def test_anchors_place_the_line_up_and_down(labels: Labels) -> None:
    tops = [
        np.flatnonzero(draw(labels, (Text(4, 16, "H", 12, "regular", WHITE, "l" + v),), (24, 40))[..., 0].max(axis=1))[
            0
        ]
        for v in "amsb"
    ]
    assert tops == sorted(tops, reverse=True)
    assert tops[0] > 16 > tops[2]


def test_a_character_that_no_font_has_is_drawn_as_a_box(labels: Labels) -> None:
    ink = draw(labels, (Text(4, 4, "\U000e0fff\u0378", 16, "regular", WHITE),), (64, 32))[..., 0]
    assert ink.max() > 150


def test_glyphs_stand_at_quarters_of_a_pixel() -> None:
    face = inter("regular")
    centres = []
    for quarter in range(4):
        coverage, left, _ = rasterise(face, "l", 13.0, quarter)
        ink = coverage.astype(np.float64).sum(axis=0)
        centres.append(left + (ink * (np.arange(len(ink)) + 0.5)).sum() / ink.sum())
    np.testing.assert_allclose(np.diff(centres), 0.25, atol=0.03)


def test_rectangles_cover_pixels_by_their_share(labels: Labels) -> None:
    ink = draw(labels, (Rect(10.5, 8.0, 20.25, 12.5, WHITE),))[..., 0]
    assert ink[9, 9:22].tolist() == pytest.approx([0, 128, *[255] * 9, 64, 0], abs=1)
    assert ink[6:14, 15].tolist() == pytest.approx([0, 0, 255, 255, 255, 255, 128, 0], abs=1)
    assert ink.sum() / 255 == pytest.approx(9.75 * 4.5, rel=0.01)


def test_a_thin_rectangle_keeps_its_weight(labels: Labels) -> None:
    ink = draw(labels, (Rect(4, 10.3, 60, 10.7, WHITE),))[..., 0]
    assert ink[:, 30].sum() == pytest.approx(0.4 * 255, abs=2)


def test_rounded_corners_have_the_area_of_their_circle(labels: Labels) -> None:
    ink = draw(labels, (Rect(4, 4, 44, 28, WHITE, radius=8.0),), scale=2.0)[..., 0]
    assert ink.sum() / 255 / 4 == pytest.approx(40 * 24 - (4 - np.pi) * 64, rel=0.002)
    np.testing.assert_array_equal(ink[8:56, 8:88], ink[8:56, 8:88][::-1, ::-1])


def test_a_gradient_runs_from_left_to_right(labels: Labels) -> None:
    row = draw(labels, (Rect(0, 0, 64, 32, RED, right=BLUE),))[16].astype(int)
    assert (np.diff(row[:, 0]) <= 0).all()
    assert (np.diff(row[:, 2]) >= 0).all()
    assert row[0, 0] > 250
    assert row[-1, 2] > 250


@pytest.mark.parametrize("end", [(50.0, 4.0), (50.0, 20.0), (20.0, 28.0), (4.0, 28.0)])
def test_a_line_has_the_area_of_its_length_times_width(labels: Labels, end: tuple[float, float]) -> None:
    ink = draw(labels, (Line(4, 4, *end, 1.5, WHITE),))[..., 0]
    assert ink.sum() / 255 == pytest.approx(1.5 * np.hypot(end[0] - 4, end[1] - 4), rel=0.05)


def test_marks_lie_over_each_other_in_order(labels: Labels) -> None:
    below, above = Rect(0, 0, 40, 32, RED), Rect(20, 0, 64, 32, BLUE)
    assert draw(labels, (below, above))[16, 30].tolist() == [0, 0, 255, 255]
    assert draw(labels, (above, below))[16, 30].tolist() == [255, 0, 0, 255]


def test_half_transparent_marks_mix_and_leave_the_picture_opaque(labels: Labels) -> None:
    pixel = draw(labels, (Rect(0, 0, 64, 32, RED), Rect(0, 0, 64, 32, (0.0, 0.0, 1.0, 0.5))))[16, 30]
    assert pixel.tolist() == pytest.approx([128, 0, 128, 255], abs=1)


def test_all_marks_are_one_draw_call_and_unchanged_marks_upload_nothing(labels: Labels) -> None:
    marks: tuple[Mark, ...] = (
        Rect(0, 0, 9, 9, RED),
        Text(4, 4, "same", 11, "medium", WHITE),
        Line(0, 0, 9, 9, 1, BLUE),
    )
    first = draw(labels, marks)
    assert labels.draw_calls == 1
    labels.uploads.reset()
    again = draw(labels, tuple(marks))
    assert labels.uploads.bytes == 0
    np.testing.assert_array_equal(first, again)


def test_moving_a_text_uploads_no_glyph_twice(labels: Labels) -> None:
    for x in (4.0, 4.25, 4.5, 4.75):
        draw(labels, (Text(x, 4, "moving", 11, "medium", WHITE),))
    labels.uploads.reset()
    draw(labels, (Text(9.0, 7, "moving", 11, "medium", WHITE),))
    assert 0 < labels.uploads.bytes < 6 * 100


def test_no_marks_draw_nothing(labels: Labels) -> None:
    assert draw(labels, ())[..., :3].max() == 0
    assert draw(labels, (Text(4, 4, " \u200b", 11, "regular", WHITE),))[..., :3].max() == 0


def test_marks_at_no_place_draw_nothing_and_harm_nobody(labels: Labels) -> None:
    nan, inf = float("nan"), float("inf")
    lost = (Text(nan, 4, "lost", 11, "regular", WHITE), Rect(nan, 0, 9, 9, RED), Line(0, 0, inf, 9, 1, RED))
    kept = Rect(20, 0, 40, 32, BLUE)
    np.testing.assert_array_equal(draw(labels, (*lost, kept)), draw(labels, (kept,)))


def test_a_full_atlas_starts_again_and_draws_the_same(ctx: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nn3d.scene.glyphs._MAX_HEIGHT", 256)
    small = Labels(ctx)
    marks = (Text(4, 4, "again", 20, "regular", WHITE),)
    first = draw(small, marks)
    for size in range(30, 100, 4):
        draw(small, (Text(0, 0, "filling", float(size), "semibold", WHITE),))
    assert small._atlas.generation > 0
    np.testing.assert_array_equal(draw(small, marks), first)
    small.release()


def test_the_atlas_hands_the_same_glyph_out_again(ctx: moderngl.Context) -> None:
    atlas = GlyphAtlas(ctx)
    face = inter("regular")
    first = atlas.glyph(face, "g", 11.0, 1)
    assert atlas.glyph(face, "g", 11.0, 1) is first
    assert atlas.glyph(face, "g", 11.0, 2) is not first
    assert atlas.upload().size[0] >= first.u + first.width
    atlas.release()
