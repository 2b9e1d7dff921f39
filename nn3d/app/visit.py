"""The window's dealings with files: what is being opened, what went wrong, what comes next, and what is remembered."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from imgui_bundle import portable_file_dialogs as dialogs

from nn3d.app import settings
from nn3d.app.fetching import Fetching
from nn3d.app.following import Waiting
from nn3d.app.settings import Settings
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.ports import Opener
from nn3d.run.run import Run
from nn3d.stage.state import Bookmark

CARD_SECS: Final = 0.3
DIALOGS: Final = ("zenity", "kdialog", "matedialog", "qarma")


class Visit:
    """Files of one window. `wake` ends the main loop's sleep, from any thread.

    settings : as they are now; written at once when they change, unless `is_forgetful`.
    error : why the last file did not open, "" when nothing is wrong. failed : its path.
    message : one line for the toast, taken by the main loop.
    """

    def __init__(self, opener: Opener, wake: Callable[[], None], *, is_forgetful: bool = False) -> None:
        self.settings, self.message = (Settings(), "") if is_forgetful else settings.load()
        self.error = ""
        self.failed: Path | None = None
        self._opener = opener
        self._wake = wake
        self._is_forgetful = is_forgetful
        self._fetching: Fetching | None = None
        self._waiting: Waiting | None = None
        self._dialog: Any = None
        self._found: dict[str, bool] = {}

    def open(self, path: Path) -> None:
        """Begin to open a file in place of what is being opened."""
        self.cancel()
        self.error, self.failed = "", None
        self._fetching = Fetching(path, self._opener, self._wake)

    def expect(self, folder: Path) -> None:
        """Wait until a folder holds a run with an epoch, and open it then."""
        self.cancel()
        self._waiting = Waiting(self._opener)
        self._fetching = Fetching(folder, self._waiting, self._wake)

    @property
    def is_expecting(self) -> bool:
        """What is being opened is waited for."""
        return self._waiting is not None and self._fetching is not None

    @property
    def has_come(self) -> bool:
        """A file has been read, or failed to: `arrived` tells."""
        return self._fetching is not None and self._fetching.is_done

    def open_demo(self) -> None:
        """Begin to open the first bundled run."""
        self.open(next(iter(bundled_runs().values())))

    def ask(self) -> None:
        """Let the user choose a file in the platform's own dialog."""
        if self._dialog is not None:
            return
        if sys.platform.startswith("linux") and not any(shutil.which(name) for name in DIALOGS):
            self.message = "No file dialog is installed (zenity or kdialog): drop the file on the window"
            return
        self._dialog = dialogs.open_file("Open a network or a run")

    def cancel(self) -> None:
        """Let go of what is being opened."""
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
        if self._fetching is not None:
            self._fetching.drop()
            self._fetching = None

    def exists(self, path: Path) -> bool:
        """Whether a recent file is still where it was; looked up once a window."""
        key = str(path)
        if key not in self._found:
            self._found[key] = path.exists()
        return self._found[key]

    def forgive(self) -> None:
        """The error was read."""
        self.error, self.failed = "", None

    @property
    def is_waiting(self) -> bool:
        """Something is on its way: look again soon."""
        return self._fetching is not None or self._dialog is not None

    def opening(self, now: float) -> tuple[Path, float] | None:
        """What is being opened and for how long, s, once that is longer than 0.3 s."""
        if self._fetching is None or now - self._fetching.started < CARD_SECS:
            return None
        return self._fetching.path, now - self._fetching.started

    def arrived(self) -> tuple[Path, Run] | None:
        """The run that has come, once; whoever takes it closes it. A failure becomes `error`."""
        self._look_at_dialog()
        fetching = self._fetching
        if fetching is None or not fetching.is_done:
            return None
        self._fetching = None
        try:
            return fetching.path, fetching.take()
        except (Nn3dError, OSError, ImportError, MemoryError) as error:
            self.failed, self.error = fetching.path, " ".join(str(error).split()) or type(error).__name__
            return None

    def remember(self, path: Path, run: Run) -> None:
        """Put a file that was opened on top of the recent ones."""
        bundled = {p.absolute() for p in bundled_runs().values()}
        if path.absolute() not in bundled:
            self.keep(self.settings.with_recent(path, contents(run), datetime.now()))

    def forget(self) -> None:
        """Clear the recent files."""
        self.keep(replace(self.settings, recents=()))

    def keep(self, changed: Settings) -> None:
        """Take over changed settings and write them."""
        if changed == self.settings:
            return
        self.settings = changed
        if not self._is_forgetful:
            self.message = settings.save(changed) or self.message

    def shelf(self, run: str) -> Shelf:
        """Where the bookmarks of a run lie, by its identity."""
        return Shelf(self, run)

    def close(self) -> None:
        """Let go of everything."""
        self.cancel()
        self._dialog = None

    def _look_at_dialog(self) -> None:
        if self._dialog is None or not self._dialog.ready(0):
            return
        chosen, self._dialog = self._dialog.result(), None
        if chosen:
            self.open(Path(chosen[0]))


class Shelf:
    """The bookmarks of one run in the settings."""

    def __init__(self, visit: Visit, run: str) -> None:
        self._visit, self._run = visit, run

    def bookmarks(self) -> tuple[Bookmark, ...]:
        """Those that are kept, by digit."""
        kept = (Bookmark(b.digit, b.view) for b in self._visit.settings.bookmarks if b.run == self._run)
        return tuple(sorted(kept, key=lambda b: b.digit))

    def keep(self, marks: tuple[Bookmark, ...]) -> None:
        """Keep these in place of the others of the run."""
        others = tuple(b for b in self._visit.settings.bookmarks if b.run != self._run)
        mine = tuple(settings.Bookmark(self._run, b.digit, b.view) for b in marks)
        self._visit.keep(replace(self._visit.settings, bookmarks=(*mine, *others)[: settings.MOST_BOOKMARKS]))


def contents(run: Run) -> str:
    """What is in a run, in a few words: "11 epochs · 16 samples"."""
    n_epochs, n_samples = len(run.epochs), len(run.samples)
    parts = [f"{n_epochs} epochs"] if n_epochs > 1 else []
    parts += [f"{n_samples} sample{'s' * (n_samples != 1)}"] if n_samples else ["weights only"]
    return " · ".join(parts)


def day_words(opened: str, today: datetime) -> str:
    """When, as one would say it: "today", "yesterday", "12 Nov", "2024"."""
    try:
        then = datetime.fromisoformat(opened)
    except ValueError:
        return ""
    days = (today.date() - then.date()).days
    if days in (0, 1):
        return ("today", "yesterday")[days]
    return f"{then.day} {then:%b}" if then.year == today.year else str(then.year)

