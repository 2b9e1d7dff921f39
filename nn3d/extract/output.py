"""Owns the last step: a recording becomes a run in memory, a growing folder, or one file; whole at every moment."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.lazy import is_lazy, lazy_run
from nn3d.extract.recording import Moment, Recording
from nn3d.run.memory import run_from_arrays
from nn3d.run.model import Epoch
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.run.writer import RunWriter, write_json, write_packed

HALF_LIMIT_BYTES = 256 << 20
Progress = Callable[[Epoch], None]


def in_memory(recording: Recording, encoding: str = "f32") -> Run:
    """A run whose arrays lie in memory, or, where parameters are `LazyArrays`, stay in their file until looked at.

    Raises RunFormatError when arrays do not fit the graph.
    """
    moments = list(recording)
    if is_lazy(moments):
        return lazy_run(recording, moments, encoding)
    activations: list[Any] = [dict(m.activations) for m in moments]
    parameters: list[Any] = [dict(m.parameters) for m in moments]
    return run_from_arrays(
        recording.graph,
        activations,
        parameters,
        epochs=[m.epoch for m in moments],
        samples=recording.samples,
        classes=recording.classes,
        model=recording.name,
        source=recording.source,
        left_out=recording.left_out,
        encoding=encoding,
    )


def to_disk(recording: Recording, out: Path, *, encoding: str | None = None, progress: Progress | None = None) -> int:
    """Write RUN.npz, RUN.json or RUN/; how many epochs were written.

    encoding : of activations; None takes float16 up to 256 MB a run and uint8 above. When interrupted, what was
    recorded until then is written whole, and KeyboardInterrupt goes on. Raises SourceError and RunFormatError.
    """
    kind = out.suffix.lower()
    if kind not in (".npz", ".json"):
        return _to_folder(recording, out, encoding, progress)
    check_out(out)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.stem}-", dir=out.absolute().parent))
    written = _Counter(progress)
    try:
        _to_folder(recording, scratch / "run", encoding, written)
    finally:
        try:
            if written.n:
                finish(scratch / "run", out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return written.n


def check_out(out: Path) -> None:
    """Raises SourceError unless a file can be written there."""
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise SourceError(f"-o {out}: expected a file in a folder that exists, got none. Make the folder first.")


def finish(folder: Path, out: Path) -> None:
    """Write the run of a folder as one file, .npz or .json."""
    if out.suffix.lower() == ".npz":
        write_packed(folder, out)
        return
    with open_run(folder) as run:
        write_json(run, out)


class _Counter:
    """Counts epochs on their way to a progress bar."""

    def __init__(self, progress: Progress | None) -> None:
        self.n = 0
        self._progress = progress

    def __call__(self, epoch: Epoch) -> None:
        self.n += 1
        if self._progress is not None:
            self._progress(epoch)


def _to_folder(recording: Recording, out: Path, encoding: str | None, progress: Progress | None) -> int:
    if out.is_file():
        raise SourceError(f"-o {out}: expected .npz, .json or a folder, got a file of another kind. Name it RUN.npz.")
    moments = iter(recording)
    first = next(moments, None)
    if first is None:
        raise SourceError(f"{recording.name}: expected at least one epoch, got none.")
    writer = RunWriter(
        out,
        recording.graph,
        model=recording.name,
        source=recording.source,
        samples=recording.samples,
        classes=recording.classes,
        left_out=recording.left_out,
        encoding=encoding or _encoding_for(first, recording.expected),
    )
    n = 0
    for moment in _all(first, moments):
        writer.write_epoch(moment.epoch, moment.activations, moment.parameters)
        n += 1
        if progress is not None:
            progress(moment.epoch)
    return n


def _all(first: Moment, rest: Iterator[Moment]) -> Iterator[Moment]:
    return chain((first,), rest)


def _encoding_for(moment: Moment, epochs: int) -> str:
    values = sum(a.size for a in moment.activations.values())
    return "f16" if 2 * values * epochs <= HALF_LIMIT_BYTES else "u8"
