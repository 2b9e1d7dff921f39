"""What a run is: a graph (once), samples (once), and at each recorded epoch weights and activations.

All arrays are canonical: activations samples first, channels second (N, C, H, W); weights OIHW or (out, in).
Node, parameter and epoch *ids* are what the file uses; layer, epoch and sample *indices* count from 0 in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

JSON = Any
Array = NDArray[Any]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a node: output `output` of node `node`, bound to the operation's argument `argument`."""

    node: int
    output: int
    argument: str


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a node.

    shape : per sample, the sample axis left out, e.g. (C, H, W).
    axes : one letter or word per entry of `shape`: C channel, D H W space, L length, T token or time step,
        F feature, heads, query, key.
    per_sample : True when arrays of this output are stored with the sample axis first, (N, *shape).
    dtype : the framework's element type, e.g. "float32".
    name : what a person calls it where a node has several: "h_n", "c_n", "gates", "weights"; else "".
    recomputed : this output alone was computed from captured inputs (gates of an LSTM, weights of fused attention).
    """

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    dtype: str = "float32"
    per_sample: bool = True
    name: str = ""
    recomputed: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the functional graph.

    op : canonical name of nn3d.run.ops, or "other:<name>".
    name : unique within the graph, what a person calls it ("conv1", "layer1.0.add").
    module : path of the module that ran it, "" at the top.
    parameters : role ("weight", "bias", "running_mean", ...) → parameter id.
    missing : the node did not run at the recorded input (data-dependent graphs).
    recomputed : its values were computed from captured inputs rather than recorded (fused attention, LSTM gates).
    """

    id: int
    op: str
    name: str
    module: str = ""
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    inputs: tuple[Source, ...] = ()
    outputs: tuple[Output, ...] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    missing: bool = False
    recomputed: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or buffer. kind: "parameter" or "buffer"; shape as stored (canonical layout: OIHW, (out, in)).

    source_layout, dtype : how the file that it came from has it ("HWIO"; "BF16", "Q4_K"), "" where a run has it so.
    """

    id: int
    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] = ()
    kind: str = "parameter"
    source_layout: str = ""
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """One entry of the module tree: dotted path ("" is the model itself) and class name."""

    path: str
    type: str


@dataclass(frozen=True, slots=True)
class InputInfo:
    """How one input of the model is to be read by a person.

    kind : "image", "tokens" or "array".
    mean, std : per channel, the normalisation that was applied (value = (picture − mean) / std); () when none.
    value_range : picture values that mean black and white after the normalisation is undone, usually (0, 1).
    note : said on screen when not empty, e.g. "stored divided by 255, shown ×255".
    names : of the features of an input (N), in order, shown beside them; () when unknown.
    """

    node: int
    kind: str = "array"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    value_range: tuple[float, float] | None = None
    note: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """The functional graph. kind: "traced", "file" or "inferred". `outputs`: (name, node, output) of the model."""

    kind: str
    nodes: tuple[Node, ...]
    parameters: tuple[Parameter, ...]
    modules: tuple[Module, ...] = ()
    inputs: tuple[InputInfo, ...] = ()
    outputs: tuple[tuple[str, int, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Epoch:
    """One recorded moment of training. `step` and `wall_time` (seconds since 1970) may be unknown."""

    id: int
    step: int | None = None
    wall_time: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded input: a name ("MNIST test #18"), the true class index if known, token words if it is text."""

    name: str
    label: int | None = None
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerLink:
    """An arrow between layers: output of layer `source` that enters `argument` of a node of this layer.

    source : index of the layer it comes from.
    node, output : which node of that layer, and which of its outputs (as in `Source`).
    target : id of the node of this layer that reads it.
    kind : "weight" (through this layer's parameter), "map" (one to one, no weight: pool, add, concat, identity).
    """

    source: int
    node: int
    output: int
    argument: str
    kind: str
    target: int = -1


@dataclass(frozen=True, slots=True)
class Layer:
    """What a person calls a layer: a producing operation with the element-wise operations that follow, its stages.

    index : place in Run.layers (topological order).
    nodes : ids, the producing node first, then the stages in order.
    shown : id of the node whose output is shown by default (the last stage).
    kind : for people: "Conv 5×5 · ReLU".
    shape, axes : of the shown output, without the sample axis.
    parameters : ids of all parameters of its nodes; `weight` the id of the one whose entries are its edges, or None.
    """

    index: int
    name: str
    op: str
    kind: str
    module: str
    nodes: tuple[int, ...]
    shown: int
    shown_output: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    links: tuple[LayerLink, ...]
    parameters: tuple[int, ...]
    weight: int | None
    n_params: int
    macs: int
    missing: bool = False


class Store(Protocol):
    """Where arrays lie: a mapping from keys of docs/FORMAT.md to arrays as they are stored (memory-mapped views)."""

    def __contains__(self, key: str) -> bool: ...

    def __getitem__(self, key: str) -> Array: ...

    def keys(self) -> Iterable[str]:
        """All keys."""
        ...

    def close(self) -> None:
        """Give files back."""
        ...
