"""Owns formats that are recognised and not read: what they are, and the way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording


def _unread(key: str, name: str, sniff: Callable[[Head], bool], route: str) -> Format:
    def record(path: Path, options: SourceOptions) -> Recording:
        raise SourceError(f"{path}: expected a run or something to extract, got {name}. {route}")

    return Format(key, name, sniff, record, gives=())


FORMATS = (
    _unread(
        "huggingface-config", "a Hugging Face folder without safetensors",
        lambda head: head.is_folder and head.member("config.json"), "Save it with save_pretrained.",
    ),
)  # fmt: skip
