"""Owns the functions of one number that networks apply, and what a small change of the number does to them.

Formulae as PyTorch documents them; erf after Press et al. (Numerical Recipes, erfc by Chebyshev fit, 1.2e-7 relative).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn3d.analysis.explain.terms import F64, Reading

Function = Callable[[F64], F64]
_ERFC = (
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
)  # fmt: skip
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def erf(x: F64) -> F64:
    """The error function."""
    t = 1.0 / (1.0 + 0.5 * np.abs(x))
    value = t * np.exp(-x * x + np.polynomial.polynomial.polyval(t, np.array(_ERFC)))
    return np.asarray(np.where(x >= 0, 1.0 - value, value - 1.0))


def sigmoid(x: F64) -> F64:
    """1 / (1 + e^−x), without overflow."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e)))


def softplus(x: F64, beta: float = 1.0, threshold: float = 20.0) -> F64:
    """log(1 + e^(βx)) / β, x itself above the threshold."""
    scaled = beta * x
    return np.where(scaled > threshold, x, np.logaddexp(0.0, scaled) / beta)


def _elu(x: F64, alpha: float, inner: float = 1.0) -> F64:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0) * inner))


def _gelu(approximate: str) -> Function:
    if approximate == "tanh":
        return lambda x: 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    return lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))


def _number(attributes: Mapping[str, Any], name: str, default: float) -> float:
    value = attributes.get(name)
    return float(value) if isinstance(value, int | float | str) else default


def _clamped(low: float, high: float) -> Function:
    return lambda x: np.minimum(np.maximum(x, low), high)


def _hard_sigmoid(x: F64) -> F64:
    return np.asarray(np.clip(x + 3.0, 0.0, 6.0) / 6.0)


def _shrunk(x: F64, by: float) -> F64:
    return np.where(x > by, x - by, np.where(x < -by, x + by, 0.0))


_PLAIN: dict[str, Function] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "relu6": _clamped(0.0, 6.0),
    "selu": lambda x: _SELU_SCALE * _elu(x, _SELU_ALPHA),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "hardswish": lambda x: x * _hard_sigmoid(x),
    "hardsigmoid": _hard_sigmoid,
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "log_sigmoid": lambda x: -softplus(-x),
    "tanhshrink": lambda x: x - np.tanh(x),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "square": np.square,
    "abs": np.abs,
    "neg": np.negative,
    "sin": np.sin,
    "cos": np.cos,
    "erf": erf,
    "floor": np.floor,
    "round": np.rint,
    "sign": np.sign,
    "reciprocal": lambda x: 1.0 / x,
}
_WITH_NUMBERS: dict[str, Callable[[Mapping[str, Any]], tuple[Function, str]]] = {
    "leaky_relu": lambda a: _leaky(_number(a, "negative_slope", 0.01)),
    "elu": lambda a: _elu_of(_number(a, "alpha", 1.0)),
    "celu": lambda a: _celu(_number(a, "alpha", 1.0)),
    "gelu": lambda a: _named(_gelu(str(a.get("approximate", "none"))), "gelu({x})"),
    "hardtanh": lambda a: _between(_number(a, "min_val", -1.0), _number(a, "max_val", 1.0)),
    "clamp": lambda a: _between(_number(a, "min", -np.inf), _number(a, "max", np.inf)),
    "softplus": lambda a: _named(
        lambda x: softplus(x, _number(a, "beta", 1.0), _number(a, "threshold", 20.0)), "softplus({x})"
    ),
    "threshold": lambda a: _threshold(_number(a, "threshold", 0.0), _number(a, "value", 0.0)),
    "softshrink": lambda a: _named(lambda x: _shrunk(x, _number(a, "lambd", 0.5)), "softshrink({x})"),
    "hardshrink": lambda a: _named(lambda x: np.where(np.abs(x) > _number(a, "lambd", 0.5), x, 0.0), "hardshrink({x})"),
}


def _named(function: Function, formula: str) -> tuple[Function, str]:
    return function, formula


def _leaky(slope: float) -> tuple[Function, str]:
    return lambda x: np.where(x >= 0, x, slope * x), f"leaky_relu({{x}}, {slope:g})"


def _elu_of(alpha: float) -> tuple[Function, str]:
    return lambda x: _elu(x, alpha), f"elu({{x}}, α = {alpha:g})"


def _celu(alpha: float) -> tuple[Function, str]:
    return lambda x: _elu(x, alpha, 1.0 / alpha), f"celu({{x}}, α = {alpha:g})"


def _between(low: float, high: float) -> tuple[Function, str]:
    return _clamped(low, high), f"clamp({{x}}, {low:g}, {high:g})"


def _threshold(at: float, value: float) -> tuple[Function, str]:
    return lambda x: np.where(x > at, x, value), f"threshold({{x}}, {at:g}, {value:g})"


NAMES = frozenset(_PLAIN) | frozenset(_WITH_NUMBERS)


def function_of_op(op: str, attributes: Mapping[str, Any]) -> tuple[Function, str]:
    """A function of one number, and its formula of "{x}"."""
    if op in _PLAIN:
        return _PLAIN[op], op + "({x})"
    return _WITH_NUMBERS[op](attributes)


def applied(function: Function, x: Reading) -> Reading:
    """f(x), and how far it may be off: the most that f changes over five points of x ± slack, and a tenth more."""
    with np.errstate(all="ignore"):
        value = function(x.values)
        if not (x.slack > 0).any():
            return Reading(value, np.zeros_like(value))
        ends = [np.abs(function(x.values + share * x.slack) - value) for share in (-1.0, -0.5, 0.5, 1.0)]
        return Reading(value, np.nan_to_num(1.1 * np.max(ends, axis=0), nan=0.0))
