"""The line at the foot of the picture: what of how many is drawn, and how sizes are drawn. Logical px."""

from __future__ import annotations

from nn3d.stage.frame import Mark, Text
from nn3d.stage.strands import StrandTable
from nn3d.stage.overlay import Facts, number
from nn3d.stage.plan import LinkPlan
from nn3d.stage.type import text_width


def hud_marks(f: Facts) -> list[Mark]:
    """What of how many is drawn, and how sizes are drawn."""
    anchor = f.state.anchors.hud
    if anchor is None:
        return []
    x0, x1, y = anchor
    size = 11 * f.k
    right = [f"sides drawn n^{f.plan.power:g}"]
    if any(p.input is not None and p.tiles.n <= 3 for p in f.plan.layers):
        right.append("input ×1.55")
    if f.run.graph.kind == "inferred":
        right.insert(0, "dashed = inferred")
    pooled = (p for p in f.plan.layers if p.pool != (1, 1))
    right += [f"{p.layer.name}: a cell is the mean of {p.pool[0] * p.pool[1]}" for p in pooled]
    tail = ", ".join(right)
    room = x1 - x0 - text_width(tail, size, "regular") - 28
    lines = ["    ".join(strand_figures(f, with_units=u)) for u in (True, False)]
    line = next((t for t in lines if text_width(t, size, "regular") <= room), _fit(lines[-1], room, size))
    return [
        Text(x0, y, line, size, "regular", f.ink("text3"), "la"),
        Text(x1, y, tail, size, "regular", f.ink("text3"), "ra"),
    ]


def strand_figures(f: Facts, *, with_units: bool = True) -> list[str]:
    """One entry a link: "conv2 867 of 2,400 (81 % of |c|)"; many ropes are summed up.

    with_units : also what one of the equal strands stands for.
    """
    if f.state.edges.selection == "off":
        return ["strands off"]
    what = "|c|" if f.state.edges.mode == "contribution" else "|w|"
    singles, ropes, pairs = [], 0, 0
    for i, table in sorted(f.tables.items()):
        link = f.plan.links[i]
        if table.colour != "sign":
            pairs += 1
        elif table.shown == 0 or _is_rope(f, link):
            ropes += 1
        else:
            share = "" if table.share > 0.999 else f" ({_whole(table.share)} of {what})"
            share += _coarser(f, link, table)
            unit = f", 1 strand ≈ {table.unit:.2g}" if with_units and table.unit > 0 else ""
            singles.append(
                f"{f.plan.layers[link.target].layer.name} {number(table.shown)} of {number(table.total)}{share}{unit}"
            )
    out = [f"strands, {f.state.edges.selection}", *singles] if singles else []
    if ropes:
        out.append(f"{ropes} {'pair' if ropes == 1 else 'pairs'} as ropes, one a sign, area ~ share of Σ{what}")
    if pairs:
        out.append("grey, ivory: no weight")
    return out


def _coarser(f: Facts, link: LinkPlan, table: StrandTable) -> str:
    """What is drawn where it is not what was asked for: too many edges, or a level that the link has not."""
    said = [] if table.selection == f.state.edges.selection else [table.selection]
    is_conv = link.wiring is not None and bool(link.wiring.kernel)
    if table.level != f.state.edges.level and (is_conv or f.state.edges.level == "maps"):
        said.append("kernels" if is_conv else "neurons")
    return "".join(f", {word}" for word in said)


def _is_rope(f: Facts, link: LinkPlan) -> bool:
    state = f.state.layers
    return f.state.edges.level == "trunk" or not (state[link.source].is_open and state[link.target].is_open)


def _whole(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _fit(text: str, room: float, size: float) -> str:
    if text_width(text, size, "regular") <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        mid = (low + high + 1) // 2
        low, high = (mid, high) if text_width(text[:mid] + " …", size, "regular") <= room else (low, mid - 1)
    return text[:low].rstrip() + " …"
