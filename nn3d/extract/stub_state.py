"""Owns checkpoints that torch's own loader refuses for objects beside their tensors (Lightning's settings, argparse).

The pickle is read by stubs, so nothing of it runs: mappings, numbers and tensors stay, any other object is left away.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nn3d.extract.formats.pickled_module import reader_of
from nn3d.extract.pickled_tree import Held, Tree, find_storages, held_of, pickle_stream
from nn3d.extract.stub_pickle import Reader, Stub, entries_of

_MOST_DEPTH, _MOST_ENTRIES = 8, 200_000
_SPARE_BYTES, _SHARED = 1 << 26, 8


def content_of(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds beside its objects, None where its pickle is no mapping with tensors, or lies."""
    try:
        stream, is_zip = pickle_stream(path)
        top = Reader(stream).load()
        tree = Tree()
        plain = _plain(top, "", tree, 0)
        find_storages(path, stream, is_zip, tree)
        if not isinstance(plain, dict) or not tree.tensors or not _fits(path, tree):
            return None
        found: dict[str, Any] = _read(plain, path, tree)
    except Exception:  # a hostile pickle may fail in any way: then there is nothing to show
        return None
    return found


def _plain(value: Any, name: str, tree: Tree, depth: int) -> Any:
    """Mappings and numbers; a tensor as where it lies, noted in the tree under its name."""
    held = held_of(value)
    if held is not None:
        tree.tensors[name] = held
        return held
    is_mapping = isinstance(value, dict) or (isinstance(value, Stub) and value.entries)
    if is_mapping and depth < _MOST_DEPTH and len(tree.tensors) < _MOST_ENTRIES:
        return {
            str(k): _plain(v, f"{name}.{k}", tree, depth + 1) for k, v in entries_of(value) if isinstance(k, str | int)
        }
    return value if isinstance(value, bool | int | float | str) else None


def _fits(path: Path, tree: Tree) -> bool:
    """Whether all tensors together are about as large as the file."""
    n_values = sum(max(1, int(np.prod(held.shape, dtype=object))) for held in tree.tensors.values())
    return 4 * n_values <= _SHARED * path.stat().st_size + _SPARE_BYTES


def _read(plain: Mapping[str, Any], path: Path, tree: Tree) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, Held):
            reader = reader_of(path, tree, value)
            if reader is not None:
                values = np.array(reader())
                found[key] = torch.from_numpy(values if value.shape else values.reshape(()))
        elif isinstance(value, dict):
            found[key] = _read(value, path, tree)
        elif value is not None:
            found[key] = value
    return found
