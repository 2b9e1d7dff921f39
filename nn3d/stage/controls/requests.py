"""What a gesture or a panel may ask of the window beside commands: files and the clipboard. They change no state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavePicture:
    """A PNG of the picture."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Open a file in place of the run."""

    path: str


@dataclass(frozen=True, slots=True)
class AskFile:
    """Let the user choose a file to open."""


@dataclass(frozen=True, slots=True)
class OpenDemo:
    """Open the first bundled run."""


@dataclass(frozen=True, slots=True)
class CancelOpening:
    """Let go of the file that is being opened."""


@dataclass(frozen=True, slots=True)
class ForgiveError:
    """The error card was read."""


@dataclass(frozen=True, slots=True)
class ForgetFiles:
    """Clear the list of recent files."""


@dataclass(frozen=True, slots=True)
class CopyText:
    """Put words on the clipboard; `said` is what the window says then."""

    text: str
    said: str = "Copied"


@dataclass(frozen=True, slots=True)
class CopyView:
    """Put the view, as a string, on the clipboard."""


@dataclass(frozen=True, slots=True)
class Say:
    """Show a line of words for a moment."""

    text: str


Request = (
    SavePicture | OpenFile | AskFile | OpenDemo | CancelOpening | ForgiveError | ForgetFiles | CopyText | CopyView | Say
)
