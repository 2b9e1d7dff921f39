"""One of several processes that train one network: python rank.py FOLDER RANK N PORT. Says what it met as JSON."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

from nn3d.errors import Nn3dError
from nn3d.extract import trace
from nn3d.extract.adapters.rate import Rate
from nn3d.extract.live import live
from nn3d.extract.recorder import Recorder

PICTURES = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(3))
STEPS = 3


class Net(nn.Module):
    """Sizes that two ranks cannot share evenly, a parameter of its own, a buffer, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.hidden = nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.Linear(5, 7)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(7, 3)
        self.scale = nn.Parameter(torch.ones(7))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.head(self.drop(F.relu(self.hidden(x)) * self.scale))


def sharded() -> nn.Module:
    torch.manual_seed(0)
    model = Net()
    fully_shard(model.conv)
    fully_shard(model.hidden)
    return fully_shard(model)


def replicated() -> nn.Module:
    torch.manual_seed(0)
    return nn.parallel.DistributedDataParallel(Net())


def train(make: Callable[[], nn.Module], folder: Path | None = None, **options: Any) -> nn.Module:
    """A few steps, each rank with its own samples; recorded before, between forward and backward, and after."""
    rank = dist.get_rank()
    model = make()
    recorder = None if folder is None else Recorder(folder, model, PICTURES[:3], encoding="f32", **options)
    torch.manual_seed(rank)
    sgd = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    if recorder is not None:
        recorder.record(0)
    for step in range(STEPS):
        batch = PICTURES[rank * 6 : rank * 6 + 6] + 0.1 * torch.rand(6, 1, 8, 8)
        loss = F.cross_entropy(model(batch), torch.arange(6) % 3)
        if recorder is not None and step == 1:
            recorder.record(10)
        sgd.zero_grad()
        loss.backward()
        if recorder is not None and step == 1:
            recorder.record(11)
        sgd.step()
    if recorder is not None:
        recorder.record(20, loss=loss)
    return model


def final(model: nn.Module) -> dict[str, Tensor]:
    """The whole state; collective."""
    return get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


def met(action: Callable[[], Any]) -> str:
    """The error of an action in words, "" without one."""
    try:
        action()
    except Nn3dError as error:
        return str(error)
    return ""


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    parts = [(getattr(a, "_local_tensor", a), getattr(b, "_local_tensor", b)) for a, b in pairs]
    return all(torch.equal(a, b) for a, b in parts)


def die_while_gathering(root: Path, rank: int) -> None:
    """Rank 1 ends in the middle of the second record; on rank 0 that is one line."""
    recorder = Recorder(root / "killed", sharded(), PICTURES[:2], patience_secs=5)
    recorder.record(0)
    plain, n_left = trace.to_numpy, 5

    def last(tensor: Tensor) -> Any:
        nonlocal n_left
        n_left -= 1
        return plain(tensor) if n_left else os._exit(9)

    if rank == 1:
        trace.to_numpy = last
    recorder.record(1)


def main(root: Path, rank: int, n: int, port: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(n), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    said: dict[str, Any] = {"early": met(lambda: Recorder(root / "early", Net(), PICTURES[:2]))}
    dist.init_process_group("gloo")
    model = train(sharded, root / "fsdp", updates="full")
    said["fsdp same"] = same(model, train(sharded))
    whole = final(model)
    dcp.save({"model": get_model_state_dict(model), "epoch": 20}, checkpoint_id=root / "dcp")
    replica = train(replicated, root / "ddp", updates="full")
    said["ddp same"] = same(replica, train(replicated))
    if rank == 0:
        torch.save(whole, root / "fsdp.pt")
        torch.save(replica.module.state_dict(), root / "ddp.pt")

    said["layers"] = met(lambda: Recorder(root / "some", sharded(), PICTURES[:2], layers=["hidden"]).record(5))
    said["gradients"] = met(lambda: Recorder(root / "slopes", sharded(), PICTURES[:2], labels=[0, 1], gradients=True))
    parallel = parallelize_module(Net(), init_device_mesh("cpu", (n,)), {"hidden": ColwiseParallel()})
    said["parts"] = met(Recorder(root / "parts", parallel, PICTURES[:2]).record)
    replicas = Recorder(root / f"ddp-{rank}", replicated(), PICTURES[:2], patience_secs=1)
    said["folder, replicas"] = met(replicas.record)
    said["folder, shards"] = met(Recorder(root / f"fsdp-{rank}", sharded(), PICTURES[:2]).record)
    for begin in (0, 2):
        rate = Rate(root / "rate", PICTURES[:2], 1, {})
        rate.begin(sharded(), begin)
        rate.step(begin + 1, {"loss": 0.5})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        watch = live(sharded(), PICTURES[:2])
        watch.record()
    said["live"] = [watch.is_writer, len(list(watch.folder.glob("epoch_*.npz"))), len(told)]
    recorder = Recorder(root / "written", sharded(), PICTURES[:2])
    recorder.record(4)
    said["id"] = met(lambda: recorder.record(3))
    said["epoch"] = met(lambda: recorder.record(5 + rank))
    recorder = Recorder(root / "alone", sharded(), PICTURES[:2], patience_secs=1)
    said["alone"] = met(recorder.record) if rank == 0 else ""
    (root / f"said-{rank}.json").write_text(json.dumps(said))
    said["death"] = met(lambda: die_while_gathering(root, rank))
    (root / f"said-{rank}.json").write_text(json.dumps(said))
    os._exit(0)  # the other is gone: there is no group left to destroy


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
