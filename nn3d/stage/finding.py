"""Finding: which layers, groups, parameters and commands answer a typed text, how well, and by which letters.

A text is words; each has to occur in the name, the type, the shape or other words of an entry. "3x3", "3 × 3" and "3*3"
are one word. What matches better comes first: the whole name, its beginning, the beginning of a word in it, anywhere;
then type and shape. Where nothing else answers: the letters of the name in their order, with others between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from nn3d.run.groups import Groups
from nn3d.run.model import Layer
from nn3d.run.ops import op_of
from nn3d.run.run import Run
from nn3d.stage.folding import words as group_words
from nn3d.stage.state import Thing

KINDS: Final = ("layer", "parameter", "command")
HEADS: Final = {"layer": "Layers", "parameter": "Parameters", "command": "Commands"}
MOST_OF_A_KIND: Final = 8
LEAST_SPREAD: Final = 3
SPREAD_RANK: Final = 9
_TIMES: Final = re.compile(r"(?<=\d)\s*[x×*]\s*(?=\d)")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be found.

    kind : of KINDS; groups count as layers. name, detail, figure : what the line shows, left to right.
    more : further words that find it. thing : where one flies. trigger : the gesture that it stands for.
    fill : what it puts into the field, to be completed with a value. number : of an offer in the list it came from.
    parameter : its id.
    """

    kind: str
    name: str
    detail: str = ""
    figure: str = ""
    more: str = ""
    icon: str = ""
    thing: Thing | None = None
    trigger: str = ""
    fill: str = ""
    number: int = -1
    parameter: int = -1
    caps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that answers. names, details : parts of its name and of its detail that match.

    rank : of its worst word, 0 is best. total : of all words together.
    """

    entry: Entry
    rank: int = 0
    total: int = 0
    names: tuple[Span, ...] = ()
    details: tuple[Span, ...] = ()
    by_figure: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed. totals : of each kind, in the order shown, how many answer; the lines may be fewer."""

    found: tuple[Found, ...] = ()
    totals: tuple[tuple[str, int], ...] = ()

    @property
    def n_found(self) -> int:
        """How many entries answer, listed or not."""
        return sum(n for _, n in self.totals)


def search_key(text: str) -> str:
    """A text as it is compared: small letters, one by one, so that places stay the same."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a typed text, sizes put together: "conv 3 x 3" is conv and 3×3."""
    return tuple(_TIMES.sub("×", search_key(text)).split())


def listing(entries: Sequence[Entry], text: str, *, is_mixed: bool = False) -> Listing:
    """The entries that answer a text, kind by kind; the kind of the best one first.

    is_mixed : the list holds several kinds, of layers and parameters MOST_OF_A_KIND lines once something is typed.
    """
    words = words_of(text)
    found = [f for entry in entries if (f := _match(entry, words)) is not None]
    best = min((f.rank for f in found), default=SPREAD_RANK)
    found = sorted((f for f in found if f.rank < SPREAD_RANK or best == SPREAD_RANK), key=lambda f: (f.rank, f.total))
    by_kind = {kind: [f for f in found if f.entry.kind == kind] for kind in KINDS}
    order = sorted((k for k in KINDS if by_kind[k]), key=lambda k: (by_kind[k][0].rank, KINDS.index(k)))
    if not words and is_mixed:
        order.sort(key=lambda k: k != "command")
    is_short = is_mixed and bool(words) and len(order) > 1
    most = {kind: MOST_OF_A_KIND if is_short and kind != "command" else len(found) for kind in order}
    lines = tuple(f for kind in order for f in by_kind[kind][: most[kind]])
    return Listing(lines, tuple((kind, len(by_kind[kind])) for kind in order))


def _match(entry: Entry, words: Sequence[str]) -> Found | None:
    name, detail = search_key(entry.name), search_key(entry.detail)
    figure, more = entry.figure.replace(" ", ""), search_key(entry.more)
    rank, total, names, details, by_figure = 0, 0, list[Span](), list[Span](), False
    for word in words:
        at, step = _place(name, word), 0
        if at is not None:
            names.append((at, at + len(word)))
            step = _rank(name, word, at)
        elif (at := _place(detail, word)) is not None:
            details.append((at, at + len(word)))
            step = 5
        elif figure and word in figure:
            by_figure, step = True, 0 if word == figure else 4
        elif word in more:
            step = 6
        else:
            spans = _spread(name, word)
            if spans is None:
                return None
            names += spans
            step = SPREAD_RANK
        rank, total = max(rank, step), total + step
    return Found(entry, rank, total, _joined(names), _joined(details), by_figure)


def _place(text: str, word: str) -> int | None:
    """Where `word` stands in `text`, at the beginning of a word of it if it can; None where it does not."""
    at = text.find(word)
    first = at if at >= 0 else None
    while at >= 0:
        if at == 0 or not text[at - 1].isalnum():
            return at
        at = text.find(word, at + 1)
    return first


def _rank(name: str, word: str, at: int) -> int:
    if at == 0:
        return 0 if name == word else 1
    return 2 if not name[at - 1].isalnum() else 3


def _spread(name: str, word: str) -> list[Span] | None:
    """Places of the letters of `word` in their order, other letters between them; None when one is missing."""
    if len(word) < LEAST_SPREAD:
        return None
    at, out = -1, list[Span]()
    for letter in word:
        at = name.find(letter, at + 1)
        if at < 0:
            return None
        out.append((at, at + 1))
    return out


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, those that touch or overlap put together."""
    out: list[Span] = []
    for low, high in sorted(spans):
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def network_entries(run: Run, groups: Groups) -> tuple[Entry, ...]:
    """Layers with the groups that hold them, in the order of the network, then parameters."""
    out: list[Entry] = []
    said: set[int] = set()
    for layer in run.layers:
        for g in reversed(groups.around(layer.index) if groups.parent else []):
            if g not in said:
                said.add(g)
                out.append(_group_entry(groups, g))
        out.append(_layer_entry(run, layer))
    return (*out, *_parameter_entries(run))


def _group_entry(groups: Groups, index: int) -> Entry:
    group = groups.all[index]
    said = group_words(group)
    figure = "" if said == (n := f"{len(group.layers)} layers") else n
    return Entry(
        "layer", group.name, said, figure, f"group {group.path} {group.type}", "layers",
        Thing(groups.n_layers + index),
    )  # fmt: skip


def _layer_entry(run: Run, layer: Layer) -> Entry:
    ops = " ".join(f"{run.node(n).op} {op_of(run.node(n).op).family}" for n in layer.nodes)
    figure = " × ".join(str(n) for n in layer.shape) or "1"
    return Entry("layer", layer.name, layer.kind, figure, f"{ops} {layer.module}", "", Thing(layer.index))


def _parameter_entries(run: Run) -> list[Entry]:
    owner: dict[int, int] = {}
    for layer in run.layers:
        for node in layer.nodes:
            for parameter in run.node(node).parameters.values():
                owner.setdefault(parameter, layer.index)
    return [
        Entry(
            "parameter", p.name, f"of {run.layers[owner[p.id]].name}" if p.kind == "parameter" else p.kind,
            " × ".join(str(n) for n in p.shape) or "1", "parameter tensor", "sigma", Thing(owner[p.id]),
            parameter=p.id,
        )
        for p in run.graph.parameters
        if p.id in owner
    ]  # fmt: skip
