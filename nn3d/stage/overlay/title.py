"""The title of the picture: name of the network, and which sample, epoch and prediction it shows. Logical px."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.run import inferred
from nn3d.stage.comparing import name_of
from nn3d.stage.frame import Mark, Text
from nn3d.stage.overlay.facts import Facts, class_name, number


def title_marks(f: Facts) -> list[Mark]:
    """Name of the network, and what is shown of it."""
    at = f.state.anchors.title
    if at is None:
        return []
    x, y = at
    return [
        Text(x, y, f.run.name or "network", 25 * f.k, "display", f.ink("text")),
        Text(x, y + 35 * f.k, "   ·   ".join(subtitle(f)), 13 * f.k, "regular", f.ink("text2")),
    ]


def subtitle(f: Facts) -> list[str]:
    """Sample, epoch, prediction and truth, and how the graph is known."""
    parts = []
    if f.run.samples:
        parts.append(_sample_words(f))
    ids = [epoch.id for epoch in f.run.epochs[: f.state.n_epochs]]
    if len(ids) > 1:
        index = f.state.time.epoch
        at = np.interp(index, np.arange(len(ids)), ids)
        shown = f"epoch {at:.{1 if index % 1 else 0}f}"
        parts.append(f"{shown} of {ids[-1]}" if f.compared is None else _difference_words(f, shown))
    elif f.compared is not None:
        parts.append(_difference_words(f, f"epoch {ids[0]}"))
    if f.meanwhile:
        parts.append(f.meanwhile)
    elif f.probabilities is not None:
        parts.append(_verdict(f, f.probabilities))
    if all(not v.is_open for v in f.state.layers) and f.state.layers:
        parts.append("every layer collapsed")
    if f.run.graph.kind == "inferred":
        parts.append(inferred.words(f.run.graph))
    if not parts:
        parts.append(f"{number(sum(layer.n_params for layer in f.run.layers))} parameters")
    return parts


def _sample_words(f: Facts) -> str:
    """The sample's name; of one's own that it is computed, and how far its wave has come."""
    name = f.run.sample(f.state.sample).name
    if f.state.sample < len(f.run.samples):
        return name
    front = f.front
    if front is None or not front.is_moving or front.shares.min() >= 0.5:
        return f"{name}, computed by this run's weights"
    if f.state.wave is not None and f.state.wave.waits:
        return f"{name}, being computed; beyond the input is {f.run.sample(front.before).name}"
    rows = np.flatnonzero(front.shares >= 0.5)
    last = f.plan.layers[int(rows[-1])].layer.name if rows.size else "nothing"
    return f"{name}, computed: its wave has reached {last}, beyond is {f.run.sample(front.before).name}"


def _verdict(f: Facts, p: NDArray[np.float64]) -> str:
    if not np.isfinite(p).all():
        return "no prediction: not finite"
    best, truth = int(p.argmax()), f.run.sample(f.outcome_sample).label if f.run.samples else None
    said = f"predicted {_before(f, best)}{class_name(f.run, best)}"
    return said if truth is None else f"{said}, truth {class_name(f.run, truth)}"


def _difference_words(f: Facts, shown: str) -> str:
    """"epoch 10 − epoch 0"; of two runs each with its name."""
    found = f.compared
    assert found is not None
    shown = f"{name_of(f.run)} {shown}" if found.is_other else shown
    return f"{shown} − {found.baseline}"


def _before(f: Facts, best: int) -> str:
    """What A predicted, where it is another class: "9 → "."""
    shares = None if f.compared is None else f.compared.before
    if shares is None or not np.isfinite(shares).all() or int(shares.argmax()) == best:
        return ""
    return f"{class_name(f.run, int(shares.argmax()))} → "
