"""Owns a run that is a folder and may still grow: manifest.json, inputs.npz, one file an epoch, and their list.

`epochs.jsonl` is append-only; an epoch is listed only after its file has its final name. A last line without its end
belongs to a write that is under way, or was cut off, and is not read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from nn3d.errors import RunFormatError
from nn3d.run import keys
from nn3d.run.archive import ArchiveStore
from nn3d.run.manifest import (
    MAX_BYTES,
    MAX_EPOCHS,
    Manifest,
    check_epochs,
    epoch_from_json,
    parse_json,
    parse_manifest,
)
from nn3d.run.model import Array, Epoch
from nn3d.run.run import Run

MANIFEST_FILE = "manifest.json"
EPOCHS_FILE = "epochs.jsonl"
INPUTS_FILE = "inputs.npz"
MAX_OPEN = 64


def epoch_file(epoch_id: int) -> str:
    """`epoch_000010.npz`."""
    return f"epoch_{epoch_id:06d}.npz"


class FolderStore:
    """Arrays of a folder; the file of an epoch is opened when it is first needed, and 64 stay open at the most.

    on_open : called with each file before anything of it is handed out; raises when it does not fit the manifest.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[str, ArchiveStore] = OrderedDict()
        self.on_open: Callable[[ArchiveStore], None] | None = None

    def archive(self, name: str) -> ArchiveStore | None:
        """One file of the folder, or None where it is not there."""
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        if not (self.folder / name).is_file():
            return None
        archive = ArchiveStore(self.folder / name)
        if self.on_open is not None:
            self.on_open(archive)
        self._open[name] = archive
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[name]

    def _home(self, key: str) -> ArchiveStore | None:
        found = keys.EPOCH_KEY.fullmatch(key)
        return self.archive(epoch_file(int(found[1])) if found else INPUTS_FILE)

    def __contains__(self, key: str) -> bool:
        home = self._home(key)
        return home is not None and key in home

    def __getitem__(self, key: str) -> Array:
        home = self._home(key)
        if home is None:
            raise KeyError(key)
        return home[key]

    def keys(self) -> Iterable[str]:
        """All keys, files in order of their names."""
        for path in sorted(self.folder.glob("*.npz")):
            home = self.archive(path.name)
            if home is not None:
                yield from home.keys()

    def check(self, key: str) -> None:
        """Compare a member's checksum; raises RunFormatError when a bit has changed."""
        home = self._home(key)
        if home is not None:
            home.check(key)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()


class EpochList:
    """Reads `epochs.jsonl` piece by piece: only what was appended since the last call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._last_id = -1

    def new(self) -> tuple[Epoch, ...]:
        """Epochs listed since the last call. Raises RunFormatError on a line that is none."""
        if not self._path.is_file():
            return ()
        with self._path.open("rb") as file:
            file.seek(self._at)
            text = file.read(MAX_BYTES)
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        lines = [line for line in whole.split(b"\n") if line.strip()]
        if len(lines) > MAX_EPOCHS:
            raise RunFormatError(f"{EPOCHS_FILE}: should have at most {MAX_EPOCHS} epochs, got {len(lines)}")
        epochs = tuple(epoch_from_json(parse_json(line, EPOCHS_FILE), EPOCHS_FILE) for line in lines)
        if epochs:
            check_epochs(((Epoch(self._last_id),) if self._last_id >= 0 else ()) + epochs, EPOCHS_FILE)
            self._last_id = epochs[-1].id
        return epochs


class GrowingRun(Run):
    """A run that lies in a folder; `refresh` takes in what has been recorded since."""

    def __init__(self, store: FolderStore, manifest: Manifest, listed: EpochList) -> None:
        super().__init__(store, manifest, path=str(store.folder))
        self._list = listed

    def refresh(self) -> tuple[Epoch, ...]:
        """Epochs that came since the last call; cheap when there are none."""
        new = self._list.new()
        if new:
            self._epochs += new
        return new


def open_folder(folder: Path) -> GrowingRun:
    """Open a run that is a folder, growing or not. Raises RunFormatError when it is none."""
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise RunFormatError(f"{folder}: should be a run with {MANIFEST_FILE}, got a folder without it")
    with path.open("rb") as file:
        manifest = parse_manifest(parse_json(file.read(MAX_BYTES + 1), MANIFEST_FILE), MANIFEST_FILE)
    listed = EpochList(folder / EPOCHS_FILE)
    run_epochs = manifest.epochs + listed.new()
    check_epochs(run_epochs, EPOCHS_FILE)
    return GrowingRun(FolderStore(folder), replace(manifest, epochs=run_epochs), listed)
