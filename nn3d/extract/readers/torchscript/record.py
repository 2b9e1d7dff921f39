"""Owns a TorchScript archive → a recording: its code computed step by step, on inputs that its first weights fit."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from nn3d.errors import SourceError, TraceError
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.torchscript.module import Program, Scripted
from nn3d.extract.readers.torchscript.source import Sources
from nn3d.extract.readers.torchscript.values import Mirror, read_pickle
from nn3d.extract.rebuilt import Rebuilt, Want, record_rebuilt, without_running
from nn3d.extract.recording import Recording

_PIXELS, _STEPS = (224, 32, 28, 299, 64), (16, 8, 4)
_DAMAGED = (
    zipfile.BadZipFile, pickle.UnpicklingError, struct.error, OSError, KeyError, TypeError, ValueError, AttributeError,
    IndexError, EOFError, RuntimeError, RecursionError, UnicodeDecodeError, NotImplementedError, OverflowError,
)  # fmt: skip


def record(path: Path, options: SourceOptions) -> Recording:
    """Read and run an archive. Raises SourceError where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(n for n in archive.namelist() if n.endswith("data.pkl"))[: -len("data.pkl")]
            top = read_pickle(archive, f"{root}data.pkl", f"{root}data")
            constants = read_pickle(archive, f"{root}constants.pkl", f"{root}constants")
            if not isinstance(top, Mirror):
                raise ValueError("no module at its top")
            tensors = dict(_tensors(top, "", 0))
            try:
                program = Program(top, Sources(archive, root), tuple(constants))
            except TraceError as error:
                return without_running(path, path.stem, tensors, str(error), options)
            return _recorded(path, program, tensors, options)
    except (*_DAMAGED, StopIteration) as error:
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise SourceError(f"{path}: expected TorchScript, got: {text}. Save it again.") from error


def _recorded(path: Path, program: Program, tensors: dict[str, torch.Tensor], options: SourceOptions) -> Recording:
    names = program.user_inputs
    if len(names) != 1:
        why = f"its forward takes {', '.join(names) or 'nothing'}, of shapes that the file does not tell"
        return without_running(path, path.stem, tensors, why, options)
    kind = program.top_kind.rsplit(".", 1)[-1]
    first = next((m for m in program.modules() if isinstance(m, Scripted) and _weight(m) is not None), None)
    weight = None if first is None else _weight(first)
    channels = int(weight.shape[1]) if weight is not None and weight.ndim == 4 else None
    return record_rebuilt(path, Rebuilt(program, kind, list(_tries(names[0], first)), channels), options)


def _weight(module: Scripted) -> torch.Tensor | None:
    found = module.plain.get("weight", module.plain.get("weight_ih_l0"))
    return found if isinstance(found, torch.Tensor) and found.ndim > 1 else None


def _tries(name: str, first: Scripted | None) -> Iterator[tuple[Want, ...]]:
    """Inputs that the first module with a matrix takes."""
    if first is None:
        return
    weight, kind = _weight(first), type(first).__name__
    assert weight is not None  # how the module was chosen
    if weight.ndim > 2:
        for size in _PIXELS if weight.ndim == 4 else (64, 16):
            yield (Want(name, (1, int(weight.shape[1]), *[size] * (weight.ndim - 2))),)
    elif "Embedding" in kind:
        for length in _STEPS:
            yield (Want(name, (1, length), True, int(weight.shape[0])),)
    else:
        yield (Want(name, (1, int(weight.shape[1]))),)
        yield (Want(name, (1, _STEPS[0], int(weight.shape[1]))),)


def _tensors(mirror: Mirror, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Tensors by dotted name."""
    if depth > 200:
        return
    for key, value in mirror.held.items():
        if isinstance(value, torch.Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mirror):
            yield from _tensors(value, f"{prefix}{key}.", depth + 1)
