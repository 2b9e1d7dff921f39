"""Which groups are open when a run is first looked at: from the near end on, as long as plates can be read."""

from __future__ import annotations

import math

import numpy as np

from nn3d.run.groups import FEW_LAYERS, Groups
from nn3d.stage.folding import CLOSED, Folded, Folds
from nn3d.stage.standing import LONG_NETWORK, stage_of
from nn3d.stage.state import LONG_YAW_RAD, PITCH_RAD, YAW_RAD, LayerView, ViewState, default_anchors

NARROWEST_PX = 39.0
FEW_ROWS, MOST_ROWS = 14, 20
MOST_UNFOLDED = 40
LITTLE = 0.8


def first_open(folds: Folds, size_px: tuple[int, int]) -> tuple[int, ...]:
    """Groups that are open at first, ascending.

    What holds the output is open where that fits. Then the nearest closed group opens, again and again, unless another
    one with the same Merkle hash stands open already: repeats stay folded behind the first of them. It ends where more
    than 24 plates would stand on the axis, or more than 14 of which half are narrower than 39 px: the far end stays
    folded. Where folding gains little, nothing is folded.
    """
    groups = folds.plan.groups
    everything = frozenset(range(len(groups.all)))
    if groups.n_layers <= FEW_LAYERS or _gains_little(folds, everything, size_px):
        return tuple(sorted(everything))
    opened = frozenset(groups.around(folds.plan.output))
    opened = opened if fits(folds.of(opened), size_px) else frozenset()
    while True:
        seen = {groups.all[g].digest for g in opened}
        closed = [g for item in folds.of(opened).items if (g := item - groups.n_layers) >= 0]
        closed = [g for g in closed if not _is_repeat(groups, g, seen)]
        if not closed:
            return tuple(sorted(opened))
        nearest = min(closed, key=lambda g: groups.all[g].layers[0])
        if not fits(folds.of(opened | {nearest}), size_px):
            return tuple(sorted(opened))
        opened |= {nearest}


def _is_repeat(groups: Groups, group: int, seen: set[str]) -> bool:
    """Whether a group, or everything that it holds, is what stands open already."""
    held = [groups.of_item(item) for item in groups.parts(group)]
    return groups.all[group].digest in seen or all(h is not None and h.digest in seen for h in held)


def _gains_little(folds: Folds, everything: frozenset[int], size_px: tuple[int, int]) -> bool:
    """Whether plates are hardly wider with all groups closed than with all open."""
    if folds.plan.groups.n_layers > MOST_UNFOLDED:
        return False
    return plate_px(folds.of(everything), size_px) >= LITTLE * plate_px(folds.of(()), size_px)


def fits(folded: Folded, size_px: tuple[int, int]) -> bool:
    """Whether what is visible can be read in a picture of this size."""
    n = len(folded.items)
    return n <= FEW_ROWS or (n <= MOST_ROWS and plate_px(folded, size_px) >= NARROWEST_PX)


def plate_px(folded: Folded, size_px: tuple[int, int]) -> float:
    """Median width in px of the plates on the main line, once the camera has fitted the network; perspective left out.

    A plate counts as wide as a square one of the same area, seen from the same side.
    """
    plan = folded.plan
    n = plan.groups.n_layers
    views = tuple(LayerView(opening=float(o), is_open=o) if i < n else CLOSED for i, o in
                  zip(folded.items, plan.is_open, strict=True))  # fmt: skip
    stage = stage_of(plan, ViewState(1, 1, views, size_px=size_px))
    yaw = LONG_YAW_RAD if n > LONG_NETWORK else YAW_RAD
    x0, y0, x1, y1 = default_anchors(size_px).free
    across = float(np.ptp(stage.x)) * math.sin(yaw) + float(stage.width.max()) * math.cos(yaw)
    top, low = float((stage.y + stage.height / 2).max()), float(stage.rail.min())
    upright = (top - low) * math.cos(PITCH_RAD) + float(np.ptp(stage.x)) * math.cos(yaw) * math.sin(PITCH_RAD)
    px_per_unit = min((x1 - x0) / max(across, 1e-6), (y1 - y0) / max(upright, 1e-6))
    wide = np.sqrt(stage.width * stage.height)[~stage.is_aloft]
    return float(np.median(wide)) * math.cos(yaw) * px_per_unit
