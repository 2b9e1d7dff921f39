"""Owns telling ONNX from other protobuf files by the fields that a ModelProto has, whatever the file is called."""

from __future__ import annotations

# Field number → wire type of onnx.ModelProto; 2 stands for a length and bytes, 0 for a number.
_MODEL = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_TEXT = frozenset((2, 3, 4))
_GRAPH_STARTS = frozenset((0x0A, 0x12, 0x2A, 0x52, 0x5A, 0x62, 0x6A, 0x72, 0x7A, 0x82))
_MOST_TEXT = 1 << 10


def is_onnx(start: bytes, size: int) -> bool:
    """Whether the first bytes of a file of `size` bytes read as a ModelProto up to its graph or operator sets."""
    at, seen = 0, set()
    while at < len(start):
        tag, at = _number(start, at)
        field, wire = tag >> 3, tag & 7
        if _MODEL.get(field) != wire:
            return False
        value, at = _number(start, at)
        if value < 0:
            return False
        seen.add(field)
        if wire == 0:
            if field == 1 and not 1 <= value <= 1000:
                return False
            continue
        if at + value > size:
            return False
        if field == 7:
            return 1 in seen and value > 1 and start[at : at + 1] != b"" and start[at] in _GRAPH_STARTS
        inside = start[at : at + value]
        if field in _TEXT and not (value <= _MOST_TEXT and _is_text(inside)):
            return False
        at += value
    return 1 in seen and bool(seen & {7, 8})


def _is_text(data: bytes) -> bool:
    try:
        return data.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends; -1 where there is none."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            return -1, at
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return -1, at
