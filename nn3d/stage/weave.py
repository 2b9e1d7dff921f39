"""Strands of the picture: which tables the view needs of each link, and how they stand at this moment.

While the level changes, strands of the level before thin out as those of the new one grow: both are on the GPU, only
their common share of area moves.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from nn3d.analysis.amounts import is_large
from nn3d.run.run import Run
from nn3d.stage.bright_path import EVERY_LIT
from nn3d.stage.cell_strands import cell_words, has_products
from nn3d.stage.edges import EVERY
from nn3d.stage.frame import WHOLE_TILE, StrandLayer
from nn3d.stage.links import rope_size
from nn3d.stage.lit import lit_links
from nn3d.stage.meanwhile import Meanwhile
from nn3d.stage.own import Front, at_rest
from nn3d.stage.plan import LinkPlan, Plan
from nn3d.stage.resident import Need, Resident
from nn3d.stage.small import strand_path
from nn3d.stage.standing import Stage
from nn3d.stage.state import Thing, ViewState, smooth
from nn3d.stage.strands import THIN, StrandHistory, StrandsNeed, StrandTable, window_of
from nn3d.stage.sums import SumsNeed
from nn3d.stage.waiting import is_looked_at, is_waiting

ROPE_RADIUS = 0.62
LANES_SHARE = 0.57


class Weaver:
    """One composition's strands. `tables` : by link, of the level that is shown or on its way.

    layers : one a link, two while its level changes. missing : needs that are not in memory.
    """

    def __init__(
        self, run: Run, resident: Resident, plan: Plan, state: ViewState, epochs: tuple[int, int],
        front: Front | None = None, meanwhile: Meanwhile | None = None,
    ) -> None:  # fmt: skip
        self._meanwhile, self._stand_ins = meanwhile or Meanwhile(), dict[int, int]()
        self.run, self.resident, self.state, self.epochs = run, resident, state, epochs
        self.plan, self.front = plan, front or at_rest(state.sample, len(plan.layers))
        self.missing: list[Need] = []
        self.tables: dict[int, StrandTable] = {}
        self.thing = state.focus.thing if state.focus.share > 0.0 else None
        self.lit = lit_links(plan, self.thing)
        self._before: dict[int, StrandTable] = {}
        self._cells: dict[int, StrandTable | None] = {}
        self._path: dict[int, StrandTable] = {}
        if state.edges.selection != "off":
            self._look_up()

    def _look_up(self) -> None:
        edges = self.state.edges
        orders = self._orders()
        is_changing = edges.level_blend < 1.0 or orders[0] != orders[1]
        level_from = edges.level_from if edges.level_blend < 1.0 else edges.level
        for link in self.plan.links:
            table = self._counted(self._table(link, edges.level, orders[1]))
            if table is not None:
                self.tables[link.index] = table
            before = self._table(link, level_from, orders[0]) if is_changing else None
            if before is not None:
                self._before[link.index] = before
            if self.thing is not None and self.thing.layer == link.target and table is not None:
                self._look_at_cell(link, table, self.thing)

    def _look_at_cell(self, link: LinkPlan, table: StrandTable, thing: Thing) -> None:
        """The products of the cell that stands out, in place of the strands that its whole tile has."""
        cell, need = (thing.tile, thing.row, thing.col), self.need(link, self.state.edges.level)
        is_seen = need.single or all(self.plan.layers[k].tiles.n == 1 for k in (link.source, link.target))
        if need.level not in ("kernels", "all") or not is_seen or not has_products(link, self.plan, cell):
            return
        order = self._orders()[1]
        need = replace(need, cell=cell, epochs=tuple(sorted(set(self.epochs))), order=order)
        held = self.resident.strands(need)
        if held is None:
            self.missing.append(need)
        own = None if held is None else held.at(self.epochs)
        if own is not None and not own.total:  # not recorded
            return
        self._cells[link.index] = own
        if own is not None:
            self.tables[link.index] = replace(table, aside=cell_words(self.plan, link, cell, own))

    def follow(self, tables: dict[int, StrandTable], ropes: set[int]) -> None:
        """Let a path stand out, and nothing else: its strands by link, and links whose rope it takes."""
        self._path, self._cells = tables, {}
        self.lit = dict.fromkeys(ropes, (-1, -1, True))

    def _orders(self) -> tuple[str, str]:
        """The order of tiles that the picture comes from, and the one it goes to; by index until the other is known."""
        state = self.state
        if (state.order == "index" and state.order_blend >= 1.0) or self.resident.orders() is None:
            return "index", "index"
        other = "flow" if state.order == "index" else "index"
        return (other if state.order_blend < 1.0 else state.order), state.order

    def _table(self, link: LinkPlan, level: str, order: str) -> StrandTable | None:
        need = replace(self.need(link, level), order=order)
        held = self.resident.strands(need)
        if held is None:
            self.missing.append(need)
            held = self._before_growth(need)
        if held is None:
            return self._meanwhile_table(link, need)
        table = held.at(self.epochs)
        return table if order == "index" else replace(table, shape_key=(order, table.shape_key))

    def _meanwhile_table(self, link: LinkPlan, need: StrandsNeed) -> StrandTable | None:
        """The strands of another epoch, until those of this one are there."""
        n_epochs = min(self.state.n_epochs, len(self.run.epochs))
        has_window = need.single and link.wiring is not None and need.selection not in EVERY
        n_amounts = self._n_amounts(link, need.level) if has_window else 0
        found = self._meanwhile.strands(self.resident, need, n_epochs, n_amounts)
        if found is None:
            return None
        held, epoch = found
        self._stand_ins[link.index] = epoch
        table = held.at((epoch, epoch))
        return table if need.order == "index" else replace(table, shape_key=(need.order, table.shape_key))

    def _before_growth(self, need: StrandsNeed) -> StrandTable | StrandHistory | None:
        """What was held before a live run recorded one more epoch: drawn until the new window is made."""
        if len(need.epochs) < 3 or not set(self.epochs) <= set(need.epochs[:-1]):
            return None
        held = self.resident.peek(replace(need, epochs=need.epochs[:-1]))
        return held if isinstance(held, StrandTable | StrandHistory) else None

    def _counted(self, table: StrandTable | None) -> StrandTable | None:
        """The table with as many edges as have counted so far, where they add up."""
        passes = self.state.edges.passes
        if table is None or not table.batches or not passes:
            return table
        return replace(table, shown=table.batches[passes], share=table.batches[passes] / max(1, table.total))

    def need(self, link: LinkPlan, level: str) -> StrandsNeed:
        """What a link needs to be drawn at a level."""
        edges = self.state.edges
        selection = "sampled" if edges.selection == "exact" and not edges.passes else edges.selection
        views = (self.state.layers[link.source], self.state.layers[link.target])
        number, *others = link.under or (link.index,)
        single = level != "trunk" and all(v.opening > 0.0 or v.is_open for v in views)
        is_seen = is_looked_at(views[1], link.target, self.state.selection)
        epochs = tuple(sorted(set(self.epochs)))
        if single and link.wiring is not None and selection not in EVERY:
            n_epochs = min(self.state.n_epochs, len(self.run.epochs))
            window = window_of(self.epochs, n_epochs, self._n_amounts(link, level))
            own = self.run.own if self.front.number(link.target) >= len(self.run.samples) else None
            epochs = window if own is None or own.can_hold(len(window)) else epochs  # those of one's own are computed
        return StrandsNeed(
            number, epochs, self.front.number(link.target), edges.mode, level, selection, self.state.budget.strands,
            single,
            path=link.path, under=tuple(others), per_sign=rope_size(len(self.resident.plan.links)),
            is_known=self._is_known([number, *others], epochs, level, is_single=single, is_seen=is_seen),
        )  # fmt: skip

    def _n_amounts(self, link: LinkPlan, level: str) -> int:
        """How many numbers an epoch of a link's single strands is made of: its edges, and what they are fed with."""
        assert link.wiring is not None
        n_edges = link.wiring.n_edges(link.wiring.level_for(level))
        if self.state.edges.mode == "weight":
            return n_edges
        return n_edges + prod(self.run.output(*link.wiring.link.source).shape)

    def _is_known(
        self, numbers: list[int], epochs: tuple[int, ...], level: str, *, is_single: bool, is_seen: bool
    ) -> bool:
        """Whether the sums that a rope, or the sampling of a large matrix, starts from are known.

        is_seen : somebody looks at the target, so that weights in a large file are read, too.
        """
        asked = []
        for link in (self.resident.plan.links[k] for k in numbers):
            wires = link.wiring
            if link.weighted is None or (is_single and wires is not None and not is_large(wires, level)):
                continue
            if not is_seen and is_waiting(self.run, link.weighted.parameter, epochs):
                return False
            asked += [SumsNeed(link.weighted.parameter, e) for e in epochs]
        known = [self.resident.knows(need) for need in asked]  # each one, so that all are asked for
        return all(known)

    def layers(self, stage: Stage) -> tuple[StrandLayer, ...]:
        """The strands as they stand."""
        grown = smooth(min(self.state.edges.level_blend, self.state.order_blend))
        out = []
        for index, table in sorted(self.tables.items()):
            link, before = self.plan.links[index], self._before.get(index)
            own = self._cells.get(index)
            if own is not None and len(own.strands) and self.thing is not None:
                lit = (-1, self.thing.tile, True)
                layer = replace(self._layer(link, own, stage), grow=self.state.focus.share, lit=lit, lit_uv=WHOLE_TILE)
                out.append(replace(layer, rope_share=0.0))
            layer = self._layer(link, table, stage)
            layer = replace(layer, grow=float(stage.grow[index]))
            if before is None or before.shape_key == table.shape_key:
                out.append(layer)
                continue
            out.append(replace(self._layer(link, before, stage), grow=layer.grow * (1.0 - grown)))
            out.append(replace(layer, grow=layer.grow * grown))
        for index, table in sorted(self._path.items()):
            layer = self._layer(self.plan.links[index], table, stage)
            layer = replace(layer, grow=self.state.focus.share, lit=(EVERY_LIT, -1, True), lit_uv=WHOLE_TILE)
            out.append(replace(layer, rope_share=0.0, parameter=None))
        return tuple(layer for layer in out if layer.grow > 0.0)

    def _layer(self, link: LinkPlan, table: StrandTable, stage: Stage) -> StrandLayer:
        state, closed = self.state, 1.0 - min(stage.open[link.source], stage.open[link.target])
        share = 1.0 if table.n_trunk == len(table.strands) else smooth((closed - 0.35) / 0.5)
        edges, identity = state.edges, self.resident.identity
        other = self._stand_ins.get(link.index)
        epochs = self.epochs if other is None else (other, other)
        return StrandLayer(
            source=link.source, target=link.target,
            key=(identity, "looks", table.shape_key, epochs, self.front.number(link.target), edges.mode,
                 table.selection, state.budget.strands),
            shape_key=(identity, "strands", table.shape_key),
            strands=table.strands, n_trunk=table.n_trunk, trunk_per_sign=table.per_sign,
            source_clusters=table.source_clusters, target_clusters=table.target_clusters, radii=table.radii,
            path=strand_path(self.plan, link, table),
            colour=table.colour,
            hw=table.hw, rope=(ROPE_RADIUS, ROPE_RADIUS), rope_share=share,
            apex=float(stage.apex[link.index]) if link.path == "arc" else 0.0,
            turn=(float(stage.turn[link.index, 0]), float(stage.turn[link.index, 1])),
            leave=float(stage.leave[link.index]),
            gutter=self.plan.layers[link.target].tiles.gutter,
            source_gutter=self.plan.layers[link.source].tiles.gutter, is_dashed=self.run.graph.kind == "inferred",
            level=table.level, parameter=None if link.weighted is None else link.weighted.parameter,
            weight_index=table.weight_index, weight=table.weight, source_cell=table.source_cell,
            target_cell=table.target_cell, is_drawn=table.is_drawn, counts=(table.shown, table.total, table.share),
            crowd=self._crowd(link, table), batches=table.batches, lit_uv=self._lit_uv(link, table),
            lit=None if link.index in self._cells else self.lit.get(link.index),
        )  # fmt: skip

    def _crowd(self, link: LinkPlan, table: StrandTable) -> float:
        """How many strands lie one over the other in the lanes of the gutter under a row of the target.

        −1 for staves, whose strands never touch.
        """
        if link.stave is not None:
            return -1.0
        tiles = self.plan.layers[link.target].tiles
        n = len(table.strands) - table.n_trunk
        n = n if table.selection in EVERY else min(n, self.state.budget.strands)
        return n / max(1, tiles.grid[0]) * 2.0 * THIN / max(1e-6, LANES_SHARE * tiles.gutter)

    def _lit_uv(self, link: LinkPlan, table: StrandTable) -> tuple[float, float, float, float]:
        """Where in the lit source tile strands start that stand out: in the cell, if strands start in cells."""
        thing, tiles = self.thing, self.plan.layers[link.source].tiles
        if thing is None or thing.row < 0 or thing.layer != link.source or tiles.cells == (1, 1):
            return WHOLE_TILE
        if not (table.source_cell >= 0).any():
            return WHOLE_TILE
        rows, cols = tiles.cells
        return thing.col / cols, thing.row / rows, (thing.col + 1) / cols, (thing.row + 1) / rows
