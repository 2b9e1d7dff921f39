"""The shader library: GLSL files of nn3d/shaders with `#include`, defines, and errors that name file and line.

A shader file carries no `#version`: the loader writes it, then the defines, then the file with its includes unfolded.
`#include "name"` looks in the folder include/; a file is pulled in at most once a shader.
Errors are mapped back by a table of unfolded lines, since drivers (Mesa for one) forget the file of a `#line`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import moderngl

from nn3d.errors import ShaderError
from nn3d.paths import shaders_dir

VERSION = "#version 410 core"

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
_REFUSED = re.compile(r"^\s*#\s*(version|line)\b")
# The drivers' ways to say where: Mesa "0:14(5): error: …", NVIDIA "0(14) : error C1: …", Apple "ERROR: 0:14: …".
_PLACES = (
    re.compile(r"^\s*\d+:(?P<line>\d+)\(\d+\):\s*(?:preprocessor\s+)?error:\s*(?P<text>.+)$", re.M),
    re.compile(r"^\s*\d+\((?P<line>\d+)\)\s*:\s*error\s*(?:\w+)?:\s*(?P<text>.+)$", re.M),
    re.compile(r"^\s*ERROR:\s*\d+:(?P<line>\d+):\s*(?P<text>.+)$", re.M),
)
_NO_DEFINES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line of an unfolded shader comes from: file, line from 1, and who included it, nearest first."""

    name: str
    line: int
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A shader ready for the compiler. `lines` is the unfolded GLSL, `places` says where each of them comes from."""

    name: str
    lines: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def text(self) -> str:
        """The GLSL as the compiler reads it."""
        return "\n".join((*self.lines, ""))

    def locate(self, message: str) -> str:
        """One line for the first error of a compiler's message: file, line, what it says, the line, and the chain."""
        for pattern in _PLACES:
            match = pattern.search(message)
            if match is not None and 0 < int(match["line"]) <= len(self.lines):
                at = int(match["line"]) - 1
                place, quoted = self.places[at], self.lines[at].strip()
                chain = "".join(f", included from {who}" for who in place.chain)
                return f"{place.name}:{place.line}: {match['text'].strip()}" + f" in `{quoted}`" * bool(quoted) + chain
        return f"{self.name}: {_one_line(message)}"


@dataclass(slots=True)
class _Unfolding:
    """A shader while it is unfolded; `open` is the chain of (name, line) that leads to the current file."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    open: list[tuple[str, int]] = field(default_factory=list)

    def add(self, name: str, at: int, line: str) -> None:
        self.lines.append(line)
        self.places.append(Place(name, at, tuple(f"{n}:{k}" for n, k in reversed(self.open))))

    def unfold(self, name: str, path: Path) -> None:
        self.seen.add(name)
        for at, line in enumerate(self._read(name, path), 1):
            match = _INCLUDE.match(line)
            if match is None:
                if _REFUSED.match(line):
                    raise ShaderError(f"{name}:{at}: the loader writes {VERSION!r}, got {line.strip()!r}. Remove it.")
                self.add(name, at, line)
                continue
            self.open.append((name, at))
            self._include(match[1], name, at)
            self.open.pop()

    def _include(self, wanted: str, name: str, at: int) -> None:
        names = [n for n, _ in self.open]
        if wanted in names:
            chain = " → ".join([*names[names.index(wanted) :], wanted])
            raise ShaderError(f"{name}:{at}: includes go in a circle ({chain}). Break it.")
        if wanted not in self.seen:
            self.unfold(wanted, self.folder / "include" / wanted)

    def _read(self, name: str, path: Path) -> list[str]:
        try:
            return path.read_text(encoding="utf-8").splitlines()
        except OSError:
            where = f"{self.open[-1][0]}:{self.open[-1][1]}: " if self.open else ""
            raise ShaderError(f"{where}expected shader file {name!r} at {path}, found none. Reinstall nn3d.") from None


def read_source(name: str, *, defines: Mapping[str, object] = _NO_DEFINES, folder: Path | None = None) -> Source:
    """Read and unfold one shader file.

    defines : name → value, written as `#define` lines (True as a bare define, False leaves it out).
    folder : where to look instead of nn3d/shaders.
    Raises ShaderError when a file is missing, includes go in a circle, or a file has its own `#version` or `#line`.
    """
    root = shaders_dir() if folder is None else folder
    unfolding = _Unfolding(root)
    for at, line in enumerate([VERSION, *(_define(k, v) for k, v in defines.items() if v is not False)], 1):
        unfolding.add("head", at, line)
    unfolding.unfold(name, root / name)
    return Source(name, tuple(unfolding.lines), tuple(unfolding.places))


def load_program(
    ctx: moderngl.Context,
    vertex: str,
    geometry: str | None = None,
    fragment: str | None = None,
    varyings: Sequence[str] = (),
    defines: Mapping[str, object] = _NO_DEFINES,
    *,
    folder: Path | None = None,
) -> moderngl.Program:
    """Compile and link a program from files of nn3d/shaders.

    varyings : outputs to capture by transform feedback (interleaved), then `fragment` may be None.
    defines : for every stage, see `read_source`.
    Raises ShaderError, "ribbon.geom:14: message", when a stage does not compile or the stages do not link.
    """
    stages = {"vertex_shader": vertex, "geometry_shader": geometry, "fragment_shader": fragment}
    sources = {
        stage: read_source(name, defines=defines, folder=folder) for stage, name in stages.items() if name is not None
    }
    try:
        return ctx.program(
            vertex_shader=sources["vertex_shader"].text,
            geometry_shader=sources["geometry_shader"].text if geometry is not None else None,
            fragment_shader=sources["fragment_shader"].text if fragment is not None else None,
            varyings=tuple(varyings),
        )
    except moderngl.Error as error:
        raise ShaderError(_explain(str(error), sources)) from None


def _explain(message: str, sources: Mapping[str, Source]) -> str:
    for stage, source in sources.items():
        if re.search(rf"^{stage}\s*$", message, re.M):
            return source.locate(message)
    names = " + ".join(source.name for source in sources.values())
    return f"{names}: {_one_line(message)}"


def _define(name: str, value: object) -> str:
    return f"#define {name}" if value is True else f"#define {name} {value}"


def _one_line(message: str) -> str:
    """A compiler's message without its headings and rules, on one line."""
    kept = (line.strip() for line in message.splitlines())
    return "; ".join(line for line in kept if line and not set(line) <= set("=-"))
