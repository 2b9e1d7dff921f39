"""Opens what mutations made, and says how that ended; alone, it serves one JSON line after another from stdin."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from nn3d.errors import Nn3dError
from nn3d.extract.broken import told_in_one_line
from nn3d.extract.formats.registry import format_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.sources import open_source
from nn3d.run.summary import text

MOST_SECS, MOST_BYTES = 10, 2 << 30
OPENED, REFUSED = "opened", "refused"


class TooLong(BaseException):
    """A reader has no end."""


def outcome(path: Path, *, alone: bool) -> str:
    """"opened", "refused", or the traceback of whatever else came. alone : here, also what is read in a child."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(MOST_SECS)
    try:
        known = format_of(path)
        if known is None or not known.is_isolated:
            run = open_source(path, SourceOptions(cache=False))
        elif alone:
            with told_in_one_line(path):
                run = in_memory(known.record(path, SourceOptions()))
        else:
            return REFUSED  # it has become one of those that are read in a child
        with run:
            text(run, with_ops=True)
            for name in run.parameters:
                if run.has_parameter(run.parameter_id(name), -1):
                    run.weights(name)
        return OPENED
    except Nn3dError as error:
        words = str(error)
        return REFUSED if words and "\n" not in words else f"not one line: {words!r}"
    except (Exception, TooLong):
        return traceback.format_exc()
    finally:
        signal.alarm(0)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong(f"more than {MOST_SECS} s")


def bound_memory() -> None:
    """Whoever takes more than this process has, and 2 GB, gets a MemoryError."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MOST_BYTES, resource.RLIM_INFINITY))


def main() -> None:
    """{"path"} in, {"outcome"} out. argv: libraries to import before memory is bounded."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for library in sys.argv[1:]:
        __import__(library)
    bound_memory()
    answers.write(json.dumps({"ready": True}) + "\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps({"outcome": outcome(Path(json.loads(line)["path"]), alone=True)}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
