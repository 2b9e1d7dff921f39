"""What a frame costs beside a bare draw of the vertices of its strands."""

from __future__ import annotations

from benchmarks.scenes import SIZE_PX, bare_draw, bundled
from benchmarks.timing import Row, interleaved
from nn3d.offscreen import Offscreen
from nn3d.stage.commands import Command, Resize, SetOpen, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident

TITLE = f"A frame, {SIZE_PX[0]}×{SIZE_PX[1]}, 4× MSAA"


def rows() -> list[Row]:
    """The bundled run as it opens, and collapsed."""
    run = bundled()
    resident = Resident(run)
    first = apply(initial_state(run, resident, size_px=SIZE_PX), Resize(SIZE_PX, 1.0))
    views: dict[str, tuple[Command, ...]] = {"as it opens": (), "all collapsed": (SetOpen(None, False, at_once=True),)}
    found = []
    with Offscreen() as screen:
        for name, commands in views.items():
            state = first
            for command in commands:
                state = apply(state, command)
            frame = compose(run, state, resident=resident)

            def ours(frame=frame) -> None:  # type: ignore[no-untyped-def]
                screen.draw(frame)
                screen.ctx.finish()

            ms, bare_ms = interleaved(ours, bare_draw(screen.ctx, frame), rounds=5)
            n = sum(len(s.strands) for s in frame.strands)
            note = f"{n:,} strands, {screen.figures.draw_calls} draw calls"
            found.append(Row(f"{run.name}, {name}", ms, "bare draw of the same vertices", bare_ms, note))
    return found
