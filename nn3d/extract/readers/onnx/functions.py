"""Owns what ONNX's norms, activations, arithmetic and reductions are in a run."""

from __future__ import annotations

from nn3d.extract.readers.onnx.seen import SETTING, Mapped, Rule, Seen
from nn3d.run.model import JSON


def _batch_norm(seen: Seen) -> Mapped:
    roles = {1: "weight", 2: "bias", 3: "running_mean", 4: "running_var"}
    found = {"eps": float(seen.get("epsilon", 1e-5))}
    if seen.get("training_mode", 0):
        return Mapped("other:BatchNormalization", found, ("input", *roles.values()), roles)
    return Mapped("batch_norm", found, ("input", *roles.values()), roles)


def _norm(op: str, eps: float) -> Rule:
    def rule(seen: Seen) -> Mapped:
        found: dict[str, JSON] = {"eps": float(seen.get("epsilon", eps))}
        shape, axis = seen.in_shape(), int(seen.get("axis", -1))
        if op in ("layer_norm", "rms_norm"):
            found["normalized_shape"] = [int(n) for n in shape[axis % max(1, len(shape)) :]]
        if op == "group_norm":
            found["num_groups"] = int(seen.get("num_groups", 1))
        return Mapped(op, found, ("input", "weight", "bias"), {1: "weight", 2: "bias"})

    return rule


def _group_norm(seen: Seen) -> Mapped:
    """Up to opset 20 there was one scale a group, which torch has not."""
    found = _norm("group_norm", 1e-5)(seen)
    if seen.in_shape(1) == seen.in_shape()[1:2]:
        return found
    return Mapped("other:GroupNormalization", found.attributes, found.arguments, found.roles)


def _plain(op: str, **names: str) -> Rule:
    """The same operation; names : torch's attribute → ONNX's."""

    def rule(seen: Seen) -> Mapped:
        found = {mine: seen.attributes[theirs] for mine, theirs in names.items() if theirs in seen.attributes}
        return Mapped(op, found)

    return rule


def _with(op: str, **numbers: tuple[str, float]) -> Rule:
    """The same operation with numbers; numbers : torch's attribute → (ONNX's, its default there)."""

    def rule(seen: Seen) -> Mapped:
        return Mapped(op, {mine: float(seen.get(theirs, default)) for mine, (theirs, default) in numbers.items()})

    return rule


def _hard_sigmoid(seen: Seen) -> Mapped:
    """max(0, min(1, αx + β)); torch has α = 1/6 alone."""
    alpha, beta = float(seen.get("alpha", 0.2)), float(seen.get("beta", 0.5))
    is_torchs = abs(alpha - 1 / 6) < 1e-6 and beta == 0.5
    return Mapped("hardsigmoid" if is_torchs else "other:HardSigmoid", {"alpha": alpha, "beta": beta})


def _shrink(seen: Seen) -> Mapped:
    bias, lambd = float(seen.get("bias", 0.0)), float(seen.get("lambd", 0.5))
    op = "hardshrink" if not bias else "softshrink" if bias == lambd else "other:Shrink"
    return Mapped(op, {"lambd": lambd, "bias": bias})


def _softmax(op: str) -> Rule:
    def rule(seen: Seen) -> Mapped:
        """Up to opset 12 over all axes from `axis` on, taken together."""
        shape = seen.in_shape()
        axis = int(seen.get("axis", 1 if seen.opset < 13 else -1))
        rest = shape[axis % len(shape) + 1 :] if shape else ()
        if seen.opset < 13 and any(n != 1 for n in rest):
            return Mapped(f"other:{seen.node.op_type}", {"axis": axis})
        return Mapped(op, {"dim": axis})

    return rule


def _clip(seen: Seen) -> Mapped:
    found: dict[str, JSON] = {}
    for position, name in ((1, "min"), (2, "max")):
        numbers = seen.setting(name, position)
        if numbers and isinstance(numbers[0], int | float):
            found[name] = float(numbers[0])
    return Mapped("clamp", found, ("input", SETTING, SETTING))


def _reduce(op: str) -> Rule:
    def rule(seen: Seen) -> Mapped:
        axes = seen.setting("axes", 1)
        if axes is None or not axes:
            rank = len(seen.in_shape())
            axes = [] if seen.get("noop_with_empty_axes", 0) else list(range(rank))
        if not axes:
            return Mapped("identity", {}, ("input", SETTING))
        found: dict[str, JSON] = {"dim": [int(a) for a in axes], "keepdim": bool(seen.get("keepdims", 1))}
        if op == "norm":
            found["p"] = 1 if seen.node.op_type == "ReduceL1" else 2
        return Mapped(op, found, ("input", SETTING))

    return rule


def _variadic(pair: str) -> Rule:
    """Of two arrays; of one its identity; of more a chain that torch has no name for."""

    def rule(seen: Seen) -> Mapped:
        n = len(seen.node.input)
        if n == 1:
            return Mapped("identity")
        return Mapped(pair if n == 2 and pair else f"other:{seen.node.op_type}", {}, ("input", "other"))

    return rule


def _arithmetic(op: str) -> Rule:
    return lambda seen: Mapped(op, {}, ("input", "exponent" if op == "pow" else "other"))


def _compare(relation: str) -> Rule:
    return lambda seen: Mapped("compare", {"relation": relation})


def _dropout(seen: Seen) -> Mapped:
    return Mapped("dropout", {}, ("input", SETTING, SETTING))


def _prelu(seen: Seen) -> Mapped:
    return Mapped("prelu", {}, ("input", "weight"), {1: "weight"}, {"weight": "flat"})


def _response(seen: Seen) -> Mapped:
    numbers = {"alpha": ("alpha", 1e-4), "beta": ("beta", 0.75), "k": ("bias", 1.0)}
    found = {mine: float(seen.get(theirs, default)) for mine, (theirs, default) in numbers.items()}
    return Mapped("local_response_norm", {"size": int(seen.get("size", 1)), **found})


def _normalize(seen: Seen) -> Mapped:
    return Mapped("normalize", {"p": int(seen.get("p", 2)), "dim": int(seen.get("axis", -1)), "eps": 0.0})


def _argmax(seen: Seen) -> Mapped:
    return Mapped("argmax", {"dim": int(seen.get("axis", 0)), "keepdim": bool(seen.get("keepdims", 1))})


def _cumsum(seen: Seen) -> Mapped:
    axis = seen.numbers(1)
    is_torchs = axis and not seen.get("exclusive", 0) and not seen.get("reverse", 0)
    found: dict[str, JSON] = {"dim": int(axis[0])} if axis and is_torchs else {}
    return Mapped("cumsum" if is_torchs else "other:CumSum", found, ("input", SETTING))


def _top(seen: Seen) -> Mapped:
    found = {"dim": int(seen.get("axis", -1)), "largest": bool(seen.get("largest", 1))}
    return Mapped("topk", found, ("input", SETTING))


_SAME = (
    *("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Abs", "Neg", "Sin", "Cos", "Floor", "Round", "Sign"),
    *("Reciprocal", "Softsign", "HardSwish", "Mish", "Identity", "Cast", "Selu", "Softplus"),
)

RULES: dict[str, Rule] = {
    **{name: _plain(name.lower()) for name in _SAME},
    "BatchNormalization": _batch_norm, "LayerNormalization": _norm("layer_norm", 1e-5),
    "SimplifiedLayerNormalization": _norm("rms_norm", 1e-5), "RMSNormalization": _norm("rms_norm", 1e-5),
    "InstanceNormalization": _norm("instance_norm", 1e-5), "GroupNormalization": _group_norm, "LRN": _response,
    "LpNormalization": _normalize, "CastLike": lambda s: Mapped("cast", {}, ("input", SETTING)),
    "LeakyRelu": _with("leaky_relu", negative_slope=("alpha", 0.01)), "Elu": _with("elu", alpha=("alpha", 1.0)),
    "Celu": _with("celu", alpha=("alpha", 1.0)), "HardSigmoid": _hard_sigmoid, "Shrink": _shrink, "PRelu": _prelu,
    "ThresholdedRelu": lambda s: Mapped("threshold", {"threshold": float(s.get("alpha", 1.0)), "value": 0.0}),
    "Gelu": lambda s: Mapped("gelu", {"approximate": str(s.get("approximate", "none"))}),
    "Swish": lambda s: Mapped("silu" if float(s.get("alpha", 1.0)) == 1.0 else "other:Swish"),
    "Softmax": _softmax("softmax"), "LogSoftmax": _softmax("log_softmax"), "Clip": _clip, "Dropout": _dropout,
    "ReduceMean": _reduce("mean"), "ReduceSum": _reduce("sum"), "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"), "ReduceProd": _reduce("prod"), "ReduceL2": _reduce("norm"),
    "ReduceL1": _reduce("norm"), "ReduceLogSumExp": _reduce("logsumexp"), "ArgMax": _argmax,
    "Add": _arithmetic("add"), "Sub": _arithmetic("sub"), "Mul": _arithmetic("mul"), "Div": _arithmetic("div"),
    "Pow": _arithmetic("pow"), "Sum": _variadic("add"), "Max": _variadic("maximum"), "Min": _variadic("minimum"),
    "Mean": _variadic(""), "Where": lambda s: Mapped("where", {}, ("condition", "input", "other")),
    "Equal": _compare("eq"), "Greater": _compare("gt"), "GreaterOrEqual": _compare("ge"), "Less": _compare("lt"),
    "LessOrEqual": _compare("le"), "CumSum": _cumsum, "TopK": _top,
}  # fmt: skip
