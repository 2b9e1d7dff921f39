"""Owns which operations can be explained: canonical name → the function that gives the terms of a batch of cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn3d.analysis.contribution import CONV_DIMS, TRANSPOSED_DIMS
from nn3d.analysis.explain import (
    arithmetic,
    functions,
    lookups,
    moves,
    multihead,
    norms,
    pointwise,
    pooling,
    products,
    recurrent,
    recurrent_cells,
    reductions,
    resizing,
    shares,
    unfolding,
    weighted,
)
from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.terms import I64, Terms, Unknown
from nn3d.run.model import Node
from nn3d.run.ops import OPS

# A function of (context, node, output number, cells (n, axes)).
Explainer = Callable[[Context, Node, int, I64], Terms]

EXPLAINERS: dict[str, Explainer] = {
    **dict.fromkeys([*CONV_DIMS, *TRANSPOSED_DIMS], weighted.convolution),
    "linear": weighted.linear,
    "bilinear": products.bilinear,
    "embedding": weighted.embedding,
    "embedding_bag": weighted.embedding_bag,
    **dict.fromkeys(functions.NAMES, pointwise.activation),
    "prelu": pointwise.prelu,
    **dict.fromkeys(("dropout", "alpha_dropout", "drop_path", "cast"), pointwise.identity),
    **{name: moves.same_order for name, op in OPS.items() if op.keeps_order},
    **dict.fromkeys(("permute", "transpose"), moves.permuted),
    "expand": moves.expanded,
    **dict.fromkeys(("concat", "stack"), moves.joined),
    **dict.fromkeys(("split", "chunk", "unbind"), moves.split),
    "slice": lookups.taken,
    **dict.fromkeys(("gather", "index_select"), lookups.looked_up),
    "other:__setitem__": lookups.written,
    **dict.fromkeys(("other:triu", "other:tril"), lookups.triangle),
    **dict.fromkeys(("flip", "roll", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"), moves.shuffled),
    **{f"{kind}max_pool{d}d": pooling.max_pool for kind in ("", "adaptive_") for d in (1, 2, 3)},
    **{f"{kind}avg_pool{d}d": pooling.avg_pool for kind in ("", "adaptive_") for d in (1, 2, 3)},
    **dict.fromkeys(("mean", "sum", "max", "min"), pooling.reduced),
    **dict.fromkeys(("var", "std"), reductions.spread),
    **dict.fromkeys(("norm", "other:linalg_vector_norm"), reductions.length),
    "logsumexp": reductions.log_sum,
    "prod": reductions.product_of,
    "cumsum": reductions.running_sum,
    **dict.fromkeys(("argmax", "argmin", "other:argmin"), reductions.place),
    "topk": reductions.top,
    "one_hot": reductions.one_hot,
    "batch_norm": norms.batch_norm,
    **dict.fromkeys(("layer_norm", "rms_norm"), norms.row_norm),
    **dict.fromkeys(("group_norm", "instance_norm"), norms.group_norm),
    "local_response_norm": norms.local_response,
    "normalize": norms.unit,
    **dict.fromkeys(("softmax", "log_softmax", "softmin"), shares.softmax),
    "attention": shares.attention,
    "multi_head_attention": multihead.multi_head,
    **dict.fromkeys(("add", "sub"), arithmetic.added),
    **dict.fromkeys(("mul", "div"), arithmetic.multiplied),
    "pow": arithmetic.power,
    **dict.fromkeys(("maximum", "minimum"), arithmetic.extreme),
    **dict.fromkeys(("where", "masked_fill"), arithmetic.choice),
    "compare": arithmetic.compared,
    "other:glu": arithmetic.gated,
    "matmul": products.matrix_product,
    "einsum": products.einsum,
    "interpolate": resizing.interpolate,
    "unfold": unfolding.unfolded,
    "fold": unfolding.folded,
    **dict.fromkeys(("lp_pool1d", "lp_pool2d"), pooling.power_pool),
    "pad": resizing.padded,
    **dict.fromkeys(("lstm", "gru", "rnn"), recurrent.layer),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_cell"), recurrent_cells.single_step),
}
# What numpy says about attributes and shapes that no operation has: they come from a file, whoever wrote it.
UNFIT = (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, OverflowError, AttributeError, MemoryError)
_GIVEN = {"input": "an input", "parameter": "a parameter", "constant": "a constant"}


def terms_of(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The terms of cells of a node's output. Raises Unknown where the operation is not known, or not like this."""
    if node.op in _GIVEN:
        raise Unknown(f"{node.name} is {_GIVEN[node.op]}: it is given, not computed")
    explainer = EXPLAINERS.get(node.op)
    if explainer is None:
        raise Unknown(f"the operation {node.op.removeprefix('other:')} of {node.name} is not known")
    try:
        with np.errstate(all="ignore"):  # NaN and ±∞ are values like others: they come out as they do in the network
            return explainer(context, node, output, cells)
    except UNFIT as why:
        raise Unknown(f"the attributes and shapes of {node.name} do not fit together ({why})") from why
