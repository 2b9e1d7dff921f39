"""Owns folders that torch.distributed.checkpoint wrote as a format: `.metadata`, and pieces of tensors beside it."""

from __future__ import annotations

from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.dcp.metadata import METADATA
from nn3d.extract.recording import Recording


def _sniff(head: Head) -> bool:
    if head.is_folder:
        return head.member(METADATA) and head.any_ends(".distcp")
    return head.path.name == METADATA and b"torch.distributed.checkpoint" in head.start


def _record(path: Path, options: SourceOptions) -> Recording:
    if options.model is not None:
        from nn3d.extract.formats.torch_state import record_files

        return record_files([path], options)
    from nn3d.extract.readers.dcp.reader import folder_of, read
    from nn3d.extract.readers.tensor_file import recording_of

    folder = folder_of(path)
    if folder is None:
        raise SourceError(f"{path}: expected pieces of tensors (*.distcp) beside it, got none. Put them together.")
    return recording_of(read(folder), options)


FORMAT = Format(
    "dcp", "a torch distributed checkpoint", _sniff, _record,
    gives=(GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS), extra="torch", is_checkpoint=True,
)  # fmt: skip
