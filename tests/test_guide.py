"""The guide's page is the code's: its table of gestures, its chapters, and pictures that are there and small."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from nn3d.stage.controls import TABLE, markdown

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The guide's own modules, as `python scripts/guide` sees them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "gallery"))
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "guide"))
    yield import_module("scripts.guide.__main__")
    for name in set(sys.modules) - before:
        if name in ("chapters", "screen", "squeeze", "walk") or name.startswith("scripts"):
            del sys.modules[name]


def test_the_page_is_of_the_chapters_and_the_gestures_that_there_are(script: ModuleType) -> None:
    page = (GUIDE / "README.md").read_text(encoding="utf-8")
    assert page == script.page(), "write it anew: python scripts/guide --page"
    assert markdown() in page
    assert all(row.words in page for row in TABLE)


def test_every_chapter_has_its_picture_of_the_whole_window_and_a_small_file(script: ModuleType) -> None:
    names = {chapter.name for chapter in (*script.CHAPTERS, *script.SECOND)}
    assert {path.stem for path in GUIDE.glob("*.png")} == names
    for path in GUIDE.glob("*.png"):
        with Image.open(path) as picture:
            assert (picture.size, picture.mode) == (script.SIZE, "RGB"), path.name
        assert path.stat().st_size <= script.LIMIT_BYTES, path.name
