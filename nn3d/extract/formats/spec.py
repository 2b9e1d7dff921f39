"""Owns designs as a format: a list of layers in TOML or JSON, with shapes and sizes and no values."""

from __future__ import annotations

from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.design.building import graph_of, work_out
from nn3d.extract.design.emitting import module_text
from nn3d.extract.design.reading import looks_like_one, read_design
from nn3d.extract.formats.format import GRAPH, Format
from nn3d.extract.formats.head import Head, look_at
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import Epoch

NO_VALUES = "weights and activations: a design has none. Write it as a torch module with nn3d extract --emit model.py."


def _sniff(head: Head) -> bool:
    return not head.is_folder and not head.is_zip and looks_like_one(head.start)


def _record(path: Path, options: SourceOptions) -> Recording:
    if options.model is not None:
        raise SourceError(f"{path}: expected no --model beside a design, got {options.model}. A design has no weights.")
    design = read_design(path)
    moment = Moment(Epoch(0))
    graph = graph_of(work_out(design))
    return Recording(design.name, path.name, graph, (), (moment,), options.class_names(), (NO_VALUES,))


def is_design(path: Path) -> bool:
    """Whether a file is a design, by its content. Raises SourceError when it cannot be read."""
    return _sniff(look_at(path))


def module_of(path: Path) -> str:
    """The torch module of a design, as Python. Raises SourceError where the file is none."""
    if not is_design(path):
        raise SourceError(f"{path}: expected a design ([[layer]] tables in TOML, or JSON), got something else.")
    return module_text(work_out(read_design(path)))


FORMAT = Format("spec", "a design", _sniff, _record, gives=(GRAPH,))
