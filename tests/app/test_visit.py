"""The window's files with real clicks: the empty window, recent files, what does not open, and what was remembered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from nn3d.app import settings
from nn3d.app.settings import Bookmark, Recent, Settings
from nn3d.app.visit import day_words
from nn3d.app.window import Viewer, show
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from tests.app.test_window import move

MAX_SECS = 40.0
SIZE = (1280, 800)
XDND = Path(__file__).with_name("xdnd.py")
Step = tuple[Callable[[Viewer], list[str]], Callable[[Viewer], bool]]


@dataclass(slots=True)
class Guest:
    """Sends one event after the other, each when the window rests; the window shows other runs on the way."""

    steps: list[Step]
    done: int = 0
    is_sent: bool = False
    names: list[str] = field(default_factory=list)

    def __call__(self, viewer: Viewer) -> None:
        if self.is_sent and self.steps[self.done][1](viewer):
            self.done, self.is_sent = self.done + 1, False
        if self.done == len(self.steps):
            viewer.stop()
        elif viewer.draws > 2 and not self.is_sent:
            subprocess.run(["xdotool", *self.steps[self.done][0](viewer)], check=True)
            self.is_sent = True


def click(x: float, y: float) -> Callable[[Viewer], list[str]]:
    return lambda _: [*move(x, y), "sleep", "0.15", "mousedown", "1", "sleep", "0.15", "mouseup", "1"]


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.FOLDER, str(tmp_path / "settings"))


def drop_card(n_recents: int) -> tuple[float, float]:
    """Left and upper edge of the drop card in a window of SIZE."""
    total = 236.0 + (18.0 + 44.0 + 36.0 * n_recents + 10.0 if n_recents else 0.0)
    return round((SIZE[0] - 560.0) / 2), round(max(64.0, 0.42 * (SIZE[1] - total) + 20.0))


def test_the_demo_opens_from_an_empty_window_and_the_theme_stays(display: str) -> None:
    x, y = drop_card(0)
    guest = Guest([
        (click(SIZE[0] - 32, 32), lambda v: v.state.theme == "light"),
        (click(x + 360, y + 176), lambda v: len(v.frame.marks) > 20 and not v.frame.missing),
    ])  # fmt: skip
    state = show(max_secs=MAX_SECS, on_frame=guest, size_px=SIZE, remembers=True)
    assert guest.done == 2
    assert state.theme == "light"
    assert settings.load()[0].theme == "light"
    assert settings.load()[0].recents == ()


def test_a_file_that_does_not_open_is_told_and_a_recent_one_opens(display: str, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.npz", tmp_path / "digits.npz"
    bad.write_bytes(b"not a run")
    good.write_bytes(bundled_runs()["mlp-digits"].read_bytes())
    settings.save(Settings(recents=(Recent(str(bad)), Recent(str(good)), Recent(str(tmp_path / "lost.npz")))))
    x, y = drop_card(3)
    first = y + 236 + 18 + 44 + 14
    guest = Guest([
        (click(x + 100, first), lambda v: "bad.npz" in v.visit.error),
        (click(x + 560 - 75, y + 199), lambda v: not v.visit.error),
        (click(x + 100, first + 72), lambda v: not v.visit.is_waiting),
        (click(x + 100, first + 36), lambda v: len(v.frame.marks) > 20),
    ])  # fmt: skip
    show(max_secs=MAX_SECS, on_frame=guest, size_px=SIZE, remembers=True)
    assert guest.done == 4
    latest = settings.load()[0].recents[0]
    assert latest.path == str(good)
    assert "epochs" in latest.words
    assert datetime.fromisoformat(latest.opened).date() == datetime.now().date()


def test_a_file_dropped_on_the_window_takes_the_place_of_the_run(display: str, tmp_path: Path) -> None:
    good = tmp_path / "digits and more.npz"
    good.write_bytes(bundled_runs()["mlp-digits"].read_bytes())
    drops: list[subprocess.Popen[bytes]] = []

    def on_frame(viewer: Viewer) -> None:
        if viewer.run_path == str(good) and viewer.draws > 2:
            viewer.stop()
        elif viewer.draws > 2 and not drops:
            drops.append(subprocess.Popen([sys.executable, str(XDND), "600", "300", str(good)]))

    with open_run(bundled_runs()["lenet-mnist"]) as run:
        show(run, max_secs=MAX_SECS, on_frame=on_frame, size_px=SIZE, remembers=True)
    assert drops[0].wait(20) == 0
    assert settings.load()[0].recents[0].path == str(good)


def test_settings_that_cannot_be_read_are_set_aside_and_told(tmp_path: Path) -> None:
    path = settings.settings_path()
    path.parent.mkdir(parents=True)
    for text in ("{", "[1]", '{"theme": 3}', '{"unknown": 1}', "[" * 100_000):
        path.write_text(text)
        read, said = settings.load()
        assert read == Settings()
        assert "set aside" in said
        assert "\n" not in said
        assert path.with_name("settings.broken.json").read_text() == text
        assert not path.exists()
    assert settings.load() == (Settings(), "")


def test_settings_come_back_as_they_were_and_the_latest_file_is_first() -> None:
    now = datetime(2026, 3, 4, 5, 6)
    kept = Settings("light", (1280, 720), False, True, 400.0).with_recent(Path("/a/b.npz"), "x", now)
    kept = kept.with_recent(Path("/a/c.npz"), "y", now).with_recent(Path("/a/b.npz"), "z", now)
    kept = kept.with_bookmark(Bookmark("run", 3, "v1")).with_bookmark(Bookmark("run", 3, "v2"))
    assert settings.save(kept) == ""
    assert settings.load() == (kept, "")
    assert [(Path(r.path).name, r.words) for r in kept.recents] == [("b.npz", "z"), ("c.npz", "y")]
    assert (kept.bookmark("run", 3), kept.bookmark("run", 4), kept.bookmark("other", 3)) == ("v2", None, None)
    assert json.loads(settings.settings_path().read_text())["size_px"] == [1280, 720]


def test_days_are_said_as_one_says_them() -> None:
    today = datetime(2026, 3, 4, 23, 0)
    days = ("2026-03-04T00:10", "2026-03-03T23:59", "2026-02-11T10:00", "2024-01-01", "?")
    assert [day_words(d, today) for d in days] == ["today", "yesterday", "11 Feb", "2024", ""]


