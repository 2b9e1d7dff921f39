"""Which stored arrays a frame is made of, and a plain copy of them: what nobody who shows that frame gets under.

Where the strands of a block of epochs lie ready, what the whole block is made of counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from nn3d.run import keys
from nn3d.run.model import Array
from nn3d.run.run import Run
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident, ValuesNeed
from nn3d.stage.strands import StrandsNeed
from nn3d.stage.sums import SumsNeed

Part = tuple[str, int | None]


def parts(run: Run, resident: Resident, frame: Frame) -> list[Part]:
    """(key, sample) of every stored array behind a frame, each once; sample None: all of it."""
    found: dict[Part, None] = {}
    for need in frame.wanted.needs:
        if isinstance(need, ValuesNeed):
            layer = resident.plan.layers[need.layer].layer
            found |= _values(run, (layer.shown, layer.shown_output), need.epoch, need.sample)
        elif isinstance(need, SumsNeed):
            found[keys.parameter_stats_key(run.epochs[need.epoch].id, need.parameter), None] = None
        elif isinstance(need, StrandsNeed) and need.single:
            wiring = resident.plan.links[need.link].wiring
            for epoch in need.epochs if wiring is not None else ():
                assert wiring is not None
                found[keys.parameter_key(run.epochs[epoch].id, wiring.link.parameter), None] = None
                if need.mode != "weight":
                    found |= _values(run, wiring.link.source, epoch, need.sample)
    return list(found)


def _values(run: Run, output: tuple[int, int], epoch: int, sample: int) -> dict[Part, None]:
    key = run.activation_key(*output, epoch)
    assert key is not None
    which = sample if run.output(*output).per_sample else None
    return dict.fromkeys((k, which) for k in (key, f"{key}.lo", f"{key}.scale") if k in run.store)


def n_bytes(run: Run, found: Iterable[Part]) -> int:
    """Their stored bytes."""
    return sum(_view(run, part).nbytes for part in found)


def _view(run: Run, part: Part) -> Array:
    array = run.store[part[0]]
    return array if part[1] is None else array[part[1]]


def copier(run: Run, found: Iterable[Part]) -> Callable[[], None]:
    """What copies them out of the mapped file into memory that is there."""
    views = [_view(run, part) for part in found]
    targets = [np.zeros_like(view) for view in views]

    def copy() -> None:
        for view, target in zip(views, targets, strict=True):
            np.copyto(target, view)

    return copy
