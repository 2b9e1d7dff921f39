"""Owns what a format is to the rest of the program: how it is recognised, what it can give, and its reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording

GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS = "graph", "weights", "activations", "epochs"


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    key : short and lasting ("onnx"), for errors, child processes and the docs' matrix. name : for people, as it stands
    after "got". sniff : by content alone, cheap, never raises. record : reads; raises SourceError in one line.
    gives : what a file of it can hold, with --model where that helps; GRAPH where wires need not be guessed. extra : of
    the package that must be installed to read it, "" for none. is_checkpoint : several files of it are epochs of one
    model. is_isolated : a library in C parses it, so it is read in a child process with limits. libraries : what such a
    child imports before its memory is bounded, where installed. record_several : reads several files as epochs of one
    model, where that is not done as for checkpoints.
    """

    key: str
    name: str
    sniff: Callable[[Head], bool]
    record: Callable[[Path, SourceOptions], Recording]
    gives: tuple[str, ...] = (WEIGHTS,)
    extra: str = ""
    is_checkpoint: bool = False
    is_isolated: bool = False
    libraries: tuple[str, ...] = ()
    record_several: Callable[[Sequence[Path], SourceOptions], Recording] | None = None
