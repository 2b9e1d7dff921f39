"""What the step to another epoch costs beside the least that must happen for it."""

from __future__ import annotations

import itertools

import numpy as np

from benchmarks.scenes import SIZE_PX, bundled
from benchmarks.timing import Row, interleaved
from nn3d.offscreen import Offscreen
from nn3d.stage.commands import SetEpoch, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident

TITLE = "An epoch change, without the draw"


def rows() -> list[Row]:
    """Compose and upload the next epoch, its values in memory or still on disk, against a plain upload or read."""
    run = bundled()
    resident = Resident(run)
    state = initial_state(run, resident, size_px=SIZE_PX)
    turns = itertools.cycle(range(len(run.epochs)))

    def step(kept: Resident) -> int:
        frame = compose(run, apply(state, SetEpoch(float(next(turns)), at_once=True)), resident=kept)
        screen.renderer.prepare(frame)
        screen.ctx.finish()
        return screen.renderer.uploads.reset()

    def read() -> None:
        epoch = next(turns)
        for layer in run.layers:
            np.array(run.activations(layer.name, epoch), copy=True)
            if layer.weight is not None:
                np.array(run.parameter(layer.weight, epoch), copy=True)

    with Offscreen() as screen:
        for _ in range(len(run.epochs)):
            step(resident)
        n_bytes = max(4, step(resident))
        buffer, data = screen.ctx.buffer(reserve=n_bytes), bytes(n_bytes)

        def upload() -> None:
            buffer.write(data)
            screen.ctx.finish()

        warm, plain = interleaved(lambda: step(resident), upload, rounds=15)
        cold, plain_read = interleaved(lambda: step(Resident(run)), read, rounds=5)
    return [
        Row("next epoch, values in memory", warm, "buffer write of as many bytes", plain, f"{n_bytes / 1e6:.2f} MB"),
        Row("next epoch, values on disk", cold, "read and decode them all", plain_read, "strands chosen anew"),
    ]
