"""Owns looking into a pickle without running it: every class becomes a stub that only remembers its name and state."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAX_BYTES = 1 << 26
_MAX_THINGS = 100_000
_MAX_CLASSES = 10_000


class Stub:
    """Stands for any object: takes any arguments, does nothing with them, keeps them and its state."""

    stands_for = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Stub:
        """Any arguments make one."""
        made = object.__new__(cls)
        made.args, made.state, made.entries = args, None, []
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args: tuple[Any, ...]
        self.state: Any
        self.entries: list[tuple[Any, Any]]

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries.append((key, value))

    def append(self, value: Any) -> None:
        """A list's entry."""

    def extend(self, values: Any) -> None:
        """A list's entries."""


class Storage(Stub):
    """Stands for the numbers of a tensor; args[0] is ("storage", type, key, place, count) as the pickle says it."""


class Reader(pickle.Unpickler):
    """Never imports anything: what a pickle names becomes a stub of that name."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._known: dict[str, type[Stub]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """A stub class for module.name."""
        full = f"{module}.{name}"
        if full not in self._known:
            if len(self._known) >= _MAX_CLASSES:
                raise pickle.UnpicklingError(f"more than {_MAX_CLASSES} classes")
            self._known[full] = type("Stub", (Stub,), {"stands_for": full})
        return self._known[full]

    def persistent_load(self, pid: Any) -> Any:
        """Tensors' storages lie outside of the pickle; a stub stands for each. The old format names classes here."""
        is_class = isinstance(pid, tuple) and len(pid) > 1 and pid[0] == "module"
        return pid[1] if is_class else Storage(pid)


def describe(path: Path) -> str:
    """The class and its parameters: net.LeNet with parameters conv1.weight, …; "" when the file has no own class."""
    data = _pickle_bytes(path)
    if data is None:
        return ""
    try:
        top = Reader(io.BytesIO(data)).load()
    except Exception:  # a hostile pickle may fail in any way: then there is nothing to show
        return "its classes cannot be read"
    found = stubs_in(top)
    stub = next((s for s in found if "_modules" in state_of(s) or not s.stands_for.startswith("torch._utils")), None)
    if stub is None:
        return ""
    names = [name for _, name in zip(range(7), _parameters(stub, "", 0), strict=False)]
    listed = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return f"{stub.stands_for}" + (f" with parameters {listed}" if names else "")


def _pickle_bytes(path: Path) -> bytes | None:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
                if name is None or archive.getinfo(name).file_size > _MAX_BYTES:
                    return None
                return archive.read(name)
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError, NotImplementedError):
        return None
    return _after_legacy_header(data)


def _after_legacy_header(data: bytes) -> bytes:
    """torch's old format begins with three small pickles: magic number, version, system."""
    stream = io.BytesIO(data)
    try:
        for _ in range(3):
            Reader(stream).load()
    except Exception:  # not the old format: look at the file as one pickle
        return data
    return data[stream.tell() :]


def state_of(stub: Stub) -> dict[Any, Any]:
    """What the object held, {} where that was no dict."""
    return stub.state if isinstance(stub.state, dict) else {}


def stubs_in(top: Any) -> Iterator[Stub]:
    """All objects that a pickle holds, those nearest to its top first."""
    waiting, seen = [top], set[int]()
    while waiting and len(seen) < _MAX_THINGS:
        thing = waiting.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, Stub) and thing.stands_for and not thing.stands_for.startswith("collections."):
            yield thing
        if isinstance(thing, dict):
            waiting += list(thing.values())
        elif isinstance(thing, list | tuple):
            waiting += list(thing)
        elif isinstance(thing, Stub):
            waiting += [value for _, value in thing.entries]


def _parameters(stub: Stub, prefix: str, depth: int) -> Iterator[str]:
    state = state_of(stub)
    if depth > 32:
        return
    for key, _ in entries_of(state.get("_parameters")):
        yield f"{prefix}{key}"
    for key, child in entries_of(state.get("_modules")):
        if isinstance(child, Stub):
            yield from _parameters(child, f"{prefix}{key}.", depth + 1)


def entries_of(thing: Any) -> list[tuple[Any, Any]]:
    """Keys and values of a dict, or of an object that stands for one."""
    if isinstance(thing, dict):
        return list(thing.items())
    return thing.entries if isinstance(thing, Stub) else []
