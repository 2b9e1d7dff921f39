"""Owns opening a folder of checkpoints as a run, from the cache where that is still true, and writing one as a run."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nn3d.errors import RunFormatError, SourceError
from nn3d.extract import factory
from nn3d.extract.checkpoints import cache
from nn3d.extract.checkpoints.engines import LOCAL, check_engine
from nn3d.extract.checkpoints.files import candidates
from nn3d.extract.checkpoints.ledger import LEDGER_FILE, Ledger
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import check_out, finish
from nn3d.run.folder import MANIFEST_FILE, epoch_file, holds_epochs
from nn3d.run.reader import open_run
from nn3d.run.run import Run

Progress = Callable[[int, int], None]


def open_checkpoints(folder: Path, source: SourceOptions, progress: Progress | None = None) -> Run:
    """The run of a folder of checkpoints: one epoch each. It lies in the cache, or without it in a temporary folder.

    Files that cannot be read are passed over: the run's `left_out` says which. Raises SourceError when none can.
    """
    paths = candidates(folder.resolve())
    if not source.cache:
        return _open_temporary(paths, source, progress)
    kept = cache.cached_run(folder, source)
    if is_current(kept, paths):
        return _open(kept)
    with cache.held(kept) as is_mine:
        if not is_mine:
            return _open_temporary(paths, source, progress)
        try:
            _fill(kept, paths, source, progress=progress)
        except RunFormatError:  # of another version, or broken: made anew
            for path in kept.iterdir():
                if path.is_file():
                    path.unlink(missing_ok=True)
            _fill(kept, paths, source, progress=progress)
    cache.used(kept)
    return _open(kept)


def is_current(folder: Path, paths: Sequence[Path]) -> bool:
    """Whether a run's folder was made of exactly these files, as they still are; no file is opened for it."""
    if not (folder / MANIFEST_FILE).is_file():
        return False
    ledger = Ledger(folder)
    known = [ledger.unchanged(path) for path in paths]
    if set(ledger.entries) != {str(p) for p in paths} or any(e is None or (e.id < 0 and not e.error) for e in known):
        return False
    made = {e.id for e in known if e is not None and e.id >= 0}
    try:
        with open_run(folder) as run:
            listed = {e.id for e in run.epochs}
    except RunFormatError:
        return False
    return bool(made) and made == listed and all((folder / epoch_file(i)).is_file() for i in made)


def _open(folder: Path) -> Run:
    run = open_run(folder)
    run.path = ""  # it is what it was made from that has a name
    return run


def _open_temporary(paths: Sequence[Path], source: SourceOptions, progress: Progress | None) -> Run:
    folder = Path(tempfile.mkdtemp(prefix="nn3d-checkpoints-"))
    try:
        _fill(folder, paths, source, progress=progress)
        run = _open(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    return run


def write_checkpoints(
    out: Path,
    paths: Sequence[Path],
    source: SourceOptions,
    *,
    encoding: str | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Make `out` the run of these checkpoints; why files were passed over, a line each.

    out : a folder, in which an interrupted extraction goes on; or .npz or .json, which is written when all epochs are
    there, or with those that are when it is interrupted. engine : nn3d.extract.checkpoints.engines. Raises SourceError,
    RunFormatError.
    """
    how = {"encoding": encoding, "jobs": jobs, "engine": check_engine(engine), "progress": progress}
    found = [p.resolve() for p in paths]
    if out.suffix.lower() not in (".npz", ".json"):
        _check_folder(out)
        return _fill(out, found, source, **how)
    check_out(out)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.stem}-", dir=out.absolute().parent))
    try:
        return _fill(scratch / "run", found, source, **how)
    finally:
        try:
            if holds_epochs(scratch / "run"):
                finish(scratch / "run", out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _check_folder(out: Path) -> None:
    """Raises unless a folder is empty, or a run of checkpoints that are all still there."""
    if out.is_file():
        raise SourceError(f"-o {out}: expected .npz, .json or a folder, got a file of another kind. Name it RUN.npz.")
    is_used = out.is_dir() and any(p.name[:1] != "." for p in out.iterdir())
    if is_used and not (out / LEDGER_FILE).is_file():
        raise RunFormatError(f"{out}: should be empty or a run made of checkpoints, got other files. Use a new folder.")
    gone = [e.file for e in Ledger(out).entries.values() if e.id >= 0 and not Path(e.file).exists()]
    if gone:
        raise RunFormatError(f"{out}: holds epochs of checkpoints that are gone ({gone[0]}). Use a new folder.")


def _fill(folder: Path, paths: Sequence[Path], source: SourceOptions, **how: Any) -> tuple[str, ...]:
    filling = factory.through_torch("nn3d.extract.checkpoints.filling")
    passed: tuple[str, ...] = filling.fill(folder, paths, source, **how)
    return passed
