"""A recurrent layer as plates: gates in one row, then c, then h, one lane of height a direction. World units u.

Every plate shows rows of time, downward. A plate that holds several kinds of tiles at one place on the axis (sigmoid
gates at their true scale, signed ones beside them) is several groups of tiles with one extent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.arrange import TOKEN_HEIGHT, TOKEN_ROW, Tiles
from nn3d.run.model import Node

F32 = NDArray[np.float32]

LANE_GAP = 3.4
GATE_GAP = 0.30
PLATE_GAP = 3.0
UNIT = 32.0
UNIT_WIDTH = 4.6
GATE_SHARE = 0.72
SIGNED_GATES = frozenset(("g", "n"))
# Of the height of one tile of tokens: lanes of two directions.
BOTH_SHARE = 0.76
HALF_THICKNESS = 0.10
LOOP_HEIGHT = 3.6


@dataclass(frozen=True, slots=True)
class Piece:
    """Tiles of one kind on one plate of a recurrent layer.

    name : "gates", "g", "c" or "h", with the number of the level where there are several ("c 2").
    plate : number of its plate along the axis. outputs : outputs of the node, one a direction; gates : which rows of
    a gates output are shown, () for outputs that are (T, H) themselves. letters : one a tile, in order.
    is_true_scale : shown from 0 to 1 as they are.
    """

    name: str
    plate: int
    outputs: tuple[int, ...]
    gates: tuple[int, ...]
    letters: tuple[str, ...]
    is_true_scale: bool
    tiles: Tiles


@dataclass(frozen=True, slots=True)
class Recurrent:
    """Plates of a recurrent layer. steps : T. directions : 1 or 2. levels : stacked layers in the one module.

    plates : (p, 2) full height and width. pieces : in order of the plates; the last one is the layer's own output.
    suffixes : by level and direction, as parameters are named ("l0", "l0_reverse").
    """

    steps: int
    directions: int
    levels: int
    plates: NDArray[np.float64]
    pieces: tuple[Piece, ...]
    suffixes: tuple[str, ...]

    @property
    def extent(self) -> tuple[float, float]:
        """(height, width) of the largest plate."""
        return float(self.plates[:, 0].max()), float(self.plates[:, 1].max())

    @property
    def arching(self) -> float:
        """Room above the plates for the recurrence and its name."""
        return LOOP_HEIGHT + 1.2

    @property
    def hanging(self) -> float:
        """What hangs under the plates: the recurrence of the backward direction."""
        return LOOP_HEIGHT if self.directions > 1 else 0.0

    def places(self, yaw_rad: float) -> NDArray[np.float64]:
        """(p,) x of the plates from the middle of the layer, none covering its neighbour from `yaw_rad`."""
        widths = self.plates[:, 1]
        steps = (widths[1:] + widths[:-1]) / 2.0 / math.tan(yaw_rad) + PLATE_GAP / math.sin(yaw_rad)
        at = np.concatenate([[0.0], np.cumsum(steps)])
        return np.asarray(at - at[-1] / 2.0)

    def half_depth(self, yaw_rad: float) -> float:
        """Half of the room along the axis that the plates take, beyond that of one plate like the last."""
        wider = self.extent[1] - float(self.plates[-1, 1])
        return float(self.places(yaw_rad)[-1]) + wider / 2.0 / math.tan(yaw_rad)

    def level(self, piece: Piece) -> int:
        """Which of the stacked layers a piece belongs to."""
        words = piece.name.split()
        return int(words[1]) - 1 if len(words) > 1 else 0

    def hidden(self, level: int) -> Piece:
        """The piece that shows h of a level."""
        return next(p for p in self.pieces if p.name.split()[0] == "h" and self.level(p) == level)

    def lane(self, direction: int) -> tuple[float, float]:
        """(bottom, top) of a direction's lane as shares of the plates' height, −½ … ½; forward is above."""
        height = self.extent[0]
        each = (height - (self.directions - 1) * LANE_GAP) / self.directions / height
        top = 0.5 - direction * (each + LANE_GAP / height)
        return top - each, top


def recurrent_of(node: Node) -> Recurrent | None:
    """The plates of a node, or None where its gates are not recorded."""
    names = {output.name: i for i, output in enumerate(node.outputs)}
    both = bool(node.attributes.get("bidirectional"))
    n_levels = int(node.attributes.get("num_layers", 1) or 1)
    ends = ("", "_reverse") if both else ("",)
    suffixes = tuple(f"l{k}{end}" for k in range(n_levels) for end in ends)
    letters = tuple(str(g) for g in node.attributes.get("gates", ()))
    if not letters:
        return None
    pieces: list[Piece] = []
    plates: list[tuple[float, float]] = []
    for level in range(n_levels):
        own = suffixes[level * len(ends) : (level + 1) * len(ends)]
        label = f" {level + 1}" if n_levels > 1 else ""
        for kind in ("gates", "c", "h"):
            outputs = tuple(names.get(f"{kind}_{s}" if len(suffixes) > 1 else kind, -1) for s in own)
            if min(outputs) < 0:
                if kind == "c":
                    continue
                return None
            steps, width = node.outputs[outputs[0]].shape[-2:]
            made, extent = _plate(kind, label, len(plates), outputs, letters, (steps, width))
            pieces += made
            plates.append(extent)
    return Recurrent(steps, len(ends), n_levels, np.array(plates), tuple(pieces), suffixes)


def _plate(
    kind: str, label: str, number: int, outputs: tuple[int, ...], letters: tuple[str, ...], cells: tuple[int, int]
) -> tuple[list[Piece], tuple[float, float]]:
    tallest = TOKEN_HEIGHT * (BOTH_SHARE if len(outputs) > 1 else 1.0)
    half_y = min(tallest, max(1.0, TOKEN_ROW * cells[0])) / 2.0
    width = UNIT_WIDTH * min(2.0, max(0.35, math.sqrt(cells[1] / UNIT))) * (GATE_SHARE if kind == "gates" else 1.0)
    columns = len(letters) if kind == "gates" else 1
    extent = _extent(len(outputs), columns, half_y, width)
    if kind != "gates":
        tiles = _tiles(range(1), 1, len(outputs), cells, (half_y, width / 2.0))
        return [Piece(kind + label, number, outputs, (), (), False, tiles)], extent
    found = []
    for name, is_true in (("gates", True), ("g", False)):
        chosen = tuple(k for k, letter in enumerate(letters) if (letter not in SIGNED_GATES) == is_true)
        tiles = _tiles(chosen, columns, len(outputs), cells, (half_y, width / 2.0))
        own = tuple(letters[k] for k in chosen) * len(outputs)
        found.append(Piece(name + label, number, outputs, chosen, own, is_true, tiles))
    return found, extent


def _extent(lanes: int, columns: int, half_y: float, width: float) -> tuple[float, float]:
    return 2.0 * half_y * lanes + LANE_GAP * (lanes - 1), width * columns + GATE_GAP * (columns - 1)


def _tiles(
    chosen: tuple[int, ...] | range, columns: int, lanes: int, cells: tuple[int, int], half: tuple[float, float]
) -> Tiles:
    """Tiles of the chosen columns of every lane, each in its place of the whole row; nothing rearranges them."""
    height, width = _extent(lanes, columns, half[0], 2.0 * half[1])
    lane, column = (a.ravel() for a in np.meshgrid(np.arange(lanes), np.array(tuple(chosen)), indexing="ij"))
    y = height / 2.0 - half[0] - lane * (2.0 * half[0] + LANE_GAP)
    z = -width / 2.0 + half[1] + column * (2.0 * half[1] + GATE_GAP)
    at = np.stack([y, z], 1).astype(np.float32)
    extents = np.tile(np.array([height, width]), (4, 1))
    grid = (lanes, len(chosen))
    return Tiles(len(at), cells, grid, at, at, at, at, half, half, 0.5, extents, HALF_THICKNESS)
