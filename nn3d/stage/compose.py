"""run + state + what is resident → Frame: the one place where a picture is put together. Plain numpy, no GL, no I/O.

What is not in memory yet is left out of the picture and listed in Frame.missing; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis import outcome as outcomes
from nn3d.layout.arrange import HALF_THICKNESS
from nn3d.run.ops import op_of
from nn3d.run.run import Run
from nn3d.stage import (
    apart_rows,
    comparing,
    cubes,
    next_token,
    reorder,
    shades,
    structure,
    unfolding,
    waiting,
    words,
)
from nn3d.stage import camera as cameras
from nn3d.stage.bright_path import lit_ropes, path_tables
from nn3d.stage.first_view import first_open
from nn3d.stage.frame import Frame, Mark, TileLayer
from nn3d.stage.lens import Lens
from nn3d.stage.lit import dimmed
from nn3d.stage.look import palette
from nn3d.stage.meanwhile import Meanwhile
from nn3d.stage.ordering import blended
from nn3d.stage.overlay.bars import bar_marks, rope_marks
from nn3d.stage.overlay.caption import caption_marks
from nn3d.stage.overlay.cards import label_marks
from nn3d.stage.overlay.facts import Facts, text_boxes
from nn3d.stage.overlay.grounds import grounded
from nn3d.stage.overlay.groups import Handle, Scene, group_marks
from nn3d.stage.overlay.hud import hud_marks
from nn3d.stage.overlay.key import key_marks
from nn3d.stage.overlay.neurons import neuron_marks
from nn3d.stage.overlay.selected import card_box, selected_marks
from nn3d.stage.overlay.title import title_marks
from nn3d.stage.own import front_of
from nn3d.stage.plan import LayerPlan
from nn3d.stage.recurrence import Recurrences
from nn3d.stage.resident import LayerValues, Resident, ValuesNeed
from nn3d.stage.sides import Sides, before_view, joined, side_view, sides_of
from nn3d.stage.small import Neurons, NeuronsNeed
from nn3d.stage.stages import LAST
from nn3d.stage.stance import world_from_bench
from nn3d.stage.standing import LONG_NETWORK, Stage
from nn3d.stage.state import (
    LONG_FOV_RAD,
    LONG_YAW_RAD,
    Budget,
    Camera,
    Edges,
    Fold,
    LayerView,
    Time,
    ViewState,
    default_anchors,
)
from nn3d.stage.strands import StrandTable
from nn3d.stage.stubs import stub_boxes
from nn3d.stage.tags import tag_marks
from nn3d.stage.urgency import due
from nn3d.stage.weave import Weaver

F64 = NDArray[np.float64]

INFERRED_STRANDS = 320


def initial_state(
    run: Run, resident: Resident, *, size_px: tuple[int, int] = (1600, 900), scale: float = 1.0, theme: str = "dark"
) -> ViewState:
    """The first view of a run: last epoch, first sample, opened as far as a picture can carry."""
    plan = resident.plan
    last = float(max(0, len(run.epochs) - 1))
    is_long = len(plan.layers) > LONG_NETWORK
    opened = first_open(resident.folds, size_px)
    views = tuple(LayerView(is_open=o, opening=1.0 if o else 0.0) for o in plan.is_open)
    camera = Camera(yaw_rad=LONG_YAW_RAD, fov_rad=LONG_FOV_RAD) if is_long else Camera()
    knows_values = any(p.shows == "values" and op_of(p.layer.op).family != "parameter" for p in plan.layers)
    edges = Edges() if knows_values and not plan.tallest else Edges(mode="weight")
    budget = Budget() if run.graph.kind != "inferred" else Budget(strands=INFERRED_STRANDS)
    return ViewState(
        n_epochs=len(run.epochs), n_samples=max(1, len(run.samples)), layers=views, size_px=size_px, scale=scale,
        theme=theme, time=Time(epoch=last, target=last), camera=camera, anchors=default_anchors(size_px),
        edges=edges, budget=budget, group_depths=tuple(g.depth for g in plan.groups.all), fold=Fold(opened, opened),
    )  # fmt: skip


def compose_frame(run: Run, state: ViewState, resident: Resident, meanwhile: tuple[int, ...] = ()) -> Frame:
    """One picture of a run. meanwhile : epoch indices; of the first that is in memory is shown what is missing."""
    sides = sides_of(state) if state.compare_sides and state.compare is not None else None
    composer = _Composer(run, state if sides is None else sides.inner, resident, meanwhile=meanwhile)
    frame, found = composer.frame(), composer.told
    return frame if sides is None or found is None else _with_sides(run, state, resident, frame, (found, sides))


def _with_sides(
    run: Run, state: ViewState, resident: Resident, main: Frame, found: tuple[comparing.Compared, Sides]
) -> Frame:
    """The difference with A and B above it."""
    compared, sides = found
    other = resident.other() if compared.is_other else None
    after = side_view(state, sides.boxes[1])
    first = None if other is None else initial_state(other.run, other)
    before = before_view(run, compared, side_view(state, sides.boxes[0]), first)
    sources = ((run, before, resident) if other is None else (other.run, before, other)), (run, after, resident)
    parts = [_Composer(*source, has_bars=False).frame() for source in sources]
    return joined(run, state, main, found, (parts[0], parts[1]), resident)


class _Composer:
    """One composition. What it looks up in `resident` is noted there, and named in the frame."""

    def __init__(
        self, run: Run, state: ViewState, resident: Resident, *, has_bars: bool = True,
        meanwhile: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        """In here `state`, `plan` and all indices are in rows: what is visible (nn3d.stage.folding)."""
        self.run, self.given, self.resident = run, state, resident.asking()
        self.has_bars = has_bars
        self.meanwhile = Meanwhile(meanwhile)
        self.signal = state.signal if state.compare is None else "values"
        self.compared = self.told = comparing.begun(run, state, self.resident)
        if self.compared is not None and state.compare is not None:
            self.resident = self.resident.compared(state.compare)
        shown = unfolding.shown(resident.folds, state)
        self.folded, self.plan = shown.folded, shown.plan
        self.stage = apart_rows.thinned(shown.stage, shown.plan, apart_rows.seen(shown.folded, state))
        self.front = front_of(run, state, self.stage.x)
        self.state = replace(shown.state, sample=self.front.now)
        last = max(0, min(state.n_epochs, len(run.epochs)) - 1)
        first = min(int(state.time.epoch), last)
        self.mix = float(state.time.epoch - first)
        self.epochs = (first, min(first + 1, last) if self.mix > 0 else first)
        by_index = state.order == "index" and state.order_blend >= 1.0
        self.orders = None if by_index else self.resident.orders()
        self.palette = palette(state.theme, state.ramp)
        self.full = (1.0, 1.0)
        later = replace(self.state, sample=self.front.at_middle)
        self.recurrences = Recurrences(run, self.resident, later, self.epochs)

    def frame(self) -> Frame:
        stage = self.stage
        values = {i: self._values(p.layer.index) for i, p in enumerate(self.plan.layers)}
        inputs = {i for i, p in enumerate(self.plan.layers) if p.input is not None and p.input.kind == "image"}
        self.full = shades.network_full([v for i, v in values.items() if v is not None and i not in inputs])
        tiles, first = self._tiles(stage, values)
        weaver = Weaver(self.run, self.resident, self.plan, self.state, self.epochs, self.front, self.meanwhile)
        tables = apart_rows.places(weaver.tables, stage)
        lens = Lens(self.run, self.resident, self.folded, self.state)
        if lens.path is not None:
            weaver.follow(path_tables(self.folded, lens.path.path), lit_ropes(self.folded, lens.path.path))
        tiles = lens.plates(dimmed(self.plan, self.state.focus, weaver.lit, tiles, first), first)
        ends = [*first, len(tiles)]
        strands = tuple(
            replace(s, source=ends[s.source + 1] - 1, target=ends[s.target]) for s in weaver.layers(stage)
        )
        strands = self.recurrences.woven(self._recurrent, tiles, first, strands)
        strands = apart_rows.there(strands, stage, first)
        built = structure.build(self.plan, self.state, stage, self._outcome(values))
        neurons = self._neurons()
        stubs = stub_boxes(self.palette, tiles, neurons, self.mix, self.state.side)
        bench = world_from_bench(self.state)
        camera = cameras.resolved(self.state, built.corners)
        view = cameras.view_of(camera, self.state.size_px, cameras.depth_range(built.corners, camera), bench)
        tiles, n_flat = cubes.raised(tiles, view, self.state)
        shown = {i: v[0] for i, v in values.items() if v is not None and self.signal == "values"}
        needs = due(self.resident, self.plan, self.state, stage, view)
        self.told = comparing.told(self.compared, built.probabilities, built.before)
        facts = Facts(
            self.run, self.plan, self.state, self.palette, shown, tables, built.probabilities, built.is_softmax_ours,
            needs, neurons, self.orders, self.full[round(self.mix)],
            (*cubes.words(tiles, n_flat), *apart_rows.words(self.folded, self.given)),
            self.front, self.told, self.meanwhile.words(self.run),
        )
        feet = structure.feet(self.plan, self.state, stage, built.floor_y, view)
        bars = bar_marks(facts, built.bars, view)
        foot = ([mark] for mark in hud_marks(facts))
        flat = grounded(facts, title_marks(facts), key_marks(facts), *foot)
        numbers = neuron_marks(facts, tiles, view, neurons, self.mix) if self.signal == "values" else []
        taken = text_boxes([*bars, *flat, *numbers])
        n_taken = len(taken)
        said = [t for t in feet if min(stage.scale[t.layer], stage.share[t.layer]) > 0.5]
        labels = label_marks(facts, said, taken)
        cards = taken[n_taken:]
        ropes = structure.rope_places(self.plan, self.state, stage, view)
        rail, handles = structure.feet_on_rail(self.state, stage), list[Handle]()
        marks: list[Mark] = [
            *numbers, *labels,
            *group_marks(facts, Scene(self.folded, stage, view, rail), cards, handles),
            *rope_marks(facts, apart_rows.places(ropes, stage), labels),
            *bars, *flat,
            *tag_marks(self.state, facts.k, words.all_tags(
                self.run, self.plan, self.state, stage, shown, tiles, first, view), view),
        ]  # fmt: skip
        caption = caption_marks(facts)
        chosen = selected_marks(facts, lens, tiles, first, view, [*marks, *caption])
        marks += [*chosen, *caption]
        return Frame(
            state=self.given, view=view, palette=self.palette, tiles=tiles, strands=strands,
            boxes=np.concatenate([built.boxes, stubs, lens.frames(tiles, first, view, self.palette)]),
            shadows=built.shadows, floor_y=built.floor_y,
            floor_rect=built.floor_rect, marks=tuple(marks), epoch_mix=self.mix, missing=needs.missing,
            wanted=needs.wanted, left_out=needs.left_out, stats=_stats(tables, tiles),
            groups=self.plan.groups, stands=tuple(first[row] for row in self.folded.stands),
            handles=tuple(handles), links=self.folded.item_links, names=self.folded.names,
            card=card_box(chosen), explained=lens.sum, stand_ins=self.meanwhile.shown,
        )  # fmt: skip

    def _tiles(
        self, stage: Stage, values: dict[int, tuple[LayerValues, LayerValues] | None]
    ) -> tuple[tuple[TileLayer, ...], list[int]]:
        """The plates of all rows, one for each repeat of a deck, and where the plates of each row begin."""
        tiles: list[TileLayer] = []
        first = []
        for row in range(len(self.plan.layers)):
            first.append(len(tiles))
            plate = self._tile_layer(row, stage, values[row])
            for slab in self.folded.slabs.get(row, ()):
                x, found = float(stage.x[row] + slab.x), self._values(slab.layer)
                face = replace(self._tile_layer(row, stage, found), layer=slab.item, x=x)
                above = self.plan.layers[row]
                share = self._place_of(above.layer.index, len(face.table))[1]
                tiles.append(replace(face, key=(self.resident.identity, "tiles", slab.layer, share, above.stacked)))
            if row in self._recurrent:
                tiles += self.recurrences.plates(self.plan.layers[row], plate)
            if len(tiles) == first[-1]:
                tiles.append(plate)
        return tuple(tiles), first

    @cached_property
    def _recurrent(self) -> dict[int, LayerPlan]:
        """Recurrent layers that are visible as themselves, by row: they stand as several plates."""
        n = self.plan.groups.n_layers
        rows = zip(self.folded.items, self.plan.layers, strict=True)
        return {row: p for row, (item, p) in enumerate(rows) if p.recurrent is not None and item < n}

    def _values(self, index: int, *, stage: int | None = None) -> tuple[LayerValues, LayerValues] | None:
        """Values of a layer of the run at the two epochs, None where they are not in memory.

        stage : after which of the layer's stages; None as the view says.
        """
        plan = self.resident.plan.layers[index]
        if plan.shows == "nothing" or self._is_alone(index) or self._is_unread(plan):
            return None
        needs = self._needs(index, stage)
        a, b = (self.resident.values(n) for n in needs)
        return self.meanwhile.values(self.resident, needs[0]) if a is None or b is None else (a, b)

    def _is_unread(self, plan: LayerPlan) -> bool:
        """Whether the weights that a layer shows wait in a large file, since nobody looks at it."""
        if plan.shows != "weights" or not waiting.is_waiting(self.run, plan.layer.weight, self.epochs):
            return False
        index = plan.layer.index
        return not waiting.is_looked_at(self.given.layers[index], index, self.given.selection)

    def _is_alone(self, index: int) -> bool:
        """Whether a layer of the run has no partner to be compared with."""
        return self.compared is not None and index in self.compared.alone

    def _needs(self, index: int, stage: int | None = None, *, is_fading: bool = False) -> tuple[ValuesNeed, ValuesNeed]:
        """What the two ends of a layer's mix are: two epochs, or where it is fading, two samples."""
        at = self.given.layers[index].stage if stage is None else stage
        a, b = self.epochs
        if is_fading:
            return ValuesNeed(index, a, self.front.before, at), ValuesNeed(index, a, self.front.now, at)
        sample = self.front.number(self._row_of.get(index, 0))
        layer = self.resident.plan.layers[index]
        if self.signal != "values" and layer.input is None and layer.recurrent is None and stage is None:
            return ValuesNeed(index, a, 0, signal=self.signal), ValuesNeed(index, b, 0, signal=self.signal)
        return ValuesNeed(index, a, sample, at), ValuesNeed(index, b, sample, at)

    @cached_property
    def _row_of(self) -> dict[int, int]:
        """The row in which a layer of the run is seen."""
        slabs = {s.layer: row for row, found in self.folded.slabs.items() for s in found}
        return slabs | {p.layer.index: row for row, p in enumerate(self.plan.layers)}

    def _faded(
        self, row: int, values: tuple[LayerValues, LayerValues] | None, stage: int | None = None
    ) -> tuple[tuple[LayerValues, LayerValues] | None, float | None]:
        """The values that a row mixes and how far; None: as far as the epochs of the picture."""
        share = self.front.share(row)
        if not 0.0 < share < 1.0 or values is None:
            return values, None
        a, b = (self.resident.values(n) for n in self._needs(self.plan.layers[row].layer.index, stage, is_fading=True))
        return (values, None) if a is None or b is None else ((a, b), share)

    def _neurons(self) -> Neurons | None:
        """Scale and biases of a small network whose weights are drawn."""
        edges = self.state.edges
        if not self.plan.tallest or edges.selection == "off":
            return None
        need = NeuronsNeed(self.epochs, self.front.at_middle, edges.mode)
        return self.resident.neurons(need)

    def _outcome(self, values: dict[int, tuple[LayerValues, LayerValues] | None]) -> structure.Outcome | None:
        """What the bars show; nothing while the output is away."""
        is_there = self.has_bars and apart_rows.is_there(self.stage, self.plan.output)
        return self._probabilities(values) if is_there else None

    def _probabilities(self, values: dict[int, tuple[LayerValues, LayerValues] | None]) -> structure.Outcome | None:
        plan = self.plan.layers[self.plan.output]
        found = values.get(self.plan.output)
        if self.given.layers[plan.layer.index].stage != LAST or self.signal != "values":
            found = self._values(plan.layer.index, stage=LAST)
        is_text = next_token.is_vocabulary(self.run, plan)
        if found is None or not (plan.is_classes or is_text) or plan.shows != "values":
            return None
        node = self.run.node(plan.layer.shown)
        if self.compared is not None:
            return self._changed(plan, node.op)
        found, share = self._faded(self.plan.output, found, LAST)
        assert found is not None
        logits = [v.values.cells.ravel() for v in found]
        if is_text:
            share, sample = None, self.front.number(self.plan.output)
            needs = [next_token.LastRowNeed(plan.layer.index, e, sample) for e in self.epochs]
            rows = [row for need in needs if (row := self.resident.last_row(need)) is not None]
            logits = [row.values for row in rows]
        if len(logits) < 2:
            return None
        pair = [outcomes.probabilities(v, node.op) for v in logits]
        mix = self.mix if share is None else share
        shares = pair[0] * (1 - mix) + pair[1] * mix
        return structure.Outcome(shares, node.op not in outcomes.PROBABILITIES, tuple(self.run.classes))

    def _changed(self, plan: LayerPlan, op: str) -> structure.Outcome | None:
        """What the bars show of a comparison: the shares of B, and those of A."""
        sample = self.front.number(self.plan.output)
        needs = [comparing.OutcomeNeed(plan.layer.index, e, sample) for e in self.epochs]
        found = [self.resident.outcomes(need) for need in needs]
        a, b = found
        if a is None or b is None:
            return None
        pair = [outcomes.probabilities(v.after, op) for v in (a, b)]
        after = pair[0] * (1 - self.mix) + pair[1] * self.mix
        before = outcomes.probabilities(b.before, op)
        return structure.Outcome(after, op not in outcomes.PROBABILITIES, tuple(self.run.classes), before)

    def _place_of(self, layer: int, n: int) -> tuple[NDArray[np.int64] | None, float]:
        """Slots of a layer's tiles in the order by flow, and how far they are on their way to them."""
        place = None if self.orders is None else self.orders.places.get(layer)
        return (None, 0.0) if place is None or place.size != n else (place, reorder.flow_share(self.state))

    def _tile_layer(self, i: int, stage: Stage, values: tuple[LayerValues, LayerValues] | None) -> TileLayer:
        plan, view = self.plan.layers[i], self.state.layers[i]
        values, mix = self._faded(i, values)
        shade = self._shade(plan, values, is_fading=mix is not None)
        pair = None if values is None else (values[0].shown, values[1].shown)
        tiles, scale = plan.tiles, float(stage.scale[i])
        place, share = self._place_of(plan.layer.index, len(plan.table))
        return TileLayer(
            layer=self.folded.items[i], key=(self.resident.identity, "tiles", plan.layer.index, share, plan.stacked),
            table=blended(plan.table, place, share), cells=tiles.cells, x=float(stage.x[i]),
            y=float(stage.y[i]), open_half=_scaled(tiles.half, scale), mosaic_half=_scaled(tiles.mosaic_half, scale),
            thickness=(HALF_THICKNESS, float(stage.thick[i])), scale=scale,
            block_half=(float(stage.height[i]) / 2, float(stage.width[i]) / 2), weights=view.weights,
            opening=view.opening * float(stage.share[i]), values=pair, lut=shade.lut,
            power=shade.power, gain=shade.gain, offset=shade.offset, gains=shade.gains, mix=mix,
        )  # fmt: skip

    def _shade(
        self, plan: LayerPlan, values: tuple[LayerValues, LayerValues] | None, *, is_fading: bool = False
    ) -> shades.Shade:
        """How a layer's values become colours, in the scope of the state."""
        is_signed = plan.shows == "weights" or (values is not None and values[0].is_difference)
        shade = shades.shade_of(plan.input, values, is_weights=is_signed)
        if values is None or self.state.scope == "layer" or self.signal != "values":
            return shade
        if self.state.scope == "network":
            return shades.by_network(shade, self.full)
        if plan.tiles.cells == (1, 1):
            return shade
        needs = [shades.PeaksNeed(n) for n in self._needs(plan.layer.index, is_fading=is_fading)]
        a, b = (self.resident.peaks(n) for n in needs)
        return shade if a is None or b is None else shades.by_map(shade, (a, b), tuple(needs))


def _scaled(half: tuple[float, float], scale: float) -> tuple[float, float]:
    return half[0] * scale, half[1] * scale


def _stats(tables: dict[int, StrandTable], tiles: tuple[TileLayer, ...]) -> dict[str, float]:
    single = [t for t in tables.values() if t.colour == "sign" and t.shown]
    weighted = [t for t in tables.values() if t.colour == "sign"]
    carried = [(t.share, sum(t.signs)) for t in single if t.signs is not None]
    total = sum(s for _, s in carried)
    return {
        "layers": float(len(tiles)),
        "tiles": float(sum(t.table.size for t in tiles)),
        "edges_shown": float(sum(t.shown for t in single)),
        "edges_total": float(sum(t.total for t in weighted)),
        "weight_share": sum(s * w for s, w in carried) / total if total else 0.0,
    }


def replace_views(state: ViewState, is_open: tuple[bool, ...]) -> ViewState:
    """The state with layers opened and closed at once."""
    views = tuple(
        replace(v, is_open=o, opening=1.0 if o else 0.0) for v, o in zip(state.layers, is_open, strict=True)
    )
    return replace(state, layers=views)
