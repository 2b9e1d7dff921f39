"""Inputs of one's own in the window: what a run takes and whether it can be computed anew, blank sheets and strokes.

Canvases are (C, H, W) uint8, 0 black … 255 white, before normalisation. Positions on them are in px, (x, y), the middle
of the first px at (½, ½).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nn3d.run.model import Array, InputInfo
from nn3d.run.own import OwnInput, packed, pictured, unpacked
from nn3d.run.own_text import Vocabulary, vocabulary_of
from nn3d.run.run import Run
from nn3d.stage.own import own_inputs

MOST_COMPARED = 8
LEAST_SIDE, MOST_SIDE = 4, 512
MOST_FEATURES, MOST_ROWS = 24, 256


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of an input (N): what it is called, and from where to where one may move it."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run takes from its user.

    kind : "picture", "tokens", "features" or "" for nothing. reason : why nothing, in words. shape : of the input.
    vocabulary : how it reads text. ground : brightness 0 … 255 of the recorded pictures' borders; middle : (x, y) px,
    where what stands out from it lies in the mean.
    features : of an input of a few numbers; recorded : those of the recorded samples, a row each.
    engine : what computes. error : its largest difference from a recorded value, as a share of the layer's largest.
    """

    kind: str
    reason: str = ""
    shape: tuple[int, ...] = ()
    ground: int = 0
    engine: str = ""
    error: float = 0.0
    vocabulary: Vocabulary | None = None
    middle: tuple[float, float] = (0.0, 0.0)
    features: tuple[Feature, ...] = ()
    recorded: tuple[tuple[float, ...], ...] = ()


def taken(run: Run) -> Taken:
    """What a run takes; computes recorded samples to see whether it can be computed anew. For the loader's thread."""
    nodes = [n for n in run.graph.nodes if n.op == "input"]
    info = next((i for i in run.graph.inputs if nodes and i.node == nodes[0].id), None)
    shape = nodes[0].outputs[0].shape if nodes else ()
    is_few = info is not None and info.kind == "array" and len(shape) == 1 and shape[0] <= MOST_FEATURES
    if len(nodes) != 1 or info is None or not (info.kind in ("image", "tokens") or is_few):
        kinds = " and ".join(i.kind for i in run.graph.inputs) or "no input"
        ways = f"one can draw a picture, write tokens, or set up to {MOST_FEATURES} numbers"
        return Taken("", f"it reads {kinds}: {ways}")
    if info.kind == "image" and not all(LEAST_SIDE <= n <= MOST_SIDE for n in shape[1:]):
        return Taken("", f"its picture has {shape[2]} × {shape[1]} px")
    vocabulary = vocabulary_of(run) if info.kind == "tokens" else None
    if isinstance(vocabulary, str):
        return Taken("", vocabulary)
    engine = own_inputs(run).engine
    if engine.reason:
        return Taken("", engine.reason)
    check = getattr(engine, "check", None)
    error = float(check.worst) if check is not None else 0.0
    if info.kind == "tokens":
        return Taken("tokens", "", shape, 0, engine.name, error, vocabulary)
    if is_few:
        features, recorded = _features(run, nodes[0].id, info)
        return Taken("features", "", shape, 0, engine.name, error, features=features, recorded=recorded)
    ground, middle = _ground(run, nodes[0].id, shape)
    return Taken("picture", "", shape, ground, engine.name, error, middle=middle)


def _features(run: Run, node: int, info: InputInfo) -> tuple[tuple[Feature, ...], tuple[tuple[float, ...], ...]]:
    """The features with a quarter more than their recorded range, and the recorded rows."""
    rows = np.stack([run.values(node, 0, 0, k) for k in range(min(MOST_ROWS, len(run.samples)))])
    low, high = rows.min(0), rows.max(0)
    span = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
    names = info.names if len(info.names) == rows.shape[1] else [f"number {k}" for k in range(rows.shape[1])]
    found = (Feature(n, float(a - s / 4), float(b + s / 4)) for n, a, b, s in zip(names, low, high, span, strict=True))
    return tuple(found), tuple(tuple(row) for row in rows.tolist())


def _ground(run: Run, node: int, shape: tuple[int, ...]) -> tuple[int, tuple[float, float]]:
    """The median of the recorded pictures' borders, and the middle of what stands out from it."""
    info = next(i for i in run.graph.inputs if i.node == node)
    n = min(MOST_COMPARED, len(run.samples)) if run.has_values(node, 0, 0) else 0
    known = [pictured(run.values(node, 0, 0, sample), info) for sample in range(n)]
    if not known:
        return 0, (shape[2] / 2, shape[1] / 2)
    edges = [side.ravel() for p in known for side in (p[:, 0], p[:, -1], p[:, :, 0], p[:, :, -1])]
    ground = int(np.median(np.concatenate(edges)))
    x, y = np.mean([middle_of(p, ground) for p in known], 0)
    return ground, (float(x), float(y))


@lru_cache(maxsize=32)
def canvas_of(own: OwnInput) -> Array:
    """The picture that an input of one's own holds; read-only."""
    return unpacked(own.arrays[0])


def blank(found: Taken, name: str) -> OwnInput:
    """An empty sheet in the ground of the recorded pictures."""
    return with_canvas(OwnInput(name, (), "drawn"), np.full(found.shape, found.ground, np.uint8))


def with_canvas(own: OwnInput, canvas: Array) -> OwnInput:
    """The input with another picture."""
    return replace(own, arrays=(packed("picture", canvas),))


def stroked(canvas: Array, ends: tuple[Any, Any], radius: float, ink: tuple[int, ...]) -> Array:
    """A canvas after a soft round brush went from one place to the other. ink : brightness 0 … 255 of each channel.

    Full within `radius` − ½ px of the way, fading to nothing at `radius` + ½. In black and white a px only moves up to
    its share of the ink, so that the dabs of one stroke do not add up at its edges.
    """
    _, height, width = canvas.shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    (x0, y0), (x1, y1) = ends
    dx, dy = x1 - x0, y1 - y0
    t = np.clip(((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-12), 0.0, 1.0)
    share = np.clip(radius + 0.5 - np.hypot(x - x0 - t * dx, y - y0 - t * dy), 0.0, 1.0)
    was, goal = canvas.astype(np.float64), np.array(ink, np.float64).reshape(-1, 1, 1)
    if set(ink) == {255}:
        drawn = np.maximum(was, 255.0 * share)
    elif set(ink) == {0}:
        drawn = np.minimum(was, 255.0 * (1.0 - share))
    else:
        drawn = was + (goal - was) * share
    return np.asarray(np.round(drawn), np.uint8)


def middle_of(canvas: Array, ground: int) -> tuple[float, float]:
    """The middle (x, y) of what stands out from the ground; of the sheet where nothing does."""
    _, height, width = canvas.shape
    mass = np.abs(canvas.astype(np.float64) - ground).sum(0)
    total = float(mass.sum())
    if total <= 0.0:
        return width / 2, height / 2
    y, x = np.mgrid[0:height, 0:width] + 0.5
    return float((mass * x).sum() / total), float((mass * y).sum() / total)


def moved(canvas: Array, by: tuple[int, int], ground: int) -> Array:
    """The picture moved by whole px (x, y); what comes in is ground."""
    _, height, width = canvas.shape
    dx, dy = min(max(by[0], -width), width), min(max(by[1], -height), height)
    out = np.full_like(canvas, ground)
    out[:, max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = canvas[
        :, max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)
    ]
    return out


def centred(canvas: Array, found: Taken) -> Array:
    """The picture moved so that its middle lies where that of the recorded pictures does."""
    x, y = middle_of(canvas, found.ground)
    return moved(canvas, (round(found.middle[0] - x), round(found.middle[1] - y)), found.ground)
