"""What a frame of a film costs beside the bare render of the same frame: reading back and encoding come on top."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.scenes import SIZE_PX, bundled
from benchmarks.timing import Row, interleaved
from nn3d.errors import ExportError
from nn3d.export.film import sink_for
from nn3d.export.video import find_ffmpeg
from nn3d.offscreen import Offscreen
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.film import film_of_epochs
from nn3d.stage.resident import Resident

TITLE = f"A frame of a film, {SIZE_PX[0]}×{SIZE_PX[1]}"
ROUNDS = 5
ENDINGS = {".mp4": "H.264", ".webm": "VP9", ".gif": "one palette", "": "PNG"}


def rows() -> list[Row]:
    """Composed, drawn, read back and written, against composed and drawn: the epochs go on from frame to frame."""
    run = bundled()
    resident = Resident(run)
    film = film_of_epochs(initial_state(run, resident, size_px=SIZE_PX), (0.0, 10.0), 0.5, 20.0, 10.0)
    states = list(film.states())
    found = []
    with Offscreen() as screen, tempfile.TemporaryDirectory() as folder:
        for ending, what in ENDINGS.items():
            if ending in (".mp4", ".webm") and not _has_ffmpeg():
                continue
            sink = sink_for(Path(folder) / f"film{ending}", run, film)
            sink.begin(screen.pixels(compose(run, s, resident=resident)) for s in states[:: len(states) // 8])
            at = [0, len(states) // 2]

            def ours(sink=sink, at=at) -> None:  # type: ignore[no-untyped-def]
                state = states[at[0]]
                sink.add(at[0], screen.pixels(compose(run, state, resident=resident)), state)
                at[0] += 1

            def bare(at=at) -> None:  # type: ignore[no-untyped-def]
                screen.draw(compose(run, states[at[1]], resident=resident))
                screen.ctx.finish()
                at[1] += 1

            ms, bare_ms = interleaved(ours, bare, rounds=ROUNDS)
            sink.abandon()
            note = f"{1000.0 / ms:.1f} frames a second"
            found.append(Row(f"{ending or 'frames/'} ({what})", ms, "composed and drawn", bare_ms, note))
    return found


def _has_ffmpeg() -> bool:
    try:
        find_ffmpeg()
    except ExportError:
        return False
    return True
