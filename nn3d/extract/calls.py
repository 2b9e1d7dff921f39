"""Owns how one torch call is read: its name, its arguments by name, and which of them are plain attributes.

No tensor is touched here beyond telling that it is one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.overrides import get_testing_overrides

from nn3d.run.model import JSON

_REDUCE = ("input", "dim", "keepdim")
_RECURRENT = ("input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")
_SIGNATURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("sum", "mean", "max", "min", "amax", "amin", "prod", "argmax", "argmin", "logsumexp"), _REDUCE),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _RECURRENT),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"),
                    ("input", "hx", "weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    "__getitem__": ("input", "index"),
    "__setitem__": ("input", "index", "value"),
    "hardswish": ("input",),
    "addmm": ("bias", "input", "mat2"),
    "scaled_dot_product_attention":
        ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"),
    "permute": ("input", "dims"),
    "softmax": ("input", "dim"),
    "log_softmax": ("input", "dim"),
    "where": ("condition", "input", "other"),
    "flip": ("input", "dims"),
    "clamp": ("input", "min", "max"),
    "split": ("input", "split_size", "dim"),
    "squeeze": ("input", "dim"),
    "topk": ("input", "k", "dim"),
    "unflatten": ("input", "dim", "sizes"),
    "repeat": ("input", "repeats"),
}  # fmt: skip
_REFLECTED = {"__rsub__", "__rdiv__", "__rtruediv__", "__rpow__", "__rmatmul__", "__rfloordiv__", "__rmod__"}
_RENAMED = {"self": "input", "tensor": "input", "x": "input", "mat1": "input", "w_ih": "weight_ih", "w_hh": "weight_hh"}
_NOT_ATTRIBUTES = {"inplace", "out", "training", "_stacklevel", "dtype", "device", "memory_format", "non_blocking"}

TensorGetters = frozenset({"T", "mT", "H", "mH", "data", "real", "imag"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call, arguments by name in order. `arguments` may hold tensors, or lists and tuples of them."""

    name: str
    arguments: Mapping[str, Any]

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Every tensor among the arguments with the name it is bound to; those in lists as "tensors[0]"."""
        for name, value in self.arguments.items():
            yield from _tensors(name, value)

    def attributes(self) -> dict[str, JSON]:
        """Arguments that are plain values: numbers, words, lists of them; a `getitem` index as text."""
        found: dict[str, JSON] = {}
        for name, value in self.arguments.items():
            if name == "index":
                found[name] = index_text(value)
            elif name not in _NOT_ATTRIBUTES and value is not None and _is_plain(value):
                found[name] = _plain(value)
        return found


def name_of(func: Callable[..., Any]) -> str:
    """The function's own name; of a property getter, the property's: "T", "shape"."""
    name = getattr(func, "__name__", "") or type(func).__name__
    return getattr(getattr(func, "__self__", None), "__name__", "") if name == "__get__" else name


def is_getter(func: Callable[..., Any]) -> bool:
    """Whether the call reads a property such as x.shape."""
    return getattr(func, "__name__", "") == "__get__"


def read(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Bind a call's arguments to names; what has no known name is called argument0, argument1, ..."""
    name = name_of(func)
    names = _parameter_names(name, func)
    plain = list(args)
    if len(names) > 1 and len(plain) > len(names):
        plain = [*plain[: len(names) - 1], tuple(plain[len(names) - 1 :])]
    bound = {names[i] if i < len(names) else f"argument{i}": value for i, value in enumerate(plain)}
    bound |= {_RENAMED.get(k, k): v for k, v in kwargs.items()}
    second = "exponent" if "exponent" in bound else "other"
    if name in _REFLECTED and set(bound) >= {"input", second}:
        bound["input"], bound[second] = bound[second], bound["input"]
    return Call(name, bound)


@lru_cache(maxsize=1024)
def _known_signatures() -> dict[Any, Any]:
    return get_testing_overrides()


def _parameter_names(name: str, func: Callable[..., Any]) -> tuple[str, ...]:
    own = _SIGNATURES.get(name) or _SIGNATURES.get(name.rstrip("_"))
    if own is not None:
        return own
    known = _known_signatures().get(func)
    if known is None:
        return ("input",)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = [p for p in inspect.signature(known).parameters.values() if p.kind in kinds]
    return tuple(_RENAMED.get(p.name, p.name) for p in parameters)


def _tensors(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        for i, entry in enumerate(value):
            yield from _tensors(f"{name}[{i}]", entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _tensors(f"{name}[{key}]", entry)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(v) for v in value)
    return value is None or (isinstance(value, bool | int | float | str) and value == value)


def _plain(value: Any) -> JSON:
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, float) and value in (float("inf"), float("-inf")) else value


def index_text(index: Any) -> str:
    """A getitem index as a person writes it: "[:, 0, ..., 1:3]"; a tensor index is "·"."""
    entries = index if isinstance(index, tuple) else (index,)
    return "[" + ", ".join(_index_entry(e) for e in entries) + "]"


def _index_entry(entry: Any) -> str:
    if isinstance(entry, slice):
        text = f"{'' if entry.start is None else entry.start}:{'' if entry.stop is None else entry.stop}"
        return text if entry.step is None else f"{text}:{entry.step}"
    if entry is Ellipsis:
        return "..."
    if entry is None:
        return "None"
    return str(entry) if isinstance(entry, int | list) and not isinstance(entry, bool) else "·"


def flatten(result: Any, prefix: str = "") -> list[tuple[str, torch.Tensor]]:
    """Tensors of a result with a name each: tuples and lists by index, mappings by key, dataclasses by field."""
    if isinstance(result, torch.Tensor):
        return [(prefix, result)]
    pairs: list[tuple[str, Any]] = []
    if isinstance(result, Mapping):
        pairs = [(str(k), v) for k, v in result.items()]
    elif isinstance(result, list | tuple):
        pairs = [(str(i), v) for i, v in enumerate(result)]
    elif hasattr(result, "__dataclass_fields__"):
        pairs = [(name, getattr(result, name)) for name in result.__dataclass_fields__]
    return [item for key, value in pairs for item in flatten(value, f"{prefix}.{key}" if prefix else key)]
