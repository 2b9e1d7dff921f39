"""Owns Keras's convolutions, and what layers over maps share: windows, "same", parameters by channel.

Kernels (H, W, in, out) become (out, in, H, W); depthwise ones (H, W, C, M) become (C·M, 1, H, W). "same" pads as
TensorFlow does: more at the end (Dumoulin & Visin 2016; tf.nn's padding notes).
"""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.extract.readers.keras.activations import activated
from nn3d.extract.readers.keras.build import Entry, Shape, Sym
from nn3d.extract.readers.keras.rules import Applied, NoRuleError, Rule
from nn3d.run.model import JSON, Array

KERNEL_AXES = {1: ("kL",), 2: ("kH", "kW"), 3: ("kD", "kH", "kW")}
LETTERS = {1: "L", 2: "HW", 3: "DHW"}


def maps(a: Applied, rank: int) -> Sym:
    """What it reads, channels first, with `rank` axes of space."""
    sym = a.builder.last(a.x) if a.x.flat else a.x
    if len(sym.shape) != rank + 1:
        raise NoRuleError(f"reads {len(sym.shape)} axes")
    return a.builder.first(sym) if a.is_last() else a.builder.last(sym)


def space(sym: Sym) -> list[int]:
    """Extents of space."""
    return list(sym.held[1:])


def shaped(sym: Sym, channels: int, size: list[int]) -> Shape:
    """The source's shape of maps in the layout of `sym`."""
    return (*size, channels) if sym.is_first else (channels, *size)


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Cells before and after under "same"."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def windowed(size: list[int], kernel: list[int], stride: list[int], dilation: list[int], mode: str) -> list[int]:
    """How many windows fit, an axis each."""
    if min([*stride, *dilation, *kernel, *size], default=0) < 1:
        raise NoRuleError("with an extent below 1")
    if mode == "same":
        return [-(-n // s) for n, s in zip(size, stride, strict=True)]
    if mode not in ("valid", "causal"):
        raise NoRuleError(f"with padding {mode}")
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    found = [
        -(-n // s) if mode == "causal" else (n - r) // s + 1 for n, r, s in zip(size, reach, stride, strict=True)
    ]
    if min(found) < 1:
        raise NoRuleError(f"windows {kernel} over {size}")
    return found


def padding(size: list[int], kernel: list[int], stride: list[int], dilation: list[int], mode: str) -> list[JSON]:
    """Cells before and after, one number where they are as many."""
    if mode == "valid":
        return [0] * len(size)
    if mode == "causal":
        return [[(k - 1) * d, 0] for k, d in zip(kernel, dilation, strict=True)]
    pairs = [same_pads(*numbers) for numbers in zip(size, kernel, stride, dilation, strict=True)]
    return [before if before == after else [before, after] for before, after in pairs]


def _turned(kernel: Array) -> Array:
    """(space…, in, out) → (out, in, space…)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _depthwise(kernel: Array) -> Array:
    """(space…, C, M) → (C·M, 1, space…)."""
    moved = np.moveaxis(kernel, (-2, -1), (0, 1))
    return moved.reshape(-1, 1, *kernel.shape[:-2])


def convolution(
    a: Applied, sym: Sym, kernel: Entry, bias: Entry | None, name: str, *, is_depthwise: bool = False,
    is_pointwise: bool = False,
) -> Sym:  # fmt: skip
    """One convolution of maps `sym` without activation. is_pointwise : the second half of a separable one."""
    rank = len(sym.shape) - 1
    if len(kernel.shape) != rank + 2:
        raise NoRuleError(f"with a kernel {kernel.shape}")
    size, window = space(sym), list(kernel.shape[:rank])
    ones = [1] * rank
    stride, dilation = (ones, ones) if is_pointwise else (a.wholes("strides", rank), a.wholes("dilation_rate", rank))
    mode = "valid" if is_pointwise else a.text("padding", "valid").lower()
    n_out = prod(kernel.shape[rank:]) if is_depthwise else kernel.shape[-1]
    groups = sym.held[0] if is_depthwise else 1 if is_pointwise else a.whole("groups", 1)
    n_in = kernel.shape[rank] if is_depthwise else kernel.shape[rank] * groups
    if n_in != sym.held[0]:
        raise NoRuleError(f"with a kernel {kernel.shape} on {sym.held[0]} channels")
    weight = a.builder.parameter(
        kernel, (n_out, 1 if is_depthwise else kernel.shape[rank], *window), ("out", "in", *KERNEL_AXES[rank]),
        _depthwise if is_depthwise else _turned, layout=f"{LETTERS[rank]}{'CM' if is_depthwise else 'IO'}",
    )  # fmt: skip
    attributes: dict[str, JSON] = {
        "stride": stride, "padding": padding(size, window, stride, dilation, mode), "dilation": dilation,
        "groups": groups, "kernel_size": window, "transposed": False,
    }  # fmt: skip
    found = windowed(size, window, stride, dilation, mode)
    return a.add(
        f"conv{rank}d", name, [(sym, "input")], shaped(sym, n_out, found), attributes=attributes,
        parameters=held({"weight": weight, "bias": vector(a, bias, n_out)}), is_first=sym.is_first,
    )  # fmt: skip


def vector(a: Applied, entry: Entry | None, n: int, *, is_buffer: bool = False) -> int | None:
    """A tensor with one number a channel, where there is one."""
    if entry is None:
        return None
    return a.builder.parameter(entry, (n,), ("out",), lambda values: values.reshape(-1), is_buffer=is_buffer)


def held(parameters: dict[str, int | None]) -> dict[str, int]:
    """Those that there are."""
    return {role: p for role, p in parameters.items() if p is not None}


def must(entries: dict[str, Entry], role: str) -> Entry:
    """A tensor that there has to be."""
    if role not in entries:
        raise NoRuleError(f"has no {role} in the file")
    return entries[role]


def _conv(rank: int) -> Rule:
    def rule(a: Applied) -> Sym:
        found = a.weights.get(["kernel", "bias"])
        made = convolution(a, maps(a, rank), must(found, "kernel"), found.get("bias"), "")
        return activated(a, made)

    return rule


def _depthwise_conv(rank: int) -> Rule:
    def rule(a: Applied) -> Sym:
        found = a.weights.get(["depthwise_kernel", "bias"])
        if "depthwise_kernel" not in found:
            found = {"depthwise_kernel": must(a.weights.get(["kernel", "bias"]), "kernel"), **found}
        made = convolution(a, maps(a, rank), found["depthwise_kernel"], found.get("bias"), "", is_depthwise=True)
        return activated(a, made)

    return rule


def _separable(rank: int) -> Rule:
    """Depthwise, then pointwise (Chollet 2017): two layers of one module."""

    def rule(a: Applied) -> Sym:
        found = a.weights.get(["depthwise_kernel", "pointwise_kernel", "bias"])
        deep = convolution(a, maps(a, rank), must(found, "depthwise_kernel"), None, "depthwise", is_depthwise=True)
        wide = convolution(a, deep, must(found, "pointwise_kernel"), found.get("bias"), "pointwise", is_pointwise=True)
        return activated(a, wide)

    return rule


def _transposed(rank: int) -> Rule:
    """Kernel (space…, out, in). "same" gives size × stride, cropped as the gradient of a "same" convolution is."""

    def rule(a: Applied) -> Sym:
        sym, found = maps(a, rank), a.weights.get(["kernel", "bias"])
        kernel, mode = must(found, "kernel"), a.text("padding", "valid").lower()
        stride, dilation = a.wholes("strides", rank), a.wholes("dilation_rate", rank)
        if a.config.get("output_padding") is not None or mode not in ("same", "valid") or any(d > 1 for d in dilation):
            raise NoRuleError("with output_padding or dilation")
        window, size, n_out = list(kernel.shape[:rank]), space(sym), kernel.shape[rank]
        if min(stride) < 1 or kernel.shape[rank + 1] != sym.held[0]:
            raise NoRuleError(f"with a kernel {kernel.shape} on {sym.held[0]} channels")
        over = [max(k - s, 0) for k, s in zip(window, stride, strict=True)]
        pads: list[JSON] = [o // 2 if o % 2 == 0 else [o // 2, o - o // 2] for o in over]
        is_same = mode == "same"
        weight = a.builder.parameter(
            kernel, (n_out, kernel.shape[rank + 1], *window), ("out", "in", *KERNEL_AXES[rank]),
            lambda w: np.moveaxis(w, (-2, -1), (0, 1)), layout=f"{LETTERS[rank]}OI",
        )  # fmt: skip
        attributes: dict[str, JSON] = {
            "stride": stride, "padding": pads if is_same else [0] * rank, "dilation": dilation, "groups": 1,
            "output_padding": [max(s - k, 0) for k, s in zip(window, stride, strict=True)], "kernel_size": window,
            "transposed": True,
        }  # fmt: skip
        grown = [n * s + (0 if is_same else o) for n, s, o in zip(size, stride, over, strict=True)]
        made = a.add(
            f"conv_transpose{rank}d", "", [(sym, "input")], shaped(sym, n_out, grown), attributes=attributes,
            parameters=held({"weight": weight, "bias": vector(a, found.get("bias"), n_out)}), is_first=sym.is_first,
        )  # fmt: skip
        return activated(a, made)

    return rule


def _table() -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for rank in (1, 2, 3):
        found |= {
            f"Conv{rank}D": _conv(rank), f"Convolution{rank}D": _conv(rank),
            f"DepthwiseConv{rank}D": _depthwise_conv(rank), f"SeparableConv{rank}D": _separable(rank),
            f"Conv{rank}DTranspose": _transposed(rank),
        }  # fmt: skip
    return found


RULES = _table()
