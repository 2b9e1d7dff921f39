"""Owns reading a file in a child process with limits: a parser that crashes, hangs or swells ends in one line.

The child writes a run, which is opened from a file that has no name any more: nothing is left when it is closed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.formats.format import Format
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Moment, Recording
from nn3d.run import keys
from nn3d.run.encoding import decode, encoded_at
from nn3d.run.model import Array
from nn3d.run.reader import open_run
from nn3d.run.run import Run

# What a child may take beyond its libraries: of memory a base, some a byte of the file and some a sample beyond the
# first; of processor time likewise. The clock is for a child that waits, and for systems without limits.
BASE_BYTES, BYTES_A_BYTE, BYTES_A_SAMPLE = 1 << 30, 12, 256 << 20
BASE_SECS, SECS_A_MEGABYTE, SECS_A_SAMPLE = 30.0, 1.0, 4.0
CLOCK = 4.0
MEMORY_VARIABLE = "NN3D_READER_MB"
_ANSWER_BYTES = 1 << 16
_KEPT_VARIABLES = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "LC_ALL", "OMP_NUM_THREADS"),
    MEMORY_VARIABLE,
)
# -I: neither the working folder nor variables decide what is imported; the parent's folders do.
_START = (
    "import json, sys; sys.path[:0] = [p for p in json.loads(sys.argv[1]) if p not in sys.path]; "
    "from nn3d.extract.formats.child import main; main()"
)


def open_isolated(known: Format, path: Path, options: SourceOptions) -> Run:
    """A file as a run, read by a child process. Raises SourceError in one line, whatever the child does."""
    folder = Path(tempfile.mkdtemp(prefix="nn3d-"))
    try:
        _read(known, path, options, folder)
        run = open_run(folder / "run.npz")
        run.path = ""  # it is what it was made from that has a name
        return run
    finally:
        _remove(folder)


def record_isolated(known: Format, path: Path, options: SourceOptions) -> Recording:
    """The same as a recording; its arrays are views into the child's run."""
    run = open_isolated(known, path, options)
    return Recording(
        run.name, run.source, run.graph, run.samples, _moments(run), run.classes, run.left_out, len(run.epochs)
    )


def _moments(run: Run) -> Iterator[Moment]:
    store = run.store

    def at(key: str) -> Array:
        return decode(encoded_at(store, key))

    inputs = [node.id for node in run.graph.nodes if node.op == "input"]
    fed = {(node, 0): keys.input_key(i) for i, node in enumerate(inputs)}
    for epoch in run.epochs:
        outputs = {
            (n.id, o): keys.activation_key(epoch.id, n.id, o) for n in run.graph.nodes for o in range(len(n.outputs))
        }
        weights = {p.id: keys.parameter_key(epoch.id, p.id) for p in run.graph.parameters}
        yield Moment(
            epoch,
            {which: at(key) for which, key in (outputs | fed).items() if key in store},
            {which: at(key) for which, key in weights.items() if key in store},
        )


def limits_of(path: Path, options: SourceOptions) -> tuple[int, int]:
    """Bytes and seconds of processor time that reading this file may take beyond the libraries' own."""
    size, more = _size(path), (options.samples or (16 if options.input else 1)) - 1
    n_bytes = BASE_BYTES + BYTES_A_BYTE * size + BYTES_A_SAMPLE * more
    with contextlib.suppress(ValueError):
        n_bytes = int(os.environ.get(MEMORY_VARIABLE, "")) << 20
    return n_bytes, int(BASE_SECS + SECS_A_MEGABYTE * size / 1e6 + SECS_A_SAMPLE * more)


def _size(path: Path) -> int:
    """Bytes of a file and of those beside it that carry its name, or of a folder's files (10,000 at most)."""
    found = path.rglob("*") if path.is_dir() else path.parent.glob(f"{_plain(path.stem)}*")
    total = 0
    for file, _ in zip(found, range(10_000), strict=False):
        with contextlib.suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def _plain(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _read(known: Format, path: Path, options: SourceOptions, folder: Path) -> None:
    """Have a child write folder/run.npz."""
    n_bytes, secs = limits_of(path, options)
    whole = Path(os.path.abspath(path))
    request = {
        "format": known.key, "name": known.name, "path": str(whole), "out": str(folder / "run.npz"),
        "options": _elsewhere(options).to_json(), "bytes": n_bytes, "secs": secs,
    }  # fmt: skip
    child = _start(folder)
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(child)

    clock = threading.Timer(CLOCK * secs, stop)
    clock.daemon = True
    clock.start()
    try:
        answer = _ask(child, request)
    finally:
        clock.cancel()
        _end(child)
    what = f"{path}: expected {known.name} that can be read"
    if "error" in answer:
        raise SourceError(str(answer["error"]).replace(str(whole), str(path), 1))
    if late.is_set() or child.returncode == -_number("SIGXCPU"):
        raise SourceError(f"{what} within {secs} s, got no end. Record fewer samples (--samples 1), or a smaller file.")
    if "memory" in answer:
        raise SourceError(
            f"{what} with {n_bytes >> 20:,} MB, got one that needs more. Record fewer samples (--samples 1), "
            f"or set {MEMORY_VARIABLE}."
        )
    if "peak_bytes" not in answer:
        raise SourceError(f"{what}, got one at which the reader crashed ({_cause(child)}). Save the file again.")


def _ask(child: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any]:
    """Its answer; {} when it died without one."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(OSError):
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    line = child.stdout.readline(_ANSWER_BYTES)
    if not line.endswith(b"\n"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2)
        return {}
    found = json.loads(line)
    return found if isinstance(found, dict) else {}


def _elsewhere(options: SourceOptions) -> SourceOptions:
    """The same for a process in another folder: paths from the root."""
    text, classes = options.input, options.classes
    is_path = text is not None and not (text == "random" or text.startswith("random:"))
    return replace(
        options,
        input=os.path.abspath(text) if is_path and text is not None else text,
        classes=None if classes is None else Path(os.path.abspath(classes)),
    )


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """A child in an empty folder, with none of the parent's secrets among its variables and nothing open but pipes."""
    home = str(Path(__file__).resolve().parents[3])
    here = os.path.abspath(os.curdir)
    places = [home, *(p for p in sys.path if os.path.isabs(p) and os.path.abspath(p) not in (here, home))]
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    quiet = {"HOME": str(folder), "TMPDIR": str(folder), "MALLOC_ARENA_MAX": "2"}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _START, json.dumps(places)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env=kept | quiet,
        start_new_session=True,
    )  # fmt: skip


def _kill(child: subprocess.Popen[bytes]) -> None:
    """A child and whatever it has started."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Wherever it is."""
    if child.poll() is None:
        _kill(child)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _cause(child: subprocess.Popen[bytes]) -> str:
    code = child.returncode
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"{signal.Signals(-code).name}, signal {-code}"
    return f"exit code {code}"


def _number(name: str) -> int:
    """A signal's number, -1 where the system has none of that name."""
    return int(getattr(signal, name, -1))


def _remove(folder: Path) -> None:
    """At once where an open file may lose its name, else when the program ends."""
    try:
        shutil.rmtree(folder)
    except OSError:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
