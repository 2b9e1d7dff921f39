"""Owns the child process: an order, then checkpoints, one JSON line each on stdin; an answer a line on stdout.

Started as `python -m nn3d.extract.checkpoints.worker`; it ends when its parent does, with the end of stdin.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Make epochs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a model prints is no answer
    setup = json.loads(sys.stdin.readline())
    sys.path[:0] = [p for p in setup["path"] if p not in sys.path]

    import torch

    torch.set_num_threads(setup["threads"])

    from pathlib import Path

    from nn3d.extract.checkpoints.task import graph_digest, make_epoch, order_from
    from nn3d.extract.live_sources import Shots
    from nn3d.extract.torch_checkpoint import load

    order = order_from(setup["order"])
    shots = Shots(load(Path(order.first)), order.source)
    is_alike = graph_digest(shots.recording.graph) == order.graph

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    say({"ready": True})
    for line in sys.stdin:
        task = json.loads(line)
        say(make_epoch(shots, order, task["file"], task["id"])[0] if is_alike else {"again": True})


if __name__ == "__main__":
    main()
