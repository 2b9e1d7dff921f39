"""Owns making one epoch file from one checkpoint, the same in this process and in a child."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nn3d.errors import Nn3dError
from nn3d.extract.checkpoints.ledger import digest_of
from nn3d.extract.live_sources import Shots
from nn3d.extract.options import SourceOptions, options_from
from nn3d.extract.recording import Moment
from nn3d.extract.torch_checkpoint import load
from nn3d.run.archive import write_archive
from nn3d.run.describe import dump_json, manifest_json
from nn3d.run.folder import epoch_file
from nn3d.run.model import Epoch, Graph
from nn3d.run.record import epoch_arrays


@dataclass(frozen=True, slots=True)
class Order:
    """What a maker needs to know. first : the checkpoint that the graph is made from. out : the run's folder.

    encoding : of activations. graph : digest of the graph that must come out, "" where none is known yet.
    """

    first: str
    out: str
    source: SourceOptions
    encoding: str
    graph: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"source": self.source.to_json()}


def order_from(value: dict[str, Any]) -> Order:
    """The other way round."""
    return Order(**(value | {"source": options_from(value["source"])}))


def graph_digest(graph: Graph) -> str:
    """The same for the same graph in every process."""
    return hashlib.sha256(dump_json(manifest_json(graph))).hexdigest()


def make_epoch(shots: Shots, order: Order, file: str, epoch_id: int) -> tuple[dict[str, Any], Moment | None]:
    """Write the epoch file of a checkpoint. {"digest"} of what was read, or {"error"} in one line; and the moment."""
    path = Path(file)
    try:
        digest = digest_of(path)
        moment = shots.of(load(path), Epoch(epoch_id))
        members = epoch_arrays(
            shots.recording.graph, epoch_id, moment.activations, moment.parameters, encoding=order.encoding
        )  # fmt: skip
    except (Nn3dError, OSError) as error:
        return {"error": " ".join(str(error).split())}, None
    write_archive(Path(order.out) / epoch_file(epoch_id), members.items())
    return {"digest": digest}, moment
