"""A whole view as JSON, and as a string short enough to paste: `nn3d1:` and the deflated JSON in URL-safe base64.

Both leave out what stands at its default, so they stay readable when later versions add fields with defaults. Floats
are written in full: a view read back is equal to the one written, and gives the same pixels.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import zlib
from typing import Any

from nn3d.errors import Nn3dError
from nn3d.stage import jsonable
from nn3d.stage.state import ViewState

PREFIX = "nn3d1:"
MAX_JSON_BYTES = 16 << 20


def to_json(state: ViewState) -> dict[str, Any]:
    """The view as JSON, without what stands at its default. Raises Nn3dError on numbers that are not finite."""
    out = _sparse(state, jsonable.to_json(state))
    assert isinstance(out, dict)
    return out


def from_json(data: Any) -> ViewState:
    """The view of a JSON object. Raises Nn3dError that names the field."""
    state: ViewState = jsonable.from_json(ViewState, data)
    return state


def to_text(state: ViewState) -> str:
    """The view as a string of letters, digits, `-`, `_` and one colon."""
    raw = json.dumps(to_json(state), separators=(",", ":")).encode()
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip("=")


def from_text(text: str) -> ViewState:
    """The view of `to_text`'s string. Raises Nn3dError when it was cut short, mistyped or grows beyond all measure."""
    text = text.strip()
    if not text.startswith(PREFIX):
        raise Nn3dError(f"a view should start with {PREFIX!r}, got {text[:12]!r}. Copy the whole string.")
    body = text[len(PREFIX) :]
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        inflate = zlib.decompressobj()
        raw = inflate.decompress(packed, MAX_JSON_BYTES)
        if not inflate.eof:
            raise zlib.error("incomplete or too large")
        data = json.loads(raw)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise Nn3dError(f"a view should be a string copied whole, got one that is damaged ({error})") from None
    return from_json(data)


def _sparse(value: Any, data: Any) -> Any:
    """`data`, the JSON of `value`, without fields that equal their default."""
    if isinstance(value, tuple):
        return [_sparse(v, d) for v, d in zip(value, data, strict=True)]
    if not dataclasses.is_dataclass(value):
        return data
    return {
        f.name: _sparse(getattr(value, f.name), data[f.name])
        for f in dataclasses.fields(value)
        if not _is_default(f, getattr(value, f.name))
    }


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return False
    return bool(type(value) is type(default) and value == default)
