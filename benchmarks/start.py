"""From the start of the process to the first finished picture."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Row, interleaved
from nn3d.paths import bundled_runs

TITLE = "Start: from nothing to the first picture, 1600×900"

# The floor: an interpreter that opens an OpenGL context, clears a picture of that size and reads it back.
_FLOOR = (
    "import moderngl, numpy\n"
    "ctx = moderngl.create_context(standalone=True, backend='egl')\n"
    "fbo = ctx.simple_framebuffer((1600, 900)); fbo.clear(); fbo.read()"
)


def rows() -> list[Row]:
    """The bundled run, rendered by the command line, against a bare context."""
    path = next(iter(bundled_runs().values()))
    with tempfile.TemporaryDirectory() as folder:
        picture = str(Path(folder, "first.png"))
        render = [sys.executable, "-m", "nn3d", "render", str(path), "-o", picture, "--size", "1600x900"]
        ours, bare = interleaved(
            lambda: subprocess.run(render, check=True, capture_output=True),
            lambda: subprocess.run([sys.executable, "-c", _FLOOR], check=True, capture_output=True),
            rounds=3,
        )
    return [Row(f"nn3d render {path.name}", ours, "EGL context, clear, read", bare, "process included")]
