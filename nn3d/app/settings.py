"""What the window remembers from one time to the next: theme, panels, size, recent files, bookmarks.

It lies in one JSON file in the platform's own place for settings, written whole or not at all. The environment variable
NN3D_CONFIG_DIR names another folder. What cannot be read is set aside and told, never silently overwritten.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import platformdirs

from nn3d.errors import Nn3dError
from nn3d.stage import jsonable

FOLDER: Final = "NN3D_CONFIG_DIR"
MOST_RECENT: Final = 20
MOST_BOOKMARKS: Final = 200
MOST_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Recent:
    """A file that was opened. path : absolute. words : what is in it. opened : local time, ISO 8601 to the minute."""

    path: str
    words: str = ""
    opened: str = ""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A view kept under a digit. run : the run's id. view : a string of nn3d.stage.viewstring."""

    run: str
    digit: int
    view: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What is remembered. recents : the latest first. size_px : of the window, logical px; None before the first."""

    theme: str = "dark"
    size_px: tuple[int, int] | None = None
    tree: bool = True
    inspector: bool = True
    inspector_px: float = 324.0
    recents: tuple[Recent, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()

    def with_recent(self, path: Path, words: str, now: datetime) -> Settings:
        """With a file as the latest one."""
        latest = Recent(str(path.absolute()), words, now.isoformat(timespec="minutes"))
        rest = tuple(r for r in self.recents if r.path != latest.path)
        return replace(self, recents=(latest, *rest)[:MOST_RECENT])

    def with_bookmark(self, mark: Bookmark) -> Settings:
        """With a view under its digit, in place of the one that was there."""
        rest = tuple(b for b in self.bookmarks if (b.run, b.digit) != (mark.run, mark.digit))
        return replace(self, bookmarks=(mark, *rest)[:MOST_BOOKMARKS])

    def bookmark(self, run: str, digit: int) -> str | None:
        """The view under a digit, if there is one."""
        return next((b.view for b in self.bookmarks if (b.run, b.digit) == (run, digit)), None)


def settings_path() -> Path:
    """Where the settings lie."""
    folder = os.environ.get(FOLDER)
    return (Path(folder) if folder else Path(platformdirs.user_config_dir("nn3d", False))) / "settings.json"


def load() -> tuple[Settings, str]:
    """The settings, and a line for the user when the file could not be read ("" when all is well)."""
    path = settings_path()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Nn3dError(f"larger than {MOST_BYTES >> 20} MB")
        read: Settings = jsonable.from_json(Settings, json.loads(path.read_text(encoding="utf-8")))
        return read, ""
    except FileNotFoundError:
        return Settings(), ""
    except (OSError, ValueError, RecursionError, Nn3dError) as error:
        aside = path.with_name("settings.broken.json")
        try:
            os.replace(path, aside)
        except OSError:
            return Settings(), f"Settings cannot be read ({error})"
        return Settings(), f"Settings could not be read ({error}); they are set aside in {aside}"


def save(settings: Settings) -> str:
    """Write the settings; a line for the user when that fails, else ""."""
    path = settings_path()
    part = path.with_name(f".settings.{os.getpid()}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(jsonable.to_json(settings), indent=1), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        return f"Settings cannot be written to {path.parent} ({error.strerror or error})"
    return ""
