"""The microscope in one picture: the cell that stands out, what it was made from, its frames, its light and its sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.run.run import Run
from nn3d.stage.bright_path import BrightPath, PathNeed, path_patches
from nn3d.stage.explained import Explained, ExplainNeed
from nn3d.stage.focus import wanted
from nn3d.stage.folding import Folded
from nn3d.stage.frame import Palette, TileLayer, View
from nn3d.stage.lit import is_paired
from nn3d.stage.microscope import Patch, Spot, cell_of, patches, shown_node, spot_of
from nn3d.stage.microscope_frames import frames, lit_plates, path_plates
from nn3d.stage.resident import Resident
from nn3d.stage.slide import LARGEST
from nn3d.stage.state import ViewState

LOOK_BACK: Final = 64
DEEPEST: Final = 64


class Lens:
    """Made while a frame is composed; state and folded are in rows of what is visible.

    spot : the cell, or None. has_card : whether it is pointed at; else it is about to let go. patches : what it was
    made from, nearest first; with a path, its cells. sum : the arithmetic of `cell`, None while it is not in memory.
    """

    def __init__(self, run: Run, resident: Resident, folded: Folded, state: ViewState) -> None:
        self._state = state
        self._share = state.focus.share
        goal = wanted(state)
        self.has_card = goal is not None
        self.spot: Spot | None = spot_of(folded, goal if goal is not None else state.focus.thing)
        self.patches: tuple[Patch, ...] = ()
        self.sum: Explained | None = None
        self.cell: tuple[int, ...] = ()
        self.path: BrightPath | None = None
        self._onward: tuple[int, ...] = ()
        if self.spot is None:
            return
        links = [k for k in folded.plan.links if k.source == self.spot.row and is_paired(folded.plan, k)]
        self._onward = tuple(dict.fromkeys(k.target for k in links))
        node, depth, spot = shown_node(run, state, self.spot), state.lens.depth, self.spot
        self.patches = patches(run, folded, spot, resident.field(spot.layer, node, spot.cell, depth), depth)
        need = ExplainNeed(spot.layer, node, spot.cell, round(state.time.epoch), state.sample)
        self.sum, self.cell = resident.explained(need), spot.cell
        if state.lens.path > 0 and self.has_card:
            steps = min(state.lens.path, DEEPEST)
            self.path = resident.path(PathNeed(spot.layer, spot.cell, steps, need.epoch, need.sample))
            if self.path is not None:
                self.patches = path_patches(folded, self.path.path)
        if self.sum is None and state.slide is not None:
            self._last_known(resident, folded, need)

    def _last_known(self, resident: Resident, folded: Folded, need: ExplainNeed) -> None:
        """While the kernel slides faster than cells are read: the sum of the last cell that was."""
        spot, slide = self.spot, self._state.slide
        assert spot is not None
        assert slide is not None
        now = spot.thing.row * max(1, slide.cols) + spot.thing.col
        for number in range(now - 1, max(-1, now - LOOK_BACK), -1):
            row, col = divmod(number, max(1, slide.cols))
            cell = cell_of(folded.plan.layers[spot.row], replace(spot.thing, row=row, col=col))
            held = None if cell is None else resident.held.get(replace(need, cell=cell))
            if cell is not None and isinstance(held, Explained):
                self.sum, self.cell = held, cell
                return

    def plates(self, tiles: tuple[TileLayer, ...], first: Sequence[int]) -> tuple[TileLayer, ...]:
        """The plates with the light of the cell, and with what of its tile is not computed yet as empty."""
        if self.spot is None or self._share <= 0.0:
            return tiles
        if self.path is not None:
            return path_plates(tiles, first, self.spot, self.patches, self._share)
        slide = self._state.slide
        n_done = None if slide is None else min(max(0, int(slide.at)), LARGEST) + 1
        return lit_plates(tiles, first, self.spot, self.patches, self._share, n_done, self._onward)

    def frames(
        self, tiles: tuple[TileLayer, ...], first: Sequence[int], view: View, palette: Palette
    ) -> NDArray[np.void]:
        """(n,) BOX of the frames around the cell and what it was made from."""
        return frames(tiles, first, self.spot, self.patches, view, palette, self._share)
