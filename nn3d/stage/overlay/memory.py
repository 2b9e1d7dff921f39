"""Words for what is not on the picture: still being read, left out for want of memory, or not known."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from nn3d.stage.comparing import ComparedNeed
from nn3d.stage.overlay.facts import Facts, number
from nn3d.stage.resident import ValuesNeed
from nn3d.stage.strands import StrandsNeed

MOST_NAMES = 3


def memory_words(f: Facts) -> list[str]:
    """What is not on the picture because it is still being read, or because memory has no room for it."""
    more = f"reading, meanwhile {f.meanwhile}" if f.meanwhile else f"reading {number(len(f.due.missing))} more"
    words = [more] if f.due.missing else []
    if f.due.left_out:
        names = dict.fromkeys(_name(f, need) for need in f.due.left_out)
        words.append(f"left out, memory is {f.state.budget.memory_mb} MB: {named(names)}")
    return words


def note_words(f: Facts) -> list[str]:
    """Links that carry a note instead of what was asked for: "not known yet: fc1, fc2"."""
    notes: dict[str, list[str]] = {}
    for i, table in sorted(f.tables.items()):
        if table.note and not _is_alone(f, f.plan.links[i].target):
            notes.setdefault(table.note, []).append(f.plan.layers[f.plan.links[i].target].layer.name)
    return [f"{note}: {named(names)}" for note, names in notes.items()]


def _is_alone(f: Facts, row: int) -> bool:
    """Whether a layer has no partner in a comparison, which is said for layers, not for links."""
    return f.compared is not None and f.plan.layers[row].layer.index in f.compared.alone


def named(names: Iterable[str]) -> str:
    """The first names, and how many there are more."""
    each = list(names)
    if len(each) <= MOST_NAMES + 1:
        return ", ".join(each)
    return ", ".join(each[:MOST_NAMES]) + f" and {number(len(each) - MOST_NAMES)} more"


def _name(f: Facts, need: Hashable) -> str:
    layers = f.run.layers
    need = need.need if isinstance(need, ComparedNeed) else need
    if isinstance(need, ValuesNeed):
        return f"values of {layers[need.layer].name}"
    if isinstance(need, StrandsNeed):
        into = next((p.target for p in f.plan.links if (p.under or (p.index,))[0] == need.link), None)
        return "strands" if into is None else f"strands into {f.plan.layers[into].layer.name}"
    return "figures"
