"""Owns a graph while it is built from layers that keep channels last: nodes in the run's vocabulary and layout.

Keras keeps (N, H, W, C), a run (N, C, H, W). A `Sym` is a tensor of the model; it says in which of the two layouts the
run holds it, and whoever needs the other one gets a permuting node. Flattened maps are held in the run's own order
(channel, y, x): the columns of the linear layer that reads them are permuted once instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nn3d.errors import SourceError
from nn3d.run.model import JSON, Array, Graph, InputInfo, Module, Node, Output, Parameter, Source

Shape = tuple[int, ...]
_FIRST = {2: ("C", "L"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}
_LAST = {1: ("F",), 2: ("T", "F"), 3: ("H", "W", "C"), 4: ("D", "H", "W", "C")}
MOST_NODES = 100_000
MOST_VALUES = 1 << 33


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of the file. read : its values, (*shape) as the file has them. dtype : the file's own type.

    origin : the tensor that it is a part of; "-" where it was made from the model's config.
    """

    name: str
    shape: Shape
    read: Callable[[], Array]
    dtype: str = "float32"
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Sym:
    """One tensor of the model.

    shape : as the source counts, samples left out. is_first : the run has the last axis first. flat : the maps
    (H, W, C) whose flattened cells the run holds in the order (C, H, W), () for everything else.
    """

    node: int
    output: int
    shape: Shape
    is_first: bool = False
    dtype: str = "float32"
    flat: Shape = ()

    @property
    def held(self) -> Shape:
        """Shape in the run."""
        return canonical_shape(self.shape, is_first=self.is_first)

    def axis(self, axis: int) -> int:
        """A source's axis (samples are 0) as one of the run."""
        rank = len(self.shape) + 1
        axis = axis + rank if axis < 0 else axis
        if not 0 <= axis < rank:
            raise ValueError(f"axis {axis} of {rank}")
        if not self.is_first or not axis:
            return axis
        return 1 if axis == rank - 1 else axis + 1


def canonical_shape(shape: Shape, *, is_first: bool) -> Shape:
    """(H, W, C) → (C, H, W)."""
    return (shape[-1], *shape[:-1]) if is_first and shape else shape


@dataclass(frozen=True, slots=True)
class _Held:
    entry: Entry
    convert: Callable[[Array], Array]


class Builder:
    """Nodes, parameters and modules, as they are added. where : how the file is called in errors."""

    def __init__(self, where: str, *, keeps_first: bool = False, version: int = 3) -> None:
        self.where = where
        self.keeps_first = keeps_first
        self.version = version
        self.nodes: list[Node] = []
        self.notes: list[str] = []
        self.is_masking = False
        self.inputs: list[InputInfo] = []
        self._parameters: dict[str, Parameter] = {}
        self._held: dict[int, _Held] = {}
        self._modules: dict[str, str] = {"": ""}
        self._names: set[str] = set()
        self._turned: dict[tuple[int, int], Sym] = {}

    def module(self, path: str, kind: str) -> str:
        """A path of the module tree, with those around it."""
        parts = path.split(".")
        for k in range(1, len(parts)):
            self._modules.setdefault(".".join(parts[:k]), "")
        self._modules[path] = kind
        return path

    def add(
        self,
        op: str,
        name: str,
        inputs: Sequence[tuple[Sym, str]],
        shape: Shape,
        *,
        module: str = "",
        attributes: Mapping[str, JSON] | None = None,
        parameters: Mapping[str, int] | None = None,
        is_first: bool = False,
        dtype: str = "float32",
        extra: Sequence[Output] = (),
    ) -> Sym:
        """One node; its first output has `shape` as the source counts. extra : its further outputs."""
        if len(self.nodes) >= MOST_NODES or prod(shape) > MOST_VALUES:
            raise SourceError(f"{self.where}: expected at most {MOST_NODES} nodes of {MOST_VALUES} values, got more.")
        held = canonical_shape(shape, is_first=is_first)
        is_token = op == "input" and len(held) == 1 and "int" in dtype
        first = Output(held, self._axes(len(held), is_first=is_first, is_token=is_token), dtype)
        sources = tuple(Source(sym.node, sym.output, argument) for sym, argument in inputs)
        node = Node(
            len(self.nodes), op, self._unique(name), module, dict(attributes or {}), sources, (first, *extra),
            dict(parameters or {}),
        )  # fmt: skip
        self.nodes.append(node)
        return Sym(node.id, 0, shape, is_first, dtype)

    def _axes(self, rank: int, *, is_first: bool, is_token: bool) -> tuple[str, ...]:
        if is_token:
            return ("T",)
        if is_first or (self.keeps_first and rank > 2):
            return _FIRST.get(rank, tuple(f"axis{i}" for i in range(rank)))
        return _LAST.get(rank, tuple(f"axis{i}" for i in range(rank)))

    def _unique(self, name: str) -> str:
        n, unique = 2, name
        while unique in self._names:
            unique, n = f"{name}_{n}", n + 1
        self._names.add(unique)
        return unique

    def parameter(
        self,
        entry: Entry,
        shape: Shape,
        axes: tuple[str, ...],
        convert: Callable[[Array], Array],
        *,
        layout: str = "",
        is_buffer: bool = False,
    ) -> int | None:
        """A tensor of the file in the run's layout; None where it is held already in another one."""
        known = self._parameters.get(entry.name)
        if known is not None:
            return known.id if (known.source_layout, known.shape) == (layout, shape) else None
        kind = "buffer" if is_buffer else "parameter"
        dtype = entry.dtype if entry.dtype != "float32" else ""
        made = Parameter(len(self._parameters), entry.name, shape, axes, kind, layout, dtype)
        self._parameters[entry.name] = made
        self._held[made.id] = _Held(entry, convert)
        return made.id

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All so far."""
        return tuple(self._parameters.values())

    @property
    def n_tensors(self) -> int:
        """Tensors of the file that parameters were made of."""
        origins = {h.entry.origin or h.entry.name for h in self._held.values()}
        return len(origins - {"-"})

    def mark(self) -> tuple[int, int]:
        """Where it stands."""
        return len(self.nodes), len(self._parameters)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Drop what was added since."""
        n_nodes, n_parameters = mark
        for node in self.nodes[n_nodes:]:
            self._names.discard(node.name)
        del self.nodes[n_nodes:]
        for name in list(self._parameters)[n_parameters:]:
            del self._held[self._parameters.pop(name).id]
        self._turned = {k: sym for k, sym in self._turned.items() if k[0] < n_nodes and sym.node < n_nodes}

    # Layouts

    def first(self, sym: Sym) -> Sym:
        """The same with channels first, as convolutions read it."""
        if sym.is_first or len(sym.shape) < 2:
            return sym
        rank = len(sym.shape)
        return self._turn(sym, [0, rank, *range(1, rank)], is_first=True)

    def last(self, sym: Sym) -> Sym:
        """The same in the source's own order of axes and cells."""
        if sym.flat:
            return self._ordered(sym)
        if not sym.is_first:
            return sym
        return self._turn(sym, [0, *range(2, len(sym.shape) + 1), 1], is_first=False)

    def _turn(self, sym: Sym, dims: list[int], *, is_first: bool) -> Sym:
        known = self._turned.get((sym.node, sym.output))
        if known is not None:
            return known
        before = self.nodes[sym.node]
        name, module = f"{before.name}.permute", before.module
        is_pair = len(sym.shape) == 2
        op = "transpose" if is_pair else "permute"
        attributes: dict[str, JSON] = {"dim0": 1, "dim1": 2} if is_pair else {"dims": dims}
        made = self.add(
            op, name, [(sym, "input")], sym.shape, module=module, attributes=attributes, is_first=is_first,
            dtype=sym.dtype,
        )  # fmt: skip
        self._turned[sym.node, sym.output] = made
        self._turned[made.node, 0] = sym
        return made

    def _ordered(self, sym: Sym) -> Sym:
        """Flattened cells in the source's order, for who reads them one by one."""
        known = self._turned.get((sym.node, sym.output))
        if known is not None:
            return known
        before = self.nodes[sym.node]
        maps = self.add("reshape", f"{before.name}.maps", [(sym, "input")], sym.flat, module=before.module,
                        is_first=True)  # fmt: skip
        turned = self.last(maps)
        made = self.add("flatten", f"{before.name}.cells", [(turned, "input")], sym.shape, module=before.module,
                        attributes={"start_dim": 1})  # fmt: skip
        self._turned[sym.node, sym.output] = made
        return made

    def alike(self, syms: Sequence[Sym]) -> list[Sym]:
        """Several tensors in one layout, that of the first with maps."""
        if len({sym.flat for sym in syms}) > 1 or len({len(sym.shape) for sym in syms}) > 1:
            return [self.last(sym) for sym in syms]
        if any(sym.is_first for sym in syms):
            return [self.first(sym) for sym in syms]
        return list(syms)

    def same(self, op: str, name: str, sym: Sym, *, module: str = "", attributes: Mapping[str, JSON] | None = None,
             parameters: Mapping[str, int] | None = None) -> Sym:  # fmt: skip
        """An element-wise node: everything stays as it is."""
        made = self.add(op, name, [(sym, "input")], sym.shape, module=module, attributes=attributes,
                        parameters=parameters, is_first=sym.is_first, dtype=sym.dtype)  # fmt: skip
        return replace(made, flat=sym.flat)

    # The end

    def columns(self, flat: Shape) -> Array:
        """Where the run's flattened cells (channel, y, x) stand among the source's (y, x, channel)."""
        return np.moveaxis(np.arange(prod(flat)).reshape(flat), -1, 0).reshape(-1)

    def graph(self, outputs: Sequence[tuple[str, Sym]]) -> Graph:
        """Everything, as a graph of kind "file"."""
        ends = tuple((name, sym.node, sym.output) for name, sym in outputs)
        modules = tuple(Module(path, kind) for path, kind in self._modules.items())
        return Graph("file", tuple(self.nodes), tuple(self._parameters.values()), modules, tuple(self.inputs), ends,
                     tuple(self.notes))  # fmt: skip

    def arrays(self) -> dict[int, Array]:
        """Parameter id → values in the run's layout. Raises SourceError where a shape is not the promised one."""
        found = {}
        for parameter in self._parameters.values():
            held = self._held[parameter.id]
            values = np.ascontiguousarray(held.convert(held.entry.read()))
            if values.shape != parameter.shape:
                text = f"expected {parameter.name} to have shape {parameter.shape}, got {values.shape}"
                raise SourceError(f"{self.where}: {text}. Save the model again.")
            found[parameter.id] = values
        return found
