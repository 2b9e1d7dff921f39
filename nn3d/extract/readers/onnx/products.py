"""Owns what ONNX's products with weights are in a run: Gemm, MatMul, whole-number forms, recurrent layers, tables."""

from __future__ import annotations

from nn3d.extract.readers.onnx.seen import SETTING, Mapped, Rule, Seen
from nn3d.extract.readers.onnx.windows import conv, space
from nn3d.run.model import JSON

_ROUNDS = "it computes in whole numbers, rounded to the output's scale"


def _gemm(seen: Seen) -> Mapped:
    alpha, beta = float(seen.get("alpha", 1.0)), float(seen.get("beta", 1.0))
    bias = seen.in_shape(2)
    is_plain = not seen.get("transA", 0) and len(seen.in_shape(1)) == 2 and seen.fixed(seen.name(1))
    if not is_plain or (seen.name(2) and (not seen.fixed(seen.name(2)) or len([n for n in bias if n != 1]) > 1)):
        numbers = {k: v for k, v in seen.attributes.items() if isinstance(v, int | float)}
        return Mapped("other:Gemm", numbers, ("input", "other", "bias"))
    turned = {"bias": "flat"} if seen.get("transB", 0) else {"weight": "IO", "bias": "flat"}
    scales = {"weight": alpha, "bias": beta}
    return Mapped("linear", {}, ("input", "weight", "bias"), {1: "weight", 2: "bias"}, turned, scales)


def _matmul(seen: Seen) -> Mapped:
    if seen.fixed(seen.name(1)) and len(seen.in_shape(1)) == 2:
        return Mapped("linear", {}, ("input", "weight"), {1: "weight"}, {"weight": "IO"})
    return Mapped("matmul")


def _gather(seen: Seen) -> Mapped:
    axis = int(seen.get("axis", 0))
    table, index = seen.in_shape(0), seen.known(seen.name(1))
    if seen.fixed(seen.name(0)) and len(table) == 2 and axis == 0 and index is None:
        return Mapped("embedding", {}, ("weight", "input"), {0: "weight"})
    if index is not None and index.ndim == 0:
        return Mapped("slice", {"dim": axis, "index": int(index)}, ("input", SETTING))
    return Mapped("index_select", {"dim": axis}, ("input", "index"))


def _qlinear_conv(seen: Seen) -> Mapped:
    """x, its scale and zero; w, its scale and zero; y's scale and zero; bias."""
    weight = seen.in_shape(3)
    rank = max(1, len(weight) - 2) if weight else 2
    kernel = [int(v) for v in seen.get("kernel_shape", weight[2:])]
    found = space(seen, rank, kernel) | {"groups": int(seen.get("group", 1)), "transposed": False}
    found |= {"quantised": "QLinearConv", "unreproducible": _ROUNDS}
    arguments = ("input", *[SETTING] * 2, "weight", *[SETTING] * 4, "bias")
    return Mapped(f"conv{rank}d", found, arguments, {3: "weight", 8: "bias"}, {"bias": "flat"})


def _qlinear_matmul(seen: Seen) -> Mapped:
    found: dict[str, JSON] = {"quantised": seen.node.op_type, "unreproducible": _ROUNDS}
    arguments = ("input", SETTING, SETTING, "weight", *[SETTING] * 4)
    if seen.fixed(seen.name(3)) and len(seen.in_shape(3)) == 2:
        return Mapped("linear", found, arguments, {3: "weight"}, {"weight": "IO"})
    return Mapped("matmul", found, ("input", SETTING, SETTING, "other", *[SETTING] * 4))


def _integer(kind: str) -> Rule:
    """ConvInteger and MatMulInteger: x, w, and their zeros; what comes out has no scale yet."""

    def rule(seen: Seen) -> Mapped:
        why = "it computes in whole numbers"
        plain = conv(seen) if kind == "conv" else _matmul(seen)
        found = {**plain.attributes, "quantised": seen.node.op_type, "unreproducible": why}
        return Mapped(plain.op, found, (*plain.arguments[:2], SETTING, SETTING), {1: "weight"}, plain.turned)

    return rule


def _quantise(op: str) -> Rule:
    """Rounding to a scale and a zero, and back."""

    def rule(seen: Seen) -> Mapped:
        scale = seen.numbers(1)
        found: dict[str, JSON] = {"quantised": seen.node.op_type, "unreproducible": "it rounds to a scale"}
        if scale and len(scale) == 1 and isinstance(scale[0], int | float):
            found["scale"] = float(scale[0])
        return Mapped(op, found, ("input", SETTING, SETTING))

    return rule


def _recurrent(op: str) -> Rule:
    def rule(seen: Seen) -> Mapped:
        found: dict[str, JSON] = {
            "hidden_size": int(seen.get("hidden_size", 0)), "num_layers": 1,
            "bidirectional": seen.get("direction", "") == "bidirectional",
            "direction": str(seen.get("direction", "forward")),
        }  # fmt: skip
        arguments = ("input", "W", "R", "B", SETTING, "h_0", "c_0", "P")
        roles = {1: "W", 2: "R", 3: "B"} | ({7: "P"} if op == "lstm" else {})
        return Mapped(op, found, arguments, roles)

    return rule


RULES: dict[str, Rule] = {
    "Gemm": _gemm, "MatMul": _matmul, "QLinearConv": _qlinear_conv, "QLinearMatMul": _qlinear_matmul,
    "ConvInteger": _integer("conv"), "MatMulInteger": _integer("matmul"),
    "QuantizeLinear": _quantise("cast"), "DequantizeLinear": _quantise("cast"),
    "DynamicQuantizeLinear": _quantise("other:DynamicQuantizeLinear"), "Gather": _gather,
    "LSTM": _recurrent("lstm"), "GRU": _recurrent("gru"), "RNN": _recurrent("rnn"),
    "Einsum": lambda s: Mapped("einsum", {"equation": str(s.get("equation", ""))}),
}  # fmt: skip
