"""Owns which files of a folder may be checkpoints, their natural order, and the numbers that their names count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from nn3d.extract.inputs import natural
from nn3d.extract.readers.dcp.metadata import METADATA

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors")
_ENDING = re.compile(r"(\.(pt|pth|ckpt|bin|tar|safetensors))+$", re.IGNORECASE)
_NAMES = ("model.safetensors", "pytorch_model.bin", "model.pt", "model.pth", "model.ckpt")
_STEPS = ("step", "steps", "iter", "iters", "iteration", "it", "checkpoint")


def candidates(folder: Path) -> list[Path]:
    """Files that may be checkpoints, in natural order, by name alone; where there are none, one of each subfolder.

    Of a subfolder (`checkpoint-500/`) it is the model's file, or the only one that may be a checkpoint; of one that
    torch.distributed.checkpoint wrote, its `.metadata`.
    """
    own = _in(folder)
    if own:
        return own
    below = sorted((p for p in folder.iterdir() if p.is_dir() and p.name[:1] != "."), key=lambda p: natural(p.name))
    chosen = []
    for sub in below:
        if _is_shared_out(sub):
            chosen.append(sub / METADATA)
            continue
        found = _in(sub)
        named = [p for name in _NAMES for p in found if p.name == name]
        chosen += named[:1] or (found if len(found) == 1 else [])
    return chosen


def _in(folder: Path) -> list[Path]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[:1] != "." and p.is_file()]
    return sorted(files, key=lambda p: natural(p.name))


def _is_shared_out(folder: Path) -> bool:
    """Whether a folder is one checkpoint, in pieces."""
    return (folder / METADATA).is_file() and any(folder.glob("*.distcp"))


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Given files in natural order, each once; of a folder that is one checkpoint the file that describes it."""
    files = [p / METADATA if _is_shared_out(p) else p for p in paths]
    return sorted(dict.fromkeys(files), key=lambda p: natural(str(p)))


def counted(names: Sequence[str]) -> tuple[list[int | None], list[int | None]]:
    """(epochs, steps) that names in natural order count, where numbers of their common pattern rise; else None.

    `epoch_2`, `net-10`: an epoch. `step_500`, `checkpoint-500`: a step, and the epoch's id where there is no other.
    Names of another pattern (`best.pt`) count nothing.
    """
    names = [_ENDING.sub("", name) for name in names]
    epochs: list[int | None] = [None] * len(names)
    steps: list[int | None] = [None] * len(names)
    patterns = [re.sub(r"\d+", "#", name) for name in names]
    usual = max(patterns, key=lambda p: (patterns.count(p), -patterns.index(p)), default="")
    rows = [i for i, p in enumerate(patterns) if p == usual]
    words = re.split(r"#", usual)[:-1]
    for column, word in enumerate(words):
        numbers = [int(re.findall(r"\d+", names[i])[column]) for i in rows]
        if not all(a < b for a, b in pairwise(numbers)) or max(numbers) >= 1 << 53:
            continue
        is_step = (re.findall(r"[a-z]+", word.lower()) or [""])[-1] in _STEPS
        target = steps if is_step else epochs
        if all(target[i] is None for i in rows):
            for i, number in zip(rows, numbers, strict=True):
                target[i] = number
    return epochs, steps


def ids(said: Sequence[int | None], epochs: Sequence[int | None], steps: Sequence[int | None]) -> list[int]:
    """Rising ids: what the files say of their epoch where that rises, else their names, else 0, 1, 2, ….

    Files without a number come after those that have one.
    """
    for numbers in (said, epochs, steps):
        known = [n for n in numbers if n is not None]
        if known and all(a < b for a, b in pairwise(known)) and len(known) * 2 > len(numbers):
            break
    else:
        return list(range(len(said)))
    found, after = [], max(known)
    for number in numbers:
        after += number is None
        found.append(after if number is None else number)
    return found
