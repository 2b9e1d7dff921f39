"""A line of text under keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nn3d.stage.field import LONGEST, Field, field_of, pressed, typed

TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=30)
FIELDS = st.builds(field_of, TEXTS, st.integers(0, 40), st.integers(0, 40))
MOVES = st.sampled_from(["Left", "Right", "Home", "End", "Ctrl Left", "Ctrl Right"])
KEYS = st.sampled_from([
    *(f"{s}{k}" for s in ("", "Shift ", "Ctrl ", "Ctrl Shift ") for k in ("Left", "Right", "Home", "End")),
    "Backspace", "Delete", "Ctrl Backspace", "Ctrl Delete", "Ctrl A",
])  # fmt: skip


@given(FIELDS, st.lists(KEYS, max_size=20))
def test_caret_and_mark_stay_inside_the_text_whatever_is_pressed(field: Field, keys: list[str]) -> None:
    for key in keys:
        after = pressed(field, key)
        assert after is not None
        field = after
        assert 0 <= field.caret <= len(field.text)
        assert 0 <= field.mark <= len(field.text)


@given(FIELDS, MOVES)
def test_moves_leave_the_text_and_shift_keeps_the_mark(field: Field, key: str) -> None:
    plain, held = pressed(field, key), pressed(field, f"Shift {key}")
    assert plain is not None
    assert held is not None
    assert plain.text == held.text == field.text
    assert plain.mark == plain.caret
    assert held.mark == field.mark


@given(FIELDS, TEXTS.map(lambda s: "".join(c for c in s if c.isprintable())))
def test_typing_replaces_what_is_selected_and_backspace_takes_it_back(field: Field, chars: str) -> None:
    low, high = field.selected
    after = typed(field, chars)
    assert after.text == field.text[:low] + chars + field.text[high:]
    for _ in chars:
        shorter = pressed(after, "Backspace")
        assert shorter is not None
        after = shorter
    assert after == Field(field.text[:low] + field.text[high:], low, low)


def test_words_are_jumped_over_and_deleted_whole() -> None:
    field = field_of("conv 3×3 relu", 13, 13)
    assert pressed(field, "Ctrl Left") == Field("conv 3×3 relu", 9, 9)
    assert pressed(field, "Ctrl Backspace") == Field("conv 3×3 ", 9, 9)
    assert pressed(Field("a b"), "Ctrl Delete") == Field(" b", 0, 0)


def test_control_characters_are_not_typed_and_a_text_has_an_end() -> None:
    assert typed(Field(), "a\nb\x00c").text == "abc"
    assert len(typed(Field("x" * 150, 150, 150), "y" * 100).text) == LONGEST


def test_keys_that_do_not_edit_are_left_to_others() -> None:
    assert all(pressed(Field("abc"), key) is None for key in ("Enter", "Tab", "Up", "Alt Left", "F", "Ctrl Z"))
