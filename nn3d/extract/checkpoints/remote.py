"""Owns a worker's side of a cluster: it reads a checkpoint from the same path, and gives back the epoch file."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from nn3d.errors import Nn3dError, SourceError
from nn3d.extract.checkpoints.task import Order, graph_digest, make_epoch, order_from
from nn3d.extract.live_sources import Shots
from nn3d.extract.torch_checkpoint import load
from nn3d.run.folder import epoch_file

_ONE_AT_A_TIME = threading.Lock()  # a worker of several threads has one model


def make(setup: str, file: str, epoch_id: int) -> tuple[dict[str, Any], bytes]:
    """The answer to a task (nn3d.extract.checkpoints.task) and the epoch file, b"" without one.

    setup : JSON of the order and of where Python finds the model. {"again": True} where the file is not here.
    Raises SourceError when this worker cannot make what the client makes: that no other checkpoint would change.
    """
    if not Path(file).is_file():
        return {"again": True}, b""
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="nn3d-epoch-") as folder:
        shots, order = _shots(setup)
        answer, _ = make_epoch(shots, replace(order, out=folder), file, epoch_id)
        made = Path(folder) / epoch_file(epoch_id)
        return answer, made.read_bytes() if made.exists() else b""


@lru_cache(maxsize=1)
def _shots(setup: str) -> tuple[Shots, Order]:
    said = json.loads(setup)
    sys.path += [p for p in said["path"] if p not in sys.path]
    order = order_from(said["order"])
    try:
        shots = Shots(load(Path(order.first)), order.source)
    except (Nn3dError, OSError) as error:
        raise SourceError(f"cannot make the model there: {error}") from error
    if graph_digest(shots.recording.graph) != order.graph:
        raise SourceError("makes another graph than this process: the model, torch or nn3d is of another version")
    return shots, order
