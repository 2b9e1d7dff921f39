"""Type of the panels: whole sizes, widths that fit, characters that Inter lacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from imgui_bundle import imgui

from nn3d.app.type import CSS_TO_IMGUI, Type, half_up, icon, imgui_px, system_faces
from nn3d.offscreen import Offscreen
from nn3d.stage.type import face_of, inter


@pytest.fixture(scope="module")
def type_() -> Iterator[Type]:
    from nn3d.app.backend import Backend

    with Offscreen() as screen:
        imgui.create_context()
        backend = Backend(screen.ctx)
        made = Type()
        imgui.get_io().display_size = imgui.ImVec2(320, 200)
        imgui.new_frame()
        yield made
        imgui.render()
        backend.release()
        imgui.destroy_context()


@pytest.mark.parametrize("size", [10, 10.5, 11, 11.5, 12, 12.5, 13, 16, 19, 20])
def test_sizes_are_whole_px_of_ascent_and_descent(size: float) -> None:
    assert imgui_px(size, "regular") == round(size * CSS_TO_IMGUI)
    assert imgui_px(size, "icon") == round(size)


def test_halves_always_go_up() -> None:
    assert [half_up(v) for v in (0.5, 1.5, 2.5, -0.5)] == [1, 2, 3, 0]


def test_shortened_text_fits_and_says_so(type_: Type) -> None:
    text = "layer4.2.downsample.0.conv"
    for width in (20.0, 60.0, 100.0, 400.0):
        shown = type_.fit(text, width, 12)
        assert type_.width(shown, 12) <= width
        assert shown == text or shown.endswith("…")


def test_wrapped_text_keeps_every_word(type_: Type) -> None:
    text = "Graph inferred from names and shapes alone, in the file's order"
    lines = type_.wrap(text, 140.0, 11.5)
    assert len(lines) > 2
    assert " ".join(lines) == text
    assert all(type_.width(line, 11.5) <= 140.0 for line in lines)


def test_heavier_type_is_wider(type_: Type) -> None:
    assert type_.width("conv2", 13, "semibold") > type_.width("conv2", 13, "regular")


def test_icons_are_single_characters_and_unknown_ones_are_refused() -> None:
    assert len(icon("play")) == 1
    with pytest.raises(KeyError):
        icon("no-such-icon")


def test_system_fonts_are_asked_only_for_what_inter_lacks() -> None:
    assert system_faces(["conv1", "naïve", "−×·"]) == ()
    other = face_of("∝")
    if other is None or other == inter("regular"):
        pytest.skip("no system font with ∝")
    assert system_faces(["a ∝ b"]) == (other,)
