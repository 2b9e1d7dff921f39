"""Inputs of one's own in the window: what a run takes and whether it can be computed anew, blank sheets and strokes.

Canvases are (C, H, W) uint8, 0 black … 255 white, before normalisation. Positions on them are in px, (x, y), the middle
of the first px at (½, ½).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nn3d.run.model import Array
from nn3d.run.own import OwnInput, packed, pictured, unpacked
from nn3d.run.own_text import Vocabulary, vocabulary_of
from nn3d.run.run import Run
from nn3d.stage.own import own_inputs

MOST_COMPARED = 8
LEAST_SIDE, MOST_SIDE = 4, 512


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run takes from its user.

    kind : "picture", "tokens" or "" for nothing. reason : why nothing, in words. shape : of the input.
    vocabulary : how it reads text. ground : brightness 0 … 255 of the recorded pictures' borders.
    engine : what computes. error : its largest difference from a recorded value, as a share of the layer's largest.
    """

    kind: str
    reason: str = ""
    shape: tuple[int, ...] = ()
    ground: int = 0
    engine: str = ""
    error: float = 0.0
    vocabulary: Vocabulary | None = None


def taken(run: Run) -> Taken:
    """What a run takes; computes recorded samples to see whether it can be computed anew. For the loader's thread."""
    nodes = [n for n in run.graph.nodes if n.op == "input"]
    info = next((i for i in run.graph.inputs if nodes and i.node == nodes[0].id), None)
    if len(nodes) != 1 or info is None or info.kind not in ("image", "tokens"):
        kinds = " and ".join(i.kind for i in run.graph.inputs) or "no input"
        return Taken("", f"it reads {kinds}: one can draw pictures and write tokens")
    shape = nodes[0].outputs[0].shape
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
    return Taken("picture", "", shape, _ground(run, nodes[0].id), engine.name, error)


def _ground(run: Run, node: int) -> int:
    info = next(i for i in run.graph.inputs if i.node == node)
    if not run.samples or not run.has_values(node, 0, 0):
        return 0
    n = min(MOST_COMPARED, len(run.samples))
    edges = []
    for sample in range(n):
        p = pictured(run.values(node, 0, 0, sample), info)
        edges += [p[:, 0].ravel(), p[:, -1].ravel(), p[:, :, 0].ravel(), p[:, :, -1].ravel()]
    return int(np.median(np.concatenate(edges)))


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


def stroked(canvas: Array, ends: tuple[Any, Any], radius: float, ink: int) -> Array:
    """A canvas after a soft round brush went from one place to the other. ink : brightness, 0 … 255.

    Full within `radius` − ½ px of the way, fading to nothing at `radius` + ½; what is nearer to the ink already stays.
    """
    _, height, width = canvas.shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    (x0, y0), (x1, y1) = ends
    dx, dy = x1 - x0, y1 - y0
    length = max(dx * dx + dy * dy, 1e-12)
    t = np.clip(((x - x0) * dx + (y - y0) * dy) / length, 0.0, 1.0)
    away = np.hypot(x - x0 - t * dx, y - y0 - t * dy)
    share = np.clip(radius + 0.5 - away, 0.0, 1.0)
    was = canvas.astype(np.float64)
    full = was + (ink - was) * share
    # Overlapping dabs of one stroke do not add up: a dab only moves a pixel up to its own share of the ink.
    ground_side = 255.0 - ink if ink in (0, 255) else None
    if ground_side is not None:
        goal = ground_side + (ink - ground_side) * share
        full = np.maximum(was, goal) if ink > ground_side else np.minimum(was, goal)
    return np.asarray(np.round(full), np.uint8)
