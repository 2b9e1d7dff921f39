"""Owns what an index text says, "[:, 0, ..., 1:3]", and the cells that it takes of an array with or without samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn3d.analysis.explain.terms import I64


def cells_of_index(every: I64, entries: list[object], samples: int | None = None) -> list[I64]:
    """The cells that an index takes, the axis of the samples left out; [] where it does not fit."""
    n_taken = sum(e is not None and e is not Ellipsis for e in entries)
    if n_taken > every.ndim:
        return []
    full: list[object] = list(entries) if Ellipsis in entries else [*entries, Ellipsis]
    at = full.index(Ellipsis)
    full[at : at + 1] = [slice(None)] * (every.ndim - n_taken)
    if samples is not None:
        places = [k for k, e in enumerate(full) if e is not None]
        if full[places[samples]] != slice(None):
            return []
        del full[places[samples]]
        every = every.squeeze(samples)
    try:
        index: Any = tuple(full)
        return [np.ascontiguousarray(every[index])]
    except IndexError:
        return []


def entries_of(text: str) -> list[object] | None:
    """What an index text says, "[:, 0, ..., 1:3]"; None where it holds a tensor."""
    found: list[object] = []
    for entry in (part.strip() for part in text.strip("[]").split(",")):
        if entry == "...":
            found.append(Ellipsis)
        elif entry == "None":
            found.append(None)
        elif entry.lstrip("-").isdigit():
            found.append(int(entry))
        elif ":" in entry and all(p == "" or p.lstrip("-").isdigit() for p in entry.split(":")):
            found.append(slice(*[int(p) if p else None for p in entry.split(":")]))
        else:
            return None
    return found
