"""Owns Keras's activations: as a layer's own, as layers, and as functions of keras.ops."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from nn3d.extract.readers.keras.build import Sym
from nn3d.extract.readers.keras.rules import Applied, NoRuleError, Rule
from nn3d.run.model import JSON

# Names of functions, as "activation" and as layers, that are one canonical operation without arguments.
_FUNCTIONS = {
    "relu": "relu", "relu6": "relu6", "sigmoid": "sigmoid", "tanh": "tanh", "selu": "selu", "softplus": "softplus",
    "softsign": "softsign", "swish": "silu", "silu": "silu", "mish": "mish", "exponential": "exp", "exp": "exp",
    "hard_silu": "hardswish", "hard_swish": "hardswish", "log_sigmoid": "log_sigmoid", "tanh_shrink": "tanhshrink",
    "square": "square", "sqrt": "sqrt", "rsqrt": "rsqrt", "abs": "abs", "absolute": "abs", "negative": "neg",
    "sin": "sin", "cos": "cos", "log": "log", "erf": "erf", "reciprocal": "reciprocal", "floor": "floor",
    "sign": "sign", "round": "round",
}  # fmt: skip
_WITH_NUMBERS: dict[str, tuple[str, dict[str, JSON]]] = {
    "elu": ("elu", {"alpha": 1.0}), "leaky_relu": ("leaky_relu", {"negative_slope": 0.2}),
    "celu": ("celu", {"alpha": 1.0}), "hard_tanh": ("hardtanh", {"min_val": -1.0, "max_val": 1.0}),
    "hard_shrink": ("hardshrink", {"lambd": 0.5}), "soft_shrink": ("softshrink", {"lambd": 0.5}),
    "gelu": ("gelu", {"approximate": "none"}),
}  # fmt: skip


def activated(a: Applied, sym: Sym, name: str = "activation") -> Sym:
    """The layer's own activation after it, below its name; nothing where it is linear."""
    found = function_name(a.config.get(name))
    return sym if found == "linear" else function(a, sym, found, found)


def function_name(given: JSON) -> str:
    """An activation as its config has it: a word, or an object of a class or function."""
    if isinstance(given, Mapping):
        config = given.get("config")
        if isinstance(config, str):
            return config
        kind = str(given.get("class_name", ""))
        plain = {"ReLU": "relu", "Softmax": "softmax", "LeakyReLU": "leaky_relu", "ELU": "elu"}.get(kind)
        if plain is None or (isinstance(config, Mapping) and config.get("max_value") is not None):
            raise NoRuleError(f"with the activation {kind[:40]}")
        return plain
    return "linear" if given is None else str(given)


def function(a: Applied, sym: Sym, name: str, node: str) -> Sym:
    """An activation by its name, as a node called so below the layer's."""
    if name in _FUNCTIONS:
        return a.same(_FUNCTIONS[name], node, sym)
    if name in _WITH_NUMBERS:
        op, attributes = _WITH_NUMBERS[name]
        return a.same(op, node, sym, attributes=attributes)
    if name in ("softmax", "log_softmax"):
        return softened(a, sym, name, node, -1)
    if name == "hard_sigmoid":
        return _hard_sigmoid(a, sym, node)
    raise NoRuleError(f"with the activation {name[:40]}")


def softened(a: Applied, sym: Sym, op: str, node: str, axis: int) -> Sym:
    """softmax along an axis of the source's."""
    return a.same(op, node, sym, attributes={"dim": sym.axis(axis)})


def _hard_sigmoid(a: Applied, sym: Sym, node: str) -> Sym:
    """Keras 3: relu6(x + 3) / 6. Before: 0.2 x + 0.5 between 0 and 1."""
    if a.builder.version >= 3:
        return a.same("hardsigmoid", node, sym)
    steep = a.same("mul", f"{node}.mul" if node else "mul", sym, attributes={"other": 0.2})
    moved = a.same("add", f"{node}.add" if node else "add", steep, attributes={"other": 0.5})
    return a.same("clamp", node, moved, attributes={"min": 0.0, "max": 1.0})


def _activation(a: Applied) -> Sym:
    name = function_name(a.config.get("activation"))
    return a.same("identity", "", a.x) if name == "linear" else function(a, a.x, name, "")


def _relu(a: Applied) -> Sym:
    top = None if a.config.get("max_value") is None else a.number("max_value", 0.0)
    slope = a.number("negative_slope", 0.0) if "negative_slope" in a.config else a.number("alpha", 0.0)
    if a.number("threshold", 0.0) != 0.0 or (slope and top is not None):
        raise NoRuleError("with a threshold, or a slope and a limit")
    if slope:
        return a.same("leaky_relu", "", a.x, attributes={"negative_slope": slope})
    if top is None or top == 6.0:
        return a.same("relu" if top is None else "relu6", "", a.x)
    return a.same("clamp", "", a.x, attributes={"min": 0.0, "max": top})


def _leaky(a: Applied) -> Sym:
    name = "negative_slope" if "negative_slope" in a.config else "alpha"
    return a.same("leaky_relu", "", a.x, attributes={"negative_slope": a.number(name, 0.3)})


def _softmax(a: Applied) -> Sym:
    axis = a.config.get("axis", -1)
    if len(a.tensors) > 1 or not isinstance(axis, int):
        raise NoRuleError("with a mask or several axes")
    return softened(a, a.x, "softmax", "", axis)


def _prelu(a: Applied) -> Sym:
    """One slope a channel, or one for all."""
    alpha = a.weights.get(["alpha"]).get("alpha")
    sym = a.builder.last(a.x) if a.x.flat else a.x
    if alpha is None or prod(alpha.shape) not in (1, sym.shape[-1]) or alpha.shape[-1] != prod(alpha.shape):
        raise NoRuleError("with slopes by place")
    sym, n = a.builder.first(sym), prod(alpha.shape)
    weight = a.builder.parameter(alpha, (n,), ("out",), lambda v: v.reshape(-1))
    return a.same("prelu", "", sym, parameters={} if weight is None else {"weight": weight})


def _function(name: str) -> Rule:
    return lambda a: function(a, a.builder.last(a.x) if name.endswith("softmax") and a.x.flat else a.x, name, "")


_OPERATIONS = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Silu": "silu", "Tanh": "tanh", "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Elu": "elu", "Selu": "selu", "Softplus": "softplus",
    "Softsign": "softsign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Square": "square", "Absolute": "abs",
    "Negative": "negative", "Sin": "sin", "Cos": "cos", "Erf": "erf", "Rsqrt": "rsqrt",
}  # fmt: skip
RULES: dict[str, Rule] = {
    "Activation": _activation, "ReLU": _relu, "LeakyReLU": _leaky, "Softmax": _softmax, "PReLU": _prelu,
    "ELU": lambda a: a.same("elu", "", a.x, attributes={"alpha": a.number("alpha", 1.0)}),
    **{name: _function(word) for name, word in _OPERATIONS.items()},
}  # fmt: skip
