"""Owns filling a run's folder from checkpoints: what is there and still true stays, the rest is made, in parallel.

At every moment the folder is a whole run of the epochs that it lists; one that was listed is dropped from the list only
when its checkpoint is gone or has become another epoch. Whoever is killed half-way goes on from there the next time.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from math import prod
from pathlib import Path

from nn3d.errors import RunFormatError, SourceError
from nn3d.extract import factory
from nn3d.extract.checkpoints.engines import LOCAL, makers
from nn3d.extract.checkpoints.ledger import Entry, Ledger
from nn3d.extract.checkpoints.listing import Listing, stamp_left_out
from nn3d.extract.checkpoints.pool import Answer
from nn3d.extract.checkpoints.survey import survey
from nn3d.extract.checkpoints.task import Order, graph_digest, make_epoch
from nn3d.extract.live_sources import Shots
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import HALF_LIMIT_BYTES
from nn3d.extract.recording import Moment, Recording
from nn3d.extract.torch_checkpoint import load
from nn3d.run.archive import atomic, write_archive
from nn3d.run.describe import dump_json, manifest_json
from nn3d.run.folder import INPUTS_FILE, MANIFEST_FILE, epoch_file, read_manifest
from nn3d.run.record import input_arrays

Progress = Callable[[int, int], None]
_WORTH_SECS = 8.0


def fill(
    folder: Path,
    paths: Sequence[Path],
    source: SourceOptions,
    *,
    jobs: int | None = None,
    engine: str = LOCAL,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Make `folder` the run of these checkpoints; why files were passed over, a line each.

    jobs : processes; None takes as many as there are cores where that is worth their start. engine : what makes them
    (nn3d.extract.checkpoints.engines). encoding : of activations,
    None for float16 up to 256 MB a run and uint8 above. progress : called with how many epochs of how many are there.
    Raises SourceError when no file can be read, RunFormatError when the folder holds another graph.
    """
    ledger, listing = Ledger(folder), Listing(folder)
    known = {path: entry for path in paths if (entry := ledger.unchanged(path)) is not None}
    made = factory.make(source.model) if source.model is not None else None
    has_manifest = (folder / MANIFEST_FILE).is_file()
    old = read_manifest(folder / MANIFEST_FILE) if has_manifest else None
    shapes = {p.name: p.shape for p in old.graph.parameters} if old is not None else None
    entries = survey(paths, known, made, shapes)
    good = [e for e in entries if not e.error]
    if not good:
        raise SourceError(entries[0].error if entries else "extract: expected checkpoints, got none in that folder.")
    there = [e for e in good if _is_there(folder, e, ledger)]
    todo = [e for e in good if e not in there]
    stale = [was for e in todo if (was := ledger.entries.get(e.file)) is not None and _has(folder, e, was)]
    if todo:
        folder.mkdir(parents=True, exist_ok=True)
        shots = Shots(load(Path(good[0].file)), source, made)
        order = _order(folder, shots, good, source, encoding)
        _describe(folder, shots.recording, len(good))
    ledger.begin([*there, *stale, *(e for e in entries if e.error)])
    listing.begin([*there, *stale])
    if todo:
        work = _Work(folder, shots, order, ledger, listing, [e.id for e in good], len(there), progress)
        work.do(todo, jobs, engine)
    _remove_others(folder, {e.id for e in good})
    passed = tuple(e.error for e in ledger.entries.values() if e.error)
    stamp_left_out(folder, passed)
    if not listing.ids:
        raise SourceError(passed[0])
    return passed


def _is_there(folder: Path, entry: Entry, ledger: Ledger) -> bool:
    """Made before from this very file, as this epoch."""
    old = ledger.entries.get(entry.file)
    return old is not None and old.digest == entry.digest != "" and _has(folder, entry, old)


def _has(folder: Path, entry: Entry, old: Entry) -> bool:
    return old.id == entry.id and (folder / epoch_file(entry.id)).is_file()


class _Work:
    """Epochs on their way into a folder."""

    def __init__(
        self, folder: Path, shots: Shots, order: Order, ledger: Ledger, listing: Listing, ids: Sequence[int], n: int,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self._folder, self._shots, self._order = folder, shots, order
        self._ledger, self._listing = ledger, listing
        self._n_done, self._n_all, self._progress = n, len(ids), progress
        self._waiting: dict[int, Entry | None] = {}

    def do(self, todo: Sequence[Entry], jobs: int | None, engine: str) -> None:
        """Make all of them: the first here, the rest in processes where there are several, or where the engine is."""
        queue = list(todo)
        self._order_ids = [e.id for e in queue]
        begin = time.perf_counter()
        while queue and not (self._folder / INPUTS_FILE).exists():
            self._here(queue.pop(0))
        if queue and len(queue) == len(todo):
            self._here(queue.pop(0))
        secs = (time.perf_counter() - begin) / max(1, len(todo) - len(queue))
        n = jobs or ((os.cpu_count() or 1) if secs * len(queue) > _WORTH_SECS else 1)
        try:
            with closing(self._parallel(queue, min(n, len(queue)), engine)) as answers:
                for entry, answer in answers:
                    self._arrived(entry, answer)
        finally:
            for ready in self._waiting.values():
                if ready is not None:
                    self._listing.add(ready)

    def _parallel(self, queue: list[Entry], n: int, engine: str) -> Generator[tuple[Entry, Answer], None, None]:
        if not queue or (n < 2 and engine == LOCAL):
            for entry in queue:
                yield entry, {"again": True}
            return
        with makers(engine, self._order, n) as made:
            yield from made.run(queue)

    def _here(self, entry: Entry) -> None:
        answer, moment = make_epoch(self._shots, self._order, entry.file, entry.id)
        if moment is not None and not (self._folder / INPUTS_FILE).exists():
            self._write_inputs(moment)
        self._take(entry, answer)

    def _write_inputs(self, moment: Moment) -> None:
        arrays = input_arrays(self._shots.recording.graph, moment.activations)
        write_archive(self._folder / INPUTS_FILE, arrays.items())

    def _arrived(self, entry: Entry, answer: Answer) -> None:
        if "again" in answer:
            self._here(entry)
        else:
            self._take(entry, answer)

    def _take(self, entry: Entry, answer: Answer) -> None:
        """Note an epoch that is on the disk; list it when those before it have come."""
        failed = str(answer.get("error", ""))
        done = replace(entry, digest=answer.get("digest", ""), error=failed, id=-1 if failed else entry.id)
        self._ledger.put(done)
        self._waiting[entry.id] = None if failed else done
        while self._order_ids and self._order_ids[0] in self._waiting:
            ready = self._waiting.pop(self._order_ids.pop(0))
            if ready is not None:
                self._listing.add(ready)
        self._n_done += 1
        if self._progress is not None:
            self._progress(self._n_done, self._n_all)


def _order(folder: Path, shots: Shots, good: Sequence[Entry], source: SourceOptions, encoding: str | None) -> Order:
    graph, n_samples = shots.recording.graph, len(shots.recording.samples)
    values = n_samples * sum(prod(o.shape) for node in graph.nodes for o in node.outputs)
    chosen = encoding or ("f16" if 2 * values * len(good) <= HALF_LIMIT_BYTES else "u8")
    return Order(good[0].file, str(folder), source, chosen, graph_digest(graph))


def _describe(folder: Path, recording: Recording, n: int) -> None:
    """Write the manifest where there is none. Raises RunFormatError where one describes another graph."""
    path = folder / MANIFEST_FILE
    if path.is_file():
        if graph_digest(read_manifest(path).graph) != graph_digest(recording.graph):
            raise RunFormatError(f"{folder}: should hold a run of this model, got another graph. Use a new folder.")
        return
    manifest = manifest_json(
        recording.graph, model=recording.name, source=f"{n} checkpoints, {recording.source}",
        run_id=uuid.uuid4().hex[:16], samples=recording.samples, classes=recording.classes,
        left_out=recording.left_out,
    )  # fmt: skip
    with atomic(path) as file:
        file.write(dump_json(manifest))


def _remove_others(folder: Path, ids: set[int]) -> None:
    """Epoch files of checkpoints that are gone, and what a killed process left."""
    names = {epoch_file(i) for i in ids}
    for path in (*folder.glob("epoch_*.npz"), *folder.glob(".*.tmp")):
        if path.name not in names:
            path.unlink(missing_ok=True)
