"""Owns the child process that reads one file of a format whose parser is in C: limits first, then the file, into a run.

It is started by `nn3d.extract.formats.isolation`, gets one JSON line on stdin, answers with one on stdout, and ends at
once when stdin does: a reader without anyone who waits for it is gone.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nn3d.errors import Nn3dError, one_line
from nn3d.extract.broken import told_in_one_line
from nn3d.extract.formats.format import Format
from nn3d.extract.options import options_from
from nn3d.extract.output import in_memory
from nn3d.run.writer import write_packed


def main() -> None:
    """Read what stdin asks for; the process ends here."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = _answer(request)
    except BaseException as error:  # whatever it is, the parent says it in one line
        answer = {"error": one_line(f"{request['path']}: expected {request['name']}, got {error!r:.200}.")}
    os.write(answers, (json.dumps(answer) + "\n").encode())
    os._exit(0)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    from nn3d.extract.formats.registry import FORMATS

    known: Format = next(known for known in FORMATS if known.key == request["format"])
    for library in known.libraries:
        if importlib.util.find_spec(library) is not None:
            importlib.import_module(library)
    limit(request["bytes"], request["secs"])
    path = Path(request["path"])
    try:
        with told_in_one_line(path, known.name):
            made = in_memory(known.record(path, options_from(request["options"])))
            write_packed(made, Path(request["out"]))
    except Nn3dError as error:
        is_memory = isinstance(error.__cause__, MemoryError)
        return {"memory": True} if is_memory else {"error": str(error)}
    return {"peak_bytes": peak_bytes()}


def _end_with_parent() -> None:
    """Wait for the end of stdin, which is that of the parent."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def limit(n_bytes: int, secs: int) -> None:
    """Bound this process: memory beyond what it has now, processor time, the size of a file; no core dump.

    n_bytes : of address space, more than now. Windows and macOS have no such limits; there, the parent's clock is all.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    most = _held_bytes() + n_bytes
    for kind, value, more in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_AS, most, 0),
        (resource.RLIMIT_FSIZE, n_bytes, 0),
        (resource.RLIMIT_CPU, secs + int(sum(os.times()[:2])) + 1, 1),  # SIGXCPU says why, before SIGKILL comes
    ):
        hard = resource.getrlimit(kind)[1]
        last = value + more if hard == resource.RLIM_INFINITY else min(value + more, hard)
        resource.setrlimit(kind, (min(value, last), last))


def _held_bytes() -> int:
    """Address space of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most memory that this process has held, 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
