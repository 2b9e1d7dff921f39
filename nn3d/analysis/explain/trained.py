"""Owns where the weight and bias of an operation come from: a parameter, or a value that the network computes itself.

A computed weight (weight norm, a transposed or tied one) lies as torch has it: (in, out) of addmm, and
(in, out / groups, kernel) of transposed convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nn3d.analysis.contribution import TRANSPOSED_DIMS
from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape
from nn3d.analysis.explain.terms import I64, Reading, Ref, Unknown
from nn3d.run.model import Node


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of a node.

    shape : canonical, (out, in / groups, *kernel). parameter, or ref : where it lies. n_each : of a value that has in
    before out, the output channels of one group, else 0.
    """

    shape: Shape
    parameter: int | None
    ref: Ref | None = None
    n_each: int = 0

    def read(self, context: Context, number: I64) -> Reading:
        """Entries at flat numbers of the canonical shape; −1 gives 0."""
        if self.parameter is not None:
            return context.parameter(self.parameter, number)
        assert self.ref is not None
        return context.read(self.ref, self._turned(number) if self.n_each else number)

    def _turned(self, number: I64) -> I64:
        """Flat numbers in (in, out / groups, *kernel)."""
        n_in, size = self.shape[1], prod(self.shape[2:])
        o, i, k = number // (n_in * size), number // size % n_in, number % size
        found = ((o // self.n_each * n_in + i) * self.n_each + o % self.n_each) * size + k
        return np.where(number >= 0, found, -1).astype(np.int64)


def weights_of(context: Context, node: Node) -> Weights:
    """Where the weight of a convolution, a linear layer or an embedding lies. Raises Unknown where it is not known."""
    parameter = node.parameters.get("weight")
    if parameter is not None:
        return Weights(context.run.parameter_info(parameter).shape, parameter)
    ref, turned = context.argument(node, "weight"), context.argument(node, "mat2")
    if ref is None and turned is None:
        raise Unknown(f"the weight of {node.name} was not recorded")
    if ref is not None and node.op not in TRANSPOSED_DIMS:
        return Weights(_weight_shape(context, node, ref), None, ref)
    home = ref or turned
    assert home is not None
    shape = _weight_shape(context, node, home)
    groups = max(1, int(node.attributes.get("groups") or 1))
    return Weights((shape[1] * groups, shape[0] // groups, *shape[2:]), None, home, shape[1])


def _weight_shape(context: Context, node: Node, ref: Ref) -> Shape:
    shape = context.shape(ref)
    if context.output(ref).per_sample or len(shape) < 2:
        raise Unknown(f"the weight of {node.name} is another one for each sample")
    return shape


def bias_of(context: Context, node: Node, channel: I64) -> Reading | None:
    """The bias of channels (n,), or None where there is none."""
    ref = context.argument(node, "bias")
    if ref is None:
        return context.role(node, "bias", channel)
    size = prod(context.shape(ref))
    return context.read(ref, channel[:, None] % max(1, size)).column(0)


def input_of(context: Context, node: Node) -> Ref:
    """What is multiplied by the weight."""
    return context.argument(node, "input") or context.only(node)
