"""Owns a live torch module → graph and activations, and the public `capture`.

`Probe` is a model with its recorded inputs: the first `shoot` gives the graph, every one gives a moment of arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from nn3d.errors import TraceError
from nn3d.extract import sharding
from nn3d.extract.arguments import Inputs, axis_of_samples, count_of, first_of, named_inputs
from nn3d.extract.arrays import to_numpy
from nn3d.extract.batch import Placement, moved_placements, placements
from nn3d.extract.draft import Draft, Traced
from nn3d.extract.gradients import Loss, Watch
from nn3d.extract.graph import build, canonical_weight
from nn3d.extract.output import in_memory
from nn3d.extract.placed import Preprocessing
from nn3d.extract.recording import Moment, Recording
from nn3d.extract.tracer import Tracer
from nn3d.extract.undisturbed import undisturbed
from nn3d.run.model import Array, Epoch, Graph, Sample
from nn3d.run.run import Run


class Probe:
    """A model, its recorded inputs, and the graph of the first pass.

    inputs : a tensor or array (N, ...), a tuple of them (positional), or a mapping (keywords). samples : only so many.
    is_fixed : it means something else with another number of samples, so none is tried.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        inputs: Inputs,
        *,
        batch_axis: int | None = None,
        preprocessing: Preprocessing | None = None,
        samples: int | None = None,
        is_fixed: bool = False,
    ) -> None:
        if not isinstance(model, torch.nn.Module):
            raise TraceError(f"model: expected a torch.nn.Module, got {type(model).__name__}. Pass the module itself.")
        self.model = model = sharding.unwrapped(model)
        sharding.rest(model)
        self.preprocessing = preprocessing or Preprocessing()
        self._is_fixed = is_fixed
        self.parameters = _parameters_of(model)
        self.named = named_inputs(model, inputs)
        self.batch_axis = axis_of_samples(model, self.named) if batch_axis is None else batch_axis
        self.n_samples = count_of(self.named, self.batch_axis)
        if samples is not None and samples < self.n_samples:
            self.named = {n: first_of(t, self.batch_axis, self.n_samples, samples) for n, t in self.named.items()}
            self.n_samples = samples
        self.places: list[list[Placement]] = []
        self.traced: Traced | None = None
        self.graph: Graph | None = None

    def shoot(self, epoch: Epoch, loss: Loss | None = None) -> Moment:
        """Run the model once and return what it held; the first time the graph is made too.

        loss : with one, the model runs once more for its gradients. Raises TraceError when it cannot run on the inputs.
        """
        with sharding.at_rest(self.model), undisturbed(self.model):
            self._find_parameters()
            weights = {} if self.is_sharded else {k: to_numpy(tensor) for k, (_, tensor) in self.parameters.items()}
            traced = self._trace(self._arguments(slice(None)))
            if self.traced is None:
                self._learn(traced)
            by_parameter, by_value = self._gradients(loss) if loss is not None else ({}, {})
        graph, first = self._known()
        activations = self._activations(first, traced)
        held, slopes = (
            {p.id: canonical_weight(of[p.id], p.source_layout, p.shape) for p in graph.parameters if p.id in of}
            for of in (weights, by_parameter)
        )
        return Moment(epoch, activations, self._gathered() if self.is_sharded else held, slopes, by_value)

    def _find_parameters(self) -> None:
        """The tensors that are the parameters now: training may have put others in their place."""
        current = dict(_parameters_of(self.model).values())
        self.parameters |= {k: (name, current.get(name, tensor)) for k, (name, tensor) in self.parameters.items()}

    @property
    def is_sharded(self) -> bool:
        """Whether the parameters of a moment are gathered when they are read (nn3d.extract.sharding)."""
        return any(sharding.is_part(tensor) for _, tensor in self.parameters.values())

    def _gathered(self) -> sharding.Gathered:
        known = {p.id: p for p in self._known()[0].parameters}

        def read(k: int) -> Array:
            values = to_numpy(self.parameters[k][1])
            return canonical_weight(values, known[k].source_layout, known[k].shape)

        return sharding.Gathered(tuple(known), read)

    def _gradients(self, loss: Loss) -> tuple[dict[int, Array], dict[tuple[int, int], Array]]:
        """Gradients of a loss by the parameters, in torch's layout, and by every output that it depends on."""
        first, watch = self._known()[1], Watch()
        with torch.enable_grad():
            given = self._arguments(slice(None))
            inputs = [t.requires_grad_() for t in given.values() if t.is_floating_point()]
            arguments = {name: t.clone() for name, t in given.items()}  # a model may write into its inputs
            try:
                traced = self._trace(arguments, watch)
                by_parameter = watch.take(loss, {k: tensor for k, (_, tensor) in self.parameters.items()}, inputs)
            finally:
                watch.forget()
        original = {id(draft): known for draft, known in _matched(first.drafts, traced.drafts)}
        by_value = {}
        for draft, i, gradient in watch.values(traced.drafts):
            known = original.get(id(draft))
            if known is not None and i < len(known.outputs) and gradient.shape == known.outputs[i].shape:
                by_value[known.index, i] = self.places[known.index][i].canonical(gradient, self.n_samples)
        return by_parameter, by_value

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

    def _trace(self, arguments: Mapping[str, torch.Tensor], watch: Watch | None = None) -> Traced:
        tracer = Tracer(self.model, self.parameters)
        tracer.on_output = None if watch is None else watch.see
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
            name = sharding.class_name(self.model)
            raise TraceError(f"{name}: expected it to run on {shapes}, got: {text}") from error
        finally:
            tracer.unhook()
        if watch is not None:
            watch.result = result
        return tracer.traced(inputs, tracer.leave_outputs(result))

    def _learn(self, traced: Traced) -> None:
        """Keep the first trace as the graph; find the sample axes by a second pass with another number of samples."""
        other = [0] if self.n_samples > 1 else [0, 0]
        notes = list(traced.notes)
        second = None if self._is_fixed else self._drafts(other)
        rolled = self._drafts([-1, *range(self.n_samples - 1)]) if second is None and self.n_samples > 1 else None
        if rolled is not None and [d.signature() for d in rolled] == [d.signature() for d in traced.drafts]:
            self.places = moved_placements(traced.drafts, rolled, self.n_samples)
        else:
            self.places = placements(traced.drafts, second, self.n_samples, len(other))
            if second is None or len(second) != len(traced.drafts):
                notes.append("sample axes are guessed: the model does not run alike with another number of samples")
        self.traced = replace(traced, notes=tuple(notes))
        self.graph = build(self.model, self.traced, self.places, self.parameters, self.preprocessing)

    def _drafts(self, which: list[int]) -> Sequence[Draft] | None:
        """The trace of these samples, None where the model does not run on them."""
        try:
            return self._trace(self._arguments([i % self.n_samples for i in which])).drafts
        except TraceError:
            return None

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


def _parameters_of(model: torch.nn.Module) -> dict[int, tuple[str, torch.Tensor]]:
    """Id → (name, tensor) of all parameters and buffers, each tensor once."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return dict(enumerate(named))


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
    name = sharding.class_name(probe.model)
    recording = Recording(name, f"torch {torch.__version__}", graph, samples, (moment,), tuple(classes))
    return in_memory(recording, encoding)
