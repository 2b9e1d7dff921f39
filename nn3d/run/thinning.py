"""Owns keeping a recorded folder below a number of bytes: every second of the older epochs goes, as often as needed.

The list is written anew before files go, so that whoever reads never finds a listed epoch without its file; a reader
that follows sees another file under the list's name and opens the run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nn3d.run.archive import atomic
from nn3d.run.describe import dump_json, epoch_json
from nn3d.run.folder import EPOCHS_FILE, epoch_file
from nn3d.run.model import Epoch

NEWEST_SHARE = 4
WORD = "thinned"


def thinned(sizes: Sequence[int], most: int) -> list[bool]:
    """Which epochs stay so that their sizes sum to `most` bytes at the most: the first, and the newest quarter.

    Of the others every second goes, again and again; when only the first and the last are left, both stay.
    """
    kept = list(range(len(sizes)))
    while sum(sizes[i] for i in kept) > most and len(kept) > 2:
        newest = max(1, len(kept) // NEWEST_SHARE)
        older = kept[: len(kept) - newest]
        less = older[::2] + kept[len(kept) - newest :]
        kept = less if len(less) < len(kept) else [kept[0], kept[-1]]
    chosen = set(kept)
    return [i in chosen for i in range(len(sizes))]


def thin(folder: Path, epochs: Sequence[Epoch], sizes: Sequence[int], most: int) -> list[bool]:
    """Thin a folder; which of its listed epochs are left. sizes : bytes of each epoch's file."""
    stays = thinned(sizes, most)
    if all(stays):
        return stays
    with atomic(folder / EPOCHS_FILE) as file:
        file.write(b"".join(dump_json(epoch_json(e)) + b"\n" for e, keep in zip(epochs, stays, strict=True) if keep))
    for epoch, keep in zip(epochs, stays, strict=True):
        if not keep:
            (folder / epoch_file(epoch.id)).unlink(missing_ok=True)
    return stays


def remove_unlisted(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Remove files of epochs that are not listed: left where a process was killed while it thinned or wrote."""
    listed = {epoch_file(e.id) for e in epochs}
    for path in folder.glob("epoch_*.npz"):
        if path.name not in listed:
            path.unlink(missing_ok=True)


def note(n_dropped: int, most: int) -> str:
    """What a run says of it."""
    return f"{WORD} to {_size(most)}: {n_dropped} of the older epochs were dropped, every second one at a time"


def _size(n_bytes: int) -> str:
    units = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"), (1, "B"))
    unit, words = next((u, w) for u, w in units if n_bytes >= u or u == 1)
    return f"{n_bytes / unit:.4g} {words}"


