"""The gallery's page tells how its pictures are made, and its pictures are what it says."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nn3d.cli.render import command as render

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The gallery's own modules, as `python scripts/gallery` sees them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "gallery"))
    yield import_module("scripts.gallery.__main__")
    for name in set(sys.modules) - before:
        if name in ("pictures", "runs", "squeeze") or name.startswith("scripts"):
            del sys.modules[name]


def test_the_page_is_of_the_pictures_that_are_there(script: ModuleType) -> None:
    assert (GALLERY / "README.md").read_text(encoding="utf-8") == script.page()
    names = {picture.name for picture in script.PICTURES}
    assert len(names) >= 15
    assert {path.stem for path in GALLERY.glob("*.png")} == names


def test_every_command_on_the_page_is_one_that_render_takes(script: ModuleType) -> None:
    lines = [line.strip("`") for line in script.page().splitlines() if line.startswith("`nn3d render")]
    assert len(lines) == len(script.PICTURES)
    for line in lines:
        context = render.make_context("render", shlex.split(line)[2:])
        assert str(context.params["file"]) in script.FILES.values()


def test_pictures_are_whole_and_small() -> None:
    for path in GALLERY.glob("*.png"):
        with Image.open(path) as picture:
            assert (picture.size, picture.mode) == ((1600, 900), "RGB"), path.name
        assert path.stat().st_size <= 520_000, path.name


def test_squeezing_changes_no_colour_by_more_than_two_and_keeps_the_view(script: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((200, 300, 3), 30.0) + np.linspace(0, 9, 300)[:, None] + rng.uniform(-0.6, 0.6, (200, 300, 1))
    pixels[60:140, 90:200] = rng.integers(0, 256, (80, 110, 3))
    drawn = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    words = PngInfo()
    words.add_itxt("nn3d view", "what was seen, naïve")
    Image.fromarray(drawn).save(tmp_path / "a.png", pnginfo=words)
    before = (tmp_path / "a.png").stat().st_size
    assert script.squeeze(tmp_path / "a.png", 1) < before
    with Image.open(tmp_path / "a.png") as picture:
        kept, said = np.asarray(picture), picture.text  # type: ignore[attr-defined]
    assert dict(said) == {"nn3d view": "what was seen, naïve"}
    assert np.abs(kept.astype(int) - drawn).max() <= 2
