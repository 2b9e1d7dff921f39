"""Owns GGUF as a format: weights of llama.cpp and its kin, quantised or not, with what their metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.gguf.names import infer
from nn3d.extract.readers.gguf.reader import MAGIC, Texts, Value, read
from nn3d.extract.readers.tensor_file import recording_of
from nn3d.extract.recording import Recording

_FACTS = {
    "block_count": "blocks", "embedding_length": "width", "feed_forward_length": "width of the MLP",
    "attention.head_count": "heads", "attention.head_count_kv": "heads of keys and values",
    "context_length": "tokens of context", "expert_count": "experts", "expert_used_count": "experts at a time",
}  # fmt: skip
_NO_MODEL = "activations: GGUF holds no wires to run. Record the model that it was converted from, with --model."


def _sniff(head: Head) -> bool:
    return head.start[:4] == MAGIC


def _record(path: Path, options: SourceOptions) -> Recording:
    if options.model is not None:
        got = f"got {options.model}. Pass the model's own weights."
        raise SourceError(f"{path}: expected no --model beside GGUF, {got}")
    tensors, said = read(path)
    recording = recording_of(replace(tensors, notes=facts(said)), options, infer=infer)
    name = said.get("general.name")
    left_out = (_NO_MODEL, *parts(said), *recording.left_out[1:])
    return replace(recording, name=name if isinstance(name, str) and name else recording.name, left_out=left_out)


def facts(said: Mapping[str, Value | Texts]) -> tuple[str, ...]:
    """What a reader should know, one line each: the architecture with its numbers, the tokenizer, the file's origin."""
    kind = str(said.get("general.architecture", "unknown"))[:80]
    numbers = [f"{said[f'{kind}.{k}']} {what}" for k, what in _FACTS.items() if _is_number(said.get(f"{kind}.{k}"))]
    lines = [f"architecture {kind}: {', '.join(numbers)}" if numbers else f"architecture {kind}"]
    tokens = said.get("tokenizer.ggml.tokens")
    if isinstance(tokens, Texts):
        lines.append(f"tokenizer {str(said.get('tokenizer.ggml.model', ''))[:40]} of {tokens.n:,} tokens")
    for key, what in (("general.author", "by"), ("general.license", "licence"), ("general.source.url", "source")):
        text = said.get(key)
        if isinstance(text, str) and text:
            lines.append(f"{what} {' '.join(text.split())[:200]}")
    return tuple(lines)


def parts(said: Mapping[str, Value | Texts]) -> tuple[str, ...]:
    """What is said of a model in several files, of which this is one."""
    n, this = said.get("split.count", 1), said.get("split.no", 0)
    if not isinstance(n, int) or not isinstance(this, int) or n < 2:
        return ()
    return (f"part {this + 1} of {n}: the other files' tensors. Merge them with llama-gguf-split --merge.",)


def _is_number(value: Value | Texts | None) -> bool:
    return isinstance(value, int | float)


FORMAT = Format("gguf", "GGUF", _sniff, _record, gives=(WEIGHTS,))
