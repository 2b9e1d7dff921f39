"""Owns .safetensors as a format: a checkpoint like those of torch."""

from __future__ import annotations

from pathlib import Path

from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording


def _sniff(head: Head) -> bool:
    start = head.start
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32


def _record(path: Path, options: SourceOptions) -> Recording:
    from nn3d.extract.formats.torch_state import record_files

    return record_files([path], options)


FORMAT = Format(
    "safetensors", "safetensors", _sniff, _record,
    gives=(GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS), extra="safetensors", is_checkpoint=True,
)  # fmt: skip
