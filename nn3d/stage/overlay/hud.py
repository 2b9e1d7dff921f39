"""The line at the foot of the picture: what of how many is drawn, and how sizes are drawn. Logical px."""

from __future__ import annotations

from nn3d.stage import stance
from nn3d.stage.ends import is_picture, scale_of
from nn3d.stage.frame import Mark, Text
from nn3d.stage.overlay.facts import Facts, number
from nn3d.stage.overlay.memory import memory_words, named, note_words
from nn3d.stage.plan import LinkPlan
from nn3d.stage.small import joins_columns
from nn3d.stage.state import EXACT_PASSES
from nn3d.stage.strands import StrandTable
from nn3d.stage.type import shorten, text_width, unknown

MAGNITUDES = {"weight": "|w|", "contribution": "|c|", "gradient": "|c · ∂L|"}

COMPARED = {"weight": "|Δw|", "contribution": "|Δ(a·w)|", "gradient": "|Δ(c · ∂L)|"}

MAX_NAMES = 100
KEY_W, KEY_H = 530.0, 60.0


def hud_marks(f: Facts) -> list[Mark]:
    """What of how many is drawn, and how sizes are drawn."""
    anchor = f.state.anchors.hud
    if anchor is None:
        return []
    x0, x1, y = anchor
    size = 11 * f.k
    right = [f"sides drawn n^{f.plan.power:g}"]
    right += _enlarged(f)
    if f.run.graph.kind == "inferred":
        right.insert(0, "dashed = inferred")
    elif f.state.edges.print == "grey":
        right.insert(0, "dashed = negative")
    right = [*stance.words(f.state), *right]
    said = [*compared_words(f), *memory_words(f), *folded_words(f), *_font_words(f), *_order_words(f), *f.notes]
    right = [*said, *right]
    pooled = (p for p in f.plan.layers if p.pool != (1, 1))
    right += [f"{p.layer.name}: a cell is the mean of {p.pool[0] * p.pool[1]}" for p in pooled]
    tail = ", ".join(right)
    lines = ["    ".join(strand_figures(f, with_units=u)) for u in (True, False)]
    beside = x1 - x0 - text_width(tail, size, "regular") - 28
    is_apart = min(text_width(t, size, "regular") for t in lines) > beside
    room = x1 - x0 if is_apart else beside
    line = next((t for t in lines if text_width(t, size, "regular") <= room), _fit(lines[-1], room, size))
    ink, key = f.ink("text3"), f.state.anchors.key
    words = Text(x0, y, line, size, "regular", ink, "la")
    if not is_apart:
        return [words, Text(x1, y, shorten(tail, size, x1 - x0), size, "regular", ink, "ra")]
    above = y - 16 * f.k
    if key is None or key[1] + KEY_H * f.k < above:
        return [words, Text(x1, above, shorten(tail, size, x1 - x0), size, "regular", ink, "ra")]
    return [words, Text(x0, above, shorten(tail, size, key[0] - KEY_W * f.k - x0), size, "regular", ink, "la")]


def compared_words(f: Facts) -> list[str]:
    """Layers that have no partner in A, and that A's samples are other inputs."""
    found = f.compared
    if found is None:
        return ["the other run of this comparison was not given"] if f.state.compare is not None else []
    names = [f.run.layers[k].name for k in sorted(found.alone)]
    said = [] if found.difference.is_same_input else ["A has other inputs: compared sample by sample all the same"]
    return [f"without partner in A, shown empty: {named(names)}", *said] if names else said


def folded_words(f: Facts) -> list[str]:
    """How many layers are drawn, and how many stand inside closed groups: "73 layers: 20 shown, 53 in 3 groups"."""
    n, closed = f.plan.groups.n_layers, sum(p.group >= 0 for p in f.plan.layers)
    if not closed:
        return []
    own = len(f.plan.layers) - closed
    return [f"{n} layers: {own} shown, {n - own} in {closed} closed {'group' if closed == 1 else 'groups'}"]


def _enlarged(f: Facts) -> list[str]:
    """How much larger than other tiles pictures at the ends are drawn: "input ×1.55"."""
    pictures = [p for p in f.plan.layers if p.input is not None and p.tiles.n <= 3 and not p.is_token]
    maps = [p for p in pictures if p.tiles.cells != (1, 1) or not f.plan.tallest]
    said = [f"input ×{scale_of(maps[0], f.plan.power):.3g}"] if maps else []
    last = next((p for p in f.plan.layers if p.is_output and p.input is None and is_picture(p)), None)
    more = 1.0 if last is None else scale_of(last, f.plan.power)
    return [*said, f"output ×{more:.3g}"] if abs(more - 1.0) > 1e-3 else said


def _order_words(f: Facts) -> list[str]:
    """That tiles do not stand in index order, and what that order spares."""
    if f.state.order != "flow":
        return []
    if f.orders is None:
        return ["order by flow: reading"]
    left = f", {f.orders.n_large} large links left out" if f.orders.n_large else ""
    spared = f"{100 * f.orders.change:+.0f}".replace("-", "−")
    return [f"tiles in order of flow, numbers stay: crossings {spared} %{left}"]


def _font_words(f: Facts) -> list[str]:
    """How many characters of the names no font on this machine has; they are spelled out by number."""
    names = (f.run.name or "", *f.run.classes[:MAX_NAMES], *(p.layer.name for p in f.plan.layers))
    n = len(unknown("".join(names)))
    return [f"no font here has {n} {'character' if n == 1 else 'characters'}: shown as U+…"] if n else []


def strand_figures(f: Facts, *, with_units: bool = True) -> list[str]:
    """One entry a link: "conv2 867 of 2,400 (81 % of |c|)"; many ropes are summed up.

    with_units : also what one of the equal strands stands for.
    """
    if f.state.edges.selection == "off":
        return ["strands off"]
    what = (MAGNITUDES if f.compared is None else COMPARED)[f.state.edges.mode]
    singles, ropes, pairs, columns = [], 0, 0, 0
    for i, table in sorted(f.tables.items()):
        link = f.plan.links[i]
        if table.note:
            continue
        if table.words and table.shown and not _is_rope(f, link):
            singles.append(f"{f.plan.layers[link.target].layer.name} {number(table.shown)} ropes of {table.words}")
        elif table.colour != "sign":
            pairs += 1
        elif table.shown == 0 or _is_rope(f, link):
            ropes += 1
        elif joins_columns(f.plan, link) and table.shown == table.total:
            columns += table.shown
        else:
            share = "" if table.share > 0.999 or table.batches else f" ({_whole(table.share)} of {what})"
            share += _coarser(f, link, table)
            unit = f", 1 strand ≈ {table.unit:.2g}" if with_units and table.unit > 0 else ""
            singles.append(
                f"{f.plan.layers[link.target].layer.name} {number(table.shown)} of {number(table.total)}{share}{unit}"
            )
    out = [f"strands, {_selection(f)}", *singles] if singles else []
    out += [table.aside for _, table in sorted(f.tables.items()) if table.aside]
    out += note_words(f)
    if columns:
        out += _column_figures(f, columns, what, " between neurons" if singles else "")
    if ropes:
        out.append(f"{ropes} {'pair' if ropes == 1 else 'pairs'} as ropes, one a sign, area ~ share of Σ{what}")
    if any(p.recurrent is not None for p in f.plan.layers):
        met = "w" if f.state.edges.mode == "weight" else "a·w"
        what = f"Σ|{met}|" if f.compared is None else f"|ΔΣ {met}|"
        out.append(f"recurrent: one strand a step, area ~ {what}, without biases")
    if pairs:
        ink = "dark" if f.palette.is_light else "ivory"
        out.append(f"grey: no weight, {ink}: copies" if _has_copies(f) else "grey: no weight")
    return out


def _has_copies(f: Facts) -> bool:
    return any(table.colour == "identity" for table in f.tables.values())


def _selection(f: Facts) -> str:
    """What is drawn, and for edges that add up how many have counted so far."""
    edges = f.state.edges
    if edges.selection != "exact":
        return edges.selection
    if not edges.passes:
        return "exact as soon as nothing moves"
    return f"exact, {_whole(edges.passes / EXACT_PASSES)} of edges counted"


def _column_figures(f: Facts, n: int, what: str, where: str) -> list[str]:
    """What the strands, stubs and numbers of a small network are."""
    n_biases = 0 if f.neurons is None else sum(len(b) for b in f.neurons.biases.values())
    drawn = f"all {number(n)} weights{where}" + (f" and {number(n_biases)} biases" if n_biases else "")
    change = "" if f.compared is None else "change of "
    stub = [f"stub under a neuron = {change}its bias"] if n_biases else []
    scale = f"area by {what}, one scale for {'these' if where else 'the network'}"
    return [drawn, scale, *stub, f"number on a tile = {change}its value"]


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
