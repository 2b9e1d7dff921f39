"""Owns TensorFlow Lite's operators as nodes of a run: kernels (out, H, W, in) and channels last become its layout.

Operators without a rule are one node "other:<name>"; values after it are not computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from nn3d.extract.readers.keras.activations import function
from nn3d.extract.readers.keras.build import Builder, Entry, Sym
from nn3d.extract.readers.keras.cells import by_channel, linear
from nn3d.extract.readers.keras.config import Layer
from nn3d.extract.readers.keras.maps import held, padding, same_pads, shaped, space, vector, windowed
from nn3d.extract.readers.keras.rules import Applied, NoRuleError
from nn3d.extract.readers.keras.shapes import pair
from nn3d.extract.readers.keras.weights import LayerWeights
from nn3d.extract.readers.tflite.file import LiteFile, Operator, Tensor
from nn3d.extract.readers.tflite.flatbuffer import FlatError, Table
from nn3d.extract.readers.tflite.names import labels, short_names
from nn3d.run.model import JSON, Array

_FUSED = {0: "", 1: "relu", 2: "hard_tanh", 3: "relu6", 4: "tanh"}
_PLAIN = {
    "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "hard_tanh", "TANH": "tanh", "LOGISTIC": "sigmoid",
    "HARD_SWISH": "hard_swish", "EXP": "exp", "LOG": "log", "SQRT": "sqrt", "RSQRT": "rsqrt", "ABS": "abs",
    "NEG": "negative", "SQUARE": "square", "SIN": "sin", "COS": "cos", "FLOOR": "floor", "ROUND": "round",
    "ELU": "elu", "SOFTMAX": "softmax", "LOG_SOFTMAX": "log_softmax", "SIGN": "sign",
}  # fmt: skip
_PAIRS = {"ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "MAXIMUM": "maximum", "MINIMUM": "minimum"}


@dataclass(slots=True)
class Walk:
    """A file on its way into a builder.

    syms : tensor → what holds it. unknown : node → why it has no rule. labels : of tensors.
    """

    builder: Builder
    file: LiteFile
    syms: dict[int, Sym] = field(default_factory=dict)
    constants: dict[int, Tensor] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)

    def run(self) -> None:
        """All operators, in the file's order, which is that of execution."""
        names = short_names(self.file)
        self.labels = labels(self.file)
        self.constants |= {t.index: t for t in self.file.tensors if t.is_constant}
        for number, operator in enumerate(self.file.operators):
            if all(i in self.constants for i in operator.inputs if i >= 0) and operator.kind in _KEEPS:
                self.constants |= dict.fromkeys(operator.outputs[:1], self.constants[operator.inputs[0]])
                continue
            one = _One(self, operator, names[number])
            mark = self.builder.mark()
            try:
                if operator.kind not in RULES:
                    raise NoRuleError("is an operator that is not known")
                made = RULES[operator.kind](one)
            except (NoRuleError, FlatError, ValueError, IndexError, KeyError, TypeError) as error:
                self.builder.rewind(mark)
                self.unknown[names[number]] = str(error)
                one.other()
                continue
            self.syms[operator.outputs[0]] = made


class _One:
    """One operator while it becomes nodes."""

    def __init__(self, walk: Walk, operator: Operator, name: str) -> None:
        self.walk = walk
        self.operator = operator
        self.tensors = [walk.file.tensors[i] if i >= 0 else None for i in operator.inputs]
        layer = Layer(name, operator.kind, "", {}, "")
        module = walk.builder.module(name, operator.kind)
        given = [walk.syms[i] for i in operator.inputs if i in walk.syms]
        self.a = Applied(walk.builder, layer, name, module, LayerWeights(name, {}, ()), given)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first output, samples left out."""
        return self.walk.file.tensors[self.operator.outputs[0]].shape[1:]

    @property
    def options(self) -> Table:
        """Its options. Raises NoRuleError without."""
        if self.operator.options is None:
            raise NoRuleError("has no options")
        return self.operator.options

    def sym(self, place: int) -> Sym:
        """What is bound to an input. Raises NoRuleError where it is a constant."""
        index = self.operator.inputs[place]
        if index not in self.walk.syms:
            raise NoRuleError("reads a constant where values are expected")
        return self.walk.syms[index]

    def maps(self, place: int = 0) -> Sym:
        """The same as maps, channels first."""
        sym = self.walk.builder.last(self.sym(place)) if self.sym(place).flat else self.sym(place)
        if len(sym.shape) != 3:
            raise NoRuleError(f"reads {len(sym.shape)} axes")
        return self.walk.builder.first(sym)

    def constant(self, place: int, role: str) -> Entry | None:
        """A tensor of the file, None where it is left out. Raises NoRuleError where it is computed."""
        if place >= len(self.operator.inputs) or self.operator.inputs[place] < 0:
            return None
        tensor = self.walk.constants.get(self.operator.inputs[place])
        if tensor is None:
            raise NoRuleError(f"with a computed {role}")
        return replace(tensor.entry(), name=self.walk.labels[tensor.index])

    def must(self, place: int, role: str) -> Entry:
        """A tensor that there has to be."""
        found = self.constant(place, role)
        if found is None:
            raise NoRuleError(f"without {role}")
        return found

    def fused(self, sym: Sym, slot: int) -> Sym:
        """The activation that is part of the operator."""
        name = _FUSED.get(self.options.number(slot, "b"))
        if name is None:
            raise NoRuleError("with a fused activation that is not known")
        return function(self.a, sym, name, name) if name else sym

    def other(self) -> None:
        """One node that stands for an operator that is not known."""
        builder, files = self.walk.builder, self.walk.file.tensors
        inputs = [(builder.last(self.walk.syms[i]), "input") for i in self.operator.inputs if i in self.walk.syms]
        parameters: dict[str, int] = {}
        for n, i in enumerate(self.operator.inputs):
            tensor = self.walk.constants.get(i)
            if tensor is not None and tensor.shape and (tensor.is_quantised or tensor.dtype.startswith("float")):
                entry = replace(tensor.entry(), name=self.walk.labels[i])
                found = builder.parameter(entry, tensor.shape, (), np.asarray)
                parameters |= {} if found is None else {f"input{n}": found}
        for n, output in enumerate(self.operator.outputs):
            self.walk.syms[output] = self.a.add(
                f"other:{self.operator.kind}", f"output{n}" if n else "", inputs, files[output].shape[1:],
                parameters=parameters,
            )  # fmt: skip


def _mode(number: int) -> str:
    return {0: "same", 1: "valid"}.get(number, "")


def _convolution(one: _One) -> Sym:
    is_deep = one.operator.kind == "DEPTHWISE_CONV_2D"
    options, sym, kernel = one.options, one.maps(), one.must(1, "kernel")
    if len(kernel.shape) != 4:
        raise NoRuleError(f"with a kernel {kernel.shape}")
    stride, shift = [options.number(2, "i"), options.number(1, "i")], 1 if is_deep else 0
    dilation = [options.number(5 + shift, "i", 1), options.number(4 + shift, "i", 1)]
    n_out, inside = (kernel.shape[3], 1) if is_deep else (kernel.shape[0], kernel.shape[3])
    groups = sym.held[0] if is_deep else sym.held[0] // max(1, inside)
    window, mode = list(kernel.shape[1:3]), _mode(options.number(0, "b"))
    if groups * inside != sym.held[0] or n_out % max(1, groups):
        raise NoRuleError(f"with a kernel {kernel.shape} on {sym.held[0]} channels")
    weight = one.walk.builder.parameter(
        kernel, (n_out, inside, *window), ("out", "in", "kH", "kW"), _deep_kernel if is_deep else _kernel,
        layout="1HWO" if is_deep else "OHWI",
    )  # fmt: skip
    found = windowed(space(sym), window, stride, dilation, mode)
    attributes: dict[str, JSON] = {
        "stride": stride, "padding": padding(space(sym), window, stride, dilation, mode), "dilation": dilation,
        "groups": groups, "kernel_size": window, "transposed": False,
    }  # fmt: skip
    made = one.a.add(
        "conv2d", "", [(sym, "input")], shaped(sym, n_out, found), attributes=attributes, is_first=sym.is_first,
        parameters=held({"weight": weight, "bias": vector(one.a, one.constant(2, "bias"), n_out)}),
    )  # fmt: skip
    return one.fused(made, 4 if is_deep else 3)


def _kernel(values: Array) -> Array:
    return np.moveaxis(values, -1, 1)


def _deep_kernel(values: Array) -> Array:
    return np.moveaxis(values, -1, 0)


def _transposed(one: _One) -> Sym:
    options, sym, kernel = one.options, one.maps(2), one.must(1, "kernel")
    stride, mode = [options.number(2, "i"), options.number(1, "i")], _mode(options.number(0, "b"))
    window, n_out = list(kernel.shape[1:3]), kernel.shape[0]
    if min(stride) < 1 or kernel.shape[3] != sym.held[0]:
        raise NoRuleError(f"with a kernel {kernel.shape} on {sym.held[0]} channels")
    over = [max(k - s, 0) for k, s in zip(window, stride, strict=True)]
    pads: list[JSON] = [o // 2 if o % 2 == 0 else [o // 2, o - o // 2] for o in over]
    weight = one.walk.builder.parameter(
        kernel, (n_out, kernel.shape[3], *window), ("out", "in", "kH", "kW"), _kernel, layout="OHWI"
    )
    grown = [n * s + (0 if mode == "same" else o) for n, s, o in zip(space(sym), stride, over, strict=True)]
    attributes: dict[str, JSON] = {
        "stride": stride, "padding": pads if mode == "same" else [0, 0], "dilation": [1, 1], "groups": 1,
        "output_padding": [max(s - k, 0) for k, s in zip(window, stride, strict=True)], "kernel_size": window,
        "transposed": True,
    }  # fmt: skip
    made = one.a.add(
        "conv_transpose2d", "", [(sym, "input")], shaped(sym, n_out, grown), attributes=attributes,
        parameters=held({"weight": weight, "bias": vector(one.a, one.constant(3, "bias"), n_out)}), is_first=True,
    )  # fmt: skip
    return one.fused(made, 3)


def _connected(one: _One) -> Sym:
    sym, kernel, bias = one.sym(0), one.must(1, "kernel"), one.constant(2, "bias")
    if len(kernel.shape) != 2 or prod(sym.shape) % max(1, kernel.shape[1]):
        raise NoRuleError(f"with a kernel {kernel.shape} on {sym.shape}")
    if sym.shape[-1] != kernel.shape[1]:
        sym = _flattened(one, sym, (prod(sym.shape),), "flatten")
    turned = replace(kernel, shape=kernel.shape[::-1], read=lambda: kernel.read().T)
    made = linear(one.a, sym, turned, bias, "")
    return one.fused(made, 0)


def _pool(one: _One) -> Sym:
    kind = "max" if one.operator.kind.startswith("MAX") else "avg"
    options, sym = one.options, one.maps()
    window, stride = [[options.number(h, "i"), options.number(w, "i")] for h, w in ((4, 3), (2, 1))]
    mode, ones = _mode(options.number(0, "b")), [1, 1]
    found = windowed(space(sym), window, stride, ones, mode)
    pads: list[JSON] = [0, 0]
    if mode == "same":
        pads = [same_pads(*numbers)[0] for numbers in zip(space(sym), window, stride, ones, strict=True)]
    attributes: dict[str, JSON] = {
        "kernel_size": window, "stride": stride, "padding": pads, "ceil_mode": mode == "same",
    }  # fmt: skip
    attributes |= {"count_include_pad": False} if kind == "avg" else {"dilation": [1, 1]}
    made = one.a.add(f"{kind}_pool2d", "", [(sym, "input")], shaped(sym, sym.held[0], found), attributes=attributes,
                     is_first=True)  # fmt: skip
    return one.fused(made, 5)


def _flattened(one: _One, sym: Sym, shape: tuple[int, ...], name: str) -> Sym:
    """Cells in one row, held in the run's order where they were maps."""
    made = one.a.add("flatten", name, [(sym, "input")], shape, attributes={"start_dim": 1})
    is_mixed = sym.is_first and sym.shape[-1] > 1 and prod(sym.shape[:-1]) > 1
    return replace(made, flat=sym.flat or (sym.shape if is_mixed else ()))


def _reshape(one: _One) -> Sym:
    sym, shape = one.sym(0), one.shape
    if prod(shape) != prod(sym.shape):
        raise NoRuleError(f"from {sym.shape} to {shape}")
    if len(shape) == 1:
        return one.a.same("identity", "", sym) if len(sym.shape) == 1 else _flattened(one, sym, shape, "")
    is_spread = len(shape) == 3 and prod(shape[:-1]) == 1 and not sym.flat
    if is_spread and (not sym.is_first or prod(sym.shape[:-1]) == 1):
        return one.a.add("reshape", "", [(sym, "input")], shape, is_first=True)
    return one.a.add("reshape", "", [(one.walk.builder.last(sym), "input")], shape)


def _mean(one: _One) -> Sym:
    sym = one.walk.builder.last(one.sym(0)) if one.sym(0).flat else one.sym(0)
    axes = [int(v) % (len(sym.shape) + 1) for v in one.must(1, "axes").read().reshape(-1)]
    is_kept = bool(one.options.number(0, "b"))
    if len(sym.shape) == 3 and sorted(axes) == [1, 2]:
        sym = one.walk.builder.first(sym)
        pooled = one.a.add("adaptive_avg_pool2d", "", [(sym, "input")], shaped(sym, sym.held[0], [1, 1]),
                           attributes={"output_size": [1, 1]}, is_first=True)  # fmt: skip
        return pooled if is_kept else one.a.add("flatten", "flatten", [(pooled, "input")], (sym.held[0],),
                                                attributes={"start_dim": 1})  # fmt: skip
    sym = one.walk.builder.last(sym)
    if 0 in axes:
        raise NoRuleError("over samples")
    shape = tuple(1 if i + 1 in axes else n for i, n in enumerate(sym.shape) if is_kept or i + 1 not in axes)
    return one.a.add("mean", "", [(sym, "input")], shape, attributes={"dim": axes, "keepdim": is_kept})


def _paired(one: _One) -> Sym:
    """Two tensors, or a tensor and a constant: one number, or one a channel."""
    op, builder = _PAIRS[one.operator.kind], one.walk.builder
    slot_known = one.operator.options is not None and op not in ("maximum", "minimum")
    if len(one.a.tensors) == 2:
        first, second = builder.alike([one.sym(0), one.sym(1)])
        made = pair(one.a, op, first, second, "")
        return one.fused(made, 0) if slot_known else made
    place = 0 if one.operator.inputs[0] in one.walk.syms else 1
    sym = builder.last(one.sym(place)) if one.sym(place).flat else one.sym(place)
    entry = one.must(1 - place, "operand")
    if place and op in ("sub", "div"):
        if op == "div":
            raise NoRuleError("a constant divided by values")
        sym, op = one.a.same("neg", "neg", sym), "add"
    if prod(entry.shape) == 1:
        number = float(np.asarray(entry.read()).reshape(-1)[0])
        made = one.a.same(op, "", sym, attributes={"other": number})
    else:
        parameter = by_channel(one.a, sym, entry)
        made = one.a.same(op, "", sym, parameters={} if parameter is None else {"other": parameter})
    return one.fused(made, 0) if slot_known else made


def _concatenated(one: _One) -> Sym:
    builder = one.walk.builder
    syms = builder.alike([builder.last(s) if s.flat else s for s in (one.sym(i) for i in range(len(one.tensors)))])
    rank = len(syms[0].shape) + 1
    axis = one.options.number(0, "i") % rank
    if not axis:
        raise NoRuleError("along samples")
    shape = list(syms[0].shape)
    shape[axis - 1] = sum(s.shape[axis - 1] for s in syms)
    made = one.a.add("concat", "", [(s, f"tensors[{i}]") for i, s in enumerate(syms)], tuple(shape),
                     attributes={"dim": syms[0].axis(axis)}, is_first=syms[0].is_first)  # fmt: skip
    return one.fused(made, 1)


def _padded(one: _One) -> Sym:
    sym, amounts = one.maps(), one.must(1, "amounts").read().astype(int).tolist()
    if len(amounts) != 4 or any(amounts[0]) or any(amounts[3]) or len(one.operator.inputs) > 2:
        raise NoRuleError(f"by {amounts}")
    (top, bottom), (left, right) = amounts[1], amounts[2]
    height, width = space(sym)
    size = [height + top + bottom, width + left + right]
    return one.a.add("pad", "", [(sym, "input")], shaped(sym, sym.held[0], size), is_first=True,
                     attributes={"pad": [left, right, top, bottom], "mode": "constant", "value": 0.0})  # fmt: skip


def _resized(one: _One) -> Sym:
    sym, is_linear = one.maps(), one.operator.kind == "RESIZE_BILINEAR"
    aligned, half = (one.options.number(i, "b") for i in ((2, 3) if is_linear else (0, 1)))
    if (is_linear and not half and not aligned) or (not is_linear and aligned):
        raise NoRuleError("by the corners' places")
    mode = "bilinear" if is_linear else "nearest-exact" if half else "nearest"
    return one.a.add(
        "interpolate", "", [(sym, "input")], shaped(sym, sym.held[0], list(one.shape[:2])), is_first=True,
        attributes={"mode": mode, "align_corners": bool(aligned)},
    )  # fmt: skip


def _activation(one: _One) -> Sym:
    name = _PLAIN[one.operator.kind]
    if name == "softmax" and abs(one.options.real(0, 1.0) - 1.0) > 1e-6:
        raise NoRuleError("with a temperature")
    sym = one.sym(0)
    return function(one.a, one.walk.builder.last(sym) if name.endswith("softmax") and sym.flat else sym, name, "")


def _leaky(one: _One) -> Sym:
    return one.a.same("leaky_relu", "", one.sym(0), attributes={"negative_slope": one.options.real(0)})


def _gelu(one: _One) -> Sym:
    how = "tanh" if one.options.number(0, "b") else "none"
    return one.a.same("gelu", "", one.sym(0), attributes={"approximate": how})


def _prelu(one: _One) -> Sym:
    sym, alpha = one.maps(), one.must(1, "slopes")
    n = prod(alpha.shape)
    if n not in (1, sym.shape[-1]) or alpha.shape[-1] != n:
        raise NoRuleError("with slopes by place")
    return one.a.same("prelu", "", sym, parameters=held({"weight": vector(one.a, alpha, n)}))


def _turned(one: _One) -> Sym:
    sym = one.walk.builder.last(one.sym(0))
    order = one.must(1, "order").read().astype(int).tolist()
    if order[:1] != [0] or sorted(order) != list(range(len(sym.shape) + 1)):
        raise NoRuleError(f"by {order}")
    return one.a.add("permute", "", [(sym, "input")], tuple(sym.shape[d - 1] for d in order[1:]),
                     attributes={"dims": order})  # fmt: skip


def _same(one: _One) -> Sym:
    return one.a.same("identity", "", one.sym(0))


_KEEPS = frozenset(("DEQUANTIZE", "QUANTIZE"))
RULES: Mapping[str, Callable[[_One], Sym]] = {
    "CONV_2D": _convolution, "DEPTHWISE_CONV_2D": _convolution, "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _connected, "MAX_POOL_2D": _pool, "AVERAGE_POOL_2D": _pool, "RESHAPE": _reshape,
    "SQUEEZE": _reshape, "EXPAND_DIMS": _reshape, "MEAN": _mean, "CONCATENATION": _concatenated, "PAD": _padded,
    "RESIZE_BILINEAR": _resized, "RESIZE_NEAREST_NEIGHBOR": _resized, "LEAKY_RELU": _leaky, "GELU": _gelu,
    "PRELU": _prelu, "TRANSPOSE": _turned, **dict.fromkeys(_PAIRS, _paired), **dict.fromkeys(_PLAIN, _activation),
    **dict.fromkeys(_KEEPS, _same),
}  # fmt: skip
