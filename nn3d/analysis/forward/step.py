"""One operation about to be computed: its node, the arrays it reads, its weights, and its attributes by name.

Arrays are float32 with samples first where the output has samples, (N, *shape); dimensions in attributes count so too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn3d.errors import Nn3dError
from nn3d.run.model import Array, FloatArray, Node

Result = Any  # an array, or a tuple of arrays, one an output
Rule = Callable[["Step"], Result]


class ForwardError(Nn3dError):
    """Arithmetic that nn3d does not know; the text says which operation, and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """A node with what it reads.

    inputs : (argument, values) in the node's order. n : samples. weights : parameter id → values as float32.
    names : what the outputs that it reads are called, as the inputs; "" for most.
    """

    node: Node
    inputs: tuple[tuple[str, Array], ...]
    n: int
    weights: Callable[[int], FloatArray]
    names: tuple[str, ...] = ()

    @property
    def x(self) -> Array:
        """What it reads first."""
        if not self.inputs:
            raise ForwardError(f"{self.node.name}: {self.node.op} reads nothing that is known")
        return self.inputs[0][1]

    def named(self, argument: str) -> Array | None:
        """What is bound to an argument, else None."""
        return next((values for name, values in self.inputs if name == argument), None)

    def weight(self, role: str) -> FloatArray | None:
        """A parameter by its role, or what was bound to that argument instead; None when there is none."""
        if role in self.node.parameters:
            return self.weights(self.node.parameters[role])
        return self.named(role)

    def must(self, role: str) -> FloatArray:
        """A parameter that there has to be."""
        found = self.weight(role)
        if found is None:
            raise ForwardError(f"{self.node.name}: {self.node.op} has no {role}")
        return found

    def number(self, name: str, default: float) -> float:
        """A numeric attribute; infinities stand as text."""
        found = self.node.attributes.get(name, default)
        return float(default if found is None else found)

    def flag(self, name: str) -> bool:
        """A yes or no among the attributes, no when absent."""
        return bool(self.node.attributes.get(name, False))

    def text(self, name: str, default: str) -> str:
        """A word among the attributes."""
        return str(self.node.attributes.get(name, default))

    def operand(self, argument: str) -> Array | float:
        """One side of arithmetic: an array, a parameter, or a number among the attributes."""
        found = self.weight(argument)
        if found is not None:
            return found
        if argument in self.node.attributes:
            return self.number(argument, 0.0)
        raise ForwardError(f"{self.node.name}: {self.node.op} has no {argument}")

    def dims(self, name: str = "dim") -> tuple[int, ...] | None:
        """Dimensions of an attribute; None where it says none: all of them."""
        found = self.node.attributes.get(name)
        if found is None:
            return None
        return tuple(int(d) for d in found) if isinstance(found, list) else (int(found),)

    def dim(self, default: int = -1) -> int:
        """The one dimension it works along."""
        found = self.dims()
        return default if found is None else found[0]

    def shape(self, output: int = 0) -> tuple[int, ...]:
        """Shape of an output, samples included where it has them."""
        info = self.node.outputs[output]
        return (self.n, *info.shape) if info.per_sample else info.shape

    def space(self, name: str, rank: int, default: int) -> tuple[int, ...]:
        """An attribute with one whole number an axis of space, or one for all."""
        found = self.node.attributes.get(name, default)
        if found is None:
            found = default
        numbers = found if isinstance(found, list) else [found] * rank
        if len(numbers) == 1:
            numbers = numbers * rank
        if len(numbers) != rank or not all(isinstance(v, int) for v in numbers):
            raise ForwardError(f"{self.node.name}: {self.node.op} with {name} {found}")
        return tuple(int(v) for v in numbers)

    def unknown(self, why: str) -> ForwardError:
        """The error that says what of this node is not known."""
        return ForwardError(f"{self.node.name}: {self.node.op} {why}")


def as_float(values: Array) -> FloatArray:
    """float32, contiguous."""
    return np.ascontiguousarray(values, np.float32)
