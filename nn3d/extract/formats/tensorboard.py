"""Owns TensorBoard's event files as a format: scalars become metrics by step, histograms layers of counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, Format
from nn3d.extract.formats.head import Head, look_at
from nn3d.extract.inputs import natural
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.tensorboard.events import Events, Histogram, looks_like_one, read_events
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import Epoch, FloatArray, Graph, Module, Node, Output, Sample

BINS, MOST_EPOCHS, MOST_HISTOGRAMS, MOST_FILES = 64, 2000, 300, 1000
MOST_VALUES = 16 << 20
WORD = "tfevents"


def event_files(path: Path) -> list[tuple[Path, str]]:
    """Event files of a file or folder, one level of folders below it, with what stands before their tags."""
    if path.is_file():
        return [(path, "")]
    found = [(p, "") for p in sorted(path.iterdir()) if _is_one(p)]
    for folder in sorted((p for p in path.iterdir() if p.is_dir()), key=lambda p: natural(p.name)):
        found += [(p, f"{folder.name}/") for p in sorted(folder.iterdir()) if _is_one(p)]
    return found[:MOST_FILES]


def _is_one(path: Path) -> bool:
    if WORD not in path.name or not path.is_file():
        return False
    with path.open("rb") as file:
        return looks_like_one(file.read(64))


def events_of(path: Path) -> Events:
    """What the event files of a path say. Raises SourceError where there are none, or one is broken."""
    try:
        files = event_files(path)
    except OSError as error:
        raise SourceError(f"{path}: expected event files, got: {error.strerror}.") from error
    if not files:
        raise SourceError(f"{path}: expected event files (…{WORD}…), got none.")
    return read_events(files)


def _record(path: Path, options: SourceOptions) -> Recording:
    events = events_of(path)
    steps = _steps(events)
    if not steps:
        raise SourceError(f"{path}: expected scalars or histograms, got none. Other summaries cannot be shown.")
    kept, left_out = _kept(events, steps)
    tags = sorted(events.histograms, key=natural)[:MOST_HISTOGRAMS]
    if tags:
        shown = {tag: _rebinned(events.histograms[tag]) for tag in tags}
        graph = _graph(tags, [BINS] * len(tags), _ranges(shown))
        values = {i: shown[tag][1] for i, tag in enumerate(tags)}
    else:
        names = sorted(events.scalars, key=natural)
        notes = tuple(f"cell {i}: {name}" for i, name in enumerate(names[:100]))
        graph = _graph(["scalars"], [len(names)], notes)
        values = {0: _filled([events.scalars[name] for name in names], kept)}
    moments = tuple(
        Moment(_epoch(k, step, events), {(i, 0): by_step[step] for i, by_step in values.items() if step in by_step})
        for k, step in enumerate(kept)
    )
    if len(events.histograms) > len(tags):
        left_out += (f"{len(events.histograms) - len(tags)} more histograms, {MOST_HISTOGRAMS} are shown",)
    samples, name = (Sample("log"),), path.name
    return Recording(name, name, graph, samples, moments, options.class_names(), left_out, len(moments))


def _steps(events: Events) -> list[int]:
    """Steps of which something is shown."""
    by_tag: list[Mapping[int, object]] = [*events.scalars.values(), *events.histograms.values()]
    return sorted({step for steps in by_tag for step in steps})


def _kept(events: Events, steps: Sequence[int]) -> tuple[list[int], tuple[str, ...]]:
    """The steps that become epochs: evenly chosen where there are too many; and what is not shown."""
    most = min(MOST_EPOCHS, max(1, MOST_VALUES // (BINS * max(1, min(len(events.histograms), MOST_HISTOGRAMS)))))
    at = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), most)).round().astype(int))
    kept = [steps[i] for i in at]
    left_out = [f"{count:,} {kind} {'summary' if count == 1 else 'summaries'}: they cannot be shown"
                for kind, count in sorted(events.unshown.items())]  # fmt: skip
    if len(kept) < len(steps):
        left_out.append(f"{len(steps) - len(kept):,} of {len(steps):,} steps: {len(kept):,} are shown, evenly chosen")
    return kept, (*left_out, *events.notes, "weights and activations: event files hold none")


def _epoch(index: int, step: int, events: Events) -> Epoch:
    metrics = {tag: by_step[step] for tag, by_step in events.scalars.items() if step in by_step}
    return Epoch(index, step, events.times.get(step), metrics)


def _rebinned(by_step: Mapping[int, Histogram]) -> tuple[tuple[float, float], dict[int, FloatArray]]:
    """Counts in bins that are the same at all steps: range, and step → (BINS,); counts are spread in their buckets."""
    spans = [_span(h) for h in by_step.values()]
    low, high = min(s[0] for s in spans), max(s[1] for s in spans)
    high = high if high > low else low + max(1e-12, abs(low) * 1e-6)
    edges = np.linspace(low, high, BINS + 1)
    found = {}
    for step, histogram in by_step.items():
        total = np.append(0.0, np.cumsum(histogram.counts))
        below = np.interp(edges, histogram.edges, total, left=0.0, right=float(total[-1]))
        below[0], below[-1] = 0.0, total[-1]
        found[step] = np.diff(below).astype(np.float32)
    return (low, high), found


def _span(histogram: Histogram) -> tuple[float, float]:
    """Where counts are."""
    some = np.flatnonzero(histogram.counts)
    first, last = (int(some[0]), int(some[-1])) if some.size else (0, len(histogram.counts) - 1)
    return float(histogram.edges[first]), float(histogram.edges[last + 1])


def _ranges(shown: Mapping[str, tuple[tuple[float, float], dict[int, FloatArray]]]) -> tuple[str, ...]:
    lines = [f"{tag}: counts in {BINS} bins from {low:.4g} to {high:.4g}" for tag, ((low, high), _) in shown.items()]
    return tuple(lines[:100])


def _filled(columns: Sequence[Mapping[int, float]], steps: Sequence[int]) -> dict[int, FloatArray]:
    """Step → the last value of each scalar at or before it; NaN before its first."""
    out = np.full((len(steps), len(columns)), np.nan, np.float32)
    with np.errstate(over="ignore"):
        for j, column in enumerate(columns):
            known = np.array(sorted(column))
            at = np.searchsorted(known, steps, "right") - 1
            values = np.array([column[s] for s in known.tolist()])
            out[:, j] = np.where(at >= 0, values[np.maximum(at, 0)], np.nan)
    return dict(zip(steps, out, strict=True))


def _graph(names: Sequence[str], sizes: Sequence[int], notes: tuple[str, ...]) -> Graph:
    """Nodes without wires, one a name."""
    nodes, paths = [], {""}
    for i, (name, size) in enumerate(zip(names, sizes, strict=True)):
        path = ".".join(part for part in name.split("/")[:-1] if part)
        parts = path.split(".") if path else []
        paths |= {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
        output = Output((size,), ("F",), per_sample=False)
        kind = "other:histogram" if name != "scalars" else "other:scalars"
        nodes.append(Node(i, kind, name, path, outputs=(output,)))
    modules = tuple(Module(path, "tags") for path in sorted(paths))
    return Graph("file", tuple(nodes), (), modules, (), (), ("Event files hold no wires.", *notes))


def _sniff(head: Head) -> bool:
    return not head.is_folder and looks_like_one(head.start)


def _sniff_folder(head: Head) -> bool:
    if not head.is_folder or not any(WORD in name or name.endswith("/") for name in head.names):
        return False
    try:
        return bool(event_files(head.path))
    except OSError:
        return False


def is_log(path: Path) -> bool:
    """Whether a path is an event file or a folder of some. Raises SourceError where there is no such path."""
    head = look_at(path)
    return _sniff(head) or _sniff_folder(head)


_GIVES = (GRAPH, ACTIVATIONS, EPOCHS)
FORMAT = Format("tensorboard", "a TensorBoard event file", _sniff, _record, gives=_GIVES)
FOLDER = Format("tensorboard-folder", "a folder of TensorBoard event files", _sniff_folder, _record, gives=_GIVES)
