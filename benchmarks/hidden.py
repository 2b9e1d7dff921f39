"""How much of the tiles' faces strands hide, at the first view and at every yaw between 30° and 80° to either side."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.scenes import SIZE_PX
from benchmarks.timing import Row
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import Advance, Resize, SetCamera, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from tests.networks import FULL, SMALL

TITLE = f"Faces hidden by strands, % of face pixels, {SIZE_PX[0]}×{SIZE_PX[1]}"
ROOT = Path(__file__).parent.parent
SIETZEN = ROOT / "tests" / "data" / "sietzen-mnist.zip"
IRIS = ROOT / "demos" / "05_mlp_iris.py"
YAWS = tuple(side * yaw for side in (1, -1) for yaw in range(30, 81, 5))
OTHERS = {"from behind (127°)": (127.0, 13.0), "from above (78°, pitch 60°)": (78.0, 60.0)}


def runs() -> Iterator[tuple[str, Run]]:
    """The bundled runs, Sietzen's, the irises', and the test networks at full size, with random weights."""
    for name, path in bundled_runs().items():
        yield f"{name}, bundled", open_run(path)
    yield "Sietzen's run", open_source(SIETZEN, SourceOptions())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlp-iris.npz"
        subprocess.run([sys.executable, str(IRIS), "--out", str(path)], check=True, capture_output=True)
        yield "mlp-iris", open_run(path)
    for name, made in {**FULL, "bidirectional LSTM": SMALL["lstm_both"]}.items():
        yield name, capture(*made())


class _Seen:
    """A run from wherever one looks."""

    def __init__(self, screen: Offscreen, run: Run) -> None:
        self.screen, self.run, self.resident = screen, run, Resident(run)
        self.first = apply(initial_state(run, self.resident, size_px=SIZE_PX), Resize(SIZE_PX, 1.0))

    def share(self, yaw: float | None = None, pitch: float = 13.0) -> float:
        """Hidden face pixels, %."""
        state = self.first
        if yaw is not None:
            camera = replace(state.camera, yaw_rad=math.radians(yaw), pitch_rad=math.radians(pitch))
            state = apply(apply(state, SetCamera(camera)), Advance(1.0))
        return 100.0 * self.screen.renderer.face_hidden_share(compose(self.run, state, resident=self.resident))


def rows() -> list[Row]:
    """Three rows a network: first view, the worst of all yaws, the worst from behind and above."""
    found = []
    with Offscreen() as screen:
        for name, run in runs():
            seen = _Seen(screen, run)
            turned = {f"{yaw}°": seen.share(yaw) for yaw in YAWS}
            others = {key: seen.share(*place) for key, place in OTHERS.items()}
            found.append(Row(f"{name}: first view", seen.share(), "limit", 1.0))
            for what, shares in (("any yaw ±30° to ±80°", turned), ("behind, above", others)):
                worst = max(shares, key=lambda key: shares[key])
                found.append(Row(f"{name}: {what}", shares[worst], "limit", 3.0, f"worst {worst}"))
    return found
