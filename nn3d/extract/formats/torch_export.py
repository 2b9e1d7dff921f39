"""Owns .pt2 as a format: the graph that torch.export wrote, computed by calling its operators, nothing unpickled."""

from __future__ import annotations

from pathlib import Path

from nn3d.extract import factory
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording


def _sniff(head: Head) -> bool:
    if not head.is_zip:
        return False
    is_graph = any("/models/" in f"/{n}" and n.endswith(".json") for n in head.names)
    return is_graph and head.any_ends("archive_format", "_weights_config.json")


def _record(path: Path, options: SourceOptions) -> Recording:
    found: Recording = factory.through_torch("nn3d.extract.readers.torch_export.record").record(path, options)
    return found


FORMAT = Format(
    "torch-export", "a torch.export archive", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), extra="torch",
    is_isolated=True, libraries=("torch",),
)  # fmt: skip
