"""Owns a live torch module → graph and activations, and the public `capture`.

`Probe` is a model with its recorded inputs: the first `shoot` gives the graph, every one gives a moment of arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from nn3d.errors import TraceError
from nn3d.extract.arrays import to_numpy
from nn3d.extract.axes import axes_of_trace, permutation
from nn3d.extract.batch import Placement, placements
from nn3d.extract.draft import Draft, Traced
from nn3d.extract.output import in_memory
from nn3d.extract.recording import Moment, Recording
from nn3d.extract.tracer import Tracer
from nn3d.extract.undisturbed import undisturbed
from nn3d.run.model import JSON, Array, Epoch, Graph, InputInfo, Module, Node, Output, Parameter, Sample
from nn3d.run.run import Run

_DIMS = ("dim", "dim0", "dim1", "dims", "start_dim", "end_dim")
_SHAPES = ("shape", "size", "sizes")
_ROLE_AXES = ("out", "in")
_KERNEL = {3: ("kL",), 4: ("kH", "kW"), 5: ("kD", "kH", "kW")}
Inputs = Any


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How input pictures were normalised, for showing them: value = (picture − mean) / std, by channel."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    value_range: tuple[float, float] | None = None


class Probe:
    """A model, its recorded inputs, and the graph of the first pass.

    inputs : a tensor or array (N, ...), a tuple of them (positional), or a mapping (keywords).
    """

    def __init__(
        self,
        model: torch.nn.Module,
        inputs: Inputs,
        *,
        batch_axis: int | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        if not isinstance(model, torch.nn.Module):
            raise TraceError(f"model: expected a torch.nn.Module, got {type(model).__name__}. Pass the module itself.")
        self.model = getattr(model, "_orig_mod", model)
        if isinstance(self.model, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            self.model = self.model.module
        model = self.model
        self.preprocessing = preprocessing or Preprocessing()
        self.parameters = _parameters_of(model)
        self.named = _named_inputs(model, inputs)
        self.batch_axis = _batch_axis(model, self.named) if batch_axis is None else batch_axis
        self.n_samples = _count(self.named, self.batch_axis)
        self.places: list[list[Placement]] = []
        self.traced: Traced | None = None
        self.graph: Graph | None = None

    def shoot(self, epoch: Epoch) -> Moment:
        """Run the model once and return what it held; the first time the graph is made too.

        Raises TraceError when the model cannot run on the inputs.
        """
        with undisturbed(self.model):
            weights = {k: to_numpy(tensor) for k, (_, tensor) in self.parameters.items()}
            traced = self._trace(self._arguments(slice(None)))
            if self.traced is None:
                self._learn(traced)
        graph, first = self._known()
        activations = self._activations(first, traced)
        held = {p.id: _canonical_weight(weights[p.id], p.source_layout, p.shape) for p in graph.parameters}
        return Moment(epoch, activations, held)

    @property
    def known_graph(self) -> Graph:
        """The graph of the first shot. Raises TraceError before it."""
        return self._known()[0]

    def _known(self) -> tuple[Graph, Traced]:
        if self.graph is None or self.traced is None:
            raise TraceError("probe: expected a traced model, got none. Call shoot() first.")
        return self.graph, self.traced

    def _arguments(self, which: slice | list[int]) -> dict[str, torch.Tensor]:
        first = next((t for _, t in self.parameters.values()), None)
        device = first.device if first is not None else torch.device("cpu")
        is_half = first is not None and first.dtype in (torch.float16, torch.bfloat16, torch.float64)
        found = {}
        for name, tensor in self.named.items():
            moved = tensor.to(device)
            if is_half and first is not None and moved.is_floating_point():
                moved = moved.to(first.dtype)
            if moved.ndim > self.batch_axis and moved.shape[self.batch_axis] == self.n_samples:
                index = list(range(self.n_samples))[which] if isinstance(which, slice) else which
                moved = moved.index_select(self.batch_axis, torch.tensor(index, device=device))
            found[name] = moved.clone()
        return found

    def _trace(self, arguments: Mapping[str, torch.Tensor]) -> Traced:
        tracer = Tracer(self.model, self.parameters)
        inputs = tracer.enter_inputs([(_input_name(n, arguments), t) for n, t in arguments.items()])
        positional = [t for n, t in arguments.items() if n.startswith("*")]
        keywords = {n: t for n, t in arguments.items() if not n.startswith("*")}
        tracer.hook()
        try:
            with tracer:
                result = self.model(*positional, **keywords)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, KeyError, AssertionError) as error:
            shapes = ", ".join(f"{n.lstrip('*')} {tuple(t.shape)}" for n, t in arguments.items())
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TraceError(f"{type(self.model).__name__}: expected it to run on {shapes}, got: {text}") from error
        finally:
            tracer.unhook()
        return tracer.traced(inputs, tracer.leave_outputs(result))

    def _learn(self, traced: Traced) -> None:
        """Keep the first trace as the graph; find the sample axes by a second pass with another number of samples."""
        other = [0] if self.n_samples > 1 else [0, 0]
        notes = list(traced.notes)
        try:
            second = self._trace(self._arguments(other)).drafts
        except TraceError:
            second = None
        if second is None or len(second) != len(traced.drafts):
            notes.append("sample axes are guessed: the model does not run alike with another number of samples")
        self.places = placements(traced.drafts, second, self.n_samples, len(other))
        self.traced = replace(traced, notes=tuple(notes))
        self.graph = _graph(self.model, self.traced, self.places, self.parameters, self.preprocessing)

    def _activations(self, first: Traced, traced: Traced) -> dict[tuple[int, int], Array]:
        found: dict[tuple[int, int], Array] = {}
        for draft, original in _matched(first.drafts, traced.drafts):
            for i, (output, place) in enumerate(zip(draft.outputs, self.places[original.index], strict=False)):
                if output.shape == original.outputs[i].shape:
                    found[original.index, i] = place.canonical(output.value, self.n_samples)
        return found


def _matched(first: Sequence[Draft], later: Sequence[Draft]) -> list[tuple[Draft, Draft]]:
    """Nodes of a later trace with their nodes in the first: in order, by module, operation and how often it ran."""
    if [d.signature() for d in first] == [d.signature() for d in later]:
        return list(zip(later, first, strict=True))
    known = {d.name: d for d in first}
    return [(d, known[d.name]) for d in later if d.name in known and known[d.name].op == d.op]


def _input_name(name: str, arguments: Mapping[str, torch.Tensor]) -> str:
    return "input" if len(arguments) == 1 else name.lstrip("*")


def _named_inputs(model: torch.nn.Module, inputs: Inputs) -> dict[str, torch.Tensor]:
    """Argument name → tensor; names of positional arguments begin with "*"."""
    if isinstance(inputs, Mapping):
        return {str(k): _tensor(v, str(k)) for k, v in inputs.items()}
    given = inputs if isinstance(inputs, tuple | list) and not _is_nested_numbers(inputs) else (inputs,)
    try:
        names = [p.name for p in inspect.signature(model.forward).parameters.values()]
    except (TypeError, ValueError):
        names = []
    names = [n if i < len(names) else "" for i, n in enumerate(names)]
    return {f"*{names[i] if i < len(names) else f'input{i}'}": _tensor(v, f"input {i}") for i, v in enumerate(given)}


def _is_nested_numbers(inputs: Sequence[Any]) -> bool:
    return bool(inputs) and not isinstance(inputs[0], torch.Tensor | np.ndarray)


def _tensor(value: Any, what: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach()
    try:
        array = np.asarray(value)
        return torch.as_tensor(array.astype(np.float32) if array.dtype == np.float64 else array.copy())
    except (TypeError, ValueError, RuntimeError) as error:
        raise TraceError(f"{what}: expected a tensor or an array, got {type(value).__name__} ({error}).") from error


def _batch_axis(model: torch.nn.Module, named: Mapping[str, torch.Tensor]) -> int:
    """1 where the model's first own computation is a recurrent layer or transformer that wants (T, N, F), else 0."""
    sequence = (torch.nn.RNNBase, torch.nn.Transformer, torch.nn.TransformerEncoder, torch.nn.MultiheadAttention)
    leaves = [m for m in model.modules() if isinstance(m, sequence) or not any(True for _ in m.children())]
    first = leaves[0] if leaves else None
    tensor = next(iter(named.values()), None)
    if tensor is None or tensor.ndim != 3 or not isinstance(first, sequence):
        return 0
    inner = first.layers[0].self_attn if isinstance(first, torch.nn.TransformerEncoder) else first
    return 0 if getattr(inner, "batch_first", True) else 1


def _count(named: Mapping[str, torch.Tensor], axis: int) -> int:
    first = next((t for t in named.values() if t.ndim > axis), None)
    if first is None or not first.shape[axis]:
        raise TraceError("inputs: expected at least one sample along the sample axis, got none. Pass (N, ...) arrays.")
    return int(first.shape[axis])


def _parameters_of(model: torch.nn.Module) -> dict[int, tuple[str, torch.Tensor]]:
    """Id → (name, tensor) of all parameters and buffers, each tensor once."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return dict(enumerate(named))


def _graph(
    model: torch.nn.Module,
    traced: Traced,
    places: Sequence[Sequence[Placement]],
    parameters: Mapping[int, tuple[str, torch.Tensor]],
    preprocessing: Preprocessing,
) -> Graph:
    axes = axes_of_trace(traced.drafts, places)
    nodes = tuple(_node(d, places, axes[d.index], traced.drafts) for d in traced.drafts)
    return Graph(
        kind="traced",
        nodes=nodes,
        parameters=_described(nodes, parameters, traced.transposed),
        modules=tuple(Module(path, type(m).__name__) for path, m in model.named_modules()),
        inputs=tuple(_input_info(nodes[i], traced.drafts[i], preprocessing) for i in traced.inputs),
        outputs=traced.outputs,
        notes=traced.notes,
    )


def _node(
    draft: Draft, places: Sequence[Sequence[Placement]], axes: Sequence[tuple[str, ...]], drafts: Sequence[Draft]
) -> Node:
    outputs = tuple(
        Output(place.shape(o.shape), axes[i], o.dtype, place.axis is not None, o.name, o.recomputed)
        for i, (o, place) in enumerate(zip(draft.outputs, places[draft.index], strict=True))
    )
    op, attributes = draft.op, _dims(draft, places, drafts)
    if op in ("permute", "transpose") and draft.inputs:
        op, attributes = _moved(draft, places, drafts)
    inputs, parameters = tuple(draft.inputs), dict(draft.parameters)
    return Node(draft.index, op, draft.name, draft.module, attributes, inputs, outputs, parameters)


def _moved(draft: Draft, places: Sequence[Sequence[Placement]], drafts: Sequence[Draft]) -> tuple[str, dict[str, JSON]]:
    """A permutation of torch's axes as one of the canonical axes; one that only moves the samples is the identity."""
    source = draft.inputs[0]
    place, after = places[source.node][source.output], places[draft.index][0]
    rank = len(draft.outputs[0].shape)
    raw = permutation(draft, rank)
    if raw is None:
        return draft.op, dict(draft.attributes)
    if place.fold > 1 or after.fold > 1:
        return "permute", {}
    order = sorted(range(rank), key=lambda axis: after.dim(axis, rank))
    dims = [place.dim(raw[axis], rank) for axis in order]
    turned = [i for i, d in enumerate(dims) if i != d]
    if not turned:
        return "identity", {}
    return ("transpose", {"dim0": turned[0], "dim1": turned[1]}) if len(turned) == 2 else ("permute", {"dims": dims})


def _dims(draft: Draft, places: Sequence[Sequence[Placement]], drafts: Sequence[Draft]) -> dict[str, JSON]:
    """Attributes; dimensions count as in the canonical arrays, samples included and never negative."""
    found = {k: v for k, v in draft.attributes.items() if draft.op not in ("reshape", "expand") or k not in _SHAPES}
    if not draft.inputs:
        return found
    source = draft.inputs[0]
    place = places[source.node][source.output]
    rank = len(drafts[source.node].outputs[source.output].shape)
    if draft.op in ("stack", "unsqueeze"):
        place, rank = places[draft.index][0], len(draft.outputs[0].shape)
    for name in _DIMS:
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            found[name] = place.dim(value, rank)
        elif isinstance(value, list) and all(isinstance(v, int) for v in value):
            found[name] = [place.dim(v, rank) for v in value]
    return found


def _described(
    nodes: Sequence[Node], parameters: Mapping[int, tuple[str, torch.Tensor]], transposed: frozenset[int]
) -> tuple[Parameter, ...]:
    """All parameters, and the buffers that some node reads."""
    roles: dict[int, set[tuple[str, str]]] = {}
    groups: dict[int, int] = {}
    for node in nodes:
        for role, parameter in node.parameters.items():
            roles.setdefault(parameter, set()).add((node.op, role))
            groups[parameter] = int(node.attributes.get("groups", 1))
    found = []
    for k, (name, tensor) in parameters.items():
        is_parameter = isinstance(tensor, torch.nn.Parameter)
        if not is_parameter and k not in roles:
            continue
        used = roles.get(k, set())
        layout = "IO" if k in transposed else ""
        if used and all(op.startswith("conv_transpose") and role == "weight" for op, role in used):
            layout = f"IO{'DHW'[5 - tensor.ndim :]}" + (f", {groups[k]} groups" if groups[k] > 1 else "")
        shape = _weight_shape(tuple(tensor.shape), layout, groups.get(k, 1))
        kind = "parameter" if is_parameter else "buffer"
        found.append(Parameter(k, name, shape, _weight_axes(len(shape), used), kind, layout))
    return tuple(found)


def _weight_shape(shape: tuple[int, ...], layout: str, groups: int) -> tuple[int, ...]:
    return (shape[1] * groups, shape[0] // groups, *shape[2:]) if layout else shape or (1,)


def _canonical_weight(weight: Array, layout: str, shape: tuple[int, ...]) -> Array:
    """(I, O/g, ...) → (O, I/g, ...) where the layout says so."""
    if not layout:
        return weight.reshape(shape)
    groups = max(1, shape[0] // weight.shape[1])
    parts = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    return np.ascontiguousarray(np.swapaxes(parts, 1, 2).reshape(shape))


def _weight_axes(rank: int, used: set[tuple[str, str]]) -> tuple[str, ...]:
    if rank in _KERNEL:
        return (*_ROLE_AXES, *_KERNEL[rank])
    if rank == 2:
        return ("token", "F") if used and all(op.startswith("embedding") for op, _ in used) else _ROLE_AXES
    return ("out",) if rank == 1 else tuple(f"axis{i}" for i in range(rank))


def _input_info(node: Node, draft: Draft, preprocessing: Preprocessing) -> InputInfo:
    output = node.outputs[0]
    is_int = "int" in output.dtype
    if is_int and len(output.shape) == 1:
        return InputInfo(node.id, "tokens")
    shape = output.shape
    if len(shape) != 3 or shape[0] not in (1, 3, 4) or min(shape[1:]) < 2:
        return InputInfo(node.id, "array")
    value_range = preprocessing.value_range
    if value_range is None:
        value_range = (0.0, 1.0) if preprocessing.mean else _value_range(draft.outputs[0].value)
    return InputInfo(node.id, "image", preprocessing.mean, preprocessing.std, value_range)


def _value_range(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return (0.0, 1.0)
    return (0.0, 255.0) if low >= 0 and 1 < high <= 255 else (low, high if high > low else low + 1)


def samples_of(
    n: int,
    labels: Sequence[int | None] | None = None,
    names: Sequence[str] | None = None,
    tokens: Sequence[Sequence[str]] | None = None,
) -> tuple[Sample, ...]:
    """Names, truth and words of n samples. Raises TraceError when one is given, but not n times."""
    for what, given in (("labels", labels), ("names", names), ("tokens", tokens)):
        if given is not None and len(given) != n:
            raise TraceError(f"{what}: expected {n}, one a sample, got {len(given)}. Pass as many as samples.")
    return tuple(
        Sample(
            str(names[i]) if names is not None else f"sample {i}",
            None if labels is None or labels[i] is None else int(labels[i]),  # type: ignore[arg-type]
            tuple(tokens[i]) if tokens is not None else (),
        )
        for i in range(n)
    )


def capture(
    model: torch.nn.Module,
    inputs: Inputs,
    *,
    labels: Sequence[int | None] | None = None,
    classes: Sequence[str] = (),
    names: Sequence[str] | None = None,
    tokens: Sequence[Sequence[str]] | None = None,
    encoding: str = "f32",
    batch_axis: int | None = None,
    preprocessing: Preprocessing | None = None,
    epoch: Epoch | None = None,
) -> Run:
    """Record a live torch module at some inputs → a run of one epoch, in memory.

    model : left exactly as it was. inputs : a tensor or array (N, ...), a tuple (positional) or mapping (keywords).
    labels : the true class of each sample. names : of the samples. tokens : their words. classes : class names.
    batch_axis : the samples' axis of the inputs; by default found by what the model begins with, usually 0.

    Raises TraceError when the model cannot run on the inputs.
    """
    probe = Probe(model, inputs, batch_axis=batch_axis, preprocessing=preprocessing)
    samples = samples_of(probe.n_samples, labels, names, tokens)
    moment = probe.shoot(epoch or Epoch(0))
    graph = probe.known_graph
    name = type(model).__name__
    recording = Recording(name, f"torch {torch.__version__}", graph, samples, (moment,), tuple(classes))
    return in_memory(recording, encoding)
