"""What the command palette offers: every key of the table, every setting with its values, epochs and samples by number.

A setting that needs a number is offered as the beginning of a text ("epoch "), to be completed in the same field.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Final

from nn3d.run.groups import Groups
from nn3d.run.run import Run
from nn3d.stage.bookmarks import bookmark_words
from nn3d.stage.commands import (
    Command,
    FoldAll,
    Follow,
    OpenLevel,
    SetCompare,
    SetEpoch,
    SetLevel,
    SetLoop,
    SetMode,
    SetOpen,
    SetOrder,
    SetPrint,
    SetRamp,
    SetReach,
    SetSample,
    SetScope,
    SetSelection,
    SetSides,
    SetSignal,
    SetSpeed,
    SetStage,
    SetStrength,
    SetTheme,
    UnfoldAll,
)
from nn3d.stage.comparing import name_of
from nn3d.stage.controls.table import TABLE
from nn3d.stage.finding import Entry, Listing, listing, network_entries
from nn3d.stage.stages import LAST, labels_of
from nn3d.stage.state import (
    LEVELS,
    MODES,
    ORDERS,
    PRINTS,
    RAMPS,
    SCOPES,
    SELECTIONS,
    SIGNALS,
    THEMES,
    Compare,
    ViewState,
)

SPEEDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
REACHES: Final = (1, 2, 3, 4)
STRENGTHS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
ASKS: Final = {
    "epoch": "Go to epoch …",
    "sample": "Show sample …",
    "strength": "Strength of the strands …",
    "speed": "Speed of playing …",
}
MOST_ASKED: Final = 400
MOST_METRICS: Final = 2
_SIDES: Final = ((True, "A and B above it"), (False, "the difference alone"))
_SCOPE_WORDS: Final = {"map": "each map", "layer": "each layer", "network": "the network"}
_SIGNAL_WORDS: Final = {
    "values": "values", "zeros": "zeros by unit: dead where full", "saturated": "saturated units",
    "ratio": "‖ΔW‖ / ‖W‖ by layer", "gradient": "length of the gradient by layer",
}  # fmt: skip
_PRINT_WORDS: Final = {"colour": "in colour", "grey": "in grey, negative strands dashed"}
_ASKED: Final = re.compile(rf"^({'|'.join(ASKS)})\s+(.*)$")


@dataclass(frozen=True, slots=True)
class Offer:
    """A command with its words. value : what the words end in; is_on : the view is so already."""

    words: str
    command: Command
    value: str = ""
    detail: str = ""
    is_on: bool = False


def offers(run: Run, state: ViewState) -> tuple[Offer, ...]:
    """Settings with each of their values, in the order of what they change."""
    e = state.edges
    out = [
        *(Offer("Edges: level", SetLevel(v), v, is_on=v == e.level) for v in LEVELS),
        *(Offer("Edges show", SetMode(v), v, is_on=v == e.mode) for v in MODES),
        *(Offer("Edges drawn:", SetSelection(v), v, is_on=v == e.selection) for v in SELECTIONS),
        *(Offer("Full colour for the largest of", SetScope(v), _SCOPE_WORDS[v], is_on=v == state.scope)
          for v in SCOPES),
        *(Offer("Tiles show", SetSignal(v), _SIGNAL_WORDS[v], is_on=v == state.signal) for v in SIGNALS),
        *(Offer("Colours of values:", SetRamp(v), v, is_on=v == state.ramp) for v in RAMPS),
        *(Offer("Theme:", SetTheme(v), v, is_on=v == state.theme) for v in THEMES),
        *(Offer("Print", SetPrint(v), _PRINT_WORDS[v], is_on=v == e.print) for v in PRINTS),
        *(Offer("Tiles in order of", SetOrder(v), v, is_on=v == state.order) for v in ORDERS),
        *(Offer("Focus: the selection and", SetReach(n), f"{n} link{'s' * (n > 1)} around", is_on=n == state.reach)
          for n in REACHES),
        Offer("Focus: off, all layers", SetReach(0), is_on=not state.reach),
        Offer("Open every layer", SetOpen(None, True)),
        Offer("Collapse every layer", SetOpen(None, False)),
    ]  # fmt: skip
    if state.group_depths:
        out += [Offer("Open all groups", UnfoldAll()), Offer("Close all groups", FoldAll())]
        out += [Offer("Open groups to depth", OpenLevel(d), f"{d}") for d in range(1, max(state.group_depths) + 1)]
    if state.n_epochs > 1:
        loop = state.time.is_looping
        out.append(Offer("Playing stops at the end" if loop else "Playing starts over at the end", SetLoop(not loop)))
    if state.live is not None:
        held = state.live.is_held
        out.append(Offer("Follow the training", Follow(True), is_on=not held))
        out.append(Offer("Hold here", Follow(False), is_on=held))
    return (*out, *_compared(run, state), *_stages(run, state))


def _compared(run: Run, state: ViewState) -> list[Offer]:
    """What the picture may be compared with: a few epochs of the run, and the other run."""
    out = []
    n, now = state.n_epochs, state.compare
    if n > 1:
        at = sorted({0, n // 2, max(0, round(state.time.target) - 1), n - 1})
        ids = [epoch.id for epoch in run.epochs]
        out += [Offer("Compare with epoch", SetCompare(k), f"{ids[k]}", is_on=now == Compare(k)) for k in at]
    if run.other is not None and run.other.epochs:
        last = len(run.other.epochs) - 1
        said = f"{name_of(run.other)}, epoch {run.other.epochs[last].id}"
        out.append(Offer("Compare with", SetCompare(last, True), said, is_on=now == Compare(last, True)))
    if not out:
        return []
    sides = [Offer("Comparison:", SetSides(on), said, is_on=on == state.compare_sides) for on, said in _SIDES]
    return [*out, Offer("Compare with nothing", SetCompare(None), is_on=now is None), *sides]


def _stages(run: Run, state: ViewState) -> list[Offer]:
    """The recorded stages of the selected layer: conv, then after its relu."""
    at = None if state.selection is None else state.selection.layer
    if at is None or at >= len(run.layers) or not run.epochs:
        return []
    labels = labels_of(run, run.layers[at], 0)
    now = state.layers[at].stage
    now = now if now != LAST else len(labels) - 1
    words = f"Show {run.layers[at].name} after"
    ends = [k if k < len(labels) - 1 else LAST for k in range(len(labels))]
    many = zip(labels, ends, strict=True) if len(labels) > 1 else ()
    return [Offer(words, SetStage(at, k), label, is_on=k in (now, LAST) and label == labels[now]) for label, k in many]


def asked(run: Run, state: ViewState, text: str) -> tuple[Offer, ...] | None:
    """Values for a text that begins with the name of a setting ("epoch 3"); None for any other text."""
    found = _ASKED.match(text.lower())
    if found is None:
        return None
    rest = found[2].strip()
    match found[1]:
        case "epoch":
            return _epochs(run, state, rest)
        case "sample":
            return _samples(run, state, rest)
        case "strength":
            values = _numbers(rest, STRENGTHS, 0.0, 1.0)
            return tuple(Offer("Strength", SetStrength(v), f"{v:g}") for v in values)
    values = _numbers(rest, SPEEDS, 0.01, 64.0)
    return tuple(Offer("Speed", SetSpeed(v), f"{v:g}", "epochs a second") for v in values)


def _numbers(text: str, usual: tuple[float, ...], low: float, high: float) -> tuple[float, ...]:
    """The number that is typed where it can be, else the usual ones."""
    if not text:
        return usual
    number = _number(text)
    return (number,) if number is not None and low <= number <= high else ()


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ".").replace("−", "-"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _epochs(run: Run, state: ViewState, text: str) -> tuple[Offer, ...]:
    """Epochs by the numbers that the timeline shows, with their first figures."""
    out = []
    for k, epoch in enumerate(run.epochs):
        if f"{epoch.id}".startswith(text):
            figures = [f"{name} {value:.4g}" for name, value in list(epoch.metrics.items())[:MOST_METRICS]]
            is_on = k == round(state.time.target)
            out.append(Offer("Epoch", SetEpoch(float(k)), f"{epoch.id}", ", ".join(figures), is_on))
    return tuple(sorted(out[:MOST_ASKED], key=lambda o: o.value != text))


def _samples(run: Run, state: ViewState, text: str) -> tuple[Offer, ...]:
    """Samples by number, name or true class; a whole number comes first."""
    out = []
    for k, sample in enumerate(run.samples):
        truth = ""
        if sample.label is not None:
            named = sample.label < len(run.classes)
            truth = f"truth {run.classes[sample.label] if named else sample.label}"
        if f"{k}".startswith(text) or text in sample.name.lower() or text in truth.lower():
            out.append(Offer("Sample", SetSample(k), f"{k}", f"{sample.name} · {truth}".strip(" ·"), k == state.sample))
    return tuple(sorted(out[:MOST_ASKED], key=lambda o: o.value != text))


class Catalogue:
    """What can be found in one run: its layers, groups and parameters, kept, and what is offered in a state."""

    def __init__(self, run: Run, groups: Groups) -> None:
        self._run = run
        self._network = network_entries(run, groups)
        self._gestures = tuple(_gestures())
        self._last: tuple[object, Listing, tuple[Offer, ...]] = (None, Listing(), ())

    def of(self, state: ViewState) -> tuple[Listing, tuple[Offer, ...]]:
        """The lines of the search dialog, and the offers that their numbers name."""
        search = state.search
        key = (search.kind, search.text, state.edges, state.selection, state.theme, state.scope, state.ramp,
               state.signal, state.order, state.sample, state.bookmarks, state.time.target, state.time.is_looping,
               state.layers, state.live, state.n_epochs, state.reach, state.compare,
               state.compare_sides)  # fmt: skip
        if key != self._last[0]:
            self._last = (key, *self._listed(state))
        return self._last[1], self._last[2]

    def _listed(self, state: ViewState) -> tuple[Listing, tuple[Offer, ...]]:
        search = state.search
        if search.kind == "layers":
            return listing([e for e in self._network if e.kind == "layer"], search.text), ()
        values = asked(self._run, state, search.text)
        if values is not None:
            return listing(_entries(values), ""), values
        given = offers(self._run, state)
        fills = [Entry("command", words, icon="ellipsis", fill=f"{name} ") for name, words in self._asks(state)]
        entries = [*self._network, *fills, *self._keys(state), *_entries(given)]
        return listing(entries, search.text, is_mixed=True), given

    def _keys(self, state: ViewState) -> list[Entry]:
        """One entry for each key; the digits say where their bookmarks lead."""
        said = {f"{b.digit}": bookmark_words(self._run, b) for b in state.bookmarks}
        return [replace(e, detail=said.get(e.trigger, "not set")) if e.trigger.isdigit() else e for e in self._gestures]

    def _asks(self, state: ViewState) -> list[tuple[str, str]]:
        """What can be asked for in this run."""
        lacking = {"epoch", "speed"} if state.n_epochs < 2 else set()
        lacking |= {"sample"} if len(self._run.samples) < 2 else set()
        return [(name, words) for name, words in ASKS.items() if name not in lacking]


def _entries(given: tuple[Offer, ...]) -> list[Entry]:
    return [
        Entry("command", f"{o.words} {o.value}".strip(), o.detail, "now" if o.is_on else "",
              type(o.command).__name__.lower(), "check" if o.is_on else "sliders-horizontal", number=k)
        for k, o in enumerate(given)
    ]  # fmt: skip


def _gestures() -> list[Entry]:
    """One entry for each key of the table."""
    return [
        Entry("command", words, more=f"{row.words} {row.group}", icon="keyboard", trigger=trigger, caps=(cap,))
        for row in TABLE
        for trigger, words, cap in row.key_words()
    ]
