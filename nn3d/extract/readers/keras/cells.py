"""Owns Keras layers over cells: dense, embedding, normalisation over the last axis, and numbers by channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from nn3d.extract.readers.keras.activations import activated
from nn3d.extract.readers.keras.build import Entry, Shape, Sym
from nn3d.extract.readers.keras.rules import Applied, NoRuleError, Rule
from nn3d.run.model import JSON, Array


def linear(a: Applied, sym: Sym, kernel: Entry | None, bias: Entry | None, name: str) -> Sym:
    """Over the last axis, or of flattened maps: then its columns are permuted to the run's order of cells."""
    if kernel is None or len(kernel.shape) != 2 or kernel.shape[0] != sym.shape[-1]:
        raise NoRuleError(f"with a kernel {None if kernel is None else kernel.shape} on {sym.shape}")
    n_in, n_out = kernel.shape
    weight = None
    if sym.flat:
        weight = a.builder.parameter(
            kernel, (n_out, n_in), ("out", "in"), _Columns(a.builder.columns(sym.flat)),
            layout=f"IO, in as H,W,C = {','.join(map(str, sym.flat))}",
        )  # fmt: skip
    if weight is None:
        sym = a.builder.last(sym)
        weight = a.builder.parameter(kernel, (n_out, n_in), ("out", "in"), np.transpose, layout="IO")
    if weight is None:
        raise NoRuleError("whose kernel is shared with another order of cells")
    parameters = {"weight": weight}
    if bias is not None:
        found = a.builder.parameter(bias, (n_out,), ("out",), lambda v: v.reshape(-1))
        parameters |= {} if found is None else {"bias": found}
    return a.add("linear", name, [(sym, "input")], (*sym.shape[:-1], n_out), parameters=parameters)


class _Columns:
    """(in, out) → (out, in) with other rows. order : the source's row of each column."""

    def __init__(self, order: Array) -> None:
        self.order = order

    def __call__(self, kernel: Array) -> Array:
        return kernel[self.order].T


def _dense(a: Applied) -> Sym:
    found = a.weights.get(["kernel", "bias"])
    return activated(a, linear(a, a.x, found.get("kernel"), found.get("bias"), ""))


def _einsum_dense(a: Applied) -> Sym:
    """Where it is a linear layer over the last axes: "...x,xy->...y", also with several letters on either side."""
    equation = a.text("equation").replace(" ", "").replace("...", "")
    left, _, out = equation.partition("->")
    of_x, _, of_w = left.partition(",")
    found = a.weights.get(["kernel", *(["bias"] if a.config.get("bias_axes") else [])])
    kernel = found.get("kernel")
    summed = "".join(c for c in of_w if c not in out)
    made = "".join(c for c in of_w if c in out)
    sym = a.builder.last(a.x)
    if kernel is None or not summed or of_w != summed + made or not of_x.endswith(summed) or not out.endswith(made):
        raise NoRuleError(f"with the equation {equation[:40]}")
    if out != of_x[: len(of_x) - len(summed)] + made:
        raise NoRuleError(f"with the equation {equation[:40]}")
    k = len(summed)
    lead, ends = sym.shape[: len(sym.shape) - k], kernel.shape[k:]
    flat = a.add("reshape", "flatten", [(sym, "input")], (*lead, prod(kernel.shape[:k]))) if k > 1 else sym
    wide = _reshaped(kernel, (prod(kernel.shape[:k]), prod(ends)))
    bias = found.get("bias")
    if bias is not None and prod(bias.shape) != prod(ends):
        raise NoRuleError("with a bias over other axes")
    made_sym = linear(a, flat, wide, bias, "")
    if len(ends) > 1:
        made_sym = a.add("reshape", "reshape", [(made_sym, "input")], (*lead, *ends))
    return activated(a, made_sym)


def _reshaped(entry: Entry, shape: Shape) -> Entry:
    return replace(entry, shape=shape, read=lambda: entry.read().reshape(shape))


def _embedding(a: Applied) -> Sym:
    table = a.weights.get(["embeddings"]).get("embeddings")
    if table is None or len(table.shape) != 2:
        raise NoRuleError("without a table of words")
    a.builder.is_masking |= a.flag("mask_zero")
    words = a.builder.last(a.x)
    weight = a.builder.parameter(table, table.shape, ("token", "F"), np.asarray)
    return a.add("embedding", "", [(words, "input")], (*words.shape, table.shape[1]),
                 parameters={} if weight is None else {"weight": weight})  # fmt: skip


def _layer_norm(a: Applied) -> Sym:
    sym = a.builder.last(a.x)
    rank = len(sym.shape)
    axes = a.config.get("axis", -1)
    axes = sorted((x % (rank + 1)) for x in (axes if isinstance(axes, list) else [axes]))
    if axes != list(range(rank + 1 - len(axes), rank + 1)):
        raise NoRuleError("over other axes than the last")
    shape = sym.shape[-len(axes) :]
    is_rms = a.flag("rms_scaling") or a.layer.kind == "RMSNormalization"
    roles = scale_roles(a)
    found = a.weights.get(["scale"] if a.layer.kind == "RMSNormalization" else roles)
    parameters: dict[str, int] = {}
    for role, name in (("weight", "gamma"), ("weight", "scale"), ("bias", "beta")):
        if name in found:
            known = a.builder.parameter(found[name], shape, ("out",) * len(shape), lambda v: v.reshape(shape))
            parameters |= {} if known is None else {role: known}
    attributes: dict[str, JSON] = {"normalized_shape": list(shape), "eps": a.number("epsilon", 1e-3)}
    return a.same("rms_norm" if is_rms else "layer_norm", "", sym, attributes=attributes, parameters=parameters)


def _unit_norm(a: Applied) -> Sym:
    axis = a.config.get("axis", -1)
    if not isinstance(axis, int):
        raise NoRuleError("over several axes")
    sym = a.builder.last(a.x) if a.x.flat else a.x
    return a.same("normalize", "", sym, attributes={"p": 2.0, "dim": sym.axis(axis), "eps": 1e-6})


def by_channel(a: Applied, sym: Sym, entry: Entry, *, is_buffer: bool = False) -> int | None:
    """A tensor (C) or (1, …, C) that is broadcast over the last axis of the source, as the run has it."""
    n = prod(entry.shape)
    if n not in (1, sym.shape[-1]) or (n > 1 and entry.shape[-1] != n):
        raise NoRuleError(f"with numbers {entry.shape}")
    shape = (n, *[1] * (len(sym.shape) - 1)) if sym.is_first else (n,)
    axes = ("out", *[f"axis{i}" for i in range(1, len(shape))])
    return a.builder.parameter(entry, shape, axes, lambda v: v.reshape(shape), is_buffer=is_buffer)


def scaled(a: Applied, sym: Sym, op: str, name: str, given: JSON) -> Sym:
    """An element-wise operation with a number, or with one number a channel from the config."""
    if isinstance(given, Mapping):
        config = given.get("config")
        given = config.get("value") if isinstance(config, Mapping) else given.get("value")
    if isinstance(given, list):
        values = np.asarray(given, np.float32)
        entry = Entry(f"{a.weights.path}/{name or op}", values.shape, lambda: values, origin="-")
        found = by_channel(a, sym, entry, is_buffer=True)
        return a.same(op, name, sym, parameters={} if found is None else {"other": found})
    if not isinstance(given, int | float):
        raise NoRuleError(f"with {str(given)[:40]}")
    return a.same(op, name, sym, attributes={"other": given})


def _rescaling(a: Applied) -> Sym:
    sym = a.builder.last(a.x) if a.x.flat else a.x
    offset = a.config.get("offset", 0.0)
    if offset in (0, 0.0, None):
        return scaled(a, sym, "mul", "", a.config.get("scale", 1.0))
    return scaled(a, scaled(a, sym, "mul", "scale", a.config.get("scale", 1.0)), "add", "", offset)


def _normalization(a: Applied) -> Sym:
    """(x − mean) / √variance by channel: a batch norm by stored statistics."""
    sym = a.builder.last(a.x) if a.x.flat else a.x
    axis = a.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if axis not in (-1, len(sym.shape)) or a.flag("invert"):
        raise NoRuleError("over other axes than the last")
    sym = a.builder.first(sym)
    n = sym.held[0]
    found = a.weights.get(["mean", "variance"])
    for role in ("mean", "variance"):
        if role not in found and isinstance(a.config.get(role), list):
            values = np.broadcast_to(np.asarray(a.config[role], np.float32).reshape(-1), (n,))
            found[role] = Entry(f"{a.weights.path}/{role}", (n,), partial(np.asarray, values), origin="-")
    parameters: dict[str, int] = {}
    for role, name in (("running_mean", "mean"), ("running_var", "variance")):
        if name not in found:
            raise NoRuleError(f"has no {name} in the file")
        made = a.builder.parameter(found[name], (n,), ("out",), lambda v: v.reshape(-1), is_buffer=True)
        parameters |= {} if made is None else {role: made}
    return a.same("batch_norm", "", sym, attributes={"eps": 0.0, "training": False}, parameters=parameters)


def _layer_scale(a: Applied) -> Sym:
    gamma = a.weights.get(["gamma"]).get("gamma")
    if gamma is None:
        raise NoRuleError("has no gamma in the file")
    sym = a.builder.last(a.x) if a.x.flat else a.x
    found = by_channel(a, sym, gamma)
    return a.same("mul", "", sym, parameters={} if found is None else {"other": found})


def scale_roles(a: Applied) -> list[str]:
    """gamma and beta, as far as a norm has them."""
    return [role for role, name in (("gamma", "scale"), ("beta", "center")) if a.flag(name, default=True)]


RULES: dict[str, Rule] = {
    "Dense": _dense, "EinsumDense": _einsum_dense, "Embedding": _embedding, "LayerNormalization": _layer_norm,
    "RMSNormalization": _layer_norm, "UnitNormalization": _unit_norm, "Rescaling": _rescaling,
    "Normalization": _normalization, "LayerScale": _layer_scale,
}  # fmt: skip
