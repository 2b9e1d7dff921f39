"""Owns which operations can be explained: canonical name → the function that gives the terms of a batch of cells."""

from __future__ import annotations

from collections.abc import Callable

from nn3d.analysis.contribution import CONV_DIMS, TRANSPOSED_DIMS
from nn3d.analysis.explain import functions, moves, pointwise, pooling, weighted
from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.terms import I64, Terms, Unknown
from nn3d.run.model import Node

# A function of (context, node, output number, cells (n, axes)).
Explainer = Callable[[Context, Node, int, I64], Terms]

EXPLAINERS: dict[str, Explainer] = {
    **dict.fromkeys([*CONV_DIMS, *TRANSPOSED_DIMS], weighted.convolution),
    "linear": weighted.linear,
    "embedding": weighted.embedding,
    **dict.fromkeys(functions.NAMES, pointwise.activation),
    "prelu": pointwise.prelu,
    **dict.fromkeys(("identity", "flatten", "reshape", "squeeze", "unsqueeze", "contiguous"), moves.same_order),
    **dict.fromkeys(("permute", "transpose"), moves.permuted),
    "expand": moves.expanded,
    **{f"{kind}max_pool{d}d": pooling.max_pool for kind in ("", "adaptive_") for d in (1, 2, 3)},
    **{f"{kind}avg_pool{d}d": pooling.avg_pool for kind in ("", "adaptive_") for d in (1, 2, 3)},
    **dict.fromkeys(("mean", "sum", "max", "min"), pooling.reduced),
    **dict.fromkeys(("dropout", "alpha_dropout", "drop_path", "cast"), pointwise.identity),
}


_GIVEN = {"input": "an input", "parameter": "a parameter", "constant": "a constant"}


def terms_of(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The terms of cells of a node's output. Raises Unknown where the operation is not known."""
    if node.op in ("input", "parameter", "constant"):
        raise Unknown(f"{node.name} is {_GIVEN[node.op]}: it is given, not computed")
    explainer = EXPLAINERS.get(node.op)
    if explainer is None:
        raise Unknown(f"the operation {node.op.removeprefix('other:')} of {node.name} is not known")
    return explainer(context, node, output, cells)
