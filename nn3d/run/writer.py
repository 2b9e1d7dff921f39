"""Owns writing: a folder that grows epoch by epoch and survives a crash, one packed file, or readable JSON."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run import keys, thinning
from nn3d.run.archive import atomic, write_archive
from nn3d.run.describe import dump_json, epoch_json, manifest_json
from nn3d.run.folder import EPOCHS_FILE, INPUTS_FILE, MANIFEST_FILE, epoch_file, open_folder
from nn3d.run.manifest import parse_json, parse_manifest
from nn3d.run.model import JSON, Array, Epoch, Graph, Sample
from nn3d.run.record import epoch_members, input_arrays
from nn3d.run.run import Run

MAX_JSON_VALUES = 20_000_000
MAX_HALF_BYTES = 256 << 20
Arrays = Mapping[str, Array] | Mapping[tuple[int, int], Array]
Parameters = Mapping[str, Array] | Mapping[int, Array]


class RunWriter:
    """Records a run into a folder, epoch by epoch; what is listed is whole, whenever the process is killed.

    A folder that holds a run of the same graph is continued. encoding : of activations, "f32", "f16" or "u8", None for
    float16 until the run holds 256 MB of them and uint8 from then on; weights are float32 with "f32", else float16.
    max_bytes : of all epochs; above it, every second of the older ones goes, and the run says so (nn3d.run.thinning).
    Raises RunFormatError when the folder holds something else.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        graph: Graph,
        *,
        model: str = "",
        source: str = "",
        samples: Sequence[Sample] = (),
        classes: Sequence[str] = (),
        left_out: Sequence[str] = (),
        notes: Sequence[str] = (),
        encoding: str | None = None,
        statistics: bool = True,
        extra: Mapping[str, JSON] | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._max_bytes = max_bytes
        self._listed: list[Epoch] = []
        self._sizes: list[int] = []
        self._graph = graph
        self._encoding = encoding
        self._statistics = statistics
        self._last_id = -1
        self._activation_bytes = 0
        if (self.folder / MANIFEST_FILE).exists():
            self._continue(graph)
            return
        if self.folder.is_dir() and any(p for p in self.folder.iterdir() if not p.name.startswith(".")):
            raise RunFormatError(f"{self.folder}: should be empty or a run of this model, got other files")
        manifest = manifest_json(
            graph,
            model=model,
            source=source,
            run_id=uuid.uuid4().hex[:16],
            samples=samples,
            classes=classes,
            left_out=left_out,
            notes=notes,
            extra=dict(extra or {}) | {"encoding": {"activations": encoding or "f16, u8 above 256 MB"}},
        )
        parse_manifest(parse_json(dump_json(manifest), MANIFEST_FILE), MANIFEST_FILE)
        self._write_manifest(manifest)

    def _write_manifest(self, manifest: Mapping[str, JSON]) -> None:
        self._manifest = dict(manifest)
        with atomic(self.folder / MANIFEST_FILE) as file:
            file.write(json.dumps(manifest, ensure_ascii=False, allow_nan=False, indent=1).encode())

    def _continue(self, graph: Graph) -> None:
        """Take up a run that is there: same graph, list cut after its last whole line."""
        with open_folder(self.folder) as run:
            if manifest_json(run.graph) != json.loads(dump_json(manifest_json(graph))):
                raise RunFormatError(
                    f"{self.folder}: should hold a run of this model, got another graph. Use a new folder."
                )
            self._last_id = run.epochs[-1].id if run.epochs else -1
            self._manifest = dict(run.manifest)
            self._listed = list(run.epochs)
            self._sizes = [_size_of(self.folder / epoch_file(e.id)) for e in run.epochs]
            if self._max_bytes is not None:
                thinning.remove_unlisted(self.folder, run.epochs)
            held = (run.store[key].nbytes for key in listed_keys(run) if keys.ACTIVATION_KEY.fullmatch(key))
            self._activation_bytes = sum(held)
        path = self.folder / EPOCHS_FILE
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
        for left in self.folder.glob(".*.tmp"):
            left.unlink(missing_ok=True)

    def write_inputs(self, activations: Arrays) -> None:
        """Store the values of the input nodes, once for all epochs; other names are passed over."""
        write_archive(self.folder / INPUTS_FILE, input_arrays(self._graph, activations).items())

    def write_epoch(
        self,
        epoch: Epoch,
        activations: Arrays,
        parameters: Parameters,
        *,
        parameter_gradients: Parameters | None = None,
        activation_gradients: Arrays | None = None,
        updates: Mapping[int, Array] | None = None,
        changes: Mapping[int, Array] | None = None,
    ) -> None:
        """Record one epoch; ids must rise. Returns when it is on the disk and listed.

        activations : (node id, output) or node name → (N, *shape); the first time, inputs among them go to `in/`.
        parameters : id or name → array, of which one is held at a time where the mapping reads them as they are asked
        for. Raises RunFormatError when something does not fit the graph.
        """
        if epoch.id <= self._last_id:
            raise RunFormatError(f"epoch: ids should rise above {self._last_id}, got {epoch.id}")
        if not (self.folder / INPUTS_FILE).exists():
            self.write_inputs(activations)
        members = epoch_members(
            self._graph,
            epoch.id,
            activations,
            parameters,
            parameter_gradients=parameter_gradients,
            activation_gradients=activation_gradients,
            updates=updates,
            changes=changes,
            encoding=self._encoding or self._next_encoding(activations),
            statistics=self._statistics,
        )
        write_archive(self.folder / epoch_file(epoch.id), self._counted(members))
        with (self.folder / EPOCHS_FILE).open("ab") as file:
            file.write(dump_json(epoch_json(epoch)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._last_id = epoch.id
        self._listed.append(epoch)
        self._sizes.append(_size_of(self.folder / epoch_file(epoch.id)))
        if self._max_bytes is not None and sum(self._sizes) > self._max_bytes:
            self._thin(self._max_bytes)

    def _counted(self, members: Iterator[tuple[str, Array]]) -> Iterator[tuple[str, Array]]:
        """Members on their way to the disk; bytes of activations add up."""
        for key, array in members:
            if keys.ACTIVATION_KEY.fullmatch(key):
                self._activation_bytes += array.nbytes
            yield key, array

    @property
    def last_id(self) -> int:
        """Id of the last listed epoch, −1 without one."""
        return self._last_id

    def _thin(self, most: int) -> None:
        """Drop every second of the older epochs until the others fit, and say so in the manifest."""
        stays = thinning.thin(self.folder, self._listed, self._sizes, most)
        dropped = len(stays) - sum(stays)
        if not dropped:
            return
        self._listed = [e for e, keep in zip(self._listed, stays, strict=True) if keep]
        self._sizes = [n for n, keep in zip(self._sizes, stays, strict=True) if keep]
        before = self._manifest.get("thinned")
        total = dropped + (before if isinstance(before, int) else 0)
        notes = [n for n in self._manifest.get("notes") or () if not str(n).startswith(thinning.WORD)]
        self._write_manifest(self._manifest | {"thinned": total, "notes": [*notes, thinning.note(total, most)]})

    def _next_encoding(self, activations: Arrays) -> str:
        """float16 as long as the run's activations stay below 256 MB with it."""
        more = 2 * sum(np.asarray(a).size for a in activations.values())
        return "f16" if self._activation_bytes + more <= MAX_HALF_BYTES else "u8"


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def whole_manifest(run: Run) -> dict[str, JSON]:
    """The manifest of a run with all its epochs, unknown keys kept."""
    return dict(run.manifest) | {"epochs": [epoch_json(e) for e in run.epochs]}


def listed_keys(run: Run) -> Iterator[str]:
    """Keys of a run's arrays that belong to listed epochs, or to none."""
    ids = {e.id for e in run.epochs}
    names = run.store.keys()
    for key in names:
        found = keys.EPOCH_KEY.fullmatch(key)
        if key != keys.MANIFEST and (found is None or int(found[1]) in ids):
            yield key


def write_packed(source: Run | str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Pack a run, or the folder of one, into one file: stored members aligned to 64 bytes; whole or not at all."""
    if not isinstance(source, Run):
        with open_folder(Path(source)) as run:
            write_packed(run, path)
        return
    write_archive(Path(path), _members(source))


def _members(run: Run) -> Iterator[tuple[str, Array]]:
    yield keys.MANIFEST, np.frombuffer(dump_json(whole_manifest(run)), np.uint8)
    for key in listed_keys(run):
        yield key, run.store[key]


def write_folder(run: Run, folder: str | os.PathLike[str]) -> None:
    """Write a run as a folder, one file an epoch, as a recorder would have."""
    root = Path(folder)
    if root.is_dir() and any(root.iterdir()):
        raise RunFormatError(f"{root}: should be an empty folder, got one with files")
    root.mkdir(parents=True, exist_ok=True)
    names = list(listed_keys(run))
    write_archive(root / INPUTS_FILE, ((k, run.store[k]) for k in names if not keys.EPOCH_KEY.fullmatch(k)))
    for epoch in run.epochs:
        mine = (k for k in names if k.startswith(keys.epoch_prefix(epoch.id) + "/"))
        write_archive(root / epoch_file(epoch.id), ((k, run.store[k]) for k in mine))
    with atomic(root / EPOCHS_FILE) as file:
        file.write(b"".join(dump_json(epoch_json(e)) + b"\n" for e in run.epochs))
    with atomic(root / MANIFEST_FILE) as file:
        file.write(dump_json(dict(run.manifest) | {"epochs": []}))


def write_json(run: Run, path: str | os.PathLike[str]) -> None:
    """Write a small run as JSON for people and other languages; values that are not finite become texts."""
    total = sum(run.store[key].size for key in listed_keys(run))
    if total > MAX_JSON_VALUES:
        raise RunFormatError(f"{path}: JSON should hold at most {MAX_JSON_VALUES} numbers, got {total}. Write .npz.")
    with atomic(Path(path)) as file:
        text = json.dumps(whole_manifest(run), ensure_ascii=False, allow_nan=False, indent=1)
        file.write(('{"format": "nn3d-run", "manifest": ' + text + ',\n"arrays": {').encode())
        for i, key in enumerate(listed_keys(run)):
            file.write((",\n" if i else "\n").encode() + _array_json(key, run.store[key]))
        file.write(b"\n}}\n")


def _array_json(key: str, array: Array) -> bytes:
    """`"key": {"dtype": "float32", "shape": [2, 3], "values": [...]}`, values in C order, shortest exact digits."""
    texts = np.asarray(array).reshape(-1).astype("U32")
    if array.dtype.kind == "f":
        texts = np.where(
            np.isfinite(array).reshape(-1), texts, _NAMES[np.sign(np.nan_to_num(array)).astype(int).ravel()]
        )
    values = ", ".join(texts.tolist()).lower() if array.dtype.kind == "b" else ", ".join(texts.tolist())
    head = f'"{key}": {{"dtype": "{array.dtype.name}", "shape": {json.dumps(list(array.shape))}, "values": ['
    return (head + values + "]}").encode()


_NAMES = np.array(['"NaN"', '"Infinity"', '"-Infinity"'])
