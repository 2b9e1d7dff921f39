"""Owns the step from a design to a graph: shapes of every layer, parameters without values, and who reads whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nn3d.extract.design.joints import RULES
from nn3d.extract.design.reading import Design, DesignInput
from nn3d.extract.design.rules import KERNEL_AXES, Built
from nn3d.extract.design.sizes import DesignLayer, Shape, Sizes
from nn3d.run.memory import axes_of
from nn3d.run.model import Graph, InputInfo, Module, Node, Output, Parameter, Source


@dataclass(frozen=True, slots=True)
class Worked:
    """A design with everything that follows from it. built, reads : by layer; reads are names of layers or inputs."""

    design: Design
    built: tuple[Built, ...]
    reads: tuple[tuple[str, ...], ...]
    outputs: tuple[str, ...]


def work_out(design: Design) -> Worked:
    """The shapes of all layers. Raises SourceError for the first that does not fit, naming it and its line."""
    shapes: dict[str, Shape] = {}
    for given in design.inputs:
        shapes[given.name] = given.shape
    built: list[Built] = []
    reads: list[tuple[str, ...]] = []
    before = design.inputs[0].name
    for layer in design.layers:
        sizes = Sizes(design.path, layer)
        names = layer.inputs or (before,)
        _check(sizes, layer, names, shapes)
        made = RULES[layer.op](sizes, [shapes[name] for name in names])
        sizes.done()
        built.append(made)
        reads.append(names)
        shapes[layer.name] = made.shape
        before = layer.name
    read = {name for names in reads for name in names}
    outputs = tuple(layer.name for layer in design.layers if layer.name not in read)
    return Worked(design, tuple(built), tuple(reads), outputs)


def _check(sizes: Sizes, layer: DesignLayer, names: tuple[str, ...], shapes: Mapping[str, Shape]) -> None:
    if layer.op not in RULES:
        known = ", ".join(sorted(RULES))
        raise sizes.fail(f"expected one of {known}, got {layer.op.removeprefix('other:')[:40]!r}.")
    if layer.name in shapes:
        raise sizes.fail("expected a name of its own, got one that stands above.")
    unknown = next((name for name in names if name not in shapes), None)
    if unknown is not None:
        raise sizes.fail(f"expected inputs that stand above it, got {unknown[:40]!r}.")


def graph_of(worked: Worked) -> Graph:
    """The graph, of kind "file": nothing in it is guessed."""
    design = worked.design
    ids = {given.name: k for k, given in enumerate(design.inputs)}
    ids |= {layer.name: len(ids) + k for k, layer in enumerate(design.layers)}
    parameters: list[Parameter] = []
    nodes = [_input_node(k, given) for k, given in enumerate(design.inputs)]
    for layer, built, reads in zip(design.layers, worked.built, worked.reads, strict=True):
        roles = {}
        for role, shape, kind in built.parameters:
            roles[role] = len(parameters)
            axes = _parameter_axes(role, shape)
            parameters.append(Parameter(len(parameters), f"{layer.name}.{role}", shape, axes, kind))
        inputs = tuple(Source(ids[name], 0, "input" if not k else f"input{k}") for k, name in enumerate(reads))
        outputs = (Output(built.shape, axes_of(len(built.shape))),)
        path = layer.name if built.module else layer.name.rpartition(".")[0]
        nodes.append(Node(ids[layer.name], layer.op, layer.name, path, built.attributes, inputs, outputs, roles))
    infos = tuple(InputInfo(k, given.kind or _kind(given.shape)) for k, given in enumerate(design.inputs))
    ends = tuple((name, ids[name], 0) for name in worked.outputs)
    return Graph("file", tuple(nodes), tuple(parameters), _modules(worked), infos, ends)


def _input_node(k: int, given: DesignInput) -> Node:
    return Node(k, "input", given.name, outputs=(Output(given.shape, axes_of(len(given.shape))),))


def _kind(shape: Shape) -> str:
    return "image" if len(shape) == 3 and shape[0] in (1, 3, 4) else "array"


def _parameter_axes(role: str, shape: Shape) -> tuple[str, ...]:
    if len(shape) == 1:
        return ("out",)
    return ("out", "in", *KERNEL_AXES.get(len(shape) - 2, ()))


def _modules(worked: Worked) -> tuple[Module, ...]:
    types = {
        layer.name: built.module.partition("(")[0].removeprefix("nn.")
        for layer, built in zip(worked.design.layers, worked.built, strict=True) if built.module
    }  # fmt: skip
    paths = {""}
    for layer in worked.design.layers:
        parts = layer.name.split(".")
        paths |= {".".join(parts[:k]) for k in range(1, len(parts))}
    return tuple(Module(path, types.get(path, "Module")) for path in sorted(paths | set(types)))
