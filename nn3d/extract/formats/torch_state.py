"""Owns files that torch.save wrote, as formats: one file, and a folder of them, one epoch each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.extract.checkpoints.files import candidates, in_order
from nn3d.extract.formats import safetensors
from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head, look_at
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording


def holds_parameters(path: Path) -> bool:
    """Whether a file looks like a checkpoint, by its content."""
    try:
        head = look_at(path)
    except SourceError:
        return False
    return not head.is_folder and (_sniff(head) or safetensors.FORMAT.sniff(head))


def record_files(paths: Sequence[Path], options: SourceOptions) -> Recording:
    """One epoch a checkpoint, in natural order. Raises SourceError, also where torch is not installed."""
    live = factory.through_torch("nn3d.extract.live_sources")
    made: Recording = live.record_checkpoints(in_order(paths), options)
    return made


def readable(folder: Path) -> list[Path]:
    """The checkpoints of a folder."""
    return [p for p in candidates(folder) if holds_parameters(p)]


def _sniff(head: Head) -> bool:
    if head.is_zip:
        return any(n.count("/") == 1 and n.endswith("/data.pkl") for n in head.names)
    return head.start[:1] == b"\x80"


def _sniff_folder(head: Head) -> bool:
    return head.is_folder and any(holds_parameters(p) for p in candidates(head.path))


def _record(path: Path, options: SourceOptions) -> Recording:
    return record_files([path], options)


def _record_folder(path: Path, options: SourceOptions) -> Recording:
    return record_files(readable(path), options)


_GIVES = (GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS)
FORMAT = Format("torch", "a torch checkpoint", _sniff, _record, gives=_GIVES, extra="torch", is_checkpoint=True)
FOLDER = Format(
    "checkpoints", "a folder of torch checkpoints", _sniff_folder, _record_folder,
    gives=_GIVES, extra="torch", is_checkpoint=True,
)  # fmt: skip
