"""Owns the values of one recorded run of an ONNX model: at all samples, and again at another number of samples.

Models that fix how many samples they take are tried with that left open first; where that fails, they run sample by
sample, and every value gets an axis of samples in front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.onnx.feeds import Fed, Port, feeds, ports_of
from nn3d.extract.readers.onnx.file import Opened
from nn3d.extract.readers.onnx.session import NotRunError, Tapped
from nn3d.extract.readers.onnx.values import Values
from nn3d.run.model import Array


@dataclass(slots=True)
class Shot:
    """What a model held. first : value → array at `n` samples; second : at `other` samples, None where it was not run.

    rolled : with the samples moved on by one, where another number cannot be had. lifted : values that got an axis of
    samples in front. fed : what it was given. notes : said of the run.
    """

    n: int
    fed: Fed
    first: dict[str, Array]
    second: dict[str, Array] | None = None
    other: int = 0
    rolled: dict[str, Array] | None = None
    lifted: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def shoot(path: Path, opened: Opened, values: Values, options: SourceOptions) -> Shot:
    """Run a model. Raises NotRunError where onnxruntime does not, SourceError where --input does not fit."""
    ports = ports_of(path, values)
    names = [name for node in opened.model.graph.node for name in node.output if name]
    names = [name for name in names if not values.is_fixed(name)]
    axes = {p.name: p.axis for p in ports if p.fixed and p.axis >= 0}
    why = ""
    if axes:
        try:
            return _open(path, Tapped(opened, names, axes), ports, values, options, opened)
        except NotRunError as error:
            why = str(error)
    tapped = Tapped(opened, names)
    if not axes:
        return _free(path, tapped, ports, values, options)
    shot = _one_by_one(tapped, ports, next(iter(feeds(path, ports, values, options))))
    if shot.n > 1 and ports[0].fixed == 1:
        shot.notes.append(f"the file fixes one sample a run, so samples ran one by one ({why[:80]})")
    return shot


def _free(path: Path, tapped: Tapped, ports: Sequence[Port], values: Values, options: SourceOptions) -> Shot:
    """At sizes that the file leaves open: the first that it takes."""
    tried, last = [], ""
    for fed in islice(feeds(path, tuple(ports), values, options), 8):
        try:
            return _twice(tapped, ports, fed)
        except NotRunError as error:
            last = str(error)
            tried.append("×".join(str(s) for s in next(iter(fed.arrays.values()), np.zeros(0)).shape))
    raise NotRunError(f"it ran on none of {', '.join(tried)}: {last}")


def _open(
    path: Path, tapped: Tapped, ports: Sequence[Port], values: Values, options: SourceOptions, opened: Opened
) -> Shot:
    """With the number of samples left open, where that changes no value of the first sample."""
    shot = _twice(tapped, ports, next(iter(feeds(path, tuple(ports), values, options))))
    if shot.second is None:
        raise NotRunError("it does not run with another number of samples")
    return shot


def _twice(tapped: Tapped, ports: Sequence[Port], fed: Fed) -> Shot:
    first = tapped.run(fed.arrays)
    shot = Shot(fed.n, fed, first)
    chosen = [0] if fed.n > 1 else [0, 0]
    other = {p.name: _taken(fed.arrays[p.name], p, chosen) for p in ports}
    try:
        second = tapped.run(other)
    except NotRunError:
        return _moved_on(tapped, ports, shot) if fed.n > 1 else _one_by_one(tapped, ports, fed)
    shot.second, shot.other = second, len(chosen)
    return shot


def _moved_on(tapped: Tapped, ports: Sequence[Port], shot: Shot) -> Shot:
    """Where samples are, of a model that takes only so many: where values move on when samples do."""
    order = [(i - 1) % shot.n for i in range(shot.n)]
    shot.rolled = tapped.run({p.name: _taken(shot.fed.arrays[p.name], p, order) for p in ports})
    return shot


def _taken(array: Array, port: Port, which: Sequence[int]) -> Array:
    return np.take(array, which, port.axis) if 0 <= port.axis < array.ndim else array


def _one_by_one(tapped: Tapped, ports: Sequence[Port], fed: Fed) -> Shot:
    """Each sample in a run of its own; a fixed number above one in one run."""
    if ports[0].fixed > 1:
        return _moved_on(tapped, ports, Shot(fed.n, fed, tapped.run(fed.arrays)))
    runs = [tapped.run({p.name: _taken(fed.arrays[p.name], p, [i]) for p in ports}) for i in range(fed.n)]
    first: dict[str, Array] = {}
    lifted = set()
    for name, value in runs[0].items():
        of_all = [run[name] for run in runs if run.get(name, value[:0] if value.ndim else value).shape == value.shape]
        if len(of_all) != fed.n:
            continue
        if value.ndim and value.shape[0] == 1:
            first[name] = np.concatenate(of_all)
        else:
            first[name] = np.stack(of_all)
            lifted.add(name)
    first |= {p.name: np.concatenate([_taken(fed.arrays[p.name], p, [i]) for i in range(fed.n)]) for p in ports}
    return Shot(fed.n, fed, first, lifted=frozenset(lifted))


def shapes_of(first: Mapping[str, Array], fed: Fed) -> dict[str, tuple[int, ...]]:
    """Raw shape of every value that came out, and of the inputs."""
    return {name: a.shape for name, a in {**fed.arrays, **first}.items()}
