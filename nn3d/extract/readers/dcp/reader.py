"""Owns the tensors of a torch distributed checkpoint: which of them are the model's, and putting their pieces together.

A piece is what torch.save wrote of one tensor, at some bytes of a file in the folder. It is read when its tensor is
looked at, with torch and `weights_only`, once it is certain that it holds no more than it says.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.extract.lazy import LazyArray
from nn3d.extract.readers.dcp.metadata import METADATA, Piece, Place, Stored, read_metadata
from nn3d.extract.readers.tensor_file import Mapped, Tensors
from nn3d.run.model import Array

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module", "ema")
_OTHERS = ("optim", "optimizer", "optimizers", "optimizer_state_dict", "optim_state_dict", "lr_scheduler", "dataloader")
_MOST_NUMBER_BYTES = 1 << 16
_EXACT = "shown as float32, exactly"
HOW = {"bfloat16": _EXACT, "float64": "rounded to float32"} | dict.fromkeys(
    ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"), _EXACT
)
_BROKEN = (RuntimeError, ValueError, TypeError, KeyError, EOFError, OSError, AttributeError, IndexError)


def folder_of(path: Path) -> Path | None:
    """The folder of a checkpoint, given that or its `.metadata`; None where it is none."""
    folder = path.parent if path.name == METADATA else path
    return folder if (folder / METADATA).is_file() and any(folder.glob("*.distcp")) else None


class Pieces:
    """A checkpoint's folder: its entries, and its files, which are opened when they are needed.

    parameters : name → entry of the model's tensors. numbers : entries beside them that may be numbers, by key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entries, self.stamp = read_metadata(folder / METADATA)
        self.parameters = _model_of([e for e in entries if e.dtype])
        self._numbers = {e.path[-1]: e.place for e in entries if not e.dtype and len(e.path) == 1 and e.place}
        self.others = len([e for e in entries if e.dtype]) - len(self.parameters)
        self._files: dict[str, Mapped] = {}
        self._torch = factory.require("torch")
        for name, entry in self.parameters.items():
            for piece in entry.pieces:
                self._check(name, piece.place)

    def tensor(self, name: str) -> Any:
        """A whole tensor, as it was before it was shared out. Raises SourceError."""
        entry = self.parameters[name]
        if len(entry.pieces) == 1 and entry.pieces[0].sizes == entry.shape:
            return self._load(name, entry, entry.pieces[0])
        whole = self._torch.zeros(entry.shape, dtype=getattr(self._torch, entry.dtype))
        for piece in entry.pieces:
            box = tuple(slice(o, o + n) for o, n in zip(piece.offsets, piece.sizes, strict=True))
            whole[box] = self._load(name, entry, piece)
        return whole

    def values(self, name: str) -> Array:
        """A tensor as a run has it, float32."""
        from nn3d.extract.arrays import to_numpy

        entry = self.parameters[name]
        return to_numpy(self.tensor(name)).reshape(entry.shape or (1,))

    def numbers(self) -> dict[str, float]:
        """The finite numbers beside the model: epoch, step, loss."""
        found: dict[str, float] = {}
        for key, place in list(self._numbers.items())[:100]:
            if place.length > _MOST_NUMBER_BYTES or not place.is_plain:
                continue
            with suppress(pickle.UnpicklingError, zipfile.BadZipFile, SourceError, *_BROKEN):
                self._check(key, place)
                number = self._loaded(self._bytes(place))
                if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
                    found[key] = float(number)
        return found

    def close(self) -> None:
        """Give the files back."""
        for file in self._files.values():
            file.close()

    def _check(self, name: str, place: Place) -> None:
        file = self._file(name, place.file)
        if place.offset + place.length > file.size:
            raise SourceError(
                f"{file.path}: expected {name[:80]} at {place.offset:,}, {place.length:,} bytes of it, got a file of "
                f"{file.size:,}. Copy it again."
            )

    def _file(self, name: str, file: str) -> Mapped:
        """A file of the folder alone, after links are followed."""
        if file not in self._files:
            with suppress(OSError, ValueError, RuntimeError):
                path = (self.folder / file).resolve()
                if path.is_relative_to(self.folder.resolve()) and path.is_file():
                    self._files[file] = Mapped(path)
        if file not in self._files:
            raise SourceError(
                f"{self.folder}: expected {name[:80]} in a file of this folder, got {file[:80]!r}. Put them together."
            )
        return self._files[file]

    def _bytes(self, place: Place) -> bytes:
        return self._files[place.file].bytes_at(place.offset, place.offset + place.length)

    def _load(self, name: str, entry: Stored, piece: Piece) -> Any:
        where = f"{self.folder / piece.place.file}: {name[:80]}"
        try:
            found = self._loaded(self._bytes(piece.place))
        except (pickle.UnpicklingError, zipfile.BadZipFile, *_BROKEN) as error:
            text = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
            raise SourceError(f"{where}: expected a piece that torch saved, got: {text}.") from error
        got = f"{str(getattr(found, 'dtype', type(found).__name__)).removeprefix('torch.')} {_sizes(found)}"
        if not isinstance(found, self._torch.Tensor) or got != f"{entry.dtype} {list(piece.sizes)}":
            raise SourceError(f"{where}: expected {entry.dtype} {list(piece.sizes)}, got {got}. Save it again.")
        if found.layout is not self._torch.strided or found.untyped_storage().nbytes() > piece.place.length:
            raise SourceError(f"{where}: expected a dense piece of its own, got one that claims more. Save it again.")
        if found.numel() * found.element_size() > found.untyped_storage().nbytes():
            raise SourceError(f"{where}: expected a storage that holds it, got a smaller one. Save it again.")
        return found

    def _loaded(self, data: bytes) -> Any:
        """What torch.save wrote; members are stored, so they cannot hold more than is there."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            claimed = sum(info.file_size for info in archive.infolist())
        if claimed > len(data):
            raise ValueError(f"members of {claimed:,} bytes in {len(data):,}")
        return self._torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def read(folder: Path) -> Tensors:
    """The model's tensors, in the order they were saved; values when they are asked for. Raises SourceError."""
    pieces = Pieces(folder)
    shown = {n: e for n, e in pieces.parameters.items() if all(p.place.is_plain for p in e.pieces)}
    arrays = {
        name: LazyArray(e.shape or (1,), e.dtype, partial(pieces.values, name), n_bytes=e.n_bytes)
        for name, e in shown.items()
    }
    packed = [name for name in pieces.parameters if name not in shown]
    left_out = [f"{name}: packed by an extension of torch.distributed.checkpoint" for name in packed]
    if pieces.others:
        left_out.append(f"{pieces.others} tensors of the optimizer and others")
    return Tensors(
        folder, arrays, pieces.stamp, pieces.numbers(), HOW, left_out=tuple(left_out), close=pieces.close
    )  # fmt: skip


def state(folder: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """The model's tensors by name, as torch tensors, and the numbers beside them. Raises SourceError."""
    pieces = Pieces(folder)
    try:
        return {name: pieces.tensor(name) for name in pieces.parameters}, pieces.numbers()
    finally:
        pieces.close()


def _model_of(tensors: Sequence[Stored]) -> dict[str, Stored]:
    """The model's among all tensors: of a usual wrapper's key, else those at the top, else of any other key."""
    groups: dict[str, dict[str, Stored]] = {}
    for entry in tensors:
        key = entry.path[0] if len(entry.path) > 1 else ""
        groups.setdefault(key, {})[".".join(entry.path[1:] if key else entry.path)] = entry
    has_shapes: Mapping[str, dict[str, Stored]] = {
        key: group for key, group in groups.items() if any(e.shape for e in group.values())
    }
    for key in (*_WRAPPERS, ""):
        if key in has_shapes:
            others = () if key else tuple(f"{name}." for name in _OTHERS)
            return {name: e for name, e in has_shapes[key].items() if not name.startswith(others)}
    rest = [key for key in has_shapes if key.lower() not in _OTHERS]
    return has_shapes[rest[0]] if rest else {}


def _sizes(found: Any) -> list[int]:
    return list(getattr(found, "shape", ()))
