"""Laws of type metrics: widths add up and scale, nothing is dropped, odd text is harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.stage.type import FILES, ascent, descent, face_of, inter, readable, shape, shorten, text_width, unknown


@pytest.mark.parametrize("weight", list(FILES))
def test_every_weight_has_its_font(weight: str) -> None:
    assert text_width("Layer", 10.0, weight) > 20.0
    assert 0.9 < ascent(1.0, weight) < 1.1
    assert 0.1 < descent(1.0, weight) < 0.4


@given(st.text(alphabet="abcXYZ 0123×−·é", max_size=20), st.text(alphabet="abcXYZ 0123×−·é", max_size=20))
def test_widths_add_up_and_scale_with_the_size(a: str, b: str) -> None:
    assert text_width(a + b, 10.0) == pytest.approx(text_width(a, 10.0) + text_width(b, 10.0))
    assert text_width(a, 30.0) == pytest.approx(3.0 * text_width(a, 10.0))


@given(st.text(alphabet=st.characters(max_codepoint=0x5FF, blacklist_categories=("Cs",)), max_size=12))
def test_any_text_has_a_width_and_visible_characters_have_glyphs(text: str) -> None:
    shaped = shape(text)
    assert shaped.width_em >= 0.0
    assert len(shaped.faces) == len(shaped.characters) == len(shaped.lefts_em)


def test_what_no_font_has_is_spelled_by_number_and_not_dropped() -> None:
    shaped = shape("a\u0378b")
    assert "".join(shaped.characters) == readable("a\u0378b") == "a[U+0378]b"
    assert unknown("a\u0378b\u0378") == ("\u0378",)
    assert unknown("abc é") == ()


def test_what_inter_lacks_comes_from_elsewhere_or_is_spelled_by_number() -> None:
    face = face_of("∝")
    assert face != inter("regular")
    assert shape("∝").characters == (("∝",) if face is not None else tuple("[U+221D]"))


def test_composed_and_decomposed_accents_are_the_same_text() -> None:
    assert shape("e\u0301").characters == shape("é").characters


def test_control_characters_take_no_room_and_white_space_is_a_space() -> None:
    assert shape("a\u200b\x00b").characters == ("a", "b")
    assert shape("a\tb\n").characters == ("a", " ", "b", " ")


@given(st.text(alphabet="abcdefgh W", max_size=30), st.floats(0.0, 200.0))
def test_shortened_text_fits_or_is_an_ellipsis(text: str, width: float) -> None:
    short = shorten(text, 11.0, width)
    assert text_width(short, 11.0) <= width or short in ("…", "")
    assert short == text or text.startswith(short[:-1])
