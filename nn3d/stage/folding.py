"""The plan of a run with some of its groups closed: what is visible stands row by row, links join rows.

A row is a layer, or a closed group that shows the mosaic of the last layer whose values leave it. Rows come in a
topological order of the contracted graph. Plans are kept: which groups are open decides everything here.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from dataclasses import dataclass, replace

from nn3d.layout.graph import topology
from nn3d.layout.staves import COPIES
from nn3d.run.grouping import EQUAL
from nn3d.run.groups import CONTAINERS, FEW_LAYERS, Group, Groups
from nn3d.run.model import Layer
from nn3d.stage.plan import LayerPlan, LinkPlan, Plan, routed, with_part_spans
from nn3d.stage.stacking import is_crowded, stacked
from nn3d.stage.state import LayerView, Thing, ViewState

KEPT = 48
THINNEST, THICKEST = 0.75, 1.5
MANY_REPEATS = 12
SLAB_HALF = 0.10
# Beside folded groups a collapsed layer is a thin plate: what is thick is folded.
LAYER_HALF = 0.16
SLAB_PITCH = 1.05
BY_PASSES = ("arc", "stave", "loop")
CLOSED = LayerView(is_open=False, opening=0.0)
Bundles = dict[int, list[tuple[int, list[int]]]]


@dataclass(frozen=True, slots=True)
class Slab:
    """One repeat of a deck: the item that it is, the layer whose values it shows, its x from the deck's middle, u."""

    item: int
    layer: int
    x: float


@dataclass(frozen=True, slots=True)
class Folded:
    """A plan with groups closed. items : item of each row. row_of : row of each visible item.

    stands : (items,) row that stands for each item of the run: its own, or that of the closed group around it.
    An open group has the row of its last layer. slabs : of each row that is a deck.
    names : of each item of the run, of which the first `n_layers` are layers.
    item_links : (source, target) items of the visible links; those that pass others by come last.
    """

    plan: Plan
    opened: frozenset[int]
    items: tuple[int, ...]
    row_of: dict[int, int]
    stands: tuple[int, ...]
    slabs: dict[int, tuple[Slab, ...]]
    names: tuple[str, ...] = ()
    n_layers: int = 0
    item_links: tuple[tuple[int, int], ...] = ()

    def rows_state(self, state: ViewState) -> ViewState:
        """The state in rows: views, selection and hover of what is visible; a hidden thing is the block around it."""
        n = self.plan.groups.n_layers
        views = tuple(state.layers[i] if i < n else CLOSED for i in self.items)
        return replace(
            state, layers=views, selection=self._thing(state.selection),
            also=tuple(self.stands[i] for i in state.also if 0 <= i < len(self.stands)), hover=self._thing(state.hover),
            focus=replace(state.focus, thing=self._thing(state.focus.thing)),
        )  # fmt: skip

    def _thing(self, thing: Thing | None) -> Thing | None:
        if thing is None or not 0 <= thing.layer < len(self.stands):
            return None
        row = self.stands[thing.layer]
        return replace(thing, layer=row) if self.items[row] == thing.layer else Thing(row)


class Folds:
    """Plans of a run by which groups are open; the last ones are kept."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._kept: OrderedDict[frozenset[int], Folded] = OrderedDict()

    def of(self, opened: tuple[int, ...] | frozenset[int]) -> Folded:
        """The plan in which these groups are open and all others closed."""
        key = frozenset(opened)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = fold_plan(self.plan, key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found


def fold_plan(plan: Plan, opened: frozenset[int]) -> Folded:
    """`plan`, of all layers, with only these groups open."""
    groups = plan.groups
    items = _ordered(plan, groups, opened)
    row_of = {item: row for row, item in enumerate(items)}
    row_of_layer = [row_of[groups.shown_as(i, opened)] for i in range(groups.n_layers)]
    slabs = {
        row: found for item, row in row_of.items() if (found := deck(plan, groups.of_item(item)))
    }
    rows = tuple(_row(plan, groups, item, slabs.get(row, ())) for row, item in enumerate(items))
    bundles = _bundles(plan, groups, opened, row_of_layer)
    contracted = [_contracted(plan, rows, row, item, bundles) for row, item in enumerate(items)]
    top = with_part_spans(topology(contracted), contracted, rows)
    joined = [(s, t, under) for t in range(len(items)) for s, under in bundles.get(t, [])]
    links = tuple(
        _link(plan, k, (s, t), under, top.paths[k], max(items[s], items[t]) < groups.n_layers)
        for k, (s, t, under) in enumerate(joined)
    )
    rows = tuple(stacked(row, 1.0) for row in rows) if is_crowded(top) else rows
    stands = [*row_of_layer, *(row_of_layer[g.last] for g in groups.all)]
    is_open = tuple(plan.is_open[i] if i < groups.n_layers else False for i in items)
    made = replace(plan, layers=rows, links=links, topology=top, is_open=is_open, output=row_of_layer[plan.output])
    names = (*(p.layer.name for p in plan.layers), *(g.name for g in groups.all))
    main_first = sorted(links, key=lambda k: k.path in BY_PASSES)
    ends = tuple((items[k.source], items[k.target]) for k in main_first)
    return Folded(made, opened, items, row_of, tuple(stands), slabs, names, len(plan.layers), ends)


def _ordered(plan: Plan, groups: Groups, opened: frozenset[int]) -> tuple[int, ...]:
    """Visible items in a topological order of the contracted graph, else by their first layers."""
    visible = groups.visible(opened)
    place = {item: k for k, item in enumerate(visible)}
    of_layer = [place[groups.shown_as(i, opened)] for i in range(groups.n_layers)]
    waiting: list[set[int]] = [set() for _ in visible]
    after: list[set[int]] = [set() for _ in visible]
    for link in plan.links:
        s, t = of_layer[link.source], of_layer[link.target]
        if link.source < link.target and s != t:
            waiting[t].add(s)
            after[s].add(t)
    ready = [k for k, before in enumerate(waiting) if not before]
    heapq.heapify(ready)
    out: list[int] = []
    while ready:
        k = heapq.heappop(ready)
        out.append(visible[k])
        for t in after[k]:
            waiting[t].discard(k)
            if not waiting[t]:
                heapq.heappush(ready, t)
    return tuple(out)


def deck(plan: Plan, group: Group | None) -> tuple[Slab, ...]:
    """Slabs of a group whose parts are equal and show one tile each; () where it is a block."""
    if group is None or len(group.equal) < 2:
        return ()
    groups = plan.groups
    parts = groups.parts(group.index)
    shown = [g.last for g in map(groups.of_item, parts) if g is not None]
    shapes = {plan.layers[i].tiles.cells for i in shown}
    is_one = all(plan.layers[i].tiles.n == 1 for i in shown)
    if len(group.equal) != len(parts) or len(shown) != len(parts) or len(shapes) != 1 or not is_one:
        return ()
    middle = (len(parts) - 1) / 2.0
    return tuple(
        Slab(item, i, (k - middle) * SLAB_PITCH) for k, (item, i) in enumerate(zip(parts, shown, strict=True))
    )


def brief(group: Group) -> str:
    """What a closed group is, as short as its card: "6 Bottleneck", "Block", "8 layers"; "inferred" where it is."""
    plain = f"{len(group.layers)} layers" if group.type in CONTAINERS else group.type
    return (f"{group.count} {group.kind}" if group.count else plain) + _inferred(group)


def words(group: Group) -> str:
    """What a closed group is, for people: "6 Bottleneck, 2 – 6 equal", "11 GptBlock, equal, inferred"."""
    if not group.count:
        plain = f"{len(group.layers)} layers" + _inferred(group)
        return plain if group.type in CONTAINERS else f"{group.type}, {plain}"
    said = f"{group.count} {group.kind}"
    if len(group.equal) == group.count:
        said += "" if group.kind == EQUAL else ", equal"
    elif group.equal:
        said += f", {group.equal[0] + 1} – {group.equal[-1] + 1} equal"
    return said + _inferred(group)


def _inferred(group: Group) -> str:
    return ", inferred" if group.note else ""


def half_depth(group: Group) -> float:
    """Half thickness of a closed group's block, ±.75 to ±1.5 u by repeats (NETWORKS: blocks)."""
    share = math.log(max(1, group.count)) / math.log(MANY_REPEATS)
    return THINNEST + (THICKEST - THINNEST) * min(1.0, share)


def group_row(plan: Plan, item: int) -> LayerPlan:
    """The row of a closed group by its item number: its name, what it is, the sums of its layers."""
    row, group = _row(plan, plan.groups, item, ()), plan.groups.of_item(item)
    return row if group is None else replace(row, layer=replace(row.layer, kind=words(group)))


def _row(plan: Plan, groups: Groups, item: int, slabs: tuple[Slab, ...]) -> LayerPlan:
    group = groups.of_item(item)
    if group is None:
        own = plan.layers[item]
        thin = replace(own.tiles, block_thickness=min(own.tiles.block_thickness, LAYER_HALF))
        if groups.n_layers <= FEW_LAYERS or not groups.all:
            return own
        return replace(own, tiles=thin, title=own.title or groups.short[item])
    shown = plan.layers[group.last]
    members = [plan.layers[i].layer for i in group.layers]
    layer = replace(
        shown.layer, name=group.name, kind=brief(group), links=(), n_params=sum(m.n_params for m in members),
        macs=sum(m.macs for m in members), weight=None, module=group.path,
    )  # fmt: skip
    thick = SLAB_HALF if slabs else half_depth(group)
    depth = (len(slabs) - 1) / 2.0 * SLAB_PITCH + SLAB_HALF if slabs else thick
    tiles = replace(shown.tiles, block_thickness=thick)
    return replace(
        shown, layer=layer, tiles=tiles, is_output=False, is_classes=False, input=None, depth=depth,
        title=groups.short[item], group=group.index, recurrent=None,
    )  # fmt: skip


def _bundles(
    plan: Plan, groups: Groups, opened: frozenset[int], row_of_layer: list[int]
) -> Bundles:
    """Links by target row: (source row, numbers of the links under one rope, the leading one first).

    Into a layer each argument is a link of its own; into a closed group there is one of each kind from each row, and
    where there are weights, reads without any are not drawn beside them; copies always are.
    """
    found: dict[tuple[int, int, str, str], list[int]] = {}
    for link in plan.links:
        s, t = row_of_layer[link.source], row_of_layer[link.target]
        is_layer = groups.shown_as(link.target, opened) < groups.n_layers
        if s == t and not (is_layer and link.source == link.target):
            continue
        kind = "copy" if link.link.kind != "weight" and _is_copy(plan, link) else link.link.kind
        argument = f"{link.link.argument} {link.link.target}" if is_layer else ""
        found.setdefault((t, s, argument, kind), []).append(link.index)
    out: Bundles = {}
    for (t, s, argument, kind), under in found.items():
        if kind == "map" and not argument and any((t, s, "", other) in found for other in ("weight", "copy")):
            continue
        out.setdefault(t, []).append((s, under))
    return out


def _is_copy(plan: Plan, link: LinkPlan) -> bool:
    return link.stave.is_copy if link.stave is not None else plan.layers[link.target].layer.op in COPIES


def _contracted(plan: Plan, rows: tuple[LayerPlan, ...], row: int, item: int, bundles: Bundles) -> Layer:
    """A row as the topology reads it: a group is no sum, whatever its last layer is."""
    layer = rows[row].layer
    links = tuple(replace(plan.links[under[0]].link, source=rows[s].layer.index) for s, under in bundles.get(row, []))
    return replace(layer, links=links, op=layer.op if item < plan.groups.n_layers else "group")


def _link(plan: Plan, index: int, ends: tuple[int, int], under: list[int], path: str, is_whole: bool) -> LinkPlan:
    """One link between rows; edge by edge only where both ends are the layers that it joins."""
    link = plan.links[under[0]]
    made = routed(link, (plan.layers[link.source], plan.layers[link.target]), path)
    wires = link.wiring if is_whole else None
    return replace(made, index=index, source=ends[0], target=ends[1], wiring=wires, under=tuple(under))
