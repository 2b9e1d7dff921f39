"""What of a run does not depend on the view: the tiles of each layer and the links between layers. Made once a run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.contribution import WeightedLink, weighted_link
from nn3d.analysis.wiring import Wiring, wiring
from nn3d.layout.arrange import LARGE_CELLS, POWER, POWER_LARGE, Tiles, arrange, fold
from nn3d.layout.bundle import tile_table
from nn3d.layout.bus import with_buses
from nn3d.layout.graph import Topology, topology
from nn3d.layout.heads import head_tiles, is_heads, lower, parts_of_attention
from nn3d.layout.parts import concat_parts, glued, part_spans
from nn3d.layout.recurrent import Recurrent, recurrent_of
from nn3d.layout.slices import rows_of_slice
from nn3d.layout.staves import Stave, n_tokens, picked_rows, stave
from nn3d.run.grouping import groups_of
from nn3d.run.groups import Groups
from nn3d.run.model import InputInfo, Layer, LayerLink
from nn3d.run.ops import op_of
from nn3d.run.run import Run
from nn3d.stage import small
from nn3d.stage.ends import with_pictures
from nn3d.stage.state import YAW_RAD

MAX_CLASS_BARS = 24
MAX_OPEN_LAYERS = 16
MAX_OPEN_TILES = 900
MAX_KERNEL_FACE = 8
MAX_SIDE = 4096
NO_GROUPS = Groups(0, (), ())


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer as it will be drawn. shows: "values", "weights" (no activations recorded) or "nothing".

    pool : (rows, columns) of real cells that one drawn cell averages: more than 1 only beyond a texture's limit.
    is_output : holds the model's first output. is_classes : its tiles are named classes.
    parts : channels of each glued part of a concatenation. group : the closed group that it stands for, or −1.
    depth : half of the room (u) on the axis that the block of a closed group or the plates of a recurrent layer take.
    recurrent : these plates. title : what a person calls it where that is not the layer's name.
    stacked : how far its mosaic is on its way to half as many columns (nn3d.stage.stacking).
    """

    layer: Layer
    tiles: Tiles
    table: NDArray[np.void]
    shows: str
    input: InputInfo | None
    is_output: bool
    is_classes: bool
    is_token: bool
    pool: tuple[int, int] = (1, 1)
    parts: tuple[int, ...] = ()
    depth: float = 0.0
    title: str = ""
    group: int = -1
    recurrent: Recurrent | None = None
    stacked: float = 0.0


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """One link. `wiring` is None when it has no weight matrix that can be drawn edge by edge.

    stave : its strands where values go on in rows; its path is then "stave".
    under : numbers, in the plan of all layers, of the links that it stands for, the first of them `link`; () itself.
    picked : (bottom, top) of the rows of the source that a slice takes, as shares of its height.
    """

    index: int
    source: int
    target: int
    link: LayerLink
    weighted: WeightedLink | None
    wiring: Wiring | None
    path: str
    stave: Stave | None = None
    under: tuple[int, ...] = ()
    picked: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All layers and links of a run; `power` is the exponent of drawn sizes; `is_open` the layers open at first.

    tallest : neurons in the largest layer of a small network (nn3d.stage.small), 0 for any other.
    groups : the module tree. With groups closed (nn3d.stage.folding), `layers` are what is visible, row by row: a
    closed group stands as one LayerPlan, and `links` join rows.
    """

    layers: tuple[LayerPlan, ...]
    links: tuple[LinkPlan, ...]
    topology: Topology
    power: float
    is_open: tuple[bool, ...]
    output: int
    tallest: int = 0
    groups: Groups = NO_GROUPS


def make_plan(run: Run) -> Plan:
    """The plan of a run. Touches no tensor."""
    output = _output_layer(run)
    sides = [max(fold(layer.shape, layer.axes)[1:]) for layer in run.layers if not _is_token(layer)]
    power = POWER_LARGE if max(sides, default=1) > LARGE_CELLS else POWER
    inputs = {info.node: info for info in run.graph.inputs}
    known = with_buses(run.layers, {node.id: node for node in run.graph.nodes})
    usual = usual_columns(known)
    layers = tuple(_layer_plan(run, layer, inputs, (power, usual), layer.index == output) for layer in known)
    layers, tallest = small.columns(run, with_pictures(with_attention(layers), power), power)
    n_tiles = sum(plan.tiles.n for plan in layers)
    open_all = len(layers) <= MAX_OPEN_LAYERS and n_tiles <= MAX_OPEN_TILES
    top = with_part_spans(topology(known), known, layers)
    links = tuple(
        _link_plan(run, k, target, link, layers, top)
        for k, (target, link) in enumerate((layer.index, link) for layer in known for link in layer.links)
    )
    is_open = tuple(open_all or p.input is not None for p in layers)
    return Plan(layers, links, top, power, is_open, output, tallest, groups_of(known, run.graph))


def with_part_spans(top: Topology, layers: Sequence[Layer], rows: Sequence[LayerPlan]) -> Topology:
    """The topology of `layers`, with the levels' staves at the parts of concatenations as `rows` draw them."""
    if top.levels is None:
        return top
    links = [link for layer in layers for link in layer.links]
    span = top.levels.span.copy()
    for q, k in enumerate(top.levels.links):
        row = rows[int(top.levels.skip[q, 1])]
        arguments = [link.argument for link in row.layer.links]
        if row.parts and len(arguments) == len(row.parts) and links[k].argument in arguments:
            span[q] = part_spans(row.tiles, row.parts)[arguments.index(links[k].argument)]
    return replace(top, levels=replace(top.levels, span=span))


def _output_layer(run: Run) -> int:
    nodes = {n: layer.index for layer in run.layers for n in layer.nodes}
    named = [nodes[node] for _, node, _ in run.graph.outputs if node in nodes]
    return named[0] if named else len(run.layers) - 1


def _is_token(layer: Layer) -> bool:
    return (len(layer.shape) == 2 and layer.axes[:1] != ("C",)) or n_tokens(layer.shape, layer.axes) > 0


def usual_columns(layers: Sequence[Layer]) -> int:
    """Columns of most layers that are drawn as one tile with a row a token: the width of the model."""
    columns = Counter(layer.shape[-1] for layer in layers if _is_token(layer) and len(layer.shape) == 2)
    return max(columns, key=lambda c: (columns[c], -c), default=96)


def _layer_plan(
    run: Run, layer: Layer, inputs: dict[int, InputInfo], sizes: tuple[float, int], is_output: bool
) -> LayerPlan:
    power, usual = sizes
    shows = _shows(run, layer)
    n, rows, cols = _weight_face(run, layer) if shows == "weights" else fold(layer.shape, layer.axes)
    info = next((inputs[n] for n in layer.nodes if n in inputs), None)
    is_classes = is_output and (rows, cols) == (1, 1) and _are_classes(run, layer, n)
    if info is not None and info.kind == "image" and n == 3:
        n = 1
    is_token = shows == "values" and _is_token(layer)
    pool = (-(-rows // MAX_SIDE), -(-cols // MAX_SIDE))
    drawn = (-(-rows // pool[0]), -(-cols // pool[1]))
    has_bars = is_classes and n <= MAX_CLASS_BARS
    found = recurrent_of(run.node(layer.shown)) if shows == "values" and op_of(layer.op).family == "recurrent" else None
    if found is not None:
        tiles, room = found.pieces[-1].tiles, found.half_depth(YAW_RAD)
        table = tile_table(tiles)
        return LayerPlan(layer, tiles, table, shows, info, is_output, False, False, depth=room, recurrent=found)
    parts = concat_parts(layer, {i: run.node(i) for i in _near(run, layer)}) if shows == "values" else ()
    if parts:
        tiles = glued(drawn, parts, power=power)
    else:
        is_input = info is not None
        tiles = arrange(
            n, drawn, is_token=is_token, is_input=is_input, is_classes=has_bars, power=power, usual=usual
        )
    return LayerPlan(layer, tiles, tile_table(tiles), shows, info, is_output, is_classes, is_token, pool, parts)


def with_attention(layers: tuple[LayerPlan, ...]) -> tuple[LayerPlan, ...]:
    """The layers; attention as a grid of heads as high as its tokens, and what is its Q, K or V alone said to be so."""
    named = parts_of_attention(tuple(p.layer for p in layers))
    out = []
    for p in layers:
        tiles = p.tiles
        if is_heads(p.layer) and p.shows == "values" and p.pool == (1, 1):
            tiles = head_tiles(p.layer)
        elif p.layer.index in named and p.is_token:
            tiles = lower(p.tiles)
        title = named.get(p.layer.index, p.title)
        out.append(p if tiles is p.tiles else replace(p, tiles=tiles, table=tile_table(tiles), title=title))
    return tuple(out)


def _are_classes(run: Run, layer: Layer, n: int) -> bool:
    """Whether n output neurons are taken for classes: few, named, a softmax, or linear and unlike any input."""
    if n <= MAX_CLASS_BARS or n == len(run.classes) or run.node(layer.shown).op == "softmax":
        return True
    inputs = [math.prod(k.shape) for k in run.layers if not k.links]
    return run.node(layer.shown).op == "linear" and n not in inputs


def _near(run: Run, layer: Layer) -> list[int]:
    first = run.node(layer.nodes[0])
    return [first.id, *(link.node for link in layer.links)]


def _stave(a: LayerPlan, b: LayerPlan, link: LayerLink, *, is_skip: bool) -> Stave | None:
    """The stave of a link; into a concatenation it fills the part that it is copied to."""
    if not b.parts:
        return stave(a.layer, b.layer, link, is_skip=is_skip)
    arguments = [k.argument for k in b.layer.links]
    part = arguments.index(link.argument) if len(arguments) == len(b.parts) else -1
    low, high = part_spans(b.tiles, b.parts)[part] if part >= 0 else (-0.5, 0.5)
    return stave(a.layer, b.layer, link, (float(low), float(high)), is_skip=is_skip)


def _shows(run: Run, layer: Layer) -> str:
    if any(run.has_values(layer.shown, layer.shown_output, e) for e in range(len(run.epochs))):
        return "values"
    weight = layer.weight
    is_recorded = weight is not None and any(run.has_parameter(weight, e) for e in range(len(run.epochs)))
    return "weights" if is_recorded else "nothing"


def _weight_face(run: Run, layer: Layer) -> tuple[int, int, int]:
    """(K, R, C) of a layer without activations: its filters, one a tile, input channels side by side where few."""
    assert layer.weight is not None
    shape = run.parameter_info(layer.weight).shape
    if len(shape) <= 2:
        return shape[0] if shape else 1, 1, 1
    rows, cols = (1, *shape[2:])[-2:]
    return shape[0], rows, cols * (shape[1] if shape[1] <= MAX_KERNEL_FACE else 1)


def _link_plan(
    run: Run, index: int, target: int, link: LayerLink, layers: tuple[LayerPlan, ...], top: Topology
) -> LinkPlan:
    weighted = weighted_link(run, target, link)
    a, b = layers[link.source], layers[target]
    wires = None
    if weighted is not None and a.shows == b.shows == "values":
        wires = wiring(weighted, _cells(a), _cells(b), a.is_token and b.is_token)
    elif weighted is not None and len(weighted.shape) == 2 and a.tiles.n == weighted.shape[1]:
        wires = wiring(weighted, (a.tiles.n, 1, 1), (b.tiles.n, 1, 1), False)
    elif weighted is not None and len(weighted.shape) > 2 and a.tiles.n == weighted.shape[1] * weighted.groups:
        wires = wiring(weighted, (a.tiles.n, *a.tiles.cells), (b.tiles.n, *b.tiles.cells), False)
    picked = rows_of_slice(run.node(link.target), run.node(link.node), link.output, a.layer, a.recurrent)
    made = LinkPlan(index, link.source, target, link, weighted, wires, "", None, picked=picked)
    return routed(made, (a, b), top.paths[index])


def routed(link: LinkPlan, ends: tuple[LayerPlan, LayerPlan], path: str) -> LinkPlan:
    """A link with the path that a topology gives it; values that go on in rows get their stave."""
    if link.picked and path == "direct":
        return replace(link, path="stave", stave=picked_rows(link.picked, ends[1].tiles.n))
    rows = _stave(*ends, link.link, is_skip=path == "stave") if path in ("direct", "stave", "route") else None
    path = "stave" if rows is not None else "direct" if path == "stave" else path
    return replace(link, path=path, stave=rows)


def drawn_link(plan: Plan, index: int, path: str = "") -> LinkPlan:
    """A link of the plan of all layers, with the path that it has between what is visible."""
    link = plan.links[index]
    if path in ("", link.path):
        return link
    return routed(link, (plan.layers[link.source], plan.layers[link.target]), path)


def _cells(plan: LayerPlan) -> tuple[int, int, int]:
    return fold(plan.layer.shape, plan.layer.axes)
