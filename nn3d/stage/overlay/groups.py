"""What is said of groups: a pill and arcs on closed blocks, brackets under the rail for open groups. Logical px."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nn3d.run.groups import CONTAINERS, Group, Groups
from nn3d.stage.folding import Folded, words
from nn3d.stage.frame import Line, Mark, Rect, Text, View
from nn3d.stage.overlay.facts import Facts
from nn3d.stage.standing import Stage
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]
Box = tuple[float, float, float, float]

SHOWN_SCALE = 0.5
PILL_LIFT = 15.0
PILL_HEIGHT = 20.0
BRACKET_DROP = 16.0
BRACKET_TICK = 7.0
NARROWEST = 40.0
# Words may be wider than their bracket by this; brackets with a name alone hang no lower than this.
OVERHANG = 36.0
FARTHEST_DROP = 110.0
# Arcs on a closed block: at most so many are drawn, over ±.84 of its half width, .9 u high.
MOST_ARCS = 24
ARC_REACH = 0.84
ARC_RISE = 0.9
ARC_STEPS = 10


@dataclass(frozen=True, slots=True)
class Scene:
    """What group marks are placed on. rail : (n, 3) feet of all rows in the world."""

    folded: Folded
    stage: Stage
    view: View
    rail: F64


Handle = tuple[int, Box]


def group_marks(f: Facts, scene: Scene, taken: list[Box], handles: list[Handle]) -> list[Mark]:
    """Pills and arcs over closed groups, brackets under open ones. taken : boxes of the cards; those of brackets join.

    handles : gets (item, box) of each pill and each bracket's words, where a pointer finds the group.

    Brackets go inward out: each hangs below the cards and the inner brackets of the rows that it spans.
    """
    marks: list[Mark] = []
    groups = f.plan.groups
    for row, item in enumerate(scene.folded.items):
        group = groups.of_item(item)
        if group is not None and min(scene.stage.scale[row], scene.stage.share[row]) > SHOWN_SCALE:
            marks += _arcs(f, scene, row, group.skips)
            marks += _pill(f, scene, row, group, handles)
    opened = [groups.all[g] for g in sorted(scene.folded.opened)]
    for group in sorted(opened, key=lambda g: (-g.depth, g.index)):
        found = _bracket(f, scene, group, taken)
        marks += found
        if found:
            handles.append((groups.n_layers + group.index, taken[-1]))
    return marks


def _pill(f: Facts, scene: Scene, row: int, group: Group, handles: list[Handle]) -> list[Mark]:
    """The count ("× 6") over a block of several parts of one class."""
    if group.count < 2:
        return []
    x, y = _top(f, scene, row)
    said, size = f"× {group.count}", 13 * f.k
    half, high = text_width(said, size, "semibold") / 2 + 9 * f.k, PILL_HEIGHT * f.k / 2
    y -= (PILL_LIFT + PILL_HEIGHT / 2) * f.k
    handles.append((scene.folded.items[row], (x - half, y - high, x + half, y + high)))
    return [
        Rect(x - half, y - high, x + half, y + high, f.ink("post"), high),
        Text(x, y, said, size, "semibold", f.ink("text"), "mm"),
    ]


def _top(f: Facts, scene: Scene, row: int) -> tuple[float, float]:
    """Over the middle of a row's upper edge: x, and the highest y of its block (and of the arcs on it)."""
    s = scene.stage
    depth = _depth(scene, row)
    y = s.y[row] + s.height[row] / 2
    ends = np.array([(s.x[row] + dx, y, dz * s.width[row] / 2) for dx in (-depth, depth) for dz in (-1.0, 1.0)])
    px = scene.view.project(ends, f.state.size_px)
    return float(px[:, 0].mean()), float(px[:, 1].min())


def _depth(scene: Scene, row: int) -> float:
    slabs = scene.folded.slabs.get(row, ())
    return scene.folded.plan.layers[row].depth if slabs else float(scene.stage.thick[row])


def _arcs(f: Facts, scene: Scene, row: int, n: int) -> list[Mark]:
    """One small arc for each skip inside, from the front edge of the block's top to its back edge."""
    if not n or row in scene.folded.slabs:
        return []
    s, n = scene.stage, min(n, MOST_ARCS)
    depth, top = _depth(scene, row), float(s.y[row] + s.height[row] / 2)
    z = np.linspace(-1.0, 1.0, n) * ARC_REACH * s.width[row] / 2 if n > 1 else np.zeros(1)
    t = np.linspace(0.0, np.pi, ARC_STEPS + 1)
    points = np.stack(
        np.broadcast_arrays(s.x[row] - depth * np.cos(t), top + ARC_RISE * np.sin(t), z[:, None]), -1
    ).reshape(-1, 3)
    px = scene.view.project(points, f.state.size_px).reshape(n, ARC_STEPS + 1, 2)
    fog, ivory = np.array(f.palette.fog[:3]), np.array(f.palette.identity[:3])
    r, g, b = (float(v) for v in fog + (ivory - fog) * 0.6)
    return [
        Line(float(a[0]), float(a[1]), float(c[0]), float(c[1]), 1.3 * f.k, (r, g, b, 1.0))
        for arc in px for a, c in pairwise(arc)
    ]  # fmt: skip


def _bracket(f: Facts, scene: Scene, group: Group, taken: list[Box]) -> list[Mark]:
    """A bracket along the rail under the rows of an open group, with its name and what it is."""
    rows = sorted({scene.folded.stands[i] for i in group.layers})
    items = {scene.folded.items[r] for r in rows}
    stage = scene.stage
    on_rail = [r for r in rows if not stage.is_aloft[r]]
    if len(items) < 2 or _is_plain(group, items) or not on_rail or len({int(stage.shelf[r]) for r in on_rail}) > 1:
        return []
    if float(stage.scale[rows].max()) < SHOWN_SCALE or float(np.median(stage.scale[rows])) < SHOWN_SCALE:
        return []
    ends = scene.rail[[min(rows, key=lambda r: stage.x[r]), max(rows, key=lambda r: stage.x[r])]].copy()
    ends[:, 1:] = scene.rail[on_rail[0], 1:]
    ends[:, 0] += (-_side(scene, rows, -1), _side(scene, rows, 1))
    px = scene.view.project_world(ends, f.state.size_px)
    order = np.argsort(px[:, 0])
    (x0, y0), (x1, y1) = px[order]
    if x1 - x0 < NARROWEST * f.k:
        return []
    said = _said(f.plan.groups, group)
    return _hung(f, (float(x0), float(y0), float(x1), float(y1)), said, taken)


def _is_plain(group: Group, items: set[int]) -> bool:
    """A container of two plates is not worth a bracket."""
    return len(items) < 3 and group.type in CONTAINERS and not group.note and not group.count


def _side(scene: Scene, rows: list[int], sign: int) -> float:
    """How far a bracket reaches beyond its outermost row: past its block, and a little more."""
    row = (min if sign < 0 else max)(rows, key=lambda r: scene.stage.x[r])
    return scene.folded.plan.layers[row].depth + 0.8


def _hung(f: Facts, ends: Box, said: tuple[str, str], taken: list[Box]) -> list[Mark]:
    """The bracket as low as the cards over it ask for, with what of its words it has room for; () without any."""
    x0, y0, x1, y1 = ends
    sizes, weights = (13 * f.k, 10.5 * f.k), ("semibold", "regular")
    wide = [text_width(t, size, w) for t, size, w in zip(said, sizes, weights, strict=True)]
    lines = [said[k] for k in range(2) if max(wide[: k + 1]) <= x1 - x0 + OVERHANG * f.k]
    if not lines:
        return []
    slope, middle, half = (y1 - y0) / max(x1 - x0, 1e-6), (x0 + x1) / 2, max(wide[: len(lines)]) / 2

    def lowest(box: Box) -> float:
        return float(min(y0 + slope * (x - x0) for x in np.clip((box[0], box[2]), x0, x1)))

    drops = [box[3] - lowest(box) + 6 * f.k for box in taken if box[0] < x1 and box[2] > x0 and box[3] > lowest(box)]
    drop = max([BRACKET_DROP * f.k, *drops])
    top = (y0 + y1) / 2 + drop + abs(slope) * half + 4 * f.k
    under = [box for box in taken if box[0] < middle + half + 6 and box[2] > middle - half - 6]
    top = max([top, *(box[3] + 2 for box in under if box[3] > top - 4 and box[1] < top + 17 * f.k * len(lines))])
    bottom = top + 17 * f.k * len(lines)
    is_far = drop > FARTHEST_DROP * f.k and len(lines) < 2
    if is_far or (f.state.anchors.hud is not None and bottom > f.state.anchors.hud[2] - 8 * f.k):
        return []
    taken.append((x0, min(y0, y1) + drop - 2, x1, max(y0, y1) + drop + 2))
    taken.append((middle - half - 6, top - 2, middle + half + 6, bottom))
    ink, tick = f.ink("rail"), BRACKET_TICK * f.k
    inks = (f.ink("text"), f.ink("text2"))
    return [
        Line(x0, y0 + drop, x1, y1 + drop, 1.0, ink),
        Line(x0, y0 + drop - tick, x0, y0 + drop, 1.0, ink), Line(x1, y1 + drop - tick, x1, y1 + drop, 1.0, ink),
        *(Text(middle, top + 17 * f.k * k, line, sizes[k], weights[k], inks[k], "ma") for k, line in enumerate(lines)),
    ]  # fmt: skip


def _said(groups: Groups, group: Group) -> tuple[str, str]:
    """Name and description of an open group: ("layer3", "6 Bottleneck, 2 – 6 equal, open"), or "block 1 of 12"."""
    around = [groups.all[g] for g in groups.around(groups.n_layers + group.index)]
    module = next((g for g in around if g.path), None)
    what = words(group)
    if module is not None and module.count > 1:
        place = groups.parts(module.index).index(groups.n_layers + group.index) if group.path else -1
        if place >= 0:
            what = f"{group.type} {place + 1} of {module.count}"
    return group.name, f"{what}, open"
