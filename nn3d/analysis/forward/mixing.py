"""What mixes values: linear layers, embeddings, matrix products, reductions, and attention over tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn3d.analysis.forward.pointwise import softmax
from nn3d.analysis.forward.step import Result, Rule, Step, as_float
from nn3d.run.model import Array


def _linear(step: Step) -> Result:
    """Of the last axis; of all cells in C order where there are as many as the weight has columns."""
    w, bias, x = step.must("weight"), step.weight("bias"), as_float(step.x)
    if x.shape[-1] != w.shape[1] and x.size == len(x) * w.shape[1]:
        x = x.reshape(len(x), -1)
    found = np.matmul(x, w.T)
    return found if bias is None else found + bias


def _embedding(step: Step) -> Result:
    if step.node.attributes.get("max_norm") is not None:
        raise step.unknown("with max_norm")
    w, words = step.must("weight"), step.x.astype(np.int64)
    if words.size and (words.min() < 0 or words.max() >= len(w)):
        raise step.unknown(f"of {len(w)} words, asked for word {int(np.abs(words).max())}")
    return w[words]


def _matmul(step: Step) -> Result:
    names = [name for name, _ in step.inputs]
    other = next((n for n in ("other", "mat2", "batch2", "tensor2", "vec2") if n in names), None)
    if other is None or "input" not in names:
        if len(step.inputs) != 2:
            raise step.unknown("of other than two arrays")
        return np.matmul(step.inputs[0][1], step.inputs[1][1])
    found = np.matmul(step.operand("input"), step.operand(other))
    bias = step.weight("bias")
    return found if bias is None else found + bias


def _einsum(step: Step) -> Result:
    equation = step.node.attributes.get("equation")
    if not isinstance(equation, str):
        raise step.unknown("with an equation that was not recorded")
    return np.asarray(np.einsum(equation, *[values for _, values in step.inputs]))


def _reduced(function: Callable[..., Array]) -> Rule:
    def rule(step: Step) -> Result:
        dims = step.dims()
        return np.asarray(function(step.x, axis=dims, keepdims=step.flag("keepdim"))).reshape(step.shape())

    return rule


def _extreme(function: Callable[..., Array], place: Callable[..., Array], pair: Callable[..., Array]) -> Rule:
    """Over all, along a dimension with its places, or of two arrays."""

    def rule(step: Step) -> Result:
        if step.named("other") is not None or len(step.inputs) > 1:
            return pair(step.inputs[0][1], step.inputs[1][1])
        dims, keep = step.dims(), step.flag("keepdim")
        found = np.asarray(function(step.x, axis=dims, keepdims=keep)).reshape(step.shape())
        if len(step.node.outputs) < 2 or dims is None:
            return found
        return found, np.asarray(place(step.x, axis=dims[0], keepdims=keep)).reshape(step.shape(1))

    return rule


def _spread(*, is_root: bool) -> Rule:
    def rule(step: Step) -> Result:
        found = step.node.attributes
        one = found.get("correction", int(found.get("unbiased", True)))
        variance = np.var(step.x, axis=step.dims(), keepdims=step.flag("keepdim"), ddof=int(one))
        return np.asarray(np.sqrt(variance) if is_root else variance).reshape(step.shape())

    return rule


def _norm(step: Step) -> Result:
    p = step.node.attributes.get("p", step.node.attributes.get("ord", 2))
    p = 2.0 if p in ("fro", None) else float(p)
    sums = np.sum(np.abs(step.x) ** p, axis=step.dims(), keepdims=step.flag("keepdim"))
    return np.asarray(sums ** (1.0 / p)).reshape(step.shape())


def _logsumexp(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    top = x.max(axis=axis, keepdims=True)
    found = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return np.asarray(found if keepdims else np.squeeze(found, axis))


def _attention(step: Step) -> Result:
    """softmax(QKᵀ/√d + mask) V (Vaswani et al. 2017); the weights too where the run has them."""
    query, key, value = (step.named(name) for name in ("query", "key", "value"))
    if query is None or key is None or value is None:
        raise step.unknown("without query, key and value")
    if step.flag("enable_gqa"):
        times = query.shape[-3] // key.shape[-3]
        key, value = np.repeat(key, times, -3), np.repeat(value, times, -3)
    scale = step.number("scale", query.shape[-1] ** -0.5)
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * np.float32(scale)
    mask = step.weight("attn_mask")
    if mask is not None:
        scores = scores + mask
    if step.flag("is_causal"):
        later = np.triu(np.ones(scores.shape[-2:], bool), 1)
        scores = np.where(later, -np.inf, scores)
    weights = as_float(softmax(scores, -1))
    mixed = np.matmul(weights, value)
    return (mixed, weights) if len(step.node.outputs) > 1 else mixed


RULES: dict[str, Rule] = {
    "linear": _linear,
    "embedding": _embedding,
    "matmul": _matmul,
    "einsum": _einsum,
    "attention": _attention,
    "mean": _reduced(np.mean),
    "sum": _reduced(np.sum),
    "prod": _reduced(np.prod),
    "logsumexp": _reduced(_logsumexp),
    "max": _extreme(np.max, np.argmax, np.maximum),
    "min": _extreme(np.min, np.argmin, np.minimum),
    "argmax": lambda s: np.asarray(np.argmax(s.x, s.dim(), keepdims=s.flag("keepdim"))).reshape(s.shape()),
    "cumsum": lambda s: np.cumsum(s.x, s.dim()),
    "norm": _norm,
    "var": _spread(is_root=False),
    "std": _spread(is_root=True),
}
