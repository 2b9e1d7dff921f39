"""Owns Keras layers over time: LSTM, GRU, SimpleRNN, both directions, layers applied to each step, and attention.

A run has torch's order of gates: LSTM i f g o, which is Keras's i f c o; GRU r z n, where Keras has z r h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from nn3d.extract.readers.keras.activations import function_name
from nn3d.extract.readers.keras.build import Entry, Sym
from nn3d.extract.readers.keras.cells import linear
from nn3d.extract.readers.keras.rules import Applied, NoRuleError, Rule
from nn3d.run.model import JSON, Array, Output

_OPS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}
_GATES = {"lstm": ["i", "f", "g", "o"], "gru": ["r", "z", "n"]}
_BY_STEP = ("Dense", "Activation", "Dropout", "LayerNormalization", "ReLU", "LeakyReLU", "ELU")
_ROLES = ["kernel", "recurrent_kernel", "bias"]


def _cell_attributes(config: Mapping[str, JSON], op: str, version: int) -> dict[str, JSON]:
    """How the cell differs from torch's. Raises NoRuleError where it does so in a way that is not known."""
    hidden = function_name(config.get("activation", "tanh"))
    gate = function_name(config.get("recurrent_activation", "sigmoid" if version >= 2 else "hard_sigmoid"))
    if hidden != "tanh" and not (op == "rnn" and hidden == "relu"):
        raise NoRuleError(f"with the activation {hidden}")
    if op != "rnn" and gate not in ("sigmoid", "hard_sigmoid"):
        raise NoRuleError(f"with the recurrent activation {gate}")
    found: dict[str, JSON] = {"nonlinearity": "relu"} if hidden == "relu" else {}
    if op != "rnn" and gate != "sigmoid":
        found["recurrent_activation"] = "hard_sigmoid" if version < 3 else "hard_sigmoid3"
    if op == "gru" and config.get("reset_after", version >= 3) is not True:
        found["reset_after"] = False
    return found


def _gates(kernel: Array, op: str) -> Array:
    """(in, gates·H) → (gates·H, in), gates in torch's order."""
    turned = np.asarray(kernel).T
    if op != "gru":
        return turned
    z, r, h = np.split(turned, 3)
    return np.concatenate([r, z, h])


def _cell(a: Applied, part: str, op: str, suffix: str) -> dict[str, int]:
    """Parameters of one direction, by torch's roles."""
    found = a.weights.get(_ROLES, part)
    if "kernel" not in found or "recurrent_kernel" not in found:
        raise NoRuleError("has no kernels in the file")
    layout = "IO" if op != "gru" else "IO, gates z r h"
    parameters: dict[str, int | None] = {}
    for role, name in (("weight_ih", "kernel"), ("weight_hh", "recurrent_kernel")):
        entry = found[name]
        parameters[f"{role}_{suffix}"] = a.builder.parameter(
            entry, entry.shape[::-1], ("out", "in"), lambda k: _gates(k, op), layout=layout
        )
    bias = found.get("bias")
    if bias is not None and len(bias.shape) == 2:
        for i, role in enumerate(("bias_ih", "bias_hh")):
            row = replace(bias, name=f"{bias.name}/{'recurrent' if i else 'input'}", origin=bias.name)
            parameters[f"{role}_{suffix}"] = a.builder.parameter(
                row, bias.shape[1:], ("out",), _BiasRow(i, op), layout="" if op != "gru" else "gates z r h"
            )
    elif bias is not None:
        parameters[f"bias_ih_{suffix}"] = a.builder.parameter(bias, bias.shape, ("out",), _BiasRow(None, op))
    return {role: p for role, p in parameters.items() if p is not None}


class _BiasRow:
    """A row of a bias with its gates in torch's order."""

    def __init__(self, row: int | None, op: str) -> None:
        self.row = row
        self.op = op

    def __call__(self, bias: Array) -> Array:
        chosen = bias if self.row is None else bias[self.row]
        return _gates(chosen[None, :], self.op)[:, 0]


def _recurrent(a: Applied) -> Sym | list[Sym]:
    config = a.config
    return _layer(a, config, _OPS[a.layer.kind], ["cell"])


def _bidirectional(a: Applied) -> Sym | list[Sym]:
    inner = a.config.get("layer")
    if not isinstance(inner, Mapping) or inner.get("class_name") not in _OPS:
        raise NoRuleError("of a layer that is not known")
    mode = a.config.get("merge_mode", "concat")
    if mode not in ("concat", "sum", "ave", "mul"):
        raise NoRuleError(f"merged by {mode}")
    op = _OPS[inner["class_name"]]
    return _layer(a, inner["config"], op, ["forward_layer/cell", "backward_layer/cell"], mode)


def _layer(a: Applied, config: Mapping[str, JSON], op: str, parts: list[str], mode: str = "concat") -> Sym | list[Sym]:
    """One recurrent node, and what Keras returns of it."""
    if len(a.tensors) > 1 or config.get("stateful"):
        raise NoRuleError("with a given state")
    own = _cell_attributes(config, op, a.builder.version)
    sym = a.builder.last(a.x)
    if len(sym.shape) != 2:
        raise NoRuleError(f"reads {len(sym.shape)} axes")
    n_steps, units = sym.shape[0], config.get("units", config.get("output_dim"))
    if not isinstance(units, int) or units < 1:
        raise NoRuleError(f"of {units} units")
    is_both = len(parts) > 1
    is_backwards = bool(config.get("go_backwards")) and not is_both
    if is_backwards:
        sym = a.add("flip", "flip", [(sym, "input")], sym.shape, attributes={"dims": [1]})
    suffixes = ["l0", "l0_reverse"][: len(parts)]
    parameters: dict[str, int] = {}
    for part, suffix in zip(parts, suffixes, strict=True):
        parameters |= _cell(a, part, op, suffix)
    attributes: dict[str, JSON] = {"num_layers": 1, "bidirectional": is_both, "hidden_size": units, "batch_first": True}
    attributes |= ({"gates": _GATES[op]} if op in _GATES else {}) | own
    wide = units * len(parts)
    made = a.add(op, "", [(sym, "input")], (n_steps, wide), attributes=attributes, parameters=parameters,
                 extra=_outputs(op, n_steps, units, suffixes))  # fmt: skip
    last = replace(made, output=1, shape=(len(parts), units))
    return _returned(a, config, op, made, last, mode)


def _outputs(op: str, n_steps: int, units: int, suffixes: list[str]) -> list[Output]:
    """h_n, c_n, and what is computed beside them, as a traced layer has them."""
    n = len(suffixes)
    found = [Output((n, units), ("layer", "F"), name="h_n")]
    if op == "lstm":
        found.append(Output((n, units), ("layer", "F"), name="c_n"))
    for suffix in suffixes:
        end = f"_{suffix}" if n > 1 else ""
        steps = [("c", (n_steps, units)), ("h", (n_steps, units))]
        if op in _GATES:
            shape = (len(_GATES[op]), n_steps, units)
            found.append(Output(shape, ("gate", "T", "F"), name=f"gates{end}", recomputed=True))
        found += [
            Output(shape, ("T", "F"), name=f"{name}{end}", recomputed=True)
            for name, shape in steps
            if name == "h" or op == "lstm"
        ]
    return found


def _returned(a: Applied, config: Mapping[str, JSON], op: str, made: Sym, last: Sym, mode: str) -> Sym | list[Sym]:
    """The sequence, or its last states; with return_state the states too."""
    n_dirs, units = last.shape
    if config.get("return_sequences"):
        main = made
        if n_dirs > 1 and mode != "concat":
            halves = [_half(a, made, i * units, units, f"half{i + 1}") for i in range(2)]
            main = _merge(a, mode, *halves)
    elif n_dirs > 1 and mode != "concat":
        halves = [_state(a, last, i, f"last{i + 1}") for i in range(2)]
        main = _merge(a, mode, *halves)
    else:
        main = a.builder.add(
            "flatten", a.named("last"), [(last, "input")], (n_dirs * units,), attributes={"start_dim": 1},
            module=a.module.rpartition(".")[0],
        )  # fmt: skip
    if not config.get("return_state"):
        return main
    outputs = [last] if op != "lstm" else [last, replace(last, output=2)]
    states = [
        _state(a, out, k, f"{'hc'[i]}{k + 1}") for k in range(n_dirs) for i, out in enumerate(outputs)
    ]  # fmt: skip
    return [main, *states]


def _half(a: Applied, sym: Sym, start: int, length: int, name: str) -> Sym:
    attributes: dict[str, JSON] = {"dim": 2, "start": start, "length": length}
    return a.add("slice", name, [(sym, "input")], (sym.shape[0], length), attributes=attributes)


def _state(a: Applied, states: Sym, k: int, name: str) -> Sym:
    if states.shape[0] == 1:
        return a.add("flatten", name, [(states, "input")], states.shape[1:], attributes={"start_dim": 1})
    attributes: dict[str, JSON] = {"index": f"[{k}]"}
    return a.add("slice", name, [(states, "input")], states.shape[1:], attributes=attributes)


def _merge(a: Applied, mode: str, one: Sym, other: Sym) -> Sym:
    op = "mul" if mode == "mul" else "add"
    made = a.add(op, op, [(one, "input"), (other, "other")], one.shape)
    return a.same("mul", "half", made, attributes={"other": 0.5}) if mode == "ave" else made


def _time_distributed(rules: Mapping[str, Rule]) -> Rule:
    """A layer that works on the last axis does so at each step by itself."""

    def rule(a: Applied) -> Sym | list[Sym]:
        inner = a.config.get("layer")
        kind = inner.get("class_name") if isinstance(inner, Mapping) else None
        if not isinstance(inner, Mapping) or kind not in _BY_STEP:
            raise NoRuleError(f"of {kind}")
        layer = replace(a.layer, kind=kind, config=inner.get("config") or {})
        weights = replace(a.weights, numbered={
            k.removeprefix("layer/"): e for k, e in a.weights.numbered.items() if k.startswith("layer/")
        })  # fmt: skip
        return rules[kind](replace(a, layer=layer, weights=weights, tensors=[a.builder.last(a.x)]))

    return rule


# Attention


def _multi_head(a: Applied) -> Sym | list[Sym]:
    """Four linear layers around scaled dot-product attention (Vaswani et al. 2017)."""
    names = ["query", "value", "key"]
    given = dict(zip(names, a.args, strict=False)) | {n: v for n, v in a.kwargs.items() if n in names}
    query, value = given.get("query"), given.get("value")
    key = given.get("key")
    key = value if key is None else key
    if not isinstance(query, Sym) or not isinstance(value, Sym) or not isinstance(key, Sym) or len(query.shape) != 2:
        raise NoRuleError("of other than tokens")
    if any(a.kwargs.get(n) is not None for n in ("attention_mask", "query_mask", "value_mask", "key_mask")):
        raise NoRuleError("with a mask")
    if a.config.get("use_gate") or a.config.get("sliding_window"):
        raise NoRuleError("with gates or a window")
    heads, width = a.whole("num_heads"), a.whole("key_dim")
    parts = []
    for sym, word in ((query, "query"), (key, "key"), (value, "value")):
        parts.append(_headed(a, a.builder.last(sym), word, heads))
    n_query, n_key, v_width = query.shape[0], key.shape[0], parts[2].shape[-1]
    is_causal = bool(a.kwargs.get("use_causal_mask"))
    attributes: dict[str, JSON] = {"heads": heads, "scale": width**-0.5} | ({"is_causal": True} if is_causal else {})
    weights = Output((heads, n_query, n_key), ("heads", "query", "key"), name="weights", recomputed=True)
    mixed = a.add("attention", "attention", [(s, n) for s, n in zip(parts, ("query", "key", "value"), strict=True)],
                  (heads, n_query, v_width), attributes=attributes, extra=[weights])  # fmt: skip
    turned = a.add("transpose", "tokens", [(mixed, "input")], (n_query, heads, v_width),
                   attributes={"dim0": 1, "dim1": 2})  # fmt: skip
    flat = a.add("flatten", "join", [(turned, "input")], (n_query, heads * v_width), attributes={"start_dim": 2})
    found = a.weights.get(["kernel", "bias"], "output_dense")
    made = linear(a, flat, _matrix(found.get("kernel"), 2), found.get("bias"), "output")
    if a.kwargs.get("return_attention_scores"):
        return [made, replace(mixed, output=1, shape=(heads, n_query, n_key))]
    return made


def _headed(a: Applied, sym: Sym, word: str, heads: int) -> Sym:
    """(T, D) → (heads, T, d)."""
    found = a.weights.get(["kernel", "bias"], f"{word}_dense")
    kernel = _matrix(found.get("kernel"), 1)
    bias = found.get("bias")
    flat = linear(a, sym, kernel, None if bias is None else _matrix(bias, 0), word)
    each = flat.shape[1] // heads
    split = a.add("reshape", f"{word}.heads", [(flat, "input")], (sym.shape[0], heads, each))
    return a.add("transpose", f"{word}.turn", [(split, "input")], (heads, sym.shape[0], each),
                 attributes={"dim0": 1, "dim1": 2})  # fmt: skip


def _matrix(entry: Entry | None, n_in: int) -> Entry | None:
    """A kernel of several axes as (in, out), the first n_in of them summed over; a bias as (out)."""
    if entry is None:
        return None
    shape = (prod(entry.shape[:n_in]), prod(entry.shape[n_in:])) if n_in else (prod(entry.shape),)
    return replace(entry, shape=shape, read=lambda: entry.read().reshape(shape))


RULES: dict[str, Callable[[Applied], Any]] = {
    "LSTM": _recurrent, "GRU": _recurrent, "SimpleRNN": _recurrent, "Bidirectional":
    _bidirectional, "MultiHeadAttention": _multi_head,
}  # fmt: skip


def with_time(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """All rules, and TimeDistributed of them."""
    return {**rules, "TimeDistributed": _time_distributed(rules)}


