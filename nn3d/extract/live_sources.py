"""Owns recording a model that a factory made, with or without checkpoints, and checkpoints without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from nn3d.errors import SourceError, TraceError
from nn3d.extract import factory, torch_checkpoint
from nn3d.extract.graph import Preprocessing
from nn3d.extract.infer import infer_graph
from nn3d.extract.inputs import Batch, Wanted, random_batch, read_inputs
from nn3d.extract.options import SourceOptions
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
    if source.model is None:
        return _inferred(paths, source)
    made = factory.make(source.model)
    first = torch_checkpoint.load(paths[0])
    _load_into(made.module, first)
    probe, batch = _probe(made, source)
    probe.shoot(Epoch(0))
    return _recording(
        made, probe, batch, source, _shots(probe, paths), f"{len(paths)} checkpoints, {source.model}", len(paths)
    )


def _shots(probe: Probe, paths: Sequence[Path]) -> Iterator[Moment]:
    for epoch, checkpoint in _epochs(paths):
        _load_into(probe.model, checkpoint)
        yield probe.shoot(epoch)


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


def _inferred(paths: Sequence[Path], source: SourceOptions) -> Recording:
    first = torch_checkpoint.load(paths[0])
    graph = infer_graph(first.shapes())
    ids = {p.name: p.id for p in graph.parameters}
    shapes = {p.name: p.shape for p in graph.parameters}

    def moments() -> Iterator[Moment]:
        for epoch, checkpoint in _epochs(paths):
            arrays = checkpoint.arrays()
            _check_alike(checkpoint, shapes)
            yield Moment(epoch, {}, {ids[name]: array for name, array in arrays.items() if name in ids})

    left_out = ("activations: there is no model to run. Pass --model PKG.MOD:FACTORY and --input.",)
    return Recording(paths[0].stem, paths[0].name, graph, (), moments(), source.class_names(), left_out, len(paths))


def _check_alike(checkpoint: Checkpoint, shapes: Mapping[str, tuple[int, ...]]) -> None:
    found = checkpoint.shapes()
    for name, shape in shapes.items():
        got = found.get(name)
        if got != shape:
            raise SourceError(f"{checkpoint.path}: {name}: expected shape {shape} as in the first file, got {got}.")


def _load_into(model: torch.nn.Module, checkpoint: Checkpoint) -> None:
    """Copy a checkpoint's parameters into the model. Raises SourceError unless names and shapes fit."""
    own = model.state_dict()
    missing = [n for n in own if n not in checkpoint.state]
    strange = [n for n in checkpoint.state if n not in own]
    if missing or strange:
        text = f"missing {missing[0]}" if missing else f"unknown {strange[0]}"
        more = len(missing) + len(strange) - 1
        raise SourceError(
            f"{checkpoint.path}: expected the parameters of {type(model).__name__}, got {text}"
            f"{f' and {more} more' if more else ''}. Pass the --model that was trained."
        )
    for name, tensor in checkpoint.state.items():
        if own[name].shape != tensor.shape:
            raise SourceError(
                f"{checkpoint.path}: {name}: expected shape {tuple(own[name].shape)}, got {tuple(tensor.shape)}."
            )
    model.load_state_dict(dict(checkpoint.state))


def _probe(made: factory.Made, source: SourceOptions) -> tuple[Probe, Batch]:
    """The model with its input; without --input, random numbers of a shape that the model takes."""
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


def _with(made: factory.Made, batch: Batch, source: SourceOptions) -> Probe:
    channels = batch.values.shape[1] if batch.is_picture else 0
    mean, std = (v * channels if len(v) == 1 else v for v in (source.mean, source.std))
    return Probe(made.module, batch.values, preprocessing=Preprocessing(mean, std) if batch.is_picture else None)


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
    samples = samples_of(probe.n_samples, batch.labels or None, batch.names)
    classes = source.class_names() or batch.classes
    graph = probe.known_graph
    recording = Recording(type(made.module).__name__, text, graph, samples, moments, classes, expected=n)
    return replace(recording, name=made.name if made.name else recording.name)
