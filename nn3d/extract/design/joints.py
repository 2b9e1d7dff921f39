"""Owns the rules of operations without weights: activations, sums, concatenations, changes of shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nn3d.extract.design import rules
from nn3d.extract.design.rules import Built, Rule
from nn3d.extract.design.sizes import Shape, Sizes, rank_of, times

_ANY = tuple(range(9))
_ACTIVATIONS = {
    "relu": "ReLU", "relu6": "ReLU6", "elu": "ELU", "celu": "CELU", "selu": "SELU", "gelu": "GELU", "silu": "SiLU",
    "mish": "Mish", "sigmoid": "Sigmoid", "tanh": "Tanh", "hardtanh": "Hardtanh", "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid", "softplus": "Softplus", "softsign": "Softsign", "log_sigmoid": "LogSigmoid",
    "identity": "Identity",
}  # fmt: skip


def _plain(module: str) -> Rule:
    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        return Built(rank_of(sizes, shapes, _ANY, "one input"), {}, (), f"nn.{module}()")

    return rule


def _leaky_relu(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    slope = sizes.real("slope", 0.01)
    shape = rank_of(sizes, shapes, _ANY, "one input")
    return Built(shape, {"negative_slope": slope}, (), f"nn.LeakyReLU({slope!r})")


def _dropout(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    p = sizes.real("p", 0.5)
    if not 0.0 <= p < 1.0:
        raise sizes.fail(f"expected p from 0 to below 1, got {p:g}.")
    return Built(rank_of(sizes, shapes, _ANY, "one input"), {"p": p}, (), f"nn.Dropout({p!r})")


def _softmax(name: str) -> Rule:
    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        shape = rank_of(sizes, shapes, tuple(range(1, 9)), "an axis to go along")
        axis = _axis(sizes, shape, sizes.some("axis", 0 if len(shape) >= 3 else len(shape) - 1))
        return Built(shape, {"dim": axis + 1}, (), f"nn.{name}(dim={axis + 1})")

    return rule


def _axis(sizes: Sizes, shape: Shape, given: list[int]) -> int:
    if len(given) != 1 or not -len(shape) <= given[0] < len(shape):
        raise sizes.fail(f"expected axis from 0 to {len(shape) - 1} of {times(shape)}, got {given}.")
    return given[0] % len(shape)


def _pair(sign: str) -> Rule:
    """Two inputs, number by number, as numpy and torch broadcast them."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        if len(shapes) != 2:
            raise sizes.fail(f"expected two inputs, got {len(shapes)}.")
        a, b = shapes
        n = max(len(a), len(b))
        pairs = list(zip((1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b, strict=True))
        if len(a) != len(b) or any(x != y and 1 not in (x, y) for x, y in pairs):
            raise sizes.fail(f"expected inputs of one shape, got {times(a)} and {times(b)}.")
        return Built(tuple(map(max, pairs)), {}, (), "", f"{{0}} {sign} {{1}}")

    return rule


def _concat(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    if len(shapes) < 2:
        raise sizes.fail(f"expected two inputs or more, got {len(shapes)}.")
    axis = _axis(sizes, shapes[0], sizes.some("axis", 0))
    for shape in shapes[1:]:
        if len(shape) != len(shapes[0]) or any(a != b for k, (a, b) in enumerate(zip(shape, shapes[0], strict=True))
                                               if k != axis):  # fmt: skip
            both = f"{times(shapes[0])} and {times(shape)}"
            raise sizes.fail(f"expected inputs that differ along axis {axis} alone, got {both}.")
    total = sum(shape[axis] for shape in shapes)
    shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
    parts = ", ".join(f"{{{k}}}" for k in range(len(shapes)))
    return Built(shape, {"dim": axis + 1}, (), "", f"torch.cat(({parts}), dim={axis + 1})")


def _reshape(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    before, to = rank_of(sizes, shapes, _ANY, "one input"), sizes.some("shape")
    known = math.prod(n for n in to if n > 0)
    if to.count(-1) > 1 or any(n < 1 and n != -1 for n in to) or math.prod(before) % max(1, known):
        raise sizes.fail(f"expected a shape of {math.prod(before)} numbers, got {to}.")
    shape = tuple(math.prod(before) // known if n == -1 else n for n in to)
    if math.prod(shape) != math.prod(before):
        raise sizes.fail(f"expected a shape of {math.prod(before)} numbers, got {to}.")
    return Built(shape, {"shape": [-1, *shape]}, (), "", f"{{0}}.reshape(-1, {', '.join(map(str, shape))})")


def _permute(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    shape, order = rank_of(sizes, shapes, _ANY, "one input"), sizes.some("order")
    if sorted(order) != list(range(len(shape))):
        raise sizes.fail(f"expected order to name the axes 0 to {len(shape) - 1} once each, got {order}.")
    dims = [0, *(k + 1 for k in order)]
    call = f"{{0}}.permute({', '.join(map(str, dims))})"
    return Built(tuple(shape[k] for k in order), {"dims": dims}, (), "", call)


def _mean(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    shape = rank_of(sizes, shapes, tuple(range(1, 9)), "an axis to go along")
    given = sizes.some("axis", list(range(1, len(shape))) if len(shape) > 2 else [0])
    axes = sorted({_axis(sizes, shape, [k]) for k in given})
    left = tuple(n for k, n in enumerate(shape) if k not in axes)
    dims = [k + 1 for k in axes]
    return Built(left, {"dim": dims, "keepdim": False}, (), "", f"{{0}}.mean(dim={dims})")


def _interpolate(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    channels, *n = rank_of(sizes, shapes, (2, 3, 4), "maps (C, …)")
    scale, mode = sizes.number("scale", 2), sizes.word("mode", "nearest", ("nearest", "bilinear"))
    if mode == "bilinear" and len(n) != 2:
        raise sizes.fail(f"expected maps (C, H, W) for bilinear, got {times(shapes[0])}.")
    made = f'nn.Upsample(scale_factor={scale}, mode="{mode}")'
    return Built((channels, *(k * scale for k in n)), {"scale_factor": float(scale), "mode": mode}, (), made)


RULES: Mapping[str, Rule] = {
    **{f"conv{k}d": rules.conv(k) for k in (1, 2, 3)},
    **{f"conv_transpose{k}d": rules.conv_transpose(k) for k in (1, 2, 3)},
    **{f"{kind}_pool{k}d": rules.pool(kind, k) for k in (1, 2, 3) for kind in ("max", "avg")},
    **{f"adaptive_{kind}_pool{k}d": rules.adaptive_pool(kind, k) for k in (1, 2, 3) for kind in ("max", "avg")},
    "linear": rules.linear, "embedding": rules.embedding, "flatten": rules.flat,
    "lstm": rules.recurrent(4, "LSTM"), "gru": rules.recurrent(3, "GRU"), "rnn": rules.recurrent(1, "RNN"),
    "batch_norm": rules.batch_norm, "group_norm": rules.group_norm,
    "layer_norm": rules.over_last("LayerNorm"), "rms_norm": rules.over_last("RMSNorm"),
    **{op: _plain(module) for op, module in _ACTIVATIONS.items()},
    "leaky_relu": _leaky_relu, "dropout": _dropout, "softmax": _softmax("Softmax"),
    "log_softmax": _softmax("LogSoftmax"), "add": _pair("+"), "sub": _pair("-"), "mul": _pair("*"), "div": _pair("/"),
    "concat": _concat, "reshape": _reshape, "permute": _permute, "mean": _mean, "interpolate": _interpolate,
}  # fmt: skip
