"""Owns what ONNX's convolutions and pools are in a run: strides, dilations and paddings in torch's terms."""

from __future__ import annotations

from nn3d.extract.readers.onnx.seen import Mapped, Rule, Seen
from nn3d.run.model import JSON


def space(seen: Seen, rank: int, kernel: list[int]) -> dict[str, JSON]:
    """Stride, dilation and padding of a window; padding before and after as a pair where they differ."""
    stride = [int(v) for v in seen.get("strides", [1] * rank)]
    dilation = [int(v) for v in seen.get("dilations", [1] * rank)]
    pads = [int(v) for v in seen.get("pads", [0] * (2 * rank))]
    auto = seen.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same(seen, rank, kernel, stride, dilation, is_upper=auto == "SAME_UPPER")
    elif auto == "VALID":
        pads = [0] * (2 * rank)
    return {"stride": stride, "dilation": dilation, "padding": _pairs(pads, rank), "kernel_size": kernel}


def _same(
    seen: Seen, rank: int, kernel: list[int], stride: list[int], dilation: list[int], *, is_upper: bool
) -> list[int]:
    size, out = seen.in_shape()[2:], seen.out_shape()[2:]
    if len(size) != rank or len(out) != rank:
        return [0] * (2 * rank)
    total = [
        max(0, (o - 1) * s + (k - 1) * d + 1 - n)
        for n, o, s, k, d in zip(size, out, stride, kernel, dilation, strict=True)
    ]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*small, *large] if is_upper else [*large, *small]


def _pairs(pads: list[int], rank: int) -> list[JSON]:
    if len(pads) != 2 * rank:
        raise ValueError(f"{len(pads)} pads for {rank} axes")
    pairs = list(zip(pads[:rank], pads[rank:], strict=True))
    return [a if a == b else [a, b] for a, b in pairs]


def conv(seen: Seen) -> Mapped:
    """A convolution with its weight at the second input."""
    weight = seen.in_shape(1)
    rank = max(1, len(weight) - 2) if weight else 2
    kernel = [int(v) for v in seen.get("kernel_shape", weight[2:])]
    found = space(seen, rank, kernel) | {"groups": int(seen.get("group", 1)), "transposed": False}
    op = f"conv{rank}d" if rank <= 3 else "other:Conv"
    return Mapped(op, found, ("input", "weight", "bias"), {1: "weight", 2: "bias"}, {"bias": "flat"})


def _conv_transpose(seen: Seen) -> Mapped:
    weight = seen.in_shape(1)
    rank = max(1, len(weight) - 2) if weight else 2
    kernel = [int(v) for v in seen.get("kernel_shape", weight[2:])]
    extra = [int(v) for v in seen.get("output_padding", [0] * rank)]
    found = space(seen, rank, kernel)
    auto = seen.get("auto_pad", "NOTSET")
    size, out = seen.in_shape()[2:], seen.out_shape()[2:]
    if (auto.startswith("SAME") or "output_shape" in seen.attributes) and len(size) == len(out) == rank:
        stride, dilation = found["stride"], found["dilation"]
        total = [
            max(0, s * (n - 1) + e + (k - 1) * d + 1 - o)
            for s, n, e, k, d, o in zip(stride, size, extra, kernel, dilation, out, strict=True)
        ]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = [*small, *large] if auto == "SAME_UPPER" else [*large, *small]
        found["padding"] = _pairs(pads, rank)
    found |= {"output_padding": extra, "groups": int(seen.get("group", 1)), "transposed": True}
    op = f"conv_transpose{rank}d" if rank <= 3 else "other:ConvTranspose"
    return Mapped(
        op, found, ("input", "weight", "bias"), {1: "weight", 2: "bias"}, {"weight": "transposed", "bias": "flat"}
    )


def _pool(kind: str) -> Rule:
    def rule(seen: Seen) -> Mapped:
        kernel = [int(v) for v in seen.get("kernel_shape", [1, 1])]
        rank = len(kernel)
        found = space(seen, rank, kernel) | {"ceil_mode": bool(seen.get("ceil_mode", 0))}
        if kind == "avg":
            found["count_include_pad"] = bool(seen.get("count_include_pad", 0))
        if kind == "lp":
            found["norm_type"] = int(seen.get("p", 2))
        return Mapped(f"{kind}_pool{rank}d" if rank <= 3 else f"other:{seen.node.op_type}", found)

    return rule


def _global_pool(kind: str) -> Rule:
    def rule(seen: Seen) -> Mapped:
        rank = max(1, len(seen.in_shape()) - 2)
        op = f"adaptive_{kind}_pool{rank}d" if rank <= 3 else f"other:{seen.node.op_type}"
        return Mapped(op, {"output_size": [1] * rank})

    return rule


RULES: dict[str, Rule] = {
    "Conv": conv, "ConvTranspose": _conv_transpose, "MaxPool": _pool("max"), "AveragePool": _pool("avg"),
    "LpPool": _pool("lp"), "GlobalMaxPool": _global_pool("max"), "GlobalAveragePool": _global_pool("avg"),
}  # fmt: skip
