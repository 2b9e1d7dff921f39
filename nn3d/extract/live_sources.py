"""Owns recording a model that a factory made, with or without checkpoints, and checkpoints without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nn3d.errors import SourceError, TraceError
from nn3d.extract import factory, huggingface, torch_checkpoint
from nn3d.extract.infer import canonical, file_shape, infer_graph
from nn3d.extract.inputs import Batch, Wanted, random_batch, read_inputs
from nn3d.extract.options import SourceOptions
from nn3d.extract.placed import Preprocessing
from nn3d.extract.recording import Moment, Recording
from nn3d.extract.torch_checkpoint import Checkpoint
from nn3d.extract.trace import Probe, samples_of
from nn3d.run.model import Epoch

_SIZES = (224, 32, 28, 299)
_TOKENS = 16


def record_model(source: SourceOptions) -> Recording:
    """The model as its factory makes it, as epoch 0. Raises SourceError without --model."""
    if source.model is None:
        raise SourceError("extract: expected a file or --model, got neither. Pass --model PKG.MOD:FACTORY.")
    made = factory.make(source.model)
    probe, batch = _probe(made, source)
    first = probe.shoot(Epoch(0))
    return _recording(made, probe, batch, source, iter((first,)), source.model)


def record_checkpoints(paths: Sequence[Path], source: SourceOptions) -> Recording:
    """One epoch a checkpoint: with --model activations too, without it an inferred graph of the parameters alone."""
    if not paths:
        raise SourceError("extract: expected checkpoints, got none in that folder.")
    if source.model is None and source.trust:
        return _trusted(paths, source)
    shots = Shots(torch_checkpoint.load(paths[0]), source)
    moments = (shots.of(checkpoint, epoch) for epoch, checkpoint in _epochs(paths))
    text = paths[0].name if source.model is None else f"{len(paths)} checkpoints, {source.model}"
    return replace(shots.recording, source=text, moments=moments, expected=len(paths))


class Shots:
    """What turns checkpoints of one model into moments. recording : graph, samples and names, without moments.

    With --model each is run on the input, without it the graph is inferred from the first one's names and shapes. Made
    of the same first checkpoint, the graph is the same in every process. Raises SourceError, TraceError.
    """

    def __init__(self, first: Checkpoint, source: SourceOptions, made: factory.Made | None = None) -> None:
        self._probe: Probe | None = None
        if source.model is None:
            graph = infer_graph(first.shapes())
            left_out = ("activations: there is no model to run. Pass --model PKG.MOD:FACTORY and --input.",)
            self.recording = Recording(
                first.path.stem, first.path.name, graph, (), (), source.class_names(), left_out
            )  # fmt: skip
            return
        made = made or factory.make(source.model)
        load_into(made.module, first)
        self._probe, batch = _probe(made, source)
        if self._probe.graph is None:
            self._probe.shoot(Epoch(0))
        self.recording = _recording(made, self._probe, batch, source, iter(()), source.model)

    def of(self, checkpoint: Checkpoint, epoch: Epoch) -> Moment:
        """What the network holds with these parameters. Raises SourceError unless they fit."""
        if self._probe is not None:
            load_into(self._probe.model, checkpoint)
            return self._probe.shoot(epoch)
        graph = self.recording.graph
        check_alike(checkpoint, {p.name: file_shape(p) for p in graph.parameters})
        arrays = checkpoint.arrays()
        return Moment(epoch, {}, {p.id: canonical(arrays[p.name], p.source_layout) for p in graph.parameters})


def _epochs(paths: Sequence[Path]) -> Iterator[tuple[Epoch, Checkpoint]]:
    """Epoch ids are those that the files say while they grow, else the file's place."""
    last = -1
    for path in paths:
        checkpoint = torch_checkpoint.load(path)
        said = checkpoint.epoch
        last = said if said is not None and said > last else last + 1
        yield Epoch(last, checkpoint.step, path.stat().st_mtime, checkpoint.metrics), checkpoint


def _trusted(paths: Sequence[Path], source: SourceOptions) -> Recording:
    made = factory.Made(torch_checkpoint.load_module(paths[0]), paths[0].stem)
    if len(paths) > 1:
        raise SourceError(f"--trust: expected one pickled module, got {len(paths)} files. Pass one, or --model.")
    probe, batch = _probe(made, source)
    return _recording(made, probe, batch, source, iter((probe.shoot(Epoch(0)),)), paths[0].name)


def check_alike(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises SourceError unless a checkpoint holds parameters of these names and shapes."""
    found = checkpoint.shapes()
    for name, shape in shapes.items():
        got = found.get(name)
        if got != shape:
            what = "no such parameter" if got is None else str(got)
            raise SourceError(f"{checkpoint.path}: {name}: expected shape {shape} as in the others, got {what}.")


def load_into(model: torch.nn.Module, checkpoint: Checkpoint) -> None:
    """Copy a checkpoint's parameters into the model. Raises SourceError unless names and shapes fit."""
    model.load_state_dict(fitted(model, checkpoint))


def fitted(model: torch.nn.Module, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The model's parameters as a checkpoint has them, also where all its names have one more prefix.

    Raises SourceError unless names and shapes fit.
    """
    own = model.state_dict()
    state = _below_prefix(own, checkpoint.state)
    missing = [n for n in own if n not in state]
    strange = [n for n in state if n not in own]
    if missing or strange:
        text = f"missing {missing[0]}" if missing else f"unknown {strange[0]}"
        more = len(missing) + len(strange) - 1
        raise SourceError(
            f"{checkpoint.path}: expected the parameters of {type(model).__name__}, got {text}"
            f"{f' and {more} more' if more else ''}. Pass the --model that was trained."
        )
    for name, tensor in state.items():
        if own[name].shape != tensor.shape:
            raise SourceError(
                f"{checkpoint.path}: {name}: expected shape {tuple(own[name].shape)}, got {tuple(tensor.shape)}."
            )
    return state


def _below_prefix(own: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state whose names are the model's; what lies beside a prefix that they share is left away."""
    first = next(iter(own), "")
    if not first or all(name in state for name in own):
        return dict(state)
    for name in state:
        prefix = name.removesuffix(first)
        if prefix.endswith(".") and all(prefix + n in state for n in own):
            return {n: state[prefix + n] for n in own}
    return dict(state)


def _probe(made: factory.Made, source: SourceOptions) -> tuple[Probe, Batch]:
    """The model with its input; without --input, random numbers of a shape that the model takes."""
    if made.folder is not None:
        fed = huggingface.feed(huggingface.read_folder(made.folder), made.module, source)
        return _with(made, fed.batch, source, fed.inputs), fed.batch
    if source.input not in (None, "random"):
        batch = read_inputs(source, Wanted(_channels(made.module), made.transform))
        return _with(made, batch, source), batch
    tried = []
    for batch in _guesses(made.module, source.samples or 1):
        probe = _with(made, batch, source)
        try:
            probe.shoot(Epoch(0))
        except TraceError:
            tried.append("×".join(str(n) for n in batch.values.shape[1:]))
            continue
        return probe, batch
    got = f"none of {', '.join(tried)} ran" if tried else "a model without convolution, linear or embedding"
    raise SourceError(f"--input random: expected a shape that the model takes, got {got}. Pass random:3,224,224.")


def _with(made: factory.Made, batch: Batch, source: SourceOptions, inputs: Mapping[str, Any] | None = None) -> Probe:
    """inputs : by keyword, where it is not the batch's values alone that the model reads."""
    channels = batch.values.shape[1] if batch.is_picture else 0
    mean, std = (v * channels if len(v) == 1 else v for v in (source.mean, source.std))
    preprocessing = Preprocessing(mean, std) if batch.is_picture else None
    return Probe(made.module, inputs or batch.values, preprocessing=preprocessing)


def _channels(module: torch.nn.Module) -> int | None:
    conv = next((m for m in module.modules() if isinstance(m, torch.nn.Conv2d)), None)
    return conv.in_channels if conv is not None else None


def _guesses(module: torch.nn.Module, n: int) -> Iterator[Batch]:
    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d, torch.nn.Linear, torch.nn.Embedding, torch.nn.RNNBase)
    first = next((m for m in module.modules() if isinstance(m, kinds)), None)
    if isinstance(first, torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d):
        sizes = _SIZES if first.weight.ndim == 4 else (64, 16)
        for size in sizes:
            yield random_batch((first.in_channels, *[size] * (first.weight.ndim - 2)), n)
    elif isinstance(first, torch.nn.Linear):
        yield random_batch((first.in_features,), n)
        yield random_batch((_TOKENS, first.in_features), n)
    elif isinstance(first, torch.nn.Embedding):
        for length in (_TOKENS, 8, 4):
            yield random_batch((length,), n, tokens=first.num_embeddings)
    elif isinstance(first, torch.nn.RNNBase):
        yield random_batch((_TOKENS, first.input_size), n)


def _recording(
    made: factory.Made,
    probe: Probe,
    batch: Batch,
    source: SourceOptions,
    moments: Iterator[Moment],
    text: str,
    n: int = 1,
) -> Recording:
    samples = samples_of(probe.n_samples, batch.labels or None, batch.names, batch.tokens or None)
    classes = source.class_names() or batch.classes
    graph = probe.known_graph
    recording = Recording(type(made.module).__name__, text, graph, samples, moments, classes, expected=n)
    return replace(recording, name=made.name if made.name else recording.name)
