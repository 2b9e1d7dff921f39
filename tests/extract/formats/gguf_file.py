"""GGUF written by hand, byte for byte after its description: for samples, and for files that lie."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

TYPES = {"F32": 0, "F16": 1, "Q8_0": 8, "BF16": 30}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, axes: Sequence[int], kind: int, at: int) -> bytes:
    """axes : the fastest first."""
    return text(name) + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, kind, at)


def file(
    entries: Sequence[bytes], tensors: Sequence[bytes], data: bytes = b"",
    counts: tuple[int, int] | None = None, start: bytes = b"GGUF\x03\0\0\0",
) -> bytes:  # fmt: skip
    n_tensors, n_entries = counts or (len(tensors), len(entries))
    head = start + struct.pack("<QQ", n_tensors, n_entries) + b"".join(entries) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


def q8_0(values: np.ndarray) -> bytes:
    """Blocks of 32: a float16 scale, 32 signed bytes."""
    rows = values.reshape(-1, 32).astype(np.float32)
    scale = (np.abs(rows).max(axis=1, keepdims=True) / 127).astype("<f2")
    codes = np.round(rows / np.maximum(scale.astype(np.float32), 1e-9)).astype(np.int8)
    return np.concatenate([scale.view(np.uint8).reshape(-1, 2), codes.view(np.uint8)], axis=1).tobytes()


def write(path: Path, arrays: Mapping[str, tuple[str, np.ndarray]]) -> Path:
    """A file of arrays as F32 or Q8_0, with a little metadata."""
    entries = [
        entry("general.architecture", 8, text("llama")), entry("general.name", 8, text("Tiny")),
        entry("llama.block_count", 4, struct.pack("<I", 1)),
        entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + b"".join(map(text, "abc"))),
    ]  # fmt: skip
    data, tensors = b"", []
    for name, (kind, values) in arrays.items():
        tensors.append(tensor(name, values.shape[::-1], TYPES[kind], len(data)))
        raw = q8_0(values) if kind == "Q8_0" else values.astype("<f4").tobytes()
        data += raw + bytes(-len(raw) % 32)
    path.write_bytes(file(entries, tensors, data))
    return path
