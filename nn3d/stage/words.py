"""Which words hang on special layers: tokens beside their rows, letters on Q, K, V and gates, names of staves.

All places are on the bench, in u; nothing here knows pixels but the height of a row, by which words fan out.
"""

from __future__ import annotations

import numpy as np

from nn3d.layout.recurrent import LOOP_HEIGHT, Recurrent
from nn3d.layout.staves import n_tokens
from nn3d.run.run import Run
from nn3d.stage.frame import TileLayer, View
from nn3d.stage.plan import LinkPlan, Plan
from nn3d.stage.resident import LayerValues
from nn3d.stage.standing import Stage
from nn3d.stage.state import ViewState, type_scale
from nn3d.stage.tags import Arrow, Tag

LEAST_SCALE = 0.5
MIN_ROW_PX = 11.0
LETTERS = {"query": "Q", "key": "K", "value": "V"}
EDGE_PX = 8.0
# Fanned words take at most this share of the free height and this multiple of their tile's; how far aside, px.
FAN_SHARE, FAN_STRETCH, MOST_ASIDE_PX = 0.6, 2.4, 26.0
# Room for the cubes of a tile seen from close by, u.
CUBE = 0.62


def token_tags(
    run: Run, plan: Plan, state: ViewState, stage: Stage, values: dict[int, LayerValues], view: View
) -> list[Tag | Arrow]:
    """The words of token inputs, right-aligned at the left edge of their tile.

    Where rows are low the words fan out beside them on fine lines; every n-th is said where even those have no room.
    """
    out: list[Tag | Arrow] = []
    words = run.sample(state.sample).tokens if run.samples else ()
    for row, p in enumerate(plan.layers):
        steps = n_tokens(p.layer.shape, p.layer.axes) if p.input is not None and p.input.kind == "tokens" else 0
        if not steps or stage.scale[row] < LEAST_SCALE:
            continue
        ids = values[row].values.cells.ravel() if row in values else None
        said = [words[t] if t < len(words) else "" if ids is None else f"{ids[t]:.0f}" for t in range(steps)]
        edge = -state.side * stage.width[row] / 2.0
        top, low = (stage.y[row] + s * stage.height[row] / 2.0 for s in (1.0, -1.0))
        ends = view.project(np.array([(stage.x[row], top, edge), (stage.x[row], low, edge)]), state.size_px)
        row_px = abs(float(ends[1, 1] - ends[0, 1])) / type_scale(state) / steps
        each, pitch = _thinned(state, steps, row_px)
        aside = EDGE_PX + min(MOST_ASIDE_PX, 0.5 * (pitch - row_px) * steps)
        anchor = "rm" if state.side > 0 else "lm"
        for t in range((steps - 1) % each, steps, each):
            middle = t + 0.5 - steps / 2.0
            place = (float(stage.x[row]) - CUBE, float(stage.y[row] + (low - top) * middle / steps), float(edge))
            shift = (-aside * state.side, middle * (pitch - row_px))
            leader = EDGE_PX if aside > EDGE_PX + 1.0 else 0.0
            out.append(Tag(place, said[t], 11.0, anchor, shift, is_strong=t == steps - 1, leader=leader))
    return out


def _thinned(state: ViewState, steps: int, row_px: float) -> tuple[int, float]:
    """Every how many rows a word is said, and the px a row that words then have, at a type scale of 1."""
    _, top, _, bottom = state.anchors.free
    room = min(FAN_SHARE * (bottom - top) / type_scale(state), FAN_STRETCH * row_px * steps)
    each = max(1, int(np.ceil(MIN_ROW_PX * steps / max(room, row_px * steps, 1.0))))
    return each, max(row_px, MIN_ROW_PX / each)


def attention_tags(plan: Plan, state: ViewState, stage: Stage) -> list[Tag | Arrow]:
    """Q, K and V in the corners of the tiles that an attention reads."""
    links = [k for k in plan.links if k.link.argument in LETTERS and stage.scale[k.source] >= LEAST_SCALE]
    found = {k.source: LETTERS[k.link.argument] for k in links}
    doubled = [
        row for row in found
        if len({k.link.argument for k in plan.links if k.source == row and k.link.argument in LETTERS}) > 1
    ]
    return [_corner(state, stage, row, letter) for row, letter in found.items() if row not in doubled]


def _corner(state: ViewState, stage: Stage, row: int, letter: str) -> Tag:
    edge = -state.side * stage.width[row] / 2.0
    place = (float(stage.x[row]), float(stage.y[row] + stage.height[row] / 2.0), float(edge))
    return Tag(place, letter, 11.0, "mm", (12.0 * state.side, 13.0), has_pill=True, is_strong=True)


def stave_tags(plan: Plan, stage: Stage) -> list[Tag | Arrow]:
    """Names of staves at their levels ("copy 12 × 128 × 128"), and of the first piece of a residual stream."""
    out: list[Tag | Arrow] = []
    levels = plan.topology.levels
    for index in () if levels is None else levels.links:
        link = plan.links[index]
        if link.stave is None or stage.grow[index] < LEAST_SCALE:
            continue
        shape = " × ".join(str(n) for n in plan.layers[link.source].layer.shape)
        out.append(_above(stage, link, f"copy  {shape}"))
    stream = [k for k in plan.links if _is_stream(plan, k) and stage.grow[k.index] >= LEAST_SCALE]
    if stream:
        longest = max(stream, key=lambda k: float(stage.x[k.target] - stage.x[k.source]))
        assert longest.stave is not None
        said = longest.stave.stands
        out.append(_below(stage, longest, f"residual stream, one strand {'a' if said == 'token' else 'for'} {said}"))
    return out


def _is_stream(plan: Plan, link: LinkPlan) -> bool:
    column = plan.topology.column
    is_main = plan.topology.lane[link.source] == 0 == plan.topology.lane[link.target]
    is_tokens = link.stave is not None and link.stave.is_copy and link.stave.stands.endswith(("token", "tokens"))
    return bool(is_main and is_tokens and column[link.target] - column[link.source] > 1)


def _above(stage: Stage, link: LinkPlan, said: str) -> Tag:
    assert link.stave is not None
    a = float(stage.y[link.source] + link.stave.source.max() * stage.height[link.source])
    b = float(stage.y[link.target] + link.stave.target.max() * stage.height[link.target])
    x = float(stage.x[link.source] + stage.x[link.target]) / 2.0
    return Tag((x, (a + b) / 2.0, 0.0), said, 11.0, "mb", (0.0, -9.0))


def _below(stage: Stage, link: LinkPlan, said: str) -> Tag:
    low = float(stage.y[link.source] - stage.height[link.source] / 2.0)
    x = float(stage.x[link.source] + stage.x[link.target]) / 2.0
    return Tag((x, low, 0.0), said, 11.0, "ma", (0.0, 20.0))


def recurrent_tags(plan: Plan, state: ViewState, tiles: tuple[TileLayer, ...], first: list[int]) -> list[Tag | Arrow]:
    """Letters of the gates, c and h; lanes' directions and time; where the recurrence goes."""
    out: list[Tag | Arrow] = []
    for row, p in enumerate(plan.layers):
        if p.recurrent is None:
            continue
        plates = tiles[first[row] : first[row] + len(p.recurrent.pieces)]
        if plates[0].scale < LEAST_SCALE:
            continue
        out += _letters(p.recurrent, plates, state.side)
        out += _times(p.recurrent, plates[0], state.side)
        out += _recurrences(p.recurrent, plates)
    return out


def _letters(found: Recurrent, plates: tuple[TileLayer, ...], side: float) -> list[Tag]:
    out = []
    for piece, plate in zip(found.pieces, plates, strict=True):
        corner = np.array([piece.tiles.half[0], -piece.tiles.half[1] * side])
        letters = piece.letters or (piece.name.split()[0],) * piece.tiles.n
        for letter, (y, z) in zip(letters, piece.tiles.at_grid + corner, strict=True):
            at = (plate.x, plate.y + float(y), float(z))
            out.append(Tag(at, letter, 11.0, "mm", (11.0 * side, 14.0), has_pill=True, is_strong=True))
    return out


def _times(found: Recurrent, gates: TileLayer, side: float) -> list[Tag | Arrow]:
    """A time arrow a direction at the left edge of the first gates, its head where the direction ends."""
    out: list[Tag | Arrow] = []
    edge, aside, anchor = -side * gates.block_half[1], -9.0 * side, "rm" if side > 0 else "lm"
    for d in range(found.directions):
        low, high = (gates.y + share * 2.0 * gates.block_half[0] for share in found.lane(d))
        top, bottom = (gates.x, high, edge), (gates.x, low, edge)
        out.append(Arrow(*((top, bottom) if d == 0 else (bottom, top)), (aside, 0.0)))
        for at, step, drop in ((top, 0, 5.0), (bottom, found.steps - 1, -5.0)):
            out.append(Tag(at, f"t {step}", 10.0, anchor, (aside * 1.9, drop), has_pill=True))
        if found.directions > 1:
            middle = (gates.x, (high + low) / 2.0, edge)
            said = ("forward", "backward")[d]
            out.append(Tag(middle, said, 11.0, anchor, (aside * 1.9, 0.0), has_pill=True, is_strong=True))
    return out


def _recurrences(found: Recurrent, plates: tuple[TileLayer, ...]) -> list[Tag]:
    """What the arcs of the first level are, over and under them."""
    gates = plates[0]
    x = (gates.x + plates[found.pieces.index(found.hidden(0))].x) / 2.0
    out = []
    for d in range(found.directions):
        sign, step = (1.0, "+") if d == 0 else (-1.0, "−")
        apex = gates.y + sign * (gates.block_half[0] + LOOP_HEIGHT)
        said = f"h(t) → gates at t {step} 1"
        out.append(Tag((x, apex, 0.0), said, 11.0, "mm", (0.0, -16.0 * sign), has_pill=True))
    return out


def all_tags(
    run: Run, plan: Plan, state: ViewState, stage: Stage, values: dict[int, LayerValues],
    tiles: tuple[TileLayer, ...], first: list[int], view: View,
) -> list[Tag | Arrow]:  # fmt: skip
    """Every tag of a picture."""
    return [
        *token_tags(run, plan, state, stage, values, view), *attention_tags(plan, state, stage),
        *stave_tags(plan, stage), *recurrent_tags(plan, state, tiles, first),
    ]  # fmt: skip
