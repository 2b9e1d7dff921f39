"""What a gesture or a panel may ask of the window beside commands: files and the clipboard. They change no state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavePicture:
    """A PNG of the picture."""


@dataclass(frozen=True, slots=True)
class RecordFilm:
    """Record a film from now on, or stop and write it; with `epochs`, write one of the epochs, first to last."""

    epochs: bool = False


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
class Tell:
    """Show a line of words for a moment."""

    text: str


@dataclass(frozen=True, slots=True)
class GuideTo:
    """Go to a step of the tour, from 0."""

    step: int


@dataclass(frozen=True, slots=True)
class GuideBy:
    """Go some steps of the tour on, or back."""

    steps: int


@dataclass(frozen=True, slots=True)
class PlayGuide:
    """Let the steps of the tour follow each other, or stop."""

    on: bool


@dataclass(frozen=True, slots=True)
class EndGuide:
    """Leave the tour."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the latest change of the view back."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Do the change again that was taken back last."""


@dataclass(frozen=True, slots=True)
class SaveTensor:
    """A file of numbers or a picture of them. suffix : ".npy" or ".png".

    parameter : its id; −1 for the values of a layer (an item: a closed group too) for the sample that is shown.
    """

    item: int
    parameter: int = -1
    suffix: str = ".npy"


@dataclass(frozen=True, slots=True)
class CopyValues:
    """Put numbers on the clipboard, a row a line with tabs between: of a parameter, else of what is selected."""

    parameter: int = -1


Request = (
    SavePicture | RecordFilm | OpenFile | AskFile | OpenDemo | CancelOpening | ForgiveError | ForgetFiles | CopyText
    | CopyView | Tell | Undo | Redo
    | GuideTo | GuideBy | PlayGuide | EndGuide | SaveTensor | CopyValues
)  # fmt: skip
