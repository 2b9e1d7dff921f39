"""Which strands and plates keep their light while one tile stands out: those of the paths through it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from nn3d.stage.frame import TileLayer
from nn3d.stage.plan import LinkPlan, Plan
from nn3d.stage.state import Focus, Thing

DIM_STRANDS: Final = 0.80
DIM_TILES: Final = 0.70
LIT = tuple[int, int, bool]


def lit_links(plan: Plan, thing: Thing | None) -> dict[int, LIT]:
    """By link: (source tile, target tile, rope): strands of that source or target tile are lit, −1 none.

    Paths go one weighted link onward and back, and through links that join equal tiles one to one.
    """
    if thing is None or thing.tile < 0:
        return {}
    out: dict[int, LIT] = {}
    for way in (1, 0):
        seen, here = set[int](), [thing.layer]
        while here:
            row = here.pop()
            seen.add(row)
            for link in _from(plan.links, row, way):
                old = out.get(link.index, (-1, -1, True))
                out[link.index] = (thing.tile, old[1], True) if way else (old[0], thing.tile, True)
                onward = link.target if way else link.source
                if is_paired(plan, link) and onward not in seen:
                    here.append(onward)
    return out


def _from(links: Iterable[LinkPlan], row: int, way: int) -> list[LinkPlan]:
    return [k for k in links if (k.source if way else k.target) == row]


def is_paired(plan: Plan, link: LinkPlan) -> bool:
    """Whether a link joins equal tiles one to one, without weights."""
    return link.weighted is None and plan.layers[link.source].tiles.n == plan.layers[link.target].tiles.n


def tile_brightness(plan: Plan, focus: Focus, lit: dict[int, LIT], row: int) -> float:
    """How much of its colour a layer keeps: the focused one and those its lit paths touch all of it."""
    if focus.thing is None or focus.share == 0.0:
        return 1.0
    touched = {focus.thing.layer} | {r for i in lit for r in (plan.links[i].source, plan.links[i].target)}
    return 1.0 if row in touched else 1.0 - DIM_TILES * focus.share


def dimmed(
    plan: Plan, focus: Focus, lit: dict[int, LIT], tiles: tuple[TileLayer, ...], first: list[int]
) -> tuple[TileLayer, ...]:
    """The plates with their light; `first` says where the plates of each row begin."""
    if focus.thing is None or focus.share == 0.0:
        return tiles
    rows = np.searchsorted(first, np.arange(len(tiles)), side="right") - 1
    return tuple(
        replace(t, bright=t.bright * tile_brightness(plan, focus, lit, int(row)))
        for t, row in zip(tiles, rows, strict=True)
    )
