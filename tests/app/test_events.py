"""From keys to triggers, on keyboards that write other letters."""

from __future__ import annotations

import glfw
import pytest

from nn3d.app.events import letter_of


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        (glfw.KEY_F, "f", "F"),
        (glfw.KEY_Q, "a", "A"),  # AZERTY: what the key writes
        (glfw.KEY_F, "\u0430", "F"),  # Cyrillic: where the key lies
        (glfw.KEY_SEMICOLON, "\u0436", None),
        (glfw.KEY_SEMICOLON, ";", None),
        (glfw.KEY_F, None, None),
        (glfw.KEY_UNKNOWN, "f", None),
    ],
)
def test_a_key_is_the_letter_that_it_writes_or_its_place_where_that_is_not_latin(
    key: int, written: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glfw, "get_key_name", lambda *_: written)
    assert letter_of(key) == expected
