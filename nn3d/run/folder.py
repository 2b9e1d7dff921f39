"""Owns a run that is a folder and may still grow: manifest.json, inputs.npz, one file an epoch, and their list.

`epochs.jsonl` is append-only; an epoch is listed only after its file has its final name. A last line without its end
belongs to a write that is under way, or was cut off, and is not read.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from threading import RLock

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
from nn3d.run.npy import Header
from nn3d.run.run import Run

MANIFEST_FILE = "manifest.json"
EPOCHS_FILE = "epochs.jsonl"
INPUTS_FILE = "inputs.npz"
MAX_OPEN = 64
MOST_TRIES = 40


def epoch_file(epoch_id: int) -> str:
    """`epoch_000010.npz`."""
    return f"epoch_{epoch_id:06d}.npz"


class FolderStore:
    """Arrays of a folder; the file of an epoch is opened when it is first needed, and 64 stay open at the most.

    Any thread may ask: a file that is let go of stays mapped as long as somebody reads it. on_header : called with each
    array's key and header before anything of it is handed out; raises when it does not fit the manifest. Of an epoch
    nothing is read but its directory and what is asked for. is_lenient : of a file that cannot be opened it is said
    that it holds nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[str, ArchiveStore] = OrderedDict()
        self._lock = RLock()
        self.on_header: Callable[[str, Header], None] | None = None
        self.is_lenient = False

    def archive(self, name: str) -> ArchiveStore | None:
        """One file of the folder, or None where it is not there."""
        with self._lock:
            if name in self._open:
                self._open.move_to_end(name)
                return self._open[name]
        if not (self.folder / name).is_file():
            return None
        archive = ArchiveStore(self.folder / name, self.on_header)
        with self._lock:
            self._open[name] = archive
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        return archive

    def _home(self, key: str) -> ArchiveStore | None:
        found = keys.EPOCH_KEY.fullmatch(key)
        return self.archive(epoch_file(int(found[1])) if found else INPUTS_FILE)

    def __contains__(self, key: str) -> bool:
        try:
            home = self._home(key)
        except (RunFormatError, OSError):
            if not self.is_lenient:
                raise
            return False
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
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


class EpochList:
    """Reads `epochs.jsonl` piece by piece: only what was appended since the last call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._last_id = -1
        self._file = 0

    @property
    def is_cut(self) -> bool:
        """It is another file, or shorter than what was read of it: somebody began it anew, or thinned it."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        return found.st_size < self._at or (self._file != 0 and found.st_ino != self._file)

    def new(self) -> tuple[Epoch, ...]:
        """Epochs listed since the last call. Raises RunFormatError on a line that is none."""
        if not self._path.is_file():
            return ()
        with self._path.open("rb") as file:
            self._file = self._file or os.fstat(file.fileno()).st_ino
            file.seek(self._at)
            text = file.read(MAX_BYTES)
        whole = text[: text.rfind(b"\n") + 1]
        lines = [line for line in whole.split(b"\n") if line.strip()]
        if len(lines) > MAX_EPOCHS:
            raise RunFormatError(f"{EPOCHS_FILE}: should have at most {MAX_EPOCHS} epochs, got {len(lines)}")
        epochs = tuple(epoch_from_json(parse_json(line, EPOCHS_FILE), EPOCHS_FILE) for line in lines)
        if epochs:
            check_epochs(((Epoch(self._last_id),) if self._last_id >= 0 else ()) + epochs, EPOCHS_FILE)
            self._last_id = epochs[-1].id
        self._at += len(whole)
        return epochs


class GrowingRun(Run):
    """A run that lies in a folder; `refresh` takes in what has been recorded since.

    `poll` reads and may run on any thread; `take` changes what the run has, on the thread that draws it.
    """

    def __init__(self, store: FolderStore, manifest: Manifest, listed: EpochList) -> None:
        super().__init__(store, manifest, path=str(store.folder))
        self._folder_store = store
        self._list = listed
        self._pending: tuple[Epoch, ...] = ()
        self._tries = 0
        self._stamp = _stamp(store.folder / MANIFEST_FILE)
        self.skipped: tuple[Epoch, ...] = ()

    def poll(self) -> tuple[Epoch, ...]:
        """Epochs listed since the last call whose files can be read from here; cheap when there are none.

        A file that a slow file system does not show yet is waited for; one that stays unreadable through MOST_TRIES
        calls while later ones are listed is passed over, and named in `skipped`. Raises RunFormatError, OSError.
        """
        self._pending += self._list.new()
        ready: list[Epoch] = []
        while self._pending:
            first = self._pending[0]
            if self._is_here(first):
                ready.append(first)
            elif self._gives_up():
                self.skipped += (first,)
            else:
                break
            self._pending, self._tries = self._pending[1:], 0
        return tuple(ready)

    def take(self, epochs: tuple[Epoch, ...]) -> None:
        """Have these epochs, which `poll` returned."""
        self._epochs += epochs

    def refresh(self) -> tuple[Epoch, ...]:
        """Epochs that came since the last call; cheap when there are none."""
        new = self.poll()
        self.take(new)
        return new

    def bear_losses(self) -> None:
        """From now on a file that cannot be opened holds nothing, instead of raising: it may go away at any moment."""
        self._folder_store.is_lenient = True

    @property
    def is_replaced(self) -> bool:
        """Another run has been begun in the folder (another id), or its list was written anew: open it again."""
        path = self._folder_store.folder / MANIFEST_FILE
        stamp = _stamp(path)
        if stamp is not None and stamp != self._stamp:
            if read_manifest(path).run_id != self.header.run_id:
                return True
            self._stamp = stamp
        return self._list.is_cut

    def _is_here(self, epoch: Epoch) -> bool:
        try:
            return self._folder_store.archive(epoch_file(epoch.id)) is not None
        except (RunFormatError, OSError, ValueError):
            return False

    def _gives_up(self) -> bool:
        self._tries += 1
        return self._tries >= MOST_TRIES and len(self._pending) > 1


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written anew; None when there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_manifest(path: Path) -> Manifest:
    """The checked manifest of a folder. Raises RunFormatError, OSError."""
    with path.open("rb") as file:
        return parse_manifest(parse_json(file.read(MAX_BYTES + 1), MANIFEST_FILE), MANIFEST_FILE)


def holds_epochs(folder: Path) -> bool:
    """Whether a folder holds a run with an epoch, as far as can be told without opening it."""
    path = folder / EPOCHS_FILE
    try:
        listed = path.is_file() and path.stat().st_size > 0
        return listed or bool(read_manifest(folder / MANIFEST_FILE).epochs)
    except (OSError, RunFormatError):
        return False


def open_folder(folder: Path) -> GrowingRun:
    """Open a run that is a folder, growing or not. Raises RunFormatError when it is none."""
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise RunFormatError(f"{folder}: should be a run with {MANIFEST_FILE}, got a folder without it")
    manifest = read_manifest(path)
    listed = EpochList(folder / EPOCHS_FILE)
    run_epochs = manifest.epochs + listed.new()
    check_epochs(run_epochs, EPOCHS_FILE)
    return GrowingRun(FolderStore(folder), replace(manifest, epochs=run_epochs), listed)
