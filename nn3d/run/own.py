"""Owns inputs of one's own: a picture, tokens or numbers as plain text, and what a network makes of them.

They are samples beside the recorded ones: each content has a sample number, from the number of recorded samples on.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from nn3d.errors import Nn3dError
from nn3d.run.model import Array, FloatArray, Graph, InputInfo, Sample

if TYPE_CHECKING:
    from nn3d.run.ports import Engine
    from nn3d.run.run import Run

DTYPES: dict[str, np.dtype[Any]] = {
    "picture": np.dtype("<u1"), "tokens": np.dtype("<i4"), "array": np.dtype("<f4")
}  # fmt: skip
MOST_VALUES = 1 << 24
MOST_BYTES = 256 << 20
MOST_CONTENTS = 64


@dataclass(frozen=True, slots=True)
class OwnArray:
    """One input of a network as text that JSON can hold.

    kind : "picture" (uint8, 0 black … 255 white, before normalisation), "tokens" (int32) or "array" (float32).
    data : base64 of the zlib-compressed little-endian values, C order, without a sample axis.
    """

    kind: str
    shape: tuple[int, ...]
    data: str


@dataclass(frozen=True, slots=True)
class OwnInput:
    """An input of one's own. note : where it is from and what was done to it. tokens : its words, where it is text."""

    name: str
    arrays: tuple[OwnArray, ...]
    note: str = ""
    tokens: tuple[str, ...] = ()


def packed(kind: str, values: Array) -> OwnArray:
    """Values (*shape) as text."""
    raw = np.ascontiguousarray(values, DTYPES[kind]).tobytes()
    return OwnArray(kind, tuple(values.shape), base64.b64encode(zlib.compress(raw, 6)).decode("ascii"))


def unpacked(array: OwnArray) -> Array:
    """The values again, (*shape). Raises Nn3dError when the text does not hold what it says."""
    if array.kind not in DTYPES:
        raise Nn3dError(f"own input: kind should be one of {', '.join(DTYPES)}, got {array.kind[:40]!r}")
    if any(n < 1 for n in array.shape) or prod(array.shape) > MOST_VALUES:
        raise Nn3dError(f"own input: shape should hold 1 to {MOST_VALUES} values, got {array.shape}")
    size = prod(array.shape) * DTYPES[array.kind].itemsize
    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(array.data, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise Nn3dError(f"own input: data should be base64 of zlib, got {str(error)[:60]}") from None
    if len(raw) != size:
        raise Nn3dError(f"own input: data should be {size} bytes for shape {array.shape}, got {len(raw)} or more")
    return np.frombuffer(raw, DTYPES[array.kind]).reshape(array.shape)


def normalised(picture: Array, info: InputInfo) -> FloatArray:
    """What a network reads of a picture (C, H, W) uint8: (value − mean) / std in the input's own range."""
    low, high = info.value_range or (0.0, 1.0)
    values = low + picture.astype(np.float32) / np.float32(255) * (high - low)
    mean, std = (np.reshape(np.asarray(v or d, np.float32), (-1, 1, 1)) for v, d in ((info.mean, 0), (info.std, 1)))
    return np.asarray((values - mean) / std, np.float32)


def pictured(values: Array, info: InputInfo) -> Array:
    """The picture (C, H, W) uint8 that an image input (C, H, W) holds: the inverse of `normalised`."""
    low, high = info.value_range or (0.0, 1.0)
    mean, std = (np.reshape(np.asarray(v or d, np.float32), (-1, 1, 1)) for v, d in ((info.mean, 0), (info.std, 1)))
    share = (np.nan_to_num(values) * std + mean - low) / max(high - low, 1e-12)
    return np.asarray(np.clip(np.round(share * 255), 0, 255), np.uint8)


def following(graph: Graph) -> frozenset[int]:
    """Ids of the nodes whose values follow from the inputs, the inputs among them."""
    readers: dict[int, list[int]] = {}
    for node in graph.nodes:
        for source in node.inputs:
            readers.setdefault(source.node, []).append(node.id)
    found: set[int] = set()
    waiting = [n.id for n in graph.nodes if n.op == "input"]
    while waiting:
        node_id = waiting.pop()
        if node_id not in found:
            found.add(node_id)
            waiting += readers.get(node_id, ())
    return frozenset(found)


class OwnInputs:
    """Inputs of one's own of one run, by sample number: the first gets the number after the recorded samples.

    A number stands for one content for good; a changed drawing gets another one, and a content that nobody asked for
    while 64 others were may get a new one. `number` and `sample` answer at once; `values` computes, and may be called
    from any thread. error : what went wrong last while computing, "" if nothing.
    """

    def __init__(self, run: Run, engine: Engine) -> None:
        self.engine = engine
        self.error = ""
        self._run = run
        self._next = len(run.samples)
        self._numbers: OrderedDict[OwnInput, int] = OrderedDict()
        self._contents: dict[int, OwnInput] = {}
        self._made: OrderedDict[tuple[int, int], dict[tuple[int, int], FloatArray]] = OrderedDict()
        self._following = following(run.graph)
        self._given = {n.id: i for i, n in enumerate(n for n in run.graph.nodes if n.op == "input")}
        self._bytes = 4 * sum(prod(o.shape) for n in run.graph.nodes if n.id in self._following for o in n.outputs)
        self._naming, self._computing = Lock(), Lock()
        self._stopped: Event = getattr(engine, "stopping", None) or Event()  # what the engine looks at, too

    def number(self, own: OwnInput) -> int:
        """The sample number of a content. Raises Nn3dError when it does not fit the run's inputs."""
        with self._naming:
            if own not in self._numbers:
                self._inputs(own)
                self._numbers[own], self._next = self._next, self._next + 1
                self._contents[self._numbers[own]] = own
                while len(self._numbers) > MOST_CONTENTS:
                    del self._contents[self._numbers.popitem(last=False)[1]]
            self._numbers.move_to_end(own)
            return self._numbers[own]

    def knows(self, number: int) -> bool:
        """Whether a number stands for a content."""
        return number in self._contents

    def content(self, number: int) -> OwnInput:
        """What a number stands for. Raises Nn3dError when it stands for nothing any more."""
        found = self._contents.get(number)
        if found is None:
            raise Nn3dError(f"own input: sample {number} is no longer known")
        return found

    def sample(self, number: int) -> Sample:
        """The content as a sample: no truth is known of it."""
        own = self.content(number)
        return Sample(own.name, None, own.tokens)

    def can_hold(self, n_epochs: int) -> bool:
        """Whether the values of so many epochs stay in memory, so that each is computed once."""
        return self._bytes * n_epochs <= MOST_BYTES // 2

    def stop(self) -> None:
        """Let computing end soon, until `go_on`."""
        self._stopped.set()

    def go_on(self) -> None:
        """Compute again."""
        self._stopped.clear()

    def values(self, node: int, output: int, epoch: int, number: int) -> FloatArray:
        """(*shape) float32; those that no input moves as recorded, NaN where the engine gives none."""
        info = self._run.output(node, output)
        if node not in self._following:
            return self._run.values(node, output, epoch, 0)
        if node in self._given:  # known without computing, so that a sheet follows the pen
            try:
                return np.asarray(self._inputs(self.content(number))[self._given[node]][0], np.float32)
            except Nn3dError:
                return np.full(info.shape, np.nan, np.float32)
        with self._computing:
            made = self._made.get((number, epoch))
            if made is None:
                made = self._computed(number, epoch)
                if made:
                    self._made[number, epoch] = made
                    self._forget()
            else:
                self._made.move_to_end((number, epoch))
        found = made.get((node, output))
        return np.full(info.shape, np.nan, np.float32) if found is None else found.reshape(info.shape)

    def _computed(self, number: int, epoch: int) -> dict[tuple[int, int], FloatArray]:
        try:
            found = self.engine.infer(self._inputs(self.content(number)), epoch, self._stopped.is_set)
        except Nn3dError as error:
            self.error = str(error)
            return {}
        self.error = ""
        return {at: _first(v, per_sample=self._run.output(*at).per_sample) for at, v in found.items()}

    def _forget(self) -> None:
        """Keep the contents of the last two at least, and as many more as fit."""
        while len(self._made) > 2 and sum(v.nbytes for m in self._made.values() for v in m.values()) > MOST_BYTES:
            self._made.popitem(last=False)

    def _inputs(self, own: OwnInput) -> list[Array]:
        """(1, *shape) of each input node, as the network reads it."""
        nodes = [n for n in self._run.graph.nodes if n.op == "input"]
        if len(nodes) != len(own.arrays):
            raise Nn3dError(f"own input: should have {len(nodes)} arrays for this network, got {len(own.arrays)}")
        return [self._input(n.id, a)[None] for n, a in zip(nodes, own.arrays, strict=True)]

    def _input(self, node: int, array: OwnArray) -> Array:
        info = self._run.output(node, 0)
        if array.shape != info.shape:
            raise Nn3dError(f"own input: shape should be {info.shape} for this network, got {array.shape}")
        values = unpacked(array)
        if array.kind == "tokens":
            return values.astype(np.int64)
        if array.kind == "array":
            return np.array(values, np.float32)
        known = next((i for i in self._run.graph.inputs if i.node == node), InputInfo(node))
        return normalised(values, known)


def _first(values: Array, *, per_sample: bool) -> FloatArray:
    found = np.ascontiguousarray(values[0] if per_sample else values, np.float32)
    found.setflags(write=False)
    return found
