"""Owns the run as everybody above sees it: names and indices in, float32 values of one sample or whole arrays out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from math import prod
from threading import Lock
from types import TracebackType

import numpy as np

from nn3d.errors import Nn3dError
from nn3d.run import keys
from nn3d.run.describe import dump_json, epoch_json, manifest_json
from nn3d.run.encoding import Encoded, decode, encoded_at
from nn3d.run.layers import layers_of
from nn3d.run.lazy import LazyStore
from nn3d.run.manifest import Manifest
from nn3d.run.model import JSON, Array, Epoch, FloatArray, Graph, Layer, Node, Output, Parameter, Sample, Store
from nn3d.run.ops import op_of
from nn3d.run.own import OwnInputs
from nn3d.run.recent import Recent
from nn3d.run.statistics import (
    ChannelStats,
    ParameterStats,
    channel_axis,
    channel_stats_from,
    channel_table,
    parameter_stats_from,
    parameter_vector_slices,
    sample_table,
)

# Figures of parameters up to this many values are computed where they are asked for; at most so many are kept.
SMALL_PARAMETER = 1 << 20
MAX_COMPUTED = 2048
# Of one sample's values, decoded, and of mapped weights: a picture asks for most of them twice, as values and in links.
KEPT_VALUES_BYTES, KEPT_VALUES, KEPT_WEIGHTS = 64 << 20, 1024, 64


class Run:
    """A recorded network over a store of arrays. Epochs and samples are indices from 0, negative from the end.

    Nothing is read but what is asked for: arrays of a packed file or of float32 and float16 come as mapped views.
    bytes_read : of all stored arrays, or parts of them, that were handed out since the run was opened; who asks again
    for what was handed out a moment ago gets the same array, which is not counted again.
    """

    def __init__(self, store: Store, manifest: Manifest, *, path: str = "") -> None:
        self._store = store
        self._manifest = manifest
        self._epochs = manifest.epochs
        self.path = path
        self._nodes = {node.id: node for node in manifest.graph.nodes}
        self._parameters = {p.id: p for p in manifest.graph.parameters}
        self._parameter_ids = {p.name: p.id for p in manifest.graph.parameters}
        inputs = [n.id for n in manifest.graph.nodes if n.op == "input"]
        self._input_index = {node: i for i, node in enumerate(inputs)}
        self._layers: tuple[Layer, ...] | None = None
        self._layer_index: dict[str, int] = {}
        self._computed: dict[tuple[int, int], ParameterStats] = {}
        self.bytes_read, self._counting = 0, Lock()
        self._values = Recent(KEPT_VALUES_BYTES, KEPT_VALUES)
        self._weights = Recent(KEPT_VALUES_BYTES, KEPT_WEIGHTS)
        self.own: OwnInputs | None = None
        self.other: Run | None = None  # what it may be compared with (nn3d.stage.comparing)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Run {self.name or 'unnamed'}: {len(self._nodes)} nodes, {len(self.epochs)} epochs>"

    def close(self) -> None:
        """Give mapped files back; arrays handed out before stay valid as long as someone holds them."""
        self.forget()
        self._store.close()

    def forget(self) -> None:
        """Let go of what was handed out last: who asks again has it read again."""
        self._values.clear()
        self._weights.clear()

    @property
    def store(self) -> Store:
        """The arrays as they are stored."""
        return self._store

    @property
    def graph(self) -> Graph:
        """The functional graph."""
        return self._manifest.graph

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._manifest.name

    @property
    def source(self) -> str:
        """Where the run came from, one line."""
        return self._manifest.source

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """Recorded moments of training, ids rising."""
        return self._epochs

    def add_metrics(self, found: Sequence[Mapping[str, float]], note: str) -> None:
        """Have more metrics, one mapping an epoch, beside those that are there, and a note that says where from."""
        pairs = zip(self._epochs, found, strict=True)
        self._epochs = tuple(replace(epoch, metrics={**more, **epoch.metrics}) for epoch, more in pairs)
        self._manifest = replace(self._manifest, notes=(*self._manifest.notes, note))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Recorded inputs."""
        return self._manifest.samples

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, or of the tokens of a vocabulary."""
        return self._manifest.classes

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was not recorded, and why."""
        return self._manifest.left_out

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: of the run, then of its graph."""
        return self._manifest.notes + self._manifest.graph.notes

    @property
    def manifest(self) -> Mapping[str, JSON]:
        """The manifest as it was read, unknown keys included."""
        return self._manifest.raw

    @property
    def header(self) -> Manifest:
        """The manifest, checked; its epochs are those of the moment of opening."""
        return self._manifest

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters and buffers."""
        return tuple(self._parameter_ids)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What a person calls layers, in topological order."""
        if self._layers is None:
            self._layers = layers_of(self.graph)
            self._layer_index = {name: i for i, name in reversed(list(enumerate(self._layer_aliases())))}
            self._layer_index |= {layer.name: layer.index for layer in self._layers}
        return self._layers

    def _layer_aliases(self) -> list[str]:
        return [self._nodes[layer.nodes[0]].name for layer in self._layers or ()]

    @property
    def identity(self) -> str:
        """Twelve hexadecimal digits, the same for the same run wherever it lies and while it grows."""
        graph = manifest_json(self.graph, model=self.name, source=self.source, run_id=self._manifest.run_id)
        first = [epoch_json(e) for e in self.epochs[:1]] if not self._manifest.run_id else []
        return hashlib.sha256(dump_json([graph, first])).hexdigest()[:12]

    def node(self, node: int) -> Node:
        """A node by its id. Raises Nn3dError when there is none."""
        if node not in self._nodes:
            raise Nn3dError(f"node: should be an id of the graph, got {node}")
        return self._nodes[node]

    def layer(self, which: str | int) -> Layer:
        """A layer by its name, its node's full name, its module's path or its index."""
        layers = self.layers
        if isinstance(which, str) and which in self._layer_index:
            return layers[self._layer_index[which]]
        if isinstance(which, str):
            inside = [la for la in layers if la.module == which or any(self._nodes[n].name == which for n in la.nodes)]
            if inside:
                return inside[-1]
        try:
            return layers[int(which)]
        except (ValueError, IndexError):
            known = ", ".join(la.name for la in layers[:12]) + (", …" if len(layers) > 12 else "")
            raise Nn3dError(f"layer: should be one of {known}, got {str(which)[:80]!r}") from None

    def parameter_info(self, parameter: int) -> Parameter:
        """Name, shape and axes of a parameter by its id."""
        if parameter not in self._parameters:
            raise Nn3dError(f"parameter: should be an id of the graph, got {parameter}")
        return self._parameters[parameter]

    def parameter_id(self, which: str | int) -> int:
        """Id of a parameter by name; ids pass through."""
        if isinstance(which, str) and which in self._parameter_ids:
            return self._parameter_ids[which]
        if isinstance(which, int) and which in self._parameters:
            return which
        known = ", ".join(self.parameters[:12]) + (", …" if len(self.parameters) > 12 else "")
        raise Nn3dError(f"parameter: should be one of {known}, got {str(which)[:80]!r}")

    def epoch_index(self, text: str | int) -> int:
        """Index of an epoch: "3", "-1", "id:10" or "step:500". Raises Nn3dError when there is none."""
        named = re.fullmatch(r"(id|step):(\d+)", str(text))
        if named:
            values = [e.id if named[1] == "id" else e.step for e in self.epochs]
            if int(named[2]) in values:
                return values.index(int(named[2]))
            known = ", ".join(str(v) for v in values[:10]) + (", …" if len(values) > 10 else "")
            raise Nn3dError(f"epoch: should have {named[1]} {known or '(none recorded)'}, got {text}")
        return _index(text, len(self.epochs), "epoch", " or id:… or step:…")

    def sample_index(self, text: str | int) -> int:
        """Index of a sample: "3", "-1", or its name; numbers of one's own pass. Raises Nn3dError when there is none."""
        if self.own is not None and isinstance(text, int) and self.own.knows(text):
            return text
        names = [s.name for s in self.samples]
        return names.index(str(text)) if str(text) in names else _index(text, len(names), "sample", " or a name")

    def sample(self, number: int) -> Sample:
        """A recorded sample by its index, or one's own by its number."""
        own = self.own if number >= len(self.samples) else None
        return self.samples[number] if own is None else own.sample(number)

    def _epoch(self, epoch: int) -> int:
        """Id of the epoch at an index."""
        if not -len(self._epochs) <= epoch < len(self._epochs):
            raise Nn3dError(f"epoch: should be below {len(self._epochs)}, got {epoch}")
        return self._epochs[epoch].id

    def output(self, node: int, output: int) -> Output:
        """Shape and axes of one output of a node."""
        outputs = self.node(node).outputs
        if not 0 <= output < len(outputs):
            raise Nn3dError(f"node {node} ({self.node(node).name}): has {len(outputs)} outputs, got output {output}")
        return outputs[output]

    def activation_key(self, node: int, output: int, epoch: int) -> str | None:
        """Key of the array that holds an output's values, or None where nothing was recorded.

        An input's values may lie under `in/<i>`, those of a node that only reshapes under its source's key.
        """
        epoch_id = self._epoch(epoch) if self._epochs else -1
        for _ in range(len(self._nodes)):
            here = self.node(node)
            found = self._own_key(here, output, epoch_id)
            if found is not None:
                return found
            if len(here.inputs) != 1 or output or not op_of(here.op).keeps_order:
                return None
            source = here.inputs[0]
            before = self.output(source.node, source.output)
            if np.prod(before.shape, dtype=np.int64) != np.prod(self.output(node, 0).shape, dtype=np.int64):
                return None
            node, output = source.node, source.output
        return None

    def _own_key(self, node: Node, output: int, epoch_id: int) -> str | None:
        key = keys.activation_key(epoch_id, node.id, output) if epoch_id >= 0 else ""
        if key and key in self._store:
            return key
        if node.id in self._input_index and output == 0:
            key = keys.input_key(self._input_index[node.id])
        elif node.op in ("parameter", "constant") and "weight" in node.parameters and epoch_id >= 0:
            key = keys.parameter_key(epoch_id, node.parameters["weight"])
        return key if key in self._store else None

    def has_values(self, node: int, output: int, epoch: int) -> bool:
        """Whether values of this output were recorded at an epoch."""
        return self.activation_key(node, output, epoch) is not None

    def stored(self, node: int, output: int, epoch: int) -> Encoded:
        """An output as it is stored, with scales where it is uint8. Raises Nn3dError when nothing was recorded."""
        return self._counted(encoded_at(self._store, self._stored_key(node, output, epoch)))

    def _counted(self, encoded: Encoded, sample: int | None = None) -> Encoded:
        """Count what is handed out: the whole of it, or one sample."""
        given = (part for part in (encoded.data, encoded.lo, encoded.scale) if part is not None)
        self._count(sum((part if sample is None else part[sample]).nbytes for part in given))
        return encoded

    def _count(self, n_bytes: int) -> None:
        with self._counting:
            self.bytes_read += n_bytes

    def _counted_array(self, key: str) -> Array:
        array = self._store[key]
        self._count(array.nbytes)
        return array

    def _stored_key(self, node: int, output: int, epoch: int) -> str:
        key = self.activation_key(node, output, epoch)
        if key is None:
            self.output(node, output)
            name = self.node(node).name
            raise Nn3dError(f"node {node} ({name}): no values recorded at epoch index {epoch}. Record it again.")
        return key

    def values(self, node: int, output: int, epoch: int, sample: int) -> FloatArray:
        """Values of one sample, decoded: (*shape) float32; a view where the file holds float32.

        sample : an index, or the number of an input of one's own (nn3d.run.own), whose values are computed.
        Outputs without a sample axis are the same for every sample.
        """
        if self.own is not None and sample >= len(self.samples):
            return self.own.values(node, output, epoch, sample)
        info = self.output(node, output)
        key = self._stored_key(node, output, epoch)
        which = (key, sample if info.per_sample else None)
        return self._values.get(which, lambda: self._decoded(key, info, sample)).reshape(info.shape)

    def _decoded(self, key: str, info: Output, sample: int) -> FloatArray:
        encoded = encoded_at(self._store, key)
        if not info.per_sample:
            return decode(self._counted(encoded)).reshape(info.shape)
        n = encoded.data.shape[0]
        if not -n <= sample < n:
            raise Nn3dError(f"sample: should be below {n}, got {sample}")
        return decode(self._counted(encoded, sample), sample).reshape(info.shape)

    def activations(self, which: str | int, epoch: int = -1, output: int | None = None) -> Array:
        """All samples of a layer or node by name, (N, *shape): float32 or float16 as stored (mapped), else decoded.

        A layer gives the output it shows; a node its first, or `output`.
        """
        node, at = self._find(which)
        at = at if output is None else output
        info, encoded = self.output(node, at), self.stored(node, at, epoch)
        data = encoded.data if encoded.lo is None else decode(encoded)
        return data.reshape((data.shape[0], *info.shape) if info.per_sample else info.shape)

    def _find(self, which: str | int) -> tuple[int, int]:
        """(node, output) of a layer's name or index, or of a node's name."""
        if isinstance(which, str) and which not in (la.name for la in self.layers):
            exact = [n.id for n in self.graph.nodes if n.name == which]
            if exact:
                return exact[0], 0
        layer = self.layer(which)
        return layer.shown, layer.shown_output

    def has_parameter(self, parameter: int, epoch: int) -> bool:
        """Whether a parameter was recorded at an epoch."""
        return bool(self._epochs) and keys.parameter_key(self._epoch(epoch), parameter) in self._store

    def is_waiting(self, parameter: int, epoch: int) -> bool:
        """Whether a parameter is a large part of a large file, to be read only for who looks at it."""
        store = self._store
        return isinstance(store, LazyStore) and store.waits(keys.parameter_key(self._epoch(epoch), parameter))

    def parameter(self, parameter: int, epoch: int) -> Array:
        """A parameter by id as it is stored (float16 or float32, mapped). Raises Nn3dError when it was not recorded."""
        key = keys.parameter_key(self._epoch(epoch), parameter)
        if key not in self._store:
            name = self.parameter_info(parameter).name
            raise Nn3dError(f"parameter {name}: not recorded at epoch index {epoch}. Record it again.")
        return self._weights.get(key, lambda: self._parameter_at(key))

    def _parameter_at(self, key: str) -> Array:
        encoded = self._counted(encoded_at(self._store, key))
        return encoded.data if encoded.lo is None else decode(encoded)

    def weights(self, which: str | int, epoch: int = -1) -> Array:
        """A parameter by name or id, as it is stored, in the canonical layout (OIHW, (out, in))."""
        return self.parameter(self.parameter_id(which), epoch)

    def parameter_gradient(self, parameter: int, epoch: int) -> Array | None:
        """Gradient of the loss by a parameter, or None where it was not recorded."""
        key = keys.parameter_gradient_key(self._epoch(epoch), parameter)
        return decode(self._counted(encoded_at(self._store, key))) if key in self._store else None

    def activation_gradient(self, node: int, output: int, epoch: int, sample: int) -> FloatArray | None:
        """Gradient of the loss by one sample's values, (*shape) float32, or None where it was not recorded."""
        key = keys.activation_gradient_key(self._epoch(epoch), node, output)
        is_recorded = key in self._store and (self.own is None or sample < len(self.samples))
        return decode(self._counted(encoded_at(self._store, key), sample), sample) if is_recorded else None

    def channel_stats(self, node: int, output: int, epoch: int) -> ChannelStats | None:
        """Figures per channel as recorded, or None where they were not."""
        epoch_id = self._epoch(epoch)
        key = keys.channel_stats_key(epoch_id, node, output)
        if key not in self._store:
            return None
        by_sample = keys.sample_stats_key(epoch_id, node, output)
        has_samples = by_sample in self._store
        return channel_stats_from(self._counted_array(key), self._counted_array(by_sample) if has_samples else None)

    def computed_channel_stats(self, node: int, output: int, epoch: int) -> ChannelStats | None:
        """Figures per channel: the recorded ones, else computed from the values (reads them), else None."""
        recorded = self.channel_stats(node, output, epoch)
        if recorded is not None or not self.has_values(node, output, epoch):
            return recorded
        info = self.output(node, output)
        values = decode(self.stored(node, output, epoch))
        values = values.reshape((values.shape[0], *info.shape) if info.per_sample else info.shape)
        table = channel_table(values, channel_axis(info.shape, info.axes), per_sample=info.per_sample)
        return channel_stats_from(table, sample_table(values) if info.per_sample else None)

    def parameter_stats(self, parameter: int, epoch: int) -> ParameterStats | None:
        """Figures of a parameter as recorded, or None where they were not."""
        key = keys.parameter_stats_key(self._epoch(epoch), parameter)
        if key not in self._store:
            return None
        return parameter_stats_from(self._counted_array(key), self.parameter_info(parameter).shape)

    def computed_parameter_stats(self, parameter: int, epoch: int) -> ParameterStats | None:
        """Figures of a parameter: the recorded ones, else computed (reads the parameter, once), else None."""
        for _ in self.computing_parameter_stats(parameter, epoch):
            pass
        recorded = self.parameter_stats(parameter, epoch)
        return recorded if recorded is not None else self._computed.get((parameter, self._epoch(epoch)))

    def knows_parameter_stats(self, parameter: int, epoch: int) -> bool:
        """Whether `computed_parameter_stats` answers at once: recorded, computed before, small, or nothing to read."""
        number = self._epoch(epoch)
        if (parameter, number) in self._computed or not self.has_parameter(parameter, epoch):
            return True
        size = prod(self.parameter_info(parameter).shape)
        return size <= SMALL_PARAMETER or keys.parameter_stats_key(number, parameter) in self._store

    def computing_parameter_stats(self, parameter: int, epoch: int) -> Generator[None, None, None]:
        """Compute and keep the figures of a parameter that lacks them, in slices of some 10 ms each."""
        which = parameter, self._epoch(epoch)
        is_recorded = keys.parameter_stats_key(which[1], parameter) in self._store
        if is_recorded or which in self._computed or not self.has_parameter(parameter, epoch):
            return
        vector = yield from parameter_vector_slices(self.parameter(parameter, epoch))
        self._computed[which] = parameter_stats_from(vector, self.parameter_info(parameter).shape)
        if len(self._computed) > MAX_COMPUTED:
            del self._computed[next(iter(self._computed))]


def _index(text: str | int, n: int, what: str, others: str) -> int:
    """Index from 0 of "3" or "-1" among n."""
    try:
        index = int(text)
    except ValueError:
        raise Nn3dError(f"{what}: should be a number{others}, got {str(text)[:80]!r}") from None
    if not n:
        raise Nn3dError(f"{what}: none is recorded, got {index}")
    if not -n <= index < n:
        raise Nn3dError(f"{what}: should be from {-n} to {n - 1}, got {index}")
    return index % n
