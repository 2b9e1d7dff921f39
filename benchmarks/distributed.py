"""What a Recorder costs each rank of a training on two: one record an epoch, replicated and sharded.

An epoch here is 100 steps; MNIST on two ranks has 234 of this batch. `python -m benchmarks.distributed KIND RANK PORT
FOLDER` is one rank, which prints what it measured as JSON.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import Row

TITLE = "Distributed: how long a record blocks each of two ranks"

STEPS, BATCH, SAMPLES, EPOCHS = 100, 128, 16, 4


def rows() -> list[Row]:
    """Per kind and rank: what a record takes of it beside an epoch of training."""
    found = []
    for kind, name in (("fsdp", "fully_shard"), ("ddp", "DistributedDataParallel")):
        with tempfile.TemporaryDirectory() as folder:
            said = _both(kind, folder)
        for rank, times in enumerate(said):
            blocked = times["record"] + times["wait"]
            note = f"record {times['record']:.1f}, next step later by {times['wait']:.1f}"
            found.append(Row(f"{name}, rank {rank}: one record", blocked, f"{STEPS} steps", times["epoch"], note))
    return found


def _both(kind: str, folder: str) -> list[dict[str, float]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.distributed", kind]
    ranks = [
        subprocess.Popen([*command, str(rank), port, folder], stdout=subprocess.PIPE, text=True) for rank in range(2)
    ]
    return [json.loads(rank.communicate()[0].splitlines()[-1]) for rank in ranks]


def _rank(kind: str, rank: int, port: str, folder: Path) -> dict[str, float]:
    """Milliseconds, medians of the epochs after the first: an epoch's steps, its record, the wait in the step after."""
    import torch
    import torch.distributed as dist
    from torch.nn import functional as F

    import nn3d

    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    model: Any = _model(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    pictures, labels = torch.rand(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    recorder = nn3d.Recorder(folder / "run", model, pictures[:SAMPLES])

    def step() -> float:
        begin = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(model(pictures), labels).backward()
        optimizer.step()
        return (time.perf_counter() - begin) * 1000

    epochs, records, waits = [], [], []
    for epoch in range(EPOCHS + 1):
        times = [step() for _ in range(STEPS)]
        begin = time.perf_counter()
        recorder.record(epoch)
        record = (time.perf_counter() - begin) * 1000
        wait = step() - statistics.median(times)
        if epoch:
            epochs.append(sum(times))
            records.append(record)
            waits.append(max(0.0, wait))
    dist.barrier()
    dist.destroy_process_group()
    names = ("epoch", "record", "wait")
    return {n: statistics.median(t) for n, t in zip(names, (epochs, records, waits), strict=True)}


def _model(kind: str) -> Any:
    import torch
    from torch.distributed.fsdp import fully_shard

    from tests import networks

    torch.manual_seed(0)
    model = networks.LeNet()
    if kind == "ddp":
        return torch.nn.parallel.DistributedDataParallel(model)
    for layer in (m for m in model.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)):
        fully_shard(layer)
    return fully_shard(model)


if __name__ == "__main__":
    print(json.dumps(_rank(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))))
