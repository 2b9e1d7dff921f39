"""Owns TorchScript archives as a format: their code is computed by nn3d, operator by operator; torch.jit loads nothing.

torch.jit.load would run what a file says while it loads it, and TorchScript has an operator that writes files.
"""

from __future__ import annotations

from pathlib import Path

from nn3d.extract import factory
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording


def _sniff(head: Head) -> bool:
    if not head.is_zip or not head.any_ends("/data.pkl", "/constants.pkl"):
        return False
    return any(n.count("/") == 1 and n.endswith("/constants.pkl") for n in head.names) and any(
        "/code/" in n for n in head.names
    )


def _record(path: Path, options: SourceOptions) -> Recording:
    found: Recording = factory.through_torch("nn3d.extract.readers.torchscript.record").record(path, options)
    return found


FORMAT = Format(
    "torchscript", "TorchScript", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), extra="torch",
    is_isolated=True, libraries=("torch",),
)  # fmt: skip
