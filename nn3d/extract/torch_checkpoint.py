"""Owns reading checkpoints: never running what they say, and checking what they claim before copying anything.

`load` gives parameters by name; `nn3d.extract.infer` makes a graph of them where there is no model.
"""

from __future__ import annotations

import math
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nn3d.errors import SourceError
from nn3d.extract import safetensors_file, stub_state
from nn3d.extract.arrays import to_numpy
from nn3d.extract.readers.dcp import reader as dcp_reader
from nn3d.extract.stub_pickle import describe
from nn3d.run.model import Array

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params", "weights", "module", "ema")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_ASIDE = re.compile(r"optim|sched|scaler|rng|ema_|loss|metric|callback|hyper", re.I)
_SMALL_BYTES, _MOST_SHARED = 1 << 26, 8
_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Parameters of one file. state : name → tensor, in file order; metrics : its scalars (loss, acc, …)."""

    path: Path
    state: Mapping[str, torch.Tensor]
    epoch: int | None = None
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def arrays(self) -> dict[str, Array]:
        """Name → float32 copy, a scalar as (1,)."""
        return {name: to_numpy(tensor).reshape(self.shapes()[name]) for name, tensor in self.state.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape as a run has it."""
        return {name: tuple(tensor.shape) or (1,) for name, tensor in self.state.items()}


def is_checkpoint(path: Path) -> bool:
    """Whether a file is one that torch.save wrote, by its content."""
    with path.open("rb") as file:
        head = file.read(len(_LEGACY))
    if head[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                return any(n.count("/") == 1 and n.endswith("/data.pkl") for n in archive.namelist())
        except (zipfile.BadZipFile, OSError, ValueError):
            return False
    return head == _LEGACY


def load(path: Path) -> Checkpoint:
    """Read the parameters of a checkpoint. Raises SourceError when it holds none, lies about sizes, or is a module."""
    folder = dcp_reader.folder_of(path)
    if folder is not None:
        return _checkpoint(folder, *dcp_reader.state(folder))
    content = safetensors_file.read(path) if safetensors_file.is_one(path) else _read(path)
    state, around = _find_state(content)
    if not state:
        keys = f" with {', '.join(map(str, list(content)[:6]))}" if isinstance(content, dict) else ""
        raise SourceError(f"{path}: expected a state_dict (names → tensors), got {type(content).__name__}{keys}.")
    for name, tensor in state.items():
        _check_claim(path, name, tensor)
    _check_claims(path, state)
    return _checkpoint(path, state, _scalars(around, state))


def _checkpoint(path: Path, state: Mapping[str, torch.Tensor], scalars: Mapping[str, float]) -> Checkpoint:
    if not state:
        raise SourceError(f"{path}: expected the parameters of a model, got none.")
    scalars = {("step" if k == "global_step" else k): v for k, v in scalars.items()}
    epoch, step = (int(scalars[k]) if k in scalars else None for k in ("epoch", "step"))
    metrics = {k: v for k, v in scalars.items() if k not in ("epoch", "step")}
    return Checkpoint(path, _without_prefix(state), epoch, step if step is not None else None, metrics)


def load_module(path: Path) -> torch.nn.Module:
    """Unpickle a whole module, running whatever the file says (--trust). Raises SourceError when it is none."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # a trusted file may run and raise anything
        raise SourceError(f"{path}: expected a pickled module, got {type(error).__name__}: {_line(error)}") from error
    content = content.get("model", content) if isinstance(content, dict) else content
    if not isinstance(content, torch.nn.Module):
        raise SourceError(f"{path}: expected a pickled module, got {type(content).__name__}. Leave --trust away.")
    return content


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _read(path: Path) -> Any:
    is_zip = zipfile.is_zipfile(path)
    if is_zip:
        _check_members(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about protocols and archives; what cannot be read is said below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        plain = stub_state.content_of(path)
        if plain is not None and _find_state(plain)[0]:
            return plain
        seen = describe(path)
        if seen:
            raise SourceError(
                f"{path}: expected parameters, got a pickled object that would run code: {seen}. Pass --model "
                "PKG.MOD:FACTORY and a file saved with torch.save(model.state_dict()), or --trust to run it."
            ) from error
        raise SourceError(f"{path}: expected a checkpoint of tensors, got: {_line(error)}") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SourceError(f"{path}: expected a checkpoint, got: {_line(error).partition('. ')[0]}") from error


def _check_members(path: Path) -> None:
    """Members of torch.save are stored, not deflated: their sizes cannot exceed the file's."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise SourceError(f"{path}: expected a checkpoint, got a broken zip: {_line(error)}") from error
    if claimed > size:
        raise SourceError(f"{path}: expected members of at most {size} bytes, got a claim of {claimed}. Save it again.")


def _check_claim(path: Path, name: str, tensor: torch.Tensor) -> None:
    """A tensor must not show many more bytes than its storage holds (stride 0)."""
    if tensor.layout is not torch.strided:
        raise SourceError(f"{path}: {name}: expected a dense tensor, got {tensor.layout}. Save it dense.")
    needed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if tensor.device.type == "meta" or (needed > held and needed > _SMALL_BYTES):
        raise SourceError(
            f"{path}: {name}: expected a storage of {needed} bytes for shape {tuple(tensor.shape)}, got {held}. "
            "The file does not hold what it claims."
        )


def _check_claims(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """All of them must not either: a storage may be shared by tied weights, not by thousands of tensors."""
    needed = sum(t.numel() * t.element_size() for t in state.values())
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in state.values()}
    held = sum(storages.values())
    if needed > _MOST_SHARED * held + _SMALL_BYTES:
        raise SourceError(
            f"{path}: expected storages of {needed:,} bytes for {len(state):,} tensors, got {held:,}. "
            "The file does not hold what it claims."
        )


def _find_state(content: Any) -> tuple[dict[str, torch.Tensor], Mapping[str, Any]]:
    """The state_dict inside the usual wrappers, and the mapping around it."""
    if not isinstance(content, Mapping):
        return {}, {}
    for key in _WRAPPERS:
        inner = content.get(key)
        if isinstance(inner, Mapping):
            found = _tensors(inner) or _find_state(inner)[0]
            if found:
                return found, content
    found = _tensors(content)
    return found or _nested(content), content


def _nested(content: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    """Several state_dicts side by side (a generator and its critic), under the names of both; no optimizer's state."""
    return {
        f"{key}.{name}": tensor
        for key, inner in content.items()
        if isinstance(inner, Mapping) and not _ASIDE.search(str(key))
        for name, tensor in _tensors(inner).items()
    }


def _tensors(content: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    found = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    return found if any(t.ndim for t in found.values()) else {}


def _without_prefix(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return dict(state)


def _scalars(content: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
    """Finite numbers beside the parameters, also those in a mapping called metrics."""
    found: dict[str, float] = {}
    for key, value in content.items():
        if key in state:
            continue
        if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
            value = value.item()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[str(key)] = float(value)
        elif key in ("metrics", "logs", "scores") and isinstance(value, Mapping):
            found |= _scalars(value, {})
    if "global_step" in found:
        found["step"] = found.pop("global_step")
    return found
