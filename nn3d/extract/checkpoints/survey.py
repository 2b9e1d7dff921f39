"""Owns looking at every checkpoint before any is run: whether it fits, its numbers, and which epoch it becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nn3d.errors import Nn3dError, SourceError
from nn3d.extract import factory
from nn3d.extract.checkpoints.files import counted, ids
from nn3d.extract.checkpoints.ledger import Entry, digest_of, look
from nn3d.extract.live_sources import check_alike, fitted
from nn3d.extract.torch_checkpoint import Checkpoint, load

Shapes = Mapping[str, tuple[int, ...]]


def survey(
    paths: Sequence[Path], known: Mapping[Path, Entry], made: factory.Made | None, shapes: Shapes | None
) -> list[Entry]:
    """An entry for each file, in their order; `error` says why one is passed over.

    known : entries of files that are unchanged: these are not opened. made : the model that all must fit; without one,
    shapes, and without these the names and shapes that most of the files have.
    """
    found: dict[Path, Entry] = dict(known)
    opened: dict[Path, Checkpoint] = {}
    for path in paths:
        if path not in known:
            found[path] = _look(path, opened)
    if made is None and shapes is None:
        shapes = _usual(list(opened.values()))
    for path, checkpoint in opened.items():
        try:
            if made is not None:
                fitted(made.module, checkpoint)
            elif shapes is not None:
                check_alike(checkpoint, shapes)
        except SourceError as error:
            found[path] = _passed_over(found[path], error)
    return _numbered([found[p] for p in paths])


def _look(path: Path, opened: dict[Path, Checkpoint]) -> Entry:
    entry = look(path)
    try:
        checkpoint = load(path)
    except (Nn3dError, OSError) as error:
        return _passed_over(entry, error)
    opened[path] = checkpoint
    return replace(entry, said=checkpoint.epoch, step=checkpoint.step, metrics=dict(checkpoint.metrics))


def _passed_over(entry: Entry, error: Exception) -> Entry:
    try:
        digest = digest_of(Path(entry.file))
    except OSError:
        digest = ""
    return replace(entry, id=-1, digest=digest, error=" ".join(str(error).split()))


def _usual(checkpoints: Sequence[Checkpoint]) -> Shapes | None:
    kinds = Counter(tuple(c.shapes().items()) for c in checkpoints)
    return dict(kinds.most_common(1)[0][0]) if kinds else None


def _numbered(entries: list[Entry]) -> list[Entry]:
    """With ids, in rising order of those; files that are passed over come last."""
    good = [e for e in entries if not e.error]
    names = [Path(e.file).name for e in good]
    if len(set(names)) < len(names):
        names = ["/".join(Path(e.file).parts[-2:]) for e in good]
    epochs, steps = counted(names)
    numbers = ids([e.said for e in good], epochs, steps)
    made = [
        replace(e, id=number, step=step if e.step is None else e.step)
        for e, number, step in zip(good, numbers, steps, strict=True)
    ]
    return sorted(made, key=lambda e: e.id) + [e for e in entries if e.error]
