"""Owns the boxes that windows look at: convolutions, plain and transposed, and pools, exactly and axis by axis."""

from __future__ import annotations

import numpy as np

from nn3d.analysis.contribution import CONV_DIMS, TRANSPOSED_DIMS
from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.explanation import Box
from nn3d.analysis.explain.geometry import Shape
from nn3d.analysis.explain.terms import I64, Ref, Unknown
from nn3d.analysis.explain.trained import input_of, weights_of
from nn3d.analysis.windows import each, padding_of
from nn3d.run.model import Node

# Places along one axis that are looked at one by one.
_MOST = 1 << 24
_WINDOWS = {*CONV_DIMS, *TRANSPOSED_DIMS, *(f"{kind}_pool{d}d" for kind in ("max", "avg", "lp") for d in (1, 2, 3))}


def has_window(node: Node) -> bool:
    """Whether a node looks at its source through a window that moves with its cells."""
    return node.op in _WINDOWS


def window_box(context: Context, node: Node, box: Box) -> tuple[Ref, Box]:
    """What a box of the output looks at; () where all of it lies in the padding."""
    n = int(node.op[-2])
    lead = len(box) - n - 1
    if node.op in CONV_DIMS or node.op in TRANSPOSED_DIMS:
        ref, weight = input_of(context, node), weights_of(context, node)
        each_group = max(1, weight.shape[0] // max(1, int(node.attributes.get("groups") or 1)))
        (a, b), n_in = box[lead], weight.shape[1]
        channels, kernel = (a // each_group * n_in, ((b - 1) // each_group + 1) * n_in), weight.shape[2:]
        attributes = dict(node.attributes)
    else:
        ref, kernel, channels = context.only(node), each(node.attributes.get("kernel_size"), n), box[lead]
        attributes = {**node.attributes, "stride": node.attributes.get("stride") or list(kernel)}
    sizes, pads = context.shape(ref)[lead + 1 :], padding_of(attributes, kernel)
    stride, dilation = each(attributes.get("stride"), n), each(attributes.get("dilation"), n)
    if min(stride) < 1:
        raise Unknown(f"the stride of {node.name} is {stride}")
    found = [*box[:lead], channels]
    for d in range(n):
        if (box[lead + 1 + d][1] - box[lead + 1 + d][0]) * kernel[d] > _MOST:
            raise Unknown(f"the kernel of {node.name} is {kernel}")
        out, k = np.arange(*box[lead + 1 + d])[:, None], np.arange(kernel[d])
        places = _places(out, k, (stride[d], pads[d][0], dilation[d]), node.op in TRANSPOSED_DIMS)
        inside = places[(places >= 0) & (places < sizes[d])]
        if not inside.size:
            return ref, ()
        found.append((int(inside.min()), int(inside.max()) + 1))
    return ref, tuple(found)


def _places(out: I64, k: I64, how: Shape, is_transposed: bool) -> I64:
    """Where kernel cells lie on the source, −1 where a transposed one lies between two cells."""
    stride, pad, dilation = how
    if not is_transposed:
        return out * stride - pad + k * dilation
    shifted = out + pad - k * dilation
    return np.where(shifted % stride == 0, shifted // stride, -1)
