"""Owns reading a design: TOML or JSON, checked and with the line of each layer."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.design.sizes import MOST, DesignLayer, Shape
from nn3d.run.model import JSON
from nn3d.run.ops import canonical

MOST_BYTES, MOST_LAYERS, MOST_AXES, MOST_NAME = 4 << 20, 20_000, 8, 200
_TABLE = re.compile(r"^[ \t]*\[\[[ \t]*(layers?|inputs?)[ \t]*\]\]", re.MULTILINE)
_KEPT = ("name", "op", "inputs")


@dataclass(frozen=True, slots=True)
class DesignInput:
    """What the network reads. kind : "image", "tokens", "array" or "" for what its shape suggests."""

    name: str
    shape: Shape
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Design:
    """A network as it was written."""

    path: str
    name: str
    inputs: tuple[DesignInput, ...]
    layers: tuple[DesignLayer, ...]


def looks_like_one(start: bytes) -> bool:
    """Whether the first bytes of a file are a design's: [[layer]] tables, or JSON with "layers" of "op"s."""
    text = start.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text[:1] in ("{", "["):
        has_list = text[:1] == "[" or re.search(r'"layers?"\s*:\s*\[', text)
        return bool(has_list and re.search(r'"op"\s*:\s*"', text) and "class_name" not in text)
    return bool(_TABLE.search(text) and re.search(r"^\s*op\s*=", text, re.MULTILINE))


def read_design(path: Path) -> Design:
    """A design from its file. Raises SourceError, with the line where there is one."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path}: expected a design of at most {MOST_BYTES >> 20} MB, got more.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: expected text in UTF-8, got: {error}.") from error
    is_json = text.lstrip()[:1] in ("{", "[")
    try:
        found: JSON = json.loads(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        what = "JSON" if is_json else "TOML"
        raise SourceError(f"{path}: expected {what}, got: {str(error)[:160] or 'lists that are too deep'}.") from error
    top: Mapping[str, JSON] = {"layers": found} if isinstance(found, list) else found
    lines = _json_lines(text) if is_json else _toml_lines(text, "layer")
    listed = top.get("layer", top.get("layers"))
    if not isinstance(listed, list) or not listed or len(listed) > MOST_LAYERS:
        n = len(listed) if isinstance(listed, list) else 0
        raise SourceError(f"{path}: expected [[layer]] tables, 1 to {MOST_LAYERS}, got {n}.")
    lines += [0] * (len(listed) - len(lines))
    given = tuple(_layer(str(path), k, entry, lines[k]) for k, entry in enumerate(listed))
    written = tuple(layer for layer in given if layer.op == "input")
    inputs = tuple(_input_layer(str(path), layer) for layer in written) + _inputs(str(path), top)
    if not inputs:
        raise SourceError(f"{path}: expected the shape of the input, got none. Add input = [1, 28, 28].")
    name = top.get("name", path.stem)
    return Design(str(path), str(name)[:MOST_NAME], inputs, _named(given, inputs))


def _layer(path: str, k: int, entry: JSON, line: int) -> DesignLayer:
    where = f"{path}: layer {k + 1}" + (f" (line {line})" if line else "")
    if not isinstance(entry, dict) or not isinstance(entry.get("op"), str):
        raise SourceError(f"{where}: expected an op such as conv2d or linear, got none. Add op = ….")
    name, inputs = entry.get("name", ""), entry.get("inputs", [])
    inputs = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(name, str) or len(name) > MOST_NAME:
        raise SourceError(f"{where}: expected a name of at most {MOST_NAME} letters, got {str(name)[:40]}.")
    if not isinstance(inputs, list) or not all(isinstance(n, str) for n in inputs):
        raise SourceError(f"{where}: expected inputs to be names of layers, got {str(inputs)[:40]}.")
    sizes = {key: value for key, value in entry.items() if key not in _KEPT}
    op = "input" if entry["op"] == "input" else canonical(entry["op"])
    return DesignLayer(name, op, sizes, tuple(inputs), line)


def _named(layers: tuple[DesignLayer, ...], inputs: tuple[DesignInput, ...]) -> tuple[DesignLayer, ...]:
    """The layers without inputs; those without a name are called by their operation and a number."""
    taken = {layer.name for layer in layers} | {i.name for i in inputs}
    counts: dict[str, int] = {}
    found = []
    for layer in layers:
        if layer.op == "input":
            continue
        name, short = layer.name, layer.op.removeprefix("other:")
        while not name:
            counts[short] = counts.get(short, 0) + 1
            name = "" if f"{short}{counts[short]}" in taken else f"{short}{counts[short]}"
        found.append(DesignLayer(name, layer.op, layer.sizes, layer.inputs, layer.line))
    return tuple(found)


def _input_layer(path: str, layer: DesignLayer) -> DesignInput:
    return _input(path, {"name": layer.name or "input", **layer.sizes}, "")


def _inputs(path: str, top: Mapping[str, JSON]) -> tuple[DesignInput, ...]:
    given = top.get("input", top.get("inputs"))
    if given is None:
        return ()
    if isinstance(given, list) and given and all(isinstance(entry, dict) for entry in given):
        return tuple(_input(path, entry, f"input{k or ''}") for k, entry in enumerate(given))
    return (_input(path, given if isinstance(given, dict) else {"shape": given}, "input"),)


def _input(path: str, entry: Mapping[str, JSON], name: str) -> DesignInput:
    name, kind = entry.get("name", name), entry.get("kind", "")
    given = entry.get("shape")
    shape: list[JSON] = given if isinstance(given, list) else [given]
    if not 0 < len(shape) <= MOST_AXES or not all(type(n) is int and 0 < n < MOST for n in shape):
        got = f"got {str(given)[:40]}."
        raise SourceError(f"{path}: input {str(name)[:40]}: expected a shape such as [1, 28, 28], {got}")
    if kind not in ("", "image", "tokens", "array") or not isinstance(name, str) or not name:
        raise SourceError(f"{path}: input: expected a name, and kind image, tokens or array, got {str(kind)[:40]}.")
    return DesignInput(name[:MOST_NAME], tuple(shape), kind)


def _toml_lines(text: str, word: str) -> list[int]:
    """Line of each [[layer]], from 1."""
    lines: list[int] = []
    at, line = 0, 1
    for match in _TABLE.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        if match[1].startswith(word):
            lines.append(line)
    return lines


def _json_lines(text: str) -> list[int]:
    """Line of each entry of the list of layers, from 1; fewer where it is not found."""
    start = re.search(r'"layers?"\s*:\s*\[', text)
    at = start.end() if start else text.find("[") + 1
    decoder = json.JSONDecoder()
    lines: list[int] = []
    while 0 < at < len(text) and len(lines) < MOST_LAYERS:
        at += _blanks(text, at)
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        lines.append(text.count("\n", 0, at) + 1)
        at = end
    return lines


def _blanks(text: str, at: int) -> int:
    found = re.compile(r"[ \t\r\n,]*").match(text, at)
    return 0 if found is None else found.end() - at
