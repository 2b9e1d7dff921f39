"""Frozen dataclasses of plain values to JSON and back, checked against their annotations."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from functools import cache
from typing import Any, Final

from nn3d.errors import Nn3dError

# Of one list: a run has at most as many layers.
MOST_ENTRIES: Final = 200_000


def to_json(value: Any) -> Any:
    """`value` as JSON objects, lists and numbers. Floats must be finite."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [to_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Nn3dError(f"a state holds finite numbers only, got {value}")
    return value


def from_json(kind: Any, data: Any, where: str = "") -> Any:
    """A value of type `kind` from JSON. Raises Nn3dError naming the field, what was expected and what came."""
    if dataclasses.is_dataclass(kind):
        return _object(kind, data, where)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in args:
            return None
        (kind,) = (a for a in args if a is not type(None))
        return from_json(kind, data, where)
    if origin is tuple:
        return _tuple(args, data, where)
    if kind is float and isinstance(data, int) and not isinstance(data, bool) and abs(data) < 1 << 1023:
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise Nn3dError(f"{where or 'value'} should be {kind.__name__}, got {str(data)[:60]!r}")
    if isinstance(data, float) and not math.isfinite(data):
        raise Nn3dError(f"{where} should be finite, got {data}")
    return data


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _tuple(args: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise Nn3dError(f"{where} should be a list, got {str(data)[:60]!r}")
    if len(args) == 2 and args[1] is Ellipsis:
        if len(data) > MOST_ENTRIES:
            raise Nn3dError(f"{where} should have at most {MOST_ENTRIES:,} entries, got {len(data):,}")
        return tuple(from_json(args[0], v, f"{where}[{i}]") for i, v in enumerate(data))
    if len(data) != len(args):
        raise Nn3dError(f"{where} should have {len(args)} entries, got {len(data)}")
    return tuple(from_json(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, data, strict=True)))


def _object(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise Nn3dError(f"{where or kind.__name__} should be an object, got {str(data)[:60]!r}")
    hints = _hints(kind)
    unknown = set(data) - set(hints)
    if unknown:
        raise Nn3dError(f"{where or kind.__name__} has no field {sorted(unknown)[0]!r}; it has {', '.join(hints)}")
    values = {name: from_json(hints[name], v, f"{where}.{name}".lstrip(".")) for name, v in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise Nn3dError(f"{where or kind.__name__} lacks a field: {error}") from error
