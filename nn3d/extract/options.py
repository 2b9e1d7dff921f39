"""Owns what a person can say about a source: which model, which input, how pictures are prepared (CLI.md's SOURCE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError

# How a line of `left_out` begins that says why a checkpoint of a folder was not read.
PASSED_OVER = "passed over: "


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The SOURCE options of the command line; also how Python code asks for the same.

    model : PKG.MOD:FACTORY, torchvision:NAME, timm:NAME or hf:FOLDER. input : a path, or random[:3,224,224].
    samples : how many to record, None for all that the input has (at most 16 of a folder or data set).
    resize : (H, W). mean, std : one number a channel, or one for all. classes : a file with one name a line.
    trust : run what a pickled module's file says. cache : keep what a folder of checkpoints becomes.
    events : TensorBoard's files, whose scalars join the run's metrics.
    layout : of matrices and kernels in files of plain arrays, "io" or "oi"; "" goes by their names.
    """

    model: str | None = None
    input: str | None = None
    samples: int | None = None
    resize: tuple[int, int] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    gray: bool = False
    classes: Path | None = None
    trust: bool = False
    cache: bool = True
    layout: str = ""
    events: Path | None = None

    def class_names(self) -> tuple[str, ...]:
        """Names of `classes`; () without a file. Raises SourceError when it cannot be read."""
        if self.classes is None:
            return ()
        try:
            lines = self.classes.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"--classes {self.classes}: expected one name a line, got: {error}") from error
        return tuple(line.strip() for line in lines if line.strip())

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a child process."""
        return asdict(self) | {
            "classes": None if self.classes is None else str(self.classes),
            "events": None if self.events is None else str(self.events),
        }


def options_from(value: Mapping[str, Any]) -> SourceOptions:
    """The other way round."""
    said = dict(value)
    for name in ("resize", "mean", "std"):
        said[name] = None if said[name] is None else tuple(said[name])
    for name in ("classes", "events"):
        said[name] = None if said.get(name) is None else Path(said[name])
    return SourceOptions(**said)
