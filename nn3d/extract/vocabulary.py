"""Owns torch's names that mean something special to a trace, and how attributes are written in a run."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from nn3d.extract.calls import Call
from nn3d.run.model import JSON

# Arguments that are parameters by role when a trained tensor is bound to them.
ROLES = ("weight", "bias", "running_mean", "running_var", "in_proj_", "out_proj_", "q_proj_", "k_proj_", "v_proj_")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Calls whose result is the same value in another place, type or wrapper.
TRANSPARENT = _names(
    "contiguous detach detach_ clone alias data to cpu cuda type type_as float half bfloat16 double long int bool "
    "requires_grad_ as_subclass resolve_conj resolve_neg"
)
# Calls whose result does not depend on the values of their arguments.
EMPTY = _names(
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full new_tensor "
    "numpy tolist item size dim shape"
)
DROPOUT = _names("dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout")
MATMUL = _names("matmul mm __matmul__ addmm")
SCALING = _names("add mul sub div")

_RELATIONS = {
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "equal": "eq",
    "not_equal": "ne",
}


def described(op: str, call: Call, attributes: Mapping[str, JSON]) -> dict[str, JSON]:
    """Strides and the like as one number an axis of space; a pool's stride is its kernel when not given.

    A comparison says which: eq, ne, lt, gt, le, ge.
    """
    found = dict(attributes)
    if op == "compare":
        found["relation"] = _RELATIONS.get(call.name.strip("_"), call.name.strip("_"))
    if call.name == "rnn_relu_cell":
        found["nonlinearity"] = "relu"
    rank = int(op[-2]) if op[-1:] == "d" and op[-2:-1].isdigit() else 0
    if not rank:
        return found
    if "pool" in op and "kernel_size" in found and "adaptive" not in op:
        found.setdefault("stride", found["kernel_size"])
        found["stride"] = found["stride"] or found["kernel_size"]
        found.setdefault("padding", 0)
    if op.startswith("conv"):
        for name, value in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            found.setdefault(name, value)
        weight = call.arguments.get("weight")
        if isinstance(weight, torch.Tensor):
            found["kernel_size"] = list(weight.shape[2:])
        found["transposed"] = op.startswith("conv_transpose")
    for name in ("stride", "padding", "dilation", "kernel_size", "output_padding", "output_size"):
        if isinstance(found.get(name), int):
            found[name] = [found[name]] * rank
    if found.get("padding") in ("same", "valid"):
        found["padding"] = _padding(found)
    return found


def _padding(attributes: Mapping[str, JSON]) -> list[JSON]:
    if attributes["padding"] == "valid":
        return [0] * len(attributes["kernel_size"])
    pairs = zip(attributes["kernel_size"], attributes["dilation"], strict=True)
    total = [(k - 1) * d for k, d in pairs]
    return [t // 2 if t % 2 == 0 else [t // 2, t - t // 2] for t in total]
