"""How far sampled and strongest edges are from all of them, as pictures that add up; and how exact converges.

The picture error is the mean over px and signs of |sum − sum of all edges|, as a share of the mean sum. A sampled
strand counts what it stands for, |c|/π; the strongest count themselves, as they are drawn. In the note: the strongest
scaled to carry Σ|c|, which is no mode of nn3d, and as good as sampling where nearly all edges are drawn.
Floors of a time are not what this table is about: its two numbers are errors, and their ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row
from nn3d.analysis import sampling
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.scene.renderer import common_uniforms
from nn3d.stage.commands import SetSelection, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, StrandLayer
from nn3d.stage.resident import Resident
from nn3d.stage.state import EXACT_PASSES
from tests.runs import SIETZEN

TITLE = "Picture error against all edges, linear accumulation, 640×360"
SIZE_PX = (640, 360)
COUNTS = (100, 400)
F32 = NDArray[np.float32]
Weigh = Callable[[F32], F32]


def runs() -> dict[str, Run]:
    """Three trained networks."""
    return {
        "LeNet": open_run(bundled_runs()["lenet-mnist"]),
        "MLP 144-16-10": open_run(bundled_runs()["mlp-digits"]),
        "Sietzen's CNN": open_source(SIETZEN, SourceOptions()),
    }


def rows() -> list[Row]:
    """Sampled against top at equal count for each network; exact after a part of its passes."""
    found = []
    with Offscreen() as screen:
        for name, run in runs().items():
            frame = exact_frame(run)
            whole = sums(screen, frame)
            for n in COUNTS:
                by_chance, by_rank = error_sampled(screen, frame, whole, n), error_top(screen, frame, whole, n)
                scaled = error_top(screen, frame, whole, n, is_scaled=True)
                of = ", ".join(f"{s.batches[-1]:,}" for s in weighed(frame))
                note = f"{n} strands a link of {of}; top scaled: {1e3 * scaled:.0f}"
                found.append(Row(f"{name}: error of sampled, ×1000", 1e3 * by_chance, "of top", 1e3 * by_rank, note))
            parts = [f"{p} of {EXACT_PASSES}: {error_after(screen, frame, whole, p):.2g}" for p in (4, 16)]
            first = error_after(screen, frame, whole, 1)
            last = error_after(screen, frame, whole, EXACT_PASSES)
            note = f"after {'; '.join(parts)}"
            found.append(Row(f"{name}: exact, all passes, ×1000", 1e3 * last, "one pass", 1e3 * first, note))
    return found


def exact_frame(run: Run) -> Frame:
    """The first view of a run with every edge counted."""
    resident = Resident(run)
    state = initial_state(run, resident, size_px=SIZE_PX)
    return compose(run, apply(state, SetSelection("exact", at_once=True)), resident=resident)


def weighed(frame: Frame) -> list[StrandLayer]:
    """The links whose edges add up."""
    return [s for s in frame.strands if s.batches]


def sums(screen: Offscreen, frame: Frame, weigh: Weigh | None = None) -> F32:
    """(H, W, 2) sums of the frame's edges; `weigh` gives what each edge of a link counts from its own magnitude."""
    if weigh is not None:
        frame = replace(frame, strands=tuple(_weighed(s, weigh) if s.batches else s for s in frame.strands))
    screen.renderer.prepare(frame)
    screen.renderer.sums.add(frame, common_uniforms(frame), SIZE_PX)
    return screen.renderer.sums.sums()


def _weighed(s: StrandLayer, weigh: Weigh) -> StrandLayer:
    order, _ = sampling.batches(s.batches[-1], EXACT_PASSES)
    rows = s.strands.copy()
    magnitude = np.empty(order.size, np.float32)
    magnitude[order] = rows["area"][s.n_trunk :, 0]
    rows["area"][s.n_trunk :] = weigh(magnitude)[order][:, None]
    return replace(s, strands=rows, key=(s.key, "weighed", rows["area"].tobytes()))


def error(found: F32, whole: F32) -> float:
    """Mean |found − whole| as a share of the mean of `whole`."""
    return float(np.abs(found - whole).mean() / whole.mean())


def error_sampled(screen: Offscreen, frame: Frame, whole: F32, n: int) -> float:
    """Of n sampled edges a link, each counting what it stands for."""

    def weigh(magnitude: F32) -> F32:
        chosen, out = sampling.sampled(magnitude, n), np.zeros_like(magnitude)
        out[chosen.index] = chosen.stands
        return out

    return error(sums(screen, frame, weigh), whole)


def error_top(screen: Offscreen, frame: Frame, whole: F32, n: int, *, is_scaled: bool = False) -> float:
    """Of the n strongest edges a link, as they are or scaled to carry all."""

    def weigh(magnitude: F32) -> F32:
        chosen, out = sampling.top(magnitude, n), np.zeros_like(magnitude)
        out[chosen.index] = chosen.stands / (chosen.share if is_scaled else 1.0)
        return out

    return error(sums(screen, frame, weigh), whole)


def error_after(screen: Offscreen, frame: Frame, whole: F32, passes: int) -> float:
    """Of exact after some of its passes, scaled to all."""
    state = replace(frame.state, edges=replace(frame.state.edges, passes=passes))
    found = sums(screen, replace(frame, state=state))
    return error(found * (EXACT_PASSES / passes), whole)
