"""Owns sending a path to the format that knows it, and opening what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.extract.broken import told_in_one_line
from nn3d.extract.checkpoints.files import candidates, in_order
from nn3d.extract.checkpoints.opening import Progress, open_checkpoints
from nn3d.extract.formats.isolation import open_isolated, record_isolated
from nn3d.extract.formats.registry import CHECKPOINTS, RUN, format_of
from nn3d.extract.formats.torch_state import readable, record_files
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.recording import Recording
from nn3d.run.reader import open_run
from nn3d.run.run import Run

_HINT = "Pass a run, or a file of a format in docs/formats.md: a torch checkpoint (.pt), ONNX, Keras, safetensors, …"


def open_source(path: Path, source: SourceOptions, progress: Progress | None = None) -> Run:
    """Any file as a run: a run as it lies on disk, a folder of checkpoints from the cache, else extracted into memory.

    progress : called with how many epochs of how many are there, while checkpoints are extracted.
    """
    found = format_of(path)
    if found is RUN:
        return open_run(path)
    if found is CHECKPOINTS and not (source.trust and source.model is None):
        return open_checkpoints(path, source, progress)
    if found is not None and found.is_isolated:
        return open_isolated(found, path, source)
    if source.model is not None:  # whose code may raise anything, and be mended
        return in_memory(record([path], source))
    with told_in_one_line(path):
        return in_memory(record([path], source))


def several_checkpoints(paths: Sequence[Path], source: SourceOptions) -> list[Path]:
    """The files of folders of checkpoints, or several given files, in natural order; [] where it is anything else."""
    formats = {path: format_of(path) for path in paths}
    files = [p for path in paths for p in (candidates(path) if formats[path] is CHECKPOINTS else [path])]
    is_several = len(paths) > 1 or CHECKPOINTS in formats.values()
    some = any(f is not None and f.is_checkpoint for f in formats.values())
    is_meant = is_several and some and RUN not in formats.values()
    return in_order(files) if is_meant and not (source.trust and source.model is None) else []


def record(paths: Sequence[Path], source: SourceOptions) -> Recording:
    """Everything except a finished run → a recording. Several paths must be checkpoints of one model.

    Raises SourceError when something cannot be read, saying what to do.
    """
    if not paths:
        return _record_model(source)
    formats = {path: format_of(path) for path in paths}
    odd = next((p for p, f in formats.items() if f is None or not f.is_checkpoint), None)
    if odd is None and len(paths) > 1:
        files = [p for path in paths for p in (readable(path) if formats[path] is CHECKPOINTS else [path])]
        return record_files(files, source)
    several = {f.record_several for f in formats.values() if f is not None}
    if len(paths) > 1 and len(several) == 1 and None not in formats.values() and (together := several.pop()):
        return together(paths, source)
    odd = paths[0] if odd is None else odd
    found = formats[odd]
    got = "something that nn3d does not know" if found is None else found.name
    if len(paths) > 1:
        raise SourceError(f"{odd}: expected checkpoints where several files are given, got {got}.")
    if found is None:
        raise SourceError(f"{odd}: expected a run or something to extract, got {got}. {_HINT}")
    return record_isolated(found, odd, source) if found.is_isolated else found.record(odd, source)


def _record_model(source: SourceOptions) -> Recording:
    found: Recording = factory.through_torch("nn3d.extract.live_sources").record_model(source)
    return found


def limit_threads(n: int) -> None:
    """Let torch compute with n threads; nothing when it is not installed."""
    if find_spec("torch") is not None:
        import_module("torch").set_num_threads(n)
