"""A still with its figures: what `nn3d render --stats` writes. Times in ms, sizes in px and bytes."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import Nn3dError
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage import camera as cameras
from nn3d.stage.complete import compose
from nn3d.stage.edges import EVERY, MAX_EVERY
from nn3d.stage.frame import Frame
from nn3d.stage.plan import Plan
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

TURN_RAD = 0.0125


def measured_still(
    run: Run, state: ViewState, resident: Resident, *, open_ms: float, n_frames: int = 0
) -> tuple[NDArray[np.uint8], Frame, dict[str, Any]]:
    """A still, its frame, and the figures of docs; `n_frames` more are timed with a slowly turning camera."""
    started = time.perf_counter()
    _ = resident.plan
    layout_ms = 1000.0 * (time.perf_counter() - started)
    started = time.perf_counter()
    folded = resident.folds.of(state.fold.after)
    refuse_too_many(folded.plan, folded.rows_state(state))
    frame = compose(run, state, resident=resident)
    bundle_ms = 1000.0 * (time.perf_counter() - started)
    with Offscreen() as screen:
        pixels = screen.pixels(frame)
        first_ms = age_ms()
        figures = screen.figures
        times = [_timed(run, state, resident, screen, frame, k) for k in range(n_frames)]
        hidden = screen.renderer.face_hidden_share(frame)
        info = screen.ctx.info
        stats: dict[str, Any] = {
            "gl_renderer": info["GL_RENDERER"],
            "gl_version": info["GL_VERSION"],
            "size": list(state.size_px),
            "draw_calls": figures.draw_calls,
            "layers": int(frame.stats["layers"]),
            "tiles": int(frame.stats["tiles"]),
            "edges_shown": int(frame.stats["edges_shown"]),
            "edges_total": int(frame.stats["edges_total"]),
            "weight_share": frame.stats["weight_share"],
            "edge_mode": state.edges.selection,
            "segments": figures.segments,
            "face_hidden_share": hidden,
            "first_frame_ms": first_ms,
            "open_ms": open_ms,
            "layout_ms": layout_ms,
            "bundle_ms": bundle_ms,
            "frame_ms_median": median(times) if times else None,
            "frame_ms_p95": _p95(times),
            "frames": len(times),
            "upload_bytes": figures.upload_bytes,
            "peak_anon_mb": anonymous_mb(),
        }
    return pixels, frame, stats


def refuse_too_many(plan: Plan, state: ViewState) -> None:
    """Raise Nn3dError when every edge is asked for and there are more than 5,000,000 between visible open layers."""
    if state.edges.selection not in EVERY or state.edges.level == "trunk":
        return
    links = (k for k in plan.links if state.layers[k.source].is_open and state.layers[k.target].is_open)
    n = sum(k.wiring.n_edges(k.wiring.level_for(state.edges.level)) for k in links if k.wiring is not None)
    if n > MAX_EVERY:
        raise Nn3dError(f"a picture of every edge holds at most {MAX_EVERY:,}, these layers have {n:,}: open fewer")


def _p95(times: list[float]) -> float | None:
    if len(times) < 2:
        return times[0] if times else None
    return quantiles(times, n=20, method="inclusive")[-1]


def _timed(run: Run, state: ViewState, resident: Resident, screen: Offscreen, frame: Frame, k: int) -> float:
    """ms of one frame: compose, draw and finish, the camera turned a little more each time."""
    camera = cameras.orbit(cameras.resolve(frame), TURN_RAD * (k + 1), 0.0)
    started = time.perf_counter()
    screen.draw(compose(run, replace(state, camera=camera, flight=None), resident=resident))
    screen.ctx.finish()
    return 1000.0 * (time.perf_counter() - started)


def age_ms() -> float:
    """Time since this process started, in ms; since the interpreter was ready where the system does not say."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, 1000.0 * (up - ticks / os.sysconf("SC_CLK_TCK")))
    except (OSError, IndexError, ValueError):
        return 1000.0 * time.process_time()


def anonymous_mb() -> float | None:
    """Anonymous memory of this process in MB, or None where the system does not say; mapped files do not count."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return float(line.split()[1]) / 1024.0
    except (OSError, ValueError):
        return None
    return None
