"""Owns reading .safetensors: tensors by name, and the numbers that its metadata holds. The extra `safetensors`."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.factory import require
from nn3d.extract.readers.safetensors.shards import looks_like_index, read_index


def is_one(path: Path) -> bool:
    """Whether a file is safetensors, by its content: the length of a header, then the header as JSON; or an index."""
    with path.open("rb") as file:
        head = file.read(9)
    is_file = len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32
    return is_file or looks_like_index(path)


def read(path: Path) -> dict[str, Any]:
    """`model` : name → tensor, mapped; beside it the numbers of the metadata. Raises SourceError."""
    if looks_like_index(path):
        return _of_index(path)
    safetensors = require("safetensors", "safetensors")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            names = list(file.keys())
            state = {name: file.get_tensor(name) for name in names}
            said = file.metadata() or {}
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise SourceError(f"{path}: expected whole safetensors, got: {text}") from error
    return {**_numbers(said), "model": state}


def _of_index(path: Path) -> dict[str, Any]:
    """The same of all files that an index lists, as float32 where numpy has no such type."""
    torch, found = require("torch"), read_index(path)
    try:
        state = {name: torch.from_numpy(np.array(array.read())) for name, array in found.arrays.items()}
    finally:
        found.close()
    return {**found.numbers, "model": state}


def _numbers(said: dict[str, str]) -> dict[str, float]:
    found = {}
    for key, text in said.items():
        with contextlib.suppress(ValueError, OverflowError):
            number = float(text)
            if math.isfinite(number):
                found[key] = int(number) if number.is_integer() else number
    return found
