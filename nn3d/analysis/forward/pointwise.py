"""Element-wise functions: activations, and arithmetic of two arrays with broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nn3d.analysis.forward.step import Result, Rule, Step
from nn3d.run.model import Array

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def erf(x: Array) -> Array:
    """The error function, to 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26)."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x, dtype=np.float64))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1.0 - poly * np.exp(-np.square(x, dtype=np.float64)))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """log(1 + e^βx) / β; x itself where βx is above the threshold."""
    scaled = beta * x
    return np.where(scaled > threshold, x, np.logaddexp(0.0, scaled) / beta)


def softmax(x: Array, axis: int) -> Array:
    """e^x over its sum along an axis."""
    top = np.max(x, axis, keepdims=True)
    powers = np.exp(x - np.where(np.isfinite(top), top, 0.0))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


def log_softmax(x: Array, axis: int) -> Array:
    """log of softmax."""
    low = x - x.max(axis, keepdims=True)
    return np.asarray(low - np.log(np.exp(low).sum(axis, keepdims=True)))


def _gelu(step: Step) -> Result:
    """Hendrycks & Gimpel 2016, exact or by tanh."""
    x = step.x
    if step.text("approximate", "none") == "tanh":
        return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))


def _prelu(step: Step) -> Result:
    w, x = step.must("weight"), step.x
    slope = w.reshape(1, -1, *[1] * (x.ndim - 2)) if w.size > 1 else w
    return np.where(x > 0, x, slope * x)


def _clamp(step: Step) -> Result:
    low, high = (
        step.weight(n) if step.weight(n) is not None else step.number(n, d)
        for n, d in (("min", -np.inf), ("max", np.inf))
    )
    return np.clip(step.x, low, high)


def _hard(step: Step) -> Result:
    return np.clip(step.x, step.number("min_val", -1.0), step.number("max_val", 1.0))


def _elu(step: Step) -> Result:
    alpha = step.number("alpha", 1.0)
    return np.where(step.x > 0, step.x, alpha * np.expm1(np.minimum(step.x, 0)))


def _celu(step: Step) -> Result:
    alpha = step.number("alpha", 1.0)
    return np.where(step.x > 0, step.x, alpha * np.expm1(np.minimum(step.x, 0) / alpha))


def _threshold(step: Step) -> Result:
    return np.where(step.x > step.number("threshold", 0.0), step.x, step.number("value", 0.0))


def _leaky(step: Step) -> Result:
    """Of a randomised one, the mean slope, as when not training."""
    found = step.node.attributes
    if "lower" in found and "negative_slope" not in found:
        slope = (step.number("lower", 1 / 8) + step.number("upper", 1 / 3)) / 2
    else:
        slope = step.number("negative_slope", 0.01)
    return np.where(step.x > 0, step.x, slope * step.x)


def _shrink(*, is_hard: bool) -> Rule:
    def rule(step: Step) -> Result:
        x, reach = step.x, step.number("lambd", 0.5)
        return np.where(np.abs(x) > reach, x if is_hard else x - np.sign(x) * reach, 0.0)

    return rule


def _of(function: Callable[[Array], Array]) -> Rule:
    return lambda step: function(step.x)


def _pair(function: Callable[..., Array]) -> Rule:
    def rule(step: Step) -> Result:
        a, b = step.operand("input"), step.operand("other")
        scale = step.number("alpha", 1.0)
        return np.asarray(function(a, b if scale == 1.0 else np.multiply(b, scale)))

    return rule


def _divide(step: Step) -> Result:
    found = np.true_divide(step.operand("input"), step.operand("other"))
    mode = step.text("rounding_mode", "")
    return np.asarray({"floor": np.floor, "trunc": np.trunc}.get(mode, np.asarray)(found))


def _power(step: Step) -> Result:
    name = "exponent" if step.named("exponent") is not None or "exponent" in step.node.attributes else "other"
    return np.asarray(np.power(step.operand("input"), step.operand(name)))


def _where(step: Step) -> Result:
    condition = step.named("condition")
    if condition is None:
        raise step.unknown("without a condition")
    return np.where(condition != 0, step.operand("input"), step.operand("other"))


def _filled(step: Step) -> Result:
    mask = step.named("mask")
    if mask is None:
        raise step.unknown("without a mask")
    return np.where(mask != 0, step.operand("value"), step.x)


def _softened(function: Callable[[Array, int], Array], sign: float = 1.0) -> Rule:
    def rule(step: Step) -> Result:
        if step.dims() is None:
            raise step.unknown("without a dimension")
        return function(sign * step.x, step.dim())

    return rule


RULES: dict[str, Rule] = {
    "relu": lambda s: np.maximum(s.x, 0),
    "relu6": lambda s: np.clip(s.x, 0, 6),
    "leaky_relu": _leaky,
    "prelu": _prelu,
    "elu": _elu,
    "celu": _celu,
    "selu": lambda s: _SELU_SCALE * np.where(s.x > 0, s.x, _SELU_ALPHA * np.expm1(np.minimum(s.x, 0))),
    "gelu": _gelu,
    "silu": lambda s: s.x * sigmoid(s.x),
    "mish": lambda s: s.x * np.tanh(softplus(s.x)),
    "sigmoid": _of(sigmoid),
    "hardtanh": _hard,
    "hardswish": lambda s: s.x * np.clip(s.x + 3, 0, 6) / 6,
    "hardsigmoid": lambda s: np.clip(s.x + 3, 0, 6) / 6,
    "softplus": lambda s: softplus(s.x, s.number("beta", 1.0), s.number("threshold", 20.0)),
    "softsign": lambda s: s.x / (1 + np.abs(s.x)),
    "log_sigmoid": lambda s: -softplus(-s.x),
    "softmax": _softened(softmax),
    "log_softmax": _softened(log_softmax),
    "softmin": _softened(softmax, -1.0),
    "threshold": _threshold,
    "clamp": _clamp,
    "tanhshrink": lambda s: s.x - np.tanh(s.x),
    "softshrink": _shrink(is_hard=False),
    "hardshrink": _shrink(is_hard=True),
    "rsqrt": lambda s: 1 / np.sqrt(s.x),
    "reciprocal": lambda s: 1 / s.x,
    "erf": _of(erf),
    **{
        name: _of(getattr(np, function))
        for name, function in (
            ("tanh", "tanh"), ("exp", "exp"), ("log", "log"), ("sqrt", "sqrt"), ("square", "square"), ("abs", "abs"),
            ("neg", "negative"), ("sin", "sin"), ("cos", "cos"), ("floor", "floor"), ("round", "round"),
            ("sign", "sign"),
        )
    },
    "add": _pair(np.add),
    "sub": _pair(np.subtract),
    "mul": _pair(np.multiply),
    "maximum": _pair(np.maximum),
    "minimum": _pair(np.minimum),
    "div": _divide,
    "pow": _power,
    "where": _where,
    "masked_fill": _filled,
}  # fmt: skip
