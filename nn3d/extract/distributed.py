"""Owns who records when several processes train one model: rank 0 writes, and the others do what it needs of them.

Replicas (DistributedDataParallel) do nothing. Where parameters are sharded every rank takes part in every record: they
agree on it first, in a process group of its own, so that one that is missing is an error and not a deadlock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from nn3d.errors import Nn3dError, TraceError
from nn3d.extract.sharding import Gathered, is_sharded
from nn3d.run.model import Array

_FOLDER_KEY = "nn3d/recorder"


def is_first_rank() -> bool:
    """Whether this process is rank 0 of several that train one model, or the only one."""
    return not (dist.is_available() and dist.is_initialized() and dist.get_rank())


class Ranks:
    """One process among those that train a model. rank : its number. n : how many there are.

    is_sharded : all of them take part in a record. patience_secs : how long they wait for each other. folder : None
    where rank 0 decides.

    Raises TraceError without a folder on rank 0, and where several processes were started that don't know each other.
    """

    def __init__(self, model: torch.nn.Module, folder: Path | None, patience_secs: float) -> None:
        is_running = dist.is_available() and dist.is_initialized()
        n_said = os.environ.get("WORLD_SIZE", "1")
        if not is_running and "RANK" in os.environ and n_said.isdecimal() and int(n_said) > 1:
            raise TraceError(
                f"Recorder: expected the {n_said} processes of this training to know each other, got WORLD_SIZE and no "
                "process group. Call torch.distributed.init_process_group first."
            )
        self.rank = dist.get_rank() if is_running else 0
        self.n = dist.get_world_size() if is_running else 1
        self.is_sharded = self.n > 1 and is_sharded(model)
        if folder is None and not self.rank:
            raise TraceError("Recorder: expected a folder on rank 0, which writes, got None. Pass one.")
        self._folder = "" if folder is None else str(folder)
        self._patience = timedelta(seconds=patience_secs)
        self._group = self._new_group() if self.is_sharded else None
        self._is_checked = folder is None
        if self.n > 1 and not self.rank and folder is not None:
            self._store().set(f"{_FOLDER_KEY}/{self._folder}", "1")
            self._store().set(_FOLDER_KEY, self._folder)

    @property
    def is_writer(self) -> bool:
        """Whether this process holds the folder."""
        return not self.rank

    @property
    def is_idle(self) -> bool:
        """Whether this process has nothing to do with a record: a replica of what rank 0 records."""
        return not self.is_writer and not self.is_sharded

    def check_folder(self) -> None:
        """Raises TraceError where rank 0 records into another folder; asks once, and waits for rank 0 to begin."""
        if self._is_checked:
            return
        self._is_checked = True
        store = self._store()
        try:
            store.wait([_FOLDER_KEY], self._patience)
            store.wait([f"{_FOLDER_KEY}/{self._folder}"], timedelta(seconds=min(5.0, self._patience.total_seconds())))
        except RuntimeError:
            theirs = store.get(_FOLDER_KEY).decode() if store.check([_FOLDER_KEY]) else "none"
            raise TraceError(
                f"Recorder: expected one folder on all ranks, got {self._folder} on rank {self.rank} and {theirs} on "
                "rank 0. Rank 0 writes for all: pass its folder everywhere."
            ) from None

    def first_epoch(self, found: int) -> int:
        """What rank 0 found to be the next epoch's id. Raises TraceError where a rank makes no Recorder."""
        said: list[Any] = [found]
        if self.is_sharded:
            self._waiting(lambda: dist.broadcast_object_list(said, 0, self._group))
        return int(said[0])

    def agree(self, call: int, epoch: int, step: int | None) -> None:
        """All ranks are about to record. call : how often `record` was called before.

        Raises TraceError where a rank is missing, or is at another call, epoch or step, or wants another folder.
        """
        if not self.is_sharded:
            return
        said: list[Any] = [None] * self.n
        self._waiting(lambda: dist.all_gather_object(said, (call, epoch, step, self._folder), self._group))
        for rank, other in enumerate(said):
            for what, mine, theirs in zip(("call", "epoch", "step", "folder"), said[0], other, strict=True):
                if mine != theirs and (theirs or what != "folder"):
                    raise TraceError(
                        f"record: expected the same {what} on every rank, got {mine} on rank 0 and {theirs} on rank "
                        f"{rank}. Sharded parameters are gathered from all ranks: all record, at the same step."
                    )

    @contextlib.contextmanager
    def together(self, *arrays: Mapping[int, Array]) -> Iterator[None]:
        """Within, rank 0 writes arrays in this order; all gather what it reads, and what it leaves when it fails.

        Raises TraceError on the others when the epoch is not on the disk.
        """
        shared = [a for a in arrays if isinstance(a, Gathered)]
        if not shared:
            yield
            return
        text = ""
        try:
            yield
        except Nn3dError as error:
            text = str(error)
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise
        finally:
            for rest in shared:
                rest.drain()
            self._conclude(text)

    def _conclude(self, text: str) -> None:
        """Rank 0 says whether the epoch is on the disk, or why not."""
        if not self.is_sharded:
            return
        said: list[Any] = [text]
        self._waiting(lambda: dist.broadcast_object_list(said, 0, self._group))
        if said[0] and not self.is_writer:
            raise TraceError(f"record: rank 0 could not write the epoch: {said[0]}")

    def _waiting(self, collective: Callable[[], None]) -> None:
        """Do something together; a rank that does not come is told by name."""
        try:
            dist.monitored_barrier(self._group, self._patience, wait_all_ranks=True)
            collective()
        except RuntimeError as error:
            text = str(error).splitlines()[0][:300]
            raise TraceError(
                f"Recorder: expected all {self.n} ranks to record this step within "
                f"{self._patience.total_seconds():g} s, got: {text}"
            ) from error

    def _new_group(self) -> Any:
        """A group for the agreement alone: its waiting ends, and meets no collective of the training."""
        try:
            return dist.new_group(backend="gloo", timeout=self._patience)
        except (RuntimeError, ValueError) as error:
            raise TraceError(
                f"Recorder: expected every rank to make one, since parameters are sharded, got: {error}"
            ) from error

    @staticmethod
    def _store() -> Any:
        return dist.distributed_c10d._get_default_store()


