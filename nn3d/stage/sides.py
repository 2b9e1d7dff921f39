"""Both sides of a comparison, small above the difference: A and B as they are, seen by the same camera.

Each is a picture of its own (Frame.insets) in a rectangle at the top of what the camera may fit; the difference has the
rest. Colours of A and of B are each of its own quantiles, as in any picture of them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from nn3d.run.run import Run
from nn3d.stage.comparing import Compared, name_of
from nn3d.stage.frame import Colour, Frame, Inset, Line, Mark, Text
from nn3d.stage.holding import Wanted
from nn3d.stage.look import colour
from nn3d.stage.overlay.facts import class_name, percent
from nn3d.stage.resident import Resident
from nn3d.stage.state import Anchors, Budget, Focus, Lens, Time, ViewState, type_scale
from nn3d.stage.type import shorten

SHARE: Final = 0.30
GAP: Final = 12.0
WIDEST: Final = 2.1
LEAST: Final = (140.0, 70.0)
HEAD: Final = 26.0
BUDGET: Final = Budget(strands=240, samples=24, shade=False, cubes=0)


@dataclass(frozen=True, slots=True)
class Sides:
    """Where both sides lie, px (x, y, width, height), A first. inner : the view of the difference in what is left."""

    boxes: tuple[tuple[int, int, int, int], tuple[int, int, int, int]]
    inner: ViewState


def sides_of(state: ViewState) -> Sides | None:
    """The rectangles of both sides; None where the picture has no room for them."""
    free = state.anchors.free
    x0, y0 = free[:2] if state.anchors.room is None else state.anchors.room[:2]
    x1, y1 = free[2:]
    height = SHARE * (y1 - y0)
    width = min((x1 - x0 - GAP) / 2.0, WIDEST * height)
    if width < LEAST[0] or height < LEAST[1]:
        return None
    x, y, w, h = (round(v) for v in (x0, y0, width, height))
    top, (wide, high) = y0 + height + GAP, state.size_px
    room = state.anchors.room or (GAP, top, wide - GAP, high - GAP)  # no card over the sides
    rest = replace(state.anchors, free=(free[0], top, x1, y1), room=(room[0], top, *room[2:]))
    return Sides(((x, y, w, h), (x + w + round(GAP), y, w, h)), replace(state, anchors=rest))


def side_view(state: ViewState, box: tuple[int, int, int, int]) -> ViewState:
    """The view of B in its rectangle: the same camera, the same tile or cell standing out, nothing said."""
    w, h = box[2:]
    anchors = Anchors(free=(0.04 * w, HEAD + 6.0, 0.96 * w, h - 8.0), title=None, key=None, hud=None)
    return replace(
        state, size_px=(w, h), anchors=anchors, compare=None, compare_sides=False, selection=None, hover=None, also=(),
        lens=Lens(path=0), slide=None, caption="",
        budget=replace(BUDGET, memory_mb=state.budget.memory_mb),
    )  # fmt: skip


def before_view(run: Run, compared: Compared, state: ViewState, other: ViewState | None) -> ViewState:
    """The view of A, from that of B. other : the first view of the other run, None where A is of the same run."""
    found = compared.difference
    time = Time(epoch=float(found.epoch), target=float(found.epoch))
    if other is None:
        return replace(state, time=time, wave=None)
    layers = list(other.layers)
    for pair in found.matching.pairs:
        layers[pair.before] = state.layers[pair.after]
    return replace(
        other, size_px=state.size_px, scale=state.scale, anchors=state.anchors, layers=tuple(layers), theme=state.theme,
        scope=state.scope, ramp=state.ramp, camera=state.camera, flight=state.flight, side=state.side,
        facing=state.facing, focus=Focus(), edges=state.edges, budget=state.budget, time=time,
        sample=min(state.sample, other.n_samples - 1),
    )  # fmt: skip


def joined(
    run: Run, state: ViewState, main: Frame, found: tuple[Compared, Sides], parts: tuple[Frame, Frame],
    resident: Resident,
) -> Frame:  # fmt: skip
    """The picture of the difference with both sides above it. parts : the frames of A and of B."""
    compared, sides = found
    each = (main, *parts)
    wanted = Wanted(tuple(dict.fromkeys(n for f in each for n in f.wanted.needs)), main.wanted.budget_bytes)
    lacking = dict.fromkeys(n for f in each for n in (*f.missing, *f.left_out))
    refused = resident.held.refused(wanted)
    words = _words(run, state, compared)
    insets = tuple(
        Inset(replace(part, marks=_marks(part, *said), missing=()), float(box[0]), float(box[1]))
        for part, box, said in zip(parts, sides.boxes, words, strict=True)
    )
    return replace(
        main, state=state, insets=insets, wanted=wanted, missing=tuple(n for n in lacking if n not in refused),
        left_out=tuple(n for n in lacking if n in refused),
    )  # fmt: skip


def _words(run: Run, state: ViewState, compared: Compared) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """(letter, moment, verdict) of A and of B."""
    ids = [epoch.id for epoch in run.epochs]
    at = min(round(state.time.epoch), len(ids) - 1)
    here = f"epoch {ids[at]}"
    here = f"{name_of(run)} {here}" if compared.is_other else here
    said = []
    for shares in (compared.before, compared.after):
        known = shares is not None and shares.size > 0 and bool((shares == shares).all())
        best = int(shares.argmax()) if shares is not None and known else -1
        said.append(f"{class_name(run, best)} · {percent(float(shares[best]))}" if shares is not None and known else "")
    return ("A", compared.baseline, said[0]), ("B", here, said[1])


def _marks(part: Frame, letter: str, moment: str, verdict: str) -> tuple[Mark, ...]:
    """The words of one side, and its border."""
    state = part.state
    k, (w, h) = type_scale(replace(state, size_px=(1600, 900))), (float(v) for v in state.size_px)

    def ink(name: str, alpha: float = 1.0) -> Colour:
        return colour(state.theme, name, alpha)

    size = 12.0 * k
    edge = ink("text3", 0.3)
    border = [Line(0.5, 0.5, w - 0.5, 0.5, 1.0, edge), Line(0.5, h - 0.5, w - 0.5, h - 0.5, 1.0, edge),
              Line(0.5, 0.5, 0.5, h - 0.5, 1.0, edge), Line(w - 0.5, 0.5, w - 0.5, h - 0.5, 1.0, edge)]  # fmt: skip
    words = [
        Text(10.0, 15.0, letter, size, "semibold", ink("text"), "lm"),
        Text(26.0, 15.0, shorten(f"{moment}, own scale", size, w - 36.0), size, "regular", ink("text2"), "lm"),
        Text(w - 10.0, h - 13.0, verdict, 11.0 * k, "regular", ink("text2"), "rm"),
    ]
    return (*border, *words)
