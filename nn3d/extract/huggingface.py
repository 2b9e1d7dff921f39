"""Owns models that transformers saved in a folder: built from config.json with local weights alone, fed what they read.

Nothing is downloaded and no code of the folder runs: `local_files_only`, `trust_remote_code=False`, safetensors only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.factory import require
from nn3d.extract.inputs import Batch, Wanted, random_shape, read_inputs
from nn3d.extract.options import SourceOptions
from nn3d.run.model import Array

_TOKENS, _MOST_TOKENS, _FIRST_WORD = 16, 64, 5
_MOST_LAYERS, _SPARE_VALUES = 5000, 1 << 26
_CONFIG_BYTES, _TEXT_BYTES = 1 << 22, 1 << 22
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "spiece.model")


@dataclass(frozen=True, slots=True)
class Fed:
    """What a model of transformers is run on. inputs : keyword → (N, …); batch : what there is to say of them."""

    inputs: Mapping[str, Array]
    batch: Batch


@dataclass(frozen=True, slots=True)
class Folder:
    """config.json of a folder, as plain data. classes : of its id2label, in order, () where they are only numbers."""

    path: Path
    config: Mapping[str, Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of classes."""
        names = self.config.get("id2label")
        heads = [str(a) for a in self.config.get("architectures") or [] if "Classification" in str(a)]
        if not isinstance(names, Mapping) or not heads or not all(str(i) in names for i in range(len(names))):
            return ()
        found = tuple(str(names[str(i)])[:80] for i in range(len(names)))
        return () if all(name == f"LABEL_{i}" for i, name in enumerate(found)) else found

    def facts(self) -> str:
        """One line of what the configuration says."""
        kind, found = str(self.config.get("model_type", "a model"))[:40], []
        for words, keys in (
            ("blocks", ("num_hidden_layers", "n_layer", "num_layers", "n_layers")),
            ("wide", ("hidden_size", "n_embd", "d_model", "dim")),
            ("heads", ("num_attention_heads", "n_head", "num_heads", "n_heads")),
            ("key and value heads", ("num_key_value_heads",)), ("words", ("vocab_size",)),
        ):  # fmt: skip
            value = next((self.config[k] for k in keys if type(self.config.get(k)) is int), None)
            found += [] if value is None else [f"{value:,} {words}"]
        return f"config.json: {kind}{', ' if found else ''}{', '.join(found)}"


def read_folder(path: Path) -> Folder:
    """Its config.json. Raises SourceError when it is missing or no JSON."""
    file = path / "config.json"
    try:
        if not file.is_file():
            raise SourceError(f"{path}: expected a folder with config.json, got none. Save the model there.")
        if file.stat().st_size > _CONFIG_BYTES:
            raise SourceError(f"{file}: expected at most {_CONFIG_BYTES} bytes, got {file.stat().st_size}.")
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file}: expected JSON, got: {_line(error)}") from error
    if not isinstance(config, dict):
        raise SourceError(f"{file}: expected an object, got {type(config).__name__}.")
    return Folder(path, config)


def load(folder: Folder) -> Any:
    """The model with its weights. Raises SourceError where transformers does not know it or lacks a file."""
    transformers = require("transformers", "hf")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    named = [str(a) for a in folder.config.get("architectures") or []]
    known = (getattr(transformers, a, None) for a in named)
    models = (k for k in known if isinstance(k, type) and issubclass(k, transformers.PreTrainedModel))
    found: Any = next(models, transformers.AutoModel)
    try:
        _check_size(folder, transformers, found)
        model = found.from_pretrained(
            folder.path, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype="auto"
        )
    except SourceError:
        raise
    except Exception as error:  # a folder that somebody else made may fail in any way
        got = _line(error)
        raise SourceError(f"{folder.path}: expected a model that transformers can build, got: {got}") from error
    for config in {id(c): c for part in model.modules() if (c := getattr(part, "config", None)) is not None}.values():
        if getattr(config, "use_cache", False):
            config.use_cache = False  # a memory of earlier tokens begins with tensors of no values
    return model.eval()


def _check_size(folder: Folder, transformers: Any, kind: Any) -> None:
    """Raises SourceError unless the folder's weights can be those of the model that config.json describes.

    The model is laid out without memory first: what config.json says is not believed before.
    """
    odd = next((f"{key} {n:,}" for key, n in _numbers(folder.config) if n > _most(key)), None)
    if odd is not None:
        raise SourceError(f"{folder.path / 'config.json'}: expected sizes of a model, got {odd[:80]}.")
    config = transformers.AutoConfig.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
    with require("torch").device("meta"):
        model = kind.from_config(config) if kind is transformers.AutoModel else kind(config)
    n_values = sum(t.numel() for t in (*model.parameters(), *model.buffers()))
    n_bytes = sum(p.stat().st_size for p in folder.path.glob("*.safetensors"))
    if n_values > 2 * n_bytes + _SPARE_VALUES:
        raise SourceError(
            f"{folder.path}: expected weights of a model of {n_values:,} values, got {n_bytes:,} bytes. "
            "They do not belong together."
        )


def _most(key: str) -> int:
    """The most that a number of config.json may be: so many layers and experts, and so much of anything else."""
    is_count = key.startswith(("num_", "n_")) and any(word in key for word in ("layer", "block", "expert", "stage"))
    return _MOST_LAYERS if is_count or key.endswith("layers") or key in ("depth", "depths") else 1 << 31


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """All whole numbers of a configuration, with the names they stand under."""
    todo = [(key, value)]
    while todo:
        name, at = todo.pop()
        if isinstance(at, dict):
            todo += [(str(k), v) for k, v in at.items()]
        elif isinstance(at, list):
            todo += [(name, v) for v in at]
        elif type(at) is int:
            yield name, at


def feed(folder: Folder, model: Any, source: SourceOptions) -> Fed:
    """What the model reads: --input where it says something, else random numbers, always the same.

    Raises SourceError when the input is none that the model reads.
    """
    name = str(getattr(model, "main_input_name", "input_ids"))
    is_given = source.input not in (None, "random")
    if name == "pixel_values":
        fed = _pictures(folder, model, source, is_given)
    elif name == "input_ids" and is_given and not str(source.input).startswith("random:"):
        fed = _text(folder, source)
    elif name == "input_ids":
        fed = _words(folder, _length(folder, source), source)
    else:
        fed = _sound(folder, name, source)
    if folder.config.get("is_encoder_decoder") and "decoder_input_ids" not in fed.inputs:
        n = len(fed.batch.names)
        begin = folder.config.get("decoder_start_token_id") or 0
        ids = np.random.default_rng(1).integers(*_range(folder), (n, _TOKENS))
        ids[:, 0] = begin if isinstance(begin, int) else 0
        names = tuple(f"{name}, random tokens for the decoder" for name in fed.batch.names)
        return Fed({**fed.inputs, "decoder_input_ids": ids}, replace(fed.batch, names=names))
    return fed


def _range(folder: Folder) -> tuple[int, int]:
    """Ids of ordinary words, special ones at the beginning left away."""
    inner = folder.config.get("text_config")
    config = inner if isinstance(inner, Mapping) else folder.config
    size = config.get("vocab_size")
    n = size if type(size) is int and size > 1 else 100
    return min(_FIRST_WORD, n - 1), n


def _length(folder: Folder, source: SourceOptions) -> int:
    text = str(source.input or "")
    if text.startswith("random:"):
        return random_shape(text)[0]
    most = next((folder.config[k] for k in ("max_position_embeddings", "n_positions", "n_ctx") if
                 type(folder.config.get(k)) is int), _TOKENS)  # fmt: skip
    return max(1, min(_TOKENS, most))


def _words(folder: Folder, length: int, source: SourceOptions) -> Fed:
    n = source.samples or 1
    ids = np.random.default_rng(0).integers(*_range(folder), (n, length))
    inputs: dict[str, Array] = {"input_ids": ids}
    inner, said = folder.config.get("vision_config"), "random tokens"
    if isinstance(inner, Mapping):
        shape = (int(inner.get("num_channels", 3)), *_size(inner.get("image_size", 224)))
        inputs["pixel_values"] = np.random.default_rng(0).random((n, *shape), np.float32)
        said = "random tokens, random picture"
    words = tuple(_spelled(folder, row) for row in ids)
    return Fed(inputs, Batch(ids, tuple(f"{said} {i}" for i in range(n)), tokens=words))


def _tokenizer(folder: Folder) -> Any | None:
    if not any((folder.path / name).is_file() for name in _TOKENIZERS):
        return None
    try:
        return require("transformers", "hf").AutoTokenizer.from_pretrained(
            folder.path, local_files_only=True, trust_remote_code=False
        )
    except Exception:  # a folder that somebody else made may fail in any way; then ids are shown as numbers
        return None


def _spelled(folder: Folder, ids: Array) -> tuple[str, ...]:
    tokenizer = _tokenizer(folder)
    if tokenizer is None:
        return tuple(f"#{i}" for i in ids)
    return tuple(str(tokenizer.decode([int(i)])).strip() or f"#{i}" for i in ids)


def _text(folder: Folder, source: SourceOptions) -> Fed:
    """A file of text, one sample a line."""
    path, tokenizer = Path(str(source.input)), _tokenizer(folder)
    if tokenizer is None:
        raise SourceError(f"--input {path}: expected a folder with a tokenizer to read text, got none. Pass random:16.")
    try:
        with path.open("rb") as file:
            lines = [t.strip() for t in file.read(_TEXT_BYTES).decode("utf-8").splitlines() if t.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"--input {path}: expected a text file, a sample a line, got: {_line(error)}") from error
    if not lines:
        raise SourceError(f"--input {path}: expected a text file, a sample a line, got none.")
    lines = lines[: source.samples or 16]
    rows = [list(tokenizer(line)["input_ids"])[:_MOST_TOKENS] for line in lines]
    length = min(len(row) for row in rows)
    if not length:
        raise SourceError(f"--input {path}: expected words in each line, got a line without tokens.")
    ids = np.array([row[:length] for row in rows])
    names = tuple(
        line[:60] + (f", its first {length} tokens" if len(row) > length else "")
        for line, row in zip(lines, rows, strict=True)
    )
    return Fed({"input_ids": ids}, Batch(ids, names, tokens=tuple(_spelled(folder, row) for row in ids)))


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) == 2:
        return int(value[0]), int(value[1])
    return (int(value), int(value)) if isinstance(value, int) and value > 0 else (224, 224)


def _pictures(folder: Folder, model: Any, source: SourceOptions, is_given: bool) -> Fed:
    size = _size(folder.config.get("image_size", 224))
    channels = folder.config.get("num_channels", 3)
    channels = channels if type(channels) is int else 3
    if not is_given:
        values: Array = np.random.default_rng(0).random((source.samples or 1, channels, *size), np.float32)
        names = tuple(f"random {i}" for i in range(len(values)))
        return Fed({"pixel_values": values}, Batch(values, names, is_picture=True))
    batch = read_inputs(replace(source, resize=source.resize or size), Wanted(channels))
    return Fed({"pixel_values": batch.values}, batch)


def _sound(folder: Folder, name: str, source: SourceOptions) -> Fed:
    """Waves (N, T) or mel spectra (N, bins, T) of random numbers, or of --input's."""
    if source.input is not None and source.input != "random":
        batch = read_inputs(source, Wanted())
        return Fed({name: batch.values}, batch)
    config = folder.config
    bins, frames = config.get("num_mel_bins", 80), config.get("max_source_positions", 1500)
    shape = (int(bins), 2 * int(frames)) if name == "input_features" else (16_000,)
    values = np.random.default_rng(0).random((source.samples or 1, *shape), np.float32)
    return Fed({name: values}, Batch(values, tuple(f"random {i}" for i in range(len(values)))))


def _line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
