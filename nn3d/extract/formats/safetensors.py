"""Owns .safetensors as a format: one file, or an index of several; nothing is read until it is looked at."""

from __future__ import annotations

from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head, look_at
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.safetensors.reader import read
from nn3d.extract.readers.safetensors.shards import INDEX_ENDING, is_index, read_index
from nn3d.extract.readers.tensor_file import recording_of
from nn3d.extract.recording import Recording


def _sniff(head: Head) -> bool:
    start = head.start
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32


def _sniff_index(head: Head) -> bool:
    return _index_of(head) is not None


def _index_of(head: Head) -> Path | None:
    """The index: the file itself, or the one of a folder."""
    if not head.is_folder:
        return head.path if is_index(head.start) else None
    names = sorted(name for name in head.names if name.endswith(INDEX_ENDING))
    return head.path / names[0] if names else None


def _record(path: Path, options: SourceOptions) -> Recording:
    if options.model is not None:
        from nn3d.extract.formats.torch_state import record_files

        return record_files([path], options)
    return recording_of(read(path), options)


def _record_index(path: Path, options: SourceOptions) -> Recording:
    from nn3d.extract.formats.torch_state import record_files

    index = _index_of(look_at(path))
    if index is None:
        raise SourceError(f"{path}: expected an index of safetensors (weight_map: tensor → file), got something else.")
    if options.model is not None:
        return record_files([index], options)
    return recording_of(read_index(index), options, f"{path.name}, {index.name}")


FORMAT = Format(
    "safetensors", "safetensors", _sniff, _record,
    gives=(GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS), is_checkpoint=True,
)  # fmt: skip
INDEX = Format(
    "safetensors-index", "an index of safetensors", _sniff_index, _record_index, gives=(GRAPH, WEIGHTS, ACTIVATIONS)
)
