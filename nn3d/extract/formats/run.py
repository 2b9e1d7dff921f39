"""Owns runs among the formats: they are opened as they lie, never extracted."""

from __future__ import annotations

from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording

_MANIFESTS = ("manifest", "manifest.npy", "manifest.json")


def _sniff(head: Head) -> bool:
    if head.is_folder:
        return head.member("manifest.json")
    if head.is_zip:
        return any(head.member(name) for name in _MANIFESTS) or (not head.names and head.path.suffix == ".npz")
    return head.start.lstrip()[:1] == b"{" and b'"nn3d-run"' in head.start


def _record(path: Path, options: SourceOptions) -> Recording:
    raise SourceError(f"{path}: expected something to extract, got a run. Open it with nn3d view, or pack a folder.")


FORMAT = Format("run", "a run", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS))
