"""Owns lists of modules beside each other: which of their orders leaves every joint fitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nn3d.extract.inference import sequence
from nn3d.extract.inference.draft import GUESSED, Value
from nn3d.extract.inference.tree import Box

if TYPE_CHECKING:
    from nn3d.extract.inference.walker import Demand, Walker

# Nodes that may be made and thrown away again while orders are tried, in one file.
MOST_TRIALS = 20_000


def walk(w: Walker, box: Box, boxes: Sequence[Box], x: Value | None, after: Demand) -> Value | None:
    """The given order unless it leaves units without a certain joint and another order of its lists leaves fewer.

    None where there are no two lists beside each other.
    """
    at = next((i for i in range(len(boxes) - 1) if _is_pair(boxes[i], boxes[i + 1])), None)
    if at is None or w.trials > MOST_TRIALS:
        return None
    mark = w.draft.mark()
    best: tuple[int, int] | None = None
    orders = _orders(boxes, at)
    if all(u.is_weighted for u in boxes[at].units()) and all(u.is_norm for u in boxes[at + 1].units()):
        orders = orders[1:2]
    for k, order in enumerate(orders):
        y = sequence.in_order(w, box, order, x, after)
        unmet = _cost(w, mark[0], len(mark[1])) + 4 * (after is not None and y is not None and not after(y))
        if not unmet:
            return y
        if best is None or unmet < best[0]:
            best = (unmet, k)
        w.trials += len(w.draft.nodes) - mark[0]
        w.draft.back(mark)
    return sequence.in_order(w, box, orders[best[1] if best else 0], x, after)


def _cost(w: Walker, first: int, before: int) -> int:
    """What an order leaves undone since node `first`: units without a joint, and joints that only just fit."""
    guessed = sum(n.attributes.get("certainty") == GUESSED for n in w.draft.nodes[first:])
    return int(4 * (len(w.draft.unjoined) - before) + guessed)


def _is_pair(a: Box, b: Box) -> bool:
    is_second = b.is_list or (len(b.children) == 1 and b.children[0].name.isdigit())
    return a.is_list and is_second and 0 <= len(a.children) - len(b.children) <= 1


def _pairs(a: Sequence[Box], b: Sequence[Box]) -> list[Box]:
    return [c for pair in zip(a, b, strict=False) for c in pair] + list(a[len(b) :])


def _orders(boxes: Sequence[Box], at: int) -> list[list[Box]]:
    a, b = boxes[at].children, boxes[at + 1].children
    pairs = [_pairs(a, b), _pairs(a[::-1], b[::-1])]
    front, rest = list(boxes[:at]), list(boxes[at + 2 :])
    orders = [list(boxes), *([*front, *middle, *rest] for middle in pairs)]
    if at + 2 < len(boxes) and _is_pair(boxes[at + 1], boxes[at + 2]) and len(b) == len(boxes[at + 2].children):
        c = boxes[at + 2].children
        turned = [m for pair in zip(b[::-1], c[::-1], strict=True) for m in pair]
        orders.append([*boxes[: at + 1], *turned, *boxes[at + 3 :]])
    return orders
