"""A safetensors file of seven billion parameters: how soon it is listed and drawn, and how much of it is read."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.large_files import llama_shapes, write_sparse
from benchmarks.timing import Row, interleaved
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.paths import bundled_runs
from nn3d.stage.commands import SetOpen, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident

TITLE = "Large files: safetensors of the shapes of Llama 2 7B (float16, sparse, 13.5 GB)"
_PEAK = """import sys
from nn3d.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])"""
_LAYER = "layers.0.self_attn.v_proj"


def rows() -> list[Row]:
    """Whole processes against the same on the bundled run; then bytes read, and peak memory."""
    small = str(next(iter(bundled_runs().values())))
    with tempfile.TemporaryDirectory() as folder:
        path, picture = Path(folder, "llama.safetensors"), str(Path(folder, "x.png"))
        size = write_sparse(path, llama_shapes())
        opened, header = interleaved(lambda: open_source(path, SourceOptions()).close(), lambda: _header(path))
        what = "open: graph and shapes of 291 tensors"
        first = Row(what, opened, "read header, parse JSON", header, _looks(path, size))
        return [first, *(_process(words, str(path), small, picture) for words in ("info", "render"))]


def _header(path: Path) -> None:
    with path.open("rb") as file:
        json.loads(file.read(int.from_bytes(file.read(8), "little")))


def _process(command: str, large: str, small: str, picture: str) -> Row:
    out = ["-o", picture] if command == "render" else []
    ours, theirs = interleaved(
        lambda: subprocess.run([sys.executable, "-m", "nn3d", command, large, *out], check=True, capture_output=True),
        lambda: subprocess.run([sys.executable, "-m", "nn3d", command, small, *out], check=True, capture_output=True),
        rounds=3,
    )
    peaks = [_peak_mb([command, file, *out]) for file in (large, small)]
    memory = f"process included; peak memory {peaks[0]:,.0f} MB against {peaks[1]:,.0f} MB" if all(peaks) else ""
    return Row(f"nn3d {command}", ours, f"the same of {Path(small).name}", theirs, memory)


def _peak_mb(arguments: list[str]) -> float:
    """Most memory of a process, mapped pages included; 0 where the system does not tell."""
    if not Path("/proc/self/status").exists():
        return 0.0
    done = subprocess.run([sys.executable, "-c", _PEAK, *arguments], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1000


def _looks(path: Path, size: int) -> str:
    """Bytes read for the first picture, and for one layer opened in it."""
    with open_source(path, SourceOptions()) as run:
        resident = Resident(run)
        state = initial_state(run, resident)
        compose(run, state, resident=resident)
        at_first = run.bytes_read
        layer = run.layer(_LAYER)
        compose(run, apply(state, SetOpen(layer.index, is_open=True, at_once=True)), resident=resident)
        more = run.bytes_read - at_first
    read = f"{at_first:,} bytes for the first picture, {more / 1e6:.1f} MB for {_LAYER} opened"
    return f"of {size / 1e9:.1f} GB read: {read}"
