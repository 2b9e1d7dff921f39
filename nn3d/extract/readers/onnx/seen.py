"""Owns an ONNX node as the rules of its operator see it, and what such a rule says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nn3d.run.model import JSON, Array

# What a position that only steers an operation is called: shapes, axes, bounds.
SETTING = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A node as a rule sees it.

    attributes : by name. opset : of its domain. shape : raw shape of a value, None when unknown. known : array of a
    value that does not depend on what the inputs hold, else None. n_outputs : how many of its outputs have a name.
    """

    node: Any
    attributes: Mapping[str, Any]
    opset: int
    shape: Callable[[str], tuple[int, ...] | None]
    known: Callable[[str], Array | None]
    fixed: Callable[[str], bool]

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def name(self, position: int) -> str:
        """The value at an input position, "" where there is none."""
        return self.node.input[position] if position < len(self.node.input) else ""

    def numbers(self, position: int) -> list[JSON] | None:
        """A steering input as a flat list, None where it is not known."""
        found = self.known(self.name(position)) if self.name(position) else None
        return None if found is None else found.ravel().tolist()

    def setting(self, attribute: str, position: int) -> list[JSON] | None:
        """Numbers of an attribute of older opsets, an input of newer ones."""
        if attribute in self.attributes:
            found = self.attributes[attribute]
            return list(found) if isinstance(found, list | tuple) else [found]
        return self.numbers(position)

    def in_shape(self, position: int = 0) -> tuple[int, ...]:
        """Raw shape of an input, () when unknown."""
        return self.shape(self.name(position)) or ()

    def out_shape(self) -> tuple[int, ...]:
        """Raw shape of the first output, () when unknown."""
        return self.shape(self.node.output[0]) or ()


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a node becomes.

    arguments : of the inputs by position, SETTING for what only steers; more inputs are called "input 3" and so on.
    roles : position → role of a parameter, where its value is fixed. turned : roles whose array is turned: "IO" for
    (in, out), "transposed" for kernels (in, out/groups, …), "flat" for one number a channel.
    """

    op: str
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("input", "other")
    roles: Mapping[int, str] = field(default_factory=dict)
    turned: Mapping[str, str] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)


Rule = Callable[[Seen], Mapped]
