"""Owns the graph of kind "inferred" that comes out of names and shapes, with a reason for every joint.

Its weights are canonical, (out, in, …): `canonical` and `canonical_later` bring the file's own arrays there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nn3d.extract.inference import blocks, names, order
from nn3d.extract.inference.draft import CERTAIN, GUESSED, LIKELY, Draft
from nn3d.extract.inference.tree import tidy, tree_of
from nn3d.extract.inference.units import Shape, Unit, units_of
from nn3d.extract.inference.walker import Walker
from nn3d.run.lazy import LazyArray
from nn3d.run.model import Array, Graph, Module, Parameter

MOST_LINES = 12
_KERNEL = {3: ("kL",), 4: ("kH", "kW"), 5: ("kD", "kH", "kW")}


def infer_graph(shapes: Mapping[str, Shape], types: Mapping[str, str] | None = None) -> Graph:
    """Names and shapes, in the file's order → a graph of kind "inferred" without shapes of maps.

    types : class of a module by its path, where the file tells. Reads no values: shapes may belong to lazy tensors.
    """
    units = units_of(shapes)
    root, is_sorted = tree_of(units), order.is_sorted(shapes)
    if is_sorted:
        order.put_in_order(root)
    tidy(root)
    walker = Walker(root, families=blocks.families(root), has_inverted=blocks.has_inverted(root), is_sorted=is_sorted)
    walker.walk(root, None, None)
    draft = walker.draft
    _leave_pending(draft)
    nodes = tuple(draft.nodes)
    turned = {p for n in nodes for r, p in n.parameters.items() if r == "weight" and n.attributes.get("transposed")}
    io = {u.roles["weight"] for u in units if u.layout}
    parameters = tuple(
        _parameter(i, name, shape, i in turned, i in io)
        for i, (name, shape) in enumerate(shapes.items())
        if not name.endswith("num_batches_tracked")
    )
    output = _outputs(draft)
    return Graph("inferred", nodes, parameters, _modules(units, types or {}), (), output, _notes(draft))


def canonical(values: Array, layout: str) -> Array:
    """An array of the file as the graph's parameter has it: (in, out, …) → (out, in, …) where the layout says so."""
    return np.ascontiguousarray(np.swapaxes(values, 0, 1)) if layout else values


def canonical_later(array: LazyArray, parameter: Parameter) -> LazyArray:
    """The same of an array that stays in its file until somebody looks."""
    if not parameter.source_layout:
        return array
    return replace(
        array, shape=parameter.shape, read=lambda: canonical(array.read(), parameter.source_layout), rows=None
    )


def file_shape(parameter: Parameter) -> Shape:
    """The shape that a parameter of the graph has in its file."""
    shape = parameter.shape
    return (shape[1], shape[0], *shape[2:]) if parameter.source_layout else shape


def _leave_pending(draft: Draft) -> None:
    """Class tokens and positions that met no stream of their width."""
    for unit in draft.pending:
        draft.unit(unit, (), "", "", "rows")
        draft.unjoined[unit.path] = f"a parameter of {unit.n_out} channels, and no stream has as many"


def _outputs(draft: Draft) -> tuple[tuple[str, int, int], ...]:
    ends = [v for v in draft.unread() if draft.nodes[v.node].name not in draft.unjoined]
    return (("output", ends[-1].node, 0),) if ends else (("output", draft.nodes[-1].id, 0),) if draft.nodes else ()


def _notes(draft: Draft) -> tuple[str, ...]:
    """What was inferred, in numbers; then each joint that is not certain, and what stays without one."""
    said = [n for n in draft.nodes if n.inputs and "certainty" in n.attributes]
    counts = Counter(n.attributes["certainty"] for n in said)
    numbers = ", ".join(f"{counts[level]} where {level}" for level in (CERTAIN, LIKELY) if counts[level])
    guessed = f"{counts[GUESSED]} that fit and are not certain" if counts[GUESSED] else ""
    noun = "joint" if len(said) == 1 else "joints"
    missing = f"; {len(draft.unjoined)} without one" if draft.unjoined else ""
    lines = [
        "Graph inferred from names and shapes alone, in the file's order; functions without parameters are missing.",
        f"{len(said)} {noun}: {', '.join(t for t in (numbers, guessed) if t) or 'none'}{missing}.",
    ]
    by_id = {n.id: n for n in draft.nodes}
    doubts = [
        f"{' + '.join(by_id[s.node].name for s in n.inputs)} → {n.name}: {n.attributes['inferred']}"
        for n in said
        if n.attributes["certainty"] == GUESSED
    ]
    without = [f"{path} has no joint: {why}" for path, why in draft.unjoined.items()]
    for found in (doubts, without):
        lines += found[:MOST_LINES]
        lines += [f"and {len(found) - MOST_LINES} more such lines"] if len(found) > MOST_LINES else []
    return tuple(lines)


def _parameter(index: int, name: str, shape: Shape, is_turned: bool, is_io: bool) -> Parameter:
    kind = "buffer" if name.endswith(names.BUFFERS) or names.is_table(name) else "parameter"
    axes: tuple[str, ...] = (
        ("out", "in", *_KERNEL.get(len(shape), ())) if 2 <= len(shape) <= 5 else ("out",) * len(shape)
    )
    layout = ""
    if len(shape) == 2 and is_io:
        layout, shape = "IO", (shape[1], shape[0])
    elif is_turned and len(shape) > 2:
        layout, shape = f"IO{'DHW'[5 - len(shape) :]}", (shape[1], shape[0], *shape[2:])
    return Parameter(index, name, shape, axes if len(axes) == len(shape) else (), kind, layout)


def _modules(units: Sequence[Unit], types: Mapping[str, str]) -> tuple[Module, ...]:
    paths = {"", *types}
    for unit in units:
        parts = unit.path.split(".") if unit.path else []
        paths |= {".".join(parts[:k]) for k in range(1, len(parts) + (unit.op != "parameter"))}
    return tuple(Module(path, types.get(path, "")) for path in sorted(paths))
