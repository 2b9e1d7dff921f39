"""What a small network looks like where it differs from a large one: columns of neurons, and weights edge to edge.

`Plan.tallest` says that a network is small: the number of neurons in its largest layer, else 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.amounts import Moment, amounts_of
from nn3d.analysis.sampling import I64, Chosen, finite_magnitude
from nn3d.layout.arrange import INPUT_SCALE, arrange
from nn3d.layout.bundle import tile_table
from nn3d.layout.neurons import column_step, neuron_column, picture_scale, tallest_column
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage.strands import THICKEST, Looks, StrandTable

if TYPE_CHECKING:
    from nn3d.stage.plan import LayerPlan, LinkPlan, Plan

HALF_WIDTH = 0.30
ONE_TO_ONE = "1 : 1"
ROWS_AT_FULL_WIDTH = 6


def columns(run: Run, layers: tuple[LayerPlan, ...], power: float) -> tuple[tuple[LayerPlan, ...], int]:
    """(layers, tallest) of a network: in a small one every layer of neurons is a column, and input pictures fit it."""
    tallest = tallest_column(run.layers, [info.node for info in run.graph.inputs])
    if not tallest:
        return layers, 0
    return tuple(_column(plan, tallest, power) for plan in layers), tallest


def _column(plan: LayerPlan, tallest: int, power: float) -> LayerPlan:
    cells = plan.tiles.cells
    if cells == (1, 1):
        tiles = neuron_column(plan.tiles.n, tallest)
    elif plan.input is not None and plan.tiles.n == 1:
        tiles = arrange(1, cells, scale=max(INPUT_SCALE, picture_scale(cells[0], tallest, power)), power=power)
    else:
        return plan
    return replace(plan, tiles=tiles, table=tile_table(tiles))


def gaps(plan: Plan, opened: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) gap before each layer, from how open it is: `usual` unless the network is small."""
    if not plan.tallest:
        return usual
    return np.asarray(usual * (1.0 - opened) + max(column_step(plan.tallest), float(usual.max())) * opened)


def is_wire(plan: Plan, link: LinkPlan) -> bool:
    """Whether a link's weights run from edge to edge: both ends are columns, or one is the input picture."""
    if not plan.tallest or link.path != "route":
        return False
    a, b = plan.layers[link.source].tiles, plan.layers[link.target].tiles
    return b.cells == (1, 1) and (a.cells == (1, 1) or a.n == 1)


def strand_path(plan: Plan, link: LinkPlan, table: StrandTable) -> str:
    """How a link's strands run: "wire" from edge to edge in a small network; weights elsewhere by "route"."""
    if table.colour == "sign" and link.path != "arc":
        return "wire" if is_wire(plan, link) else "route"
    return "wire" if table.level == ONE_TO_ONE and _are_columns(plan, link) else link.path


def _are_columns(plan: Plan, link: LinkPlan) -> bool:
    ends = (plan.layers[link.source].tiles, plan.layers[link.target].tiles)
    return plan.tallest > 0 and all(t.cells == (1, 1) for t in ends)


def one_to_one(plan: Plan, link: LinkPlan) -> tuple[I64, I64] | None:
    """(source tiles, target tiles) of a link that joins tile to tile, or None: also into its part of a small concat."""
    a, b = plan.layers[link.source], plan.layers[link.target]
    k = np.arange(a.tiles.n)
    if a.tiles.n == b.tiles.n:
        return k, k
    if b.layer.op != "concat" or not _are_columns(plan, link) or link.link not in b.layer.links:
        return None
    sizes = [plan.layers[other.source].tiles.n for other in b.layer.links]
    at = b.layer.links.index(link.link)
    return (k, k + sum(sizes[:at])) if sum(sizes) == b.tiles.n else None


def at_edges(plan: Plan, link: LinkPlan, strands: NDArray[np.void]) -> NDArray[np.void]:
    """STRAND rows of a 1:1 link, in a small network from edge to edge."""
    if _are_columns(plan, link):
        strands["source_uv"][:, 0] = 1.0
    return strands


def draws_every(plan: Plan, link: LinkPlan, selection: str) -> bool:
    """Whether "sampled" means every edge: between two columns of a small network."""
    return selection == "sampled" and joins_columns(plan, link)


def joins_columns(plan: Plan, link: LinkPlan) -> bool:
    """Whether a link's weights are drawn on the network's one scale: both ends are columns of neurons."""
    return is_wire(plan, link) and plan.layers[link.source].tiles.cells == (1, 1)


def placed_on_edges(plan: Plan, link: LinkPlan, strands: NDArray[np.void]) -> NDArray[np.void]:
    """STRAND rows of a wire link with their places: on the source's right edge, or in order of the picture's cells.

    The order along a neuron's edge follows from the places of the tiles, where the strands are drawn (wires.glsl).
    """
    if not is_wire(plan, link):
        return strands
    out = strands.copy()
    if plan.layers[link.source].tiles.cells == (1, 1):
        out["source_uv"][:, 0] = 1.0
        return out
    rows = plan.layers[link.source].tiles.cells[0]
    u, v = out["source_uv"].T
    place = (np.floor(v * rows) + u) / rows
    out["target_uv"][:, 1] = 0.5 + (place - 0.5) * 0.62 - 0.045
    out["target_uv"][:, 0] = 0.0
    return out


@dataclass(frozen=True, slots=True)
class NeuronsNeed:
    """Scale and biases of a small network at epoch indices `epochs`, for what an edge shows in `mode`."""

    epochs: tuple[int, int]
    sample: int
    mode: str


@dataclass(frozen=True, slots=True)
class Neurons:
    """Figures of a small network at two epochs.

    largest : magnitude that the thickest strand or stub stands for; thickest : its half width in u.
    biases : by layer, (n, 2) float32.
    """

    largest: tuple[float, float]
    thickest: float
    biases: dict[int, FloatArray]

    @property
    def nbytes(self) -> int:
        """Memory of the biases."""
        return sum(b.nbytes for b in self.biases.values())


def neurons(run: Run, plan: Plan, need: NeuronsNeed) -> Neurons:
    """Read what a small network's stubs need."""
    largest = [largest_of(run, plan, Moment(e, need.sample, need.mode)) for e in need.epochs]
    found = {i: [_bias(run, plan, i, e) for e in need.epochs] for i in range(len(plan.layers))}
    biases = {i: np.stack(b, 1) for i, b in found.items() if b[0].size and need.mode != "gradient"}
    return Neurons((largest[0], largest[1]), thickest(plan.tallest), biases)


def largest_of(run: Run, plan: Plan, moment: Moment) -> float:
    """The largest magnitude in a small network at a moment: of all weights (or contributions) and biases.

    By gradient, of the weights' effects alone: a bias as it is does not belong on that scale.
    """
    found = [0.0]
    for link in plan.links:
        if link.wiring is None or not joins_columns(plan, link):
            continue
        amounts = amounts_of(run, link.wiring, "kernels", moment)
        if amounts is not None:
            every = amounts.at(np.arange(link.wiring.n_edges("kernels")))
            found.append(float(finite_magnitude(every).max(initial=0.0)))
    shown = range(len(plan.layers)) if moment.mode != "gradient" else ()
    biases = (_bias(run, plan, i, moment.epoch) for i in shown)
    found += [float(finite_magnitude(b).max(initial=0.0)) for b in biases]
    return max(found) or 1.0


def scaled(run: Run, plan: Plan, looks: Looks, pick: Chosen, index: I64, moment: Moment) -> Looks:
    """The looks of weights between columns on the network's one scale: area ∝ |amount|, `thickest` for the largest.

    index : (m,) edges of the strands. pick : those of them that are drawn at the moment.
    """
    largest = largest_of(run, plan, moment)
    area, amount = np.zeros(index.size, np.float32), np.zeros(index.size, np.float32)
    at = np.searchsorted(index, pick.index)
    area[at] = (thickest(plan.tallest) / THICKEST) ** 2 * np.minimum(1.0, pick.stands / largest)
    amount[at] = np.sign(looks.amount[at]) * np.minimum(1.0, pick.stands / largest)
    return replace(looks, area=area, amount=np.where(looks.is_drawn, amount, looks.amount).astype(np.float32))


def thickest(tallest: int) -> float:
    """Half width in u of the strand of the largest amount: .30, less where a neuron has many strands at its edge."""
    return HALF_WIDTH * float(np.sqrt(ROWS_AT_FULL_WIDTH / max(ROWS_AT_FULL_WIDTH, tallest)))


def _bias(run: Run, plan: Plan, layer: int, epoch: int) -> FloatArray:
    """(n,) bias of a layer's neurons at epoch index `epoch`; (0,) where it has none."""
    parameter = run.node(plan.layers[layer].layer.nodes[0]).parameters.get("bias")
    is_known = parameter is not None and run.has_parameter(parameter, epoch)
    if not is_known or parameter is None or plan.layers[layer].tiles.cells != (1, 1):
        return np.zeros(0, np.float32)
    b = np.asarray(run.parameter(parameter, epoch), np.float32).ravel()
    return b if b.size == plan.layers[layer].tiles.n else np.zeros(0, np.float32)
