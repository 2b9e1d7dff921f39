"""Owns the rules of shapes: what each operation of a design makes of its inputs, and how torch is told to do it.

After the shape sections of pytorch.org/docs (Conv, ConvTranspose, pooling); shapes are of one sample, (C, H, W).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nn3d.extract.design.sizes import Shape, Sizes, rank_of, times
from nn3d.run.model import JSON

KERNEL_AXES = {1: ("kL",), 2: ("kH", "kW"), 3: ("kD", "kH", "kW")}


@dataclass(frozen=True, slots=True)
class Built:
    """What an operation is with its sizes. parameters : (role, shape, kind).

    module : the call that makes its torch module, "" for none. call : what is computed; {f} stands for the module, {0},
    {1}, … for the inputs.
    """

    shape: Shape
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    parameters: tuple[tuple[str, Shape, str], ...] = ()
    module: str = ""
    call: str = "{f}({0})"


Rule = Callable[[Sizes, Sequence[Shape]], Built]


def _maps(sizes: Sizes, shapes: Sequence[Shape], rank: int) -> Shape:
    space = ("L",), ("H", "W"), ("D", "H", "W")
    return rank_of(sizes, shapes, (rank + 1,), f"maps (C, {', '.join(space[rank - 1])})")


def _slid(sizes: Sizes, n: Sequence[int], kernel: Sequence[int], stride: Sequence[int], total: Sequence[int],
          dilation: Sequence[int]) -> tuple[int, ...]:  # fmt: skip
    """Places of a window along each axis."""
    out = tuple(
        (a + p - d * (k - 1) - 1) // s + 1 for a, k, s, p, d in zip(n, kernel, stride, total, dilation, strict=True)
    )
    if min(out) < 1:
        raise sizes.fail(f"expected a map as large as its kernel, {times(tuple(kernel))}, got {times(tuple(n))}.")
    return out


def _weights(out: int, inside: int, kernel: Sequence[int], bias: bool) -> tuple[tuple[str, Shape, str], ...]:
    weight = ("weight", (out, inside, *kernel), "parameter")
    return (weight, ("bias", (out,), "parameter")) if bias else (weight,)


def conv(rank: int) -> Rule:
    """Convolution: out, kernel, stride, padding (a number or "same"), dilation, groups, bias."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        channels, *n = _maps(sizes, shapes, rank)
        out, kernel = sizes.number("out"), sizes.numbers("kernel", rank)
        stride, dilation = sizes.numbers("stride", rank, 1), sizes.numbers("dilation", rank, 1)
        groups, bias = sizes.number("groups", 1), sizes.flag("bias", True)
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        is_same = sizes.has("padding", "same")
        padding = [r // 2 for r in reach] if is_same else sizes.numbers("padding", rank, 0, 0)
        if is_same and max(stride) > 1:
            raise sizes.fail('expected stride 1 with padding "same", got more. Give the padding as a number.')
        if channels % groups or out % groups:
            raise sizes.fail(f"expected channels that {groups} groups divide, got {channels} in and {out} out.")
        total = reach if is_same else [2 * p for p in padding]
        shape = (out, *_slid(sizes, n, kernel, stride, total, dilation))
        said = [p if 2 * p == r or not is_same else [p, r - p] for p, r in zip(padding, reach, strict=True)]
        attributes = {"kernel_size": kernel, "stride": stride, "padding": said, "dilation": dilation, "groups": groups,
                      "transposed": False}  # fmt: skip
        told = '"same"' if is_same else _tuple(padding)
        rest = _rest(stride=_tuple(stride), padding=told, dilation=_tuple(dilation), groups=str(groups), bias=str(bias))
        module = f"nn.Conv{rank}d({channels}, {out}, {_tuple(kernel)}{rest})"
        return Built(shape, attributes, _weights(out, channels // groups, kernel, bias), module)

    return rule


def conv_transpose(rank: int) -> Rule:
    """Transposed convolution: out, kernel, stride, padding, output_padding, bias."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        channels, *n = _maps(sizes, shapes, rank)
        out, kernel, stride = sizes.number("out"), sizes.numbers("kernel", rank), sizes.numbers("stride", rank, 1)
        padding, more = sizes.numbers("padding", rank, 0, 0), sizes.numbers("output_padding", rank, 0, 0)
        bias = sizes.flag("bias", True)
        axes = zip(n, stride, padding, kernel, more, strict=True)
        shape = tuple((a - 1) * s - 2 * p + k + o for a, s, p, k, o in axes)
        if min(shape) < 1 or any(o >= s for o, s in zip(more, stride, strict=True)):
            raise sizes.fail(f"expected a map and an output_padding below the stride, got {times(shape)}, {more}.")
        attributes = {"kernel_size": kernel, "stride": stride, "padding": padding, "output_padding": more,
                      "dilation": [1] * rank, "groups": 1, "transposed": True}  # fmt: skip
        rest = _rest(stride=_tuple(stride), padding=_tuple(padding), output_padding=_tuple(more), bias=str(bias))
        module = f"nn.ConvTranspose{rank}d({channels}, {out}, {_tuple(kernel)}{rest})"
        return Built((out, *shape), attributes, _weights(out, channels, kernel, bias), module)

    return rule


def pool(kind: str, rank: int) -> Rule:
    """Max or average over windows: kernel, stride (the kernel's), padding."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        channels, *n = _maps(sizes, shapes, rank)
        kernel = sizes.numbers("kernel", rank, 2)
        stride, padding = sizes.numbers("stride", rank, list(kernel)), sizes.numbers("padding", rank, 0, 0)
        if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            raise sizes.fail(f"expected a padding of at most half the kernel, got {padding} of {kernel}.")
        shape = (channels, *_slid(sizes, n, kernel, stride, [2 * p for p in padding], [1] * rank))
        attributes = {"kernel_size": kernel, "stride": stride, "padding": padding}
        name = {"max": "MaxPool", "avg": "AvgPool"}[kind]
        step = "" if stride == kernel else f", stride={_tuple(stride)}"
        made = f"nn.{name}{rank}d({_tuple(kernel)}{step}{_rest(padding=_tuple(padding))})"
        return Built(shape, attributes, (), made)

    return rule


def adaptive_pool(kind: str, rank: int) -> Rule:
    """Max or average to a given size: size."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        channels, *_ = _maps(sizes, shapes, rank)
        size = sizes.numbers("size", rank, 1)
        name = {"max": "AdaptiveMaxPool", "avg": "AdaptiveAvgPool"}[kind]
        return Built((channels, *size), {"output_size": size}, (), f"nn.{name}{rank}d({_tuple(size)})")

    return rule


def linear(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    """Every feature to every neuron: out, bias."""
    shape = rank_of(sizes, shapes, (1, 2, 3), "features (F) or (T, F)")
    out, bias = sizes.number("out"), sizes.flag("bias", True)
    if len(shape) == 3:
        raise sizes.fail(f"expected features, got maps {times(shape)}. Put a flatten before it.")
    return Built((*shape[:-1], out), {}, _weights(out, shape[-1], (), bias),
                 f"nn.Linear({shape[-1]}, {out}{_rest(bias=str(bias))})")  # fmt: skip


def embedding(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    """A row for each token: words, width."""
    shape = rank_of(sizes, shapes, (1,), "tokens (T)")
    words, width = sizes.number("words"), sizes.number("width")
    weight = (("weight", (words, width), "parameter"),)
    return Built((*shape, width), {}, weight, f"nn.Embedding({words}, {width})")


def recurrent(gates: int, name: str) -> Rule:
    """LSTM, GRU, RNN: hidden, layers, bidirectional."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        steps, width = rank_of(sizes, shapes, (2,), "steps of features (T, F)")
        hidden, layers, both = sizes.number("hidden"), sizes.number("layers", 1), sizes.flag("bidirectional", False)
        ways, parameters = 2 if both else 1, list[tuple[str, Shape, str]]()
        for layer in range(min(layers, 1000)):
            inside = width if not layer else hidden * ways
            for end in ("", "_reverse")[:ways]:
                rows = gates * hidden
                roles: dict[str, Shape] = {"weight_ih": (rows, inside), "weight_hh": (rows, hidden)}
                roles |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                parameters += [(f"{role}_l{layer}{end}", shape, "parameter") for role, shape in roles.items()]
        attributes = {"input_size": width, "hidden_size": hidden, "num_layers": layers, "bidirectional": both}
        module = f"nn.{name}({width}, {hidden}, {layers}, batch_first=True, bidirectional={both})"
        return Built((steps, hidden * ways), attributes, tuple(parameters), module, "{f}({0})[0]")

    return rule


def batch_norm(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    """Normalisation by channel over the batch: eps."""
    shape = rank_of(sizes, shapes, (1, 2, 3, 4), "channels first (C, …)")
    eps, n = sizes.real("eps", 1e-5), shape[0]
    parameters = tuple((role, (n,), "parameter") for role in ("weight", "bias"))
    parameters += tuple((role, (n,), "buffer") for role in ("running_mean", "running_var"))
    return Built(shape, {"eps": eps}, parameters, f"nn.BatchNorm{max(1, len(shape) - 1)}d({n}, eps={eps!r})")


def over_last(op: str) -> Rule:
    """Normalisation over the last axis: eps."""

    def rule(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
        shape = rank_of(sizes, shapes, (1, 2, 3, 4), "features last")
        eps, n = sizes.real("eps", 1e-5), shape[-1]
        roles = ("weight", "bias") if op == "LayerNorm" else ("weight",)
        parameters = tuple((role, (n,), "parameter") for role in roles)
        return Built(shape, {"normalized_shape": [n], "eps": eps}, parameters, f"nn.{op}({n}, eps={eps!r})")

    return rule


def group_norm(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    """Normalisation over groups of channels: groups, eps."""
    shape = rank_of(sizes, shapes, (1, 2, 3, 4), "channels first (C, …)")
    groups, eps = sizes.number("groups"), sizes.real("eps", 1e-5)
    if shape[0] % groups:
        raise sizes.fail(f"expected channels that {groups} groups divide, got {shape[0]}.")
    parameters = tuple((role, (shape[0],), "parameter") for role in ("weight", "bias"))
    made = f"nn.GroupNorm({groups}, {shape[0]}, eps={eps!r})"
    return Built(shape, {"num_groups": groups, "eps": eps}, parameters, made)


_USUAL = {"stride": "1", "padding": "0", "dilation": "1", "groups": "1", "bias": "True", "output_padding": "0"}


def _rest(**said: str) -> str:
    """Arguments that are not as torch has them by default."""
    return "".join(f", {name}={value}" for name, value in said.items() if value != _USUAL[name])


def _tuple(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"({', '.join(map(str, values))})"


def flat(sizes: Sizes, shapes: Sequence[Shape]) -> Built:
    """All numbers of a sample in one row."""
    shape = rank_of(sizes, shapes, tuple(range(9)), "one input")
    return Built((math.prod(shape),), {"start_dim": 1}, (), "nn.Flatten()")
