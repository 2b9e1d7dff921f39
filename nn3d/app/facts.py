"""What panels say about a run: words and small arrays, read once and kept; nothing here draws.

Arrays of a run are read by `warm` on the loader thread; until then every question about them is answered None.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nn3d.app.changes import KINDS as CHANGES
from nn3d.app.changes import read_change
from nn3d.app.health import Health
from nn3d.app.own_input import Taken
from nn3d.app.reading import read_fact, size_of
from nn3d.app.tints import picture_of
from nn3d.run.model import Layer
from nn3d.run.ops import op_of
from nn3d.run.run import Run
from nn3d.stage.controls.offers import Catalogue
from nn3d.stage.folding import group_row
from nn3d.stage.own import own_inputs, sample_number
from nn3d.stage.resident import LayerValues, Resident, ValuesNeed
from nn3d.stage.stages import LAST, labels_of, node_of
from nn3d.stage.state import ViewState

F32 = NDArray[np.float32]

MOST_CLASSES: Final = 1000
HELD_BYTES: Final = 96 << 20
_ICONS: Final = {
    "input": "image", "conv": "grid-3x3", "pool": "minus", "linear": "ellipsis", "embedding": "ellipsis",
    "arithmetic": "plus", "concat": "columns-3", "attention": "focus", "recurrent": "repeat", "norm": "activity",
    "resize": "maximize-2", "reduce": "sigma", "split": "split",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A line of the tree of layers. layer : index, or −1 for a module that holds others. path : of the module."""

    depth: int
    name: str
    path: str
    layer: int = -1


class Facts:
    """The facts of one run. Safe to warm on another thread."""

    def __init__(self, run: Run, resident: Resident) -> None:
        self.run = run
        self._resident = resident
        self.rows = tree_rows(run.layers)
        self.groups = resident.plan.groups
        self.catalogue = Catalogue(run, self.groups)
        self.group_of_path = {g.path: g.index for g in reversed(self.groups.all) if g.path}
        self.n_parameters = sum(layer.n_params for layer in run.layers)
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._held_bytes = 0
        self._wanted: dict[Hashable, None] = {}
        self._lock = Lock()
        self._stages: dict[int, tuple[str, ...]] = {}
        self.health = Health(self)

    def ask(self, *key: Hashable) -> Any:
        """What is known under a key of nn3d.app.reading; None until it is read, and where the run has none."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            self._wanted[key] = None
        return None

    def knows(self, *key: Hashable) -> bool:
        """Whether a key has been read."""
        with self._lock:
            return key in self._known

    def begin(self) -> None:
        """Start a frame: what an earlier one asked for is read only if this one asks again."""
        with self._lock:
            self._wanted.clear()

    def wanted(self) -> tuple[Hashable, ...]:
        """What was asked for and is not known yet, oldest first."""
        with self._lock:
            return tuple(self._wanted)

    def warm(self, key: Hashable) -> None:
        """Read what `key` of `wanted` names; the least recently asked for goes when more than 96 MiB are held."""
        assert isinstance(key, tuple)
        value = self._read(key)
        with self._lock:
            self._held_bytes += size_of(value) - (size_of(self._known[key]) if key in self._known else 0)
            self._known[key] = value
            self._wanted.pop(key, None)
            while self._held_bytes > HELD_BYTES and len(self._known) > 1:
                self._held_bytes -= size_of(self._known.popitem(last=False)[1])

    def pass_over(self, key: Hashable) -> None:
        """Do not read what was asked for; it may be asked for again."""
        with self._lock:
            self._wanted.pop(key, None)

    def _read(self, key: tuple[Any, ...]) -> Any:
        if key[0] == "input":
            return self._read_input(key[1])
        if key[0] == "own class":
            return self._class_of(key[2], key[1])
        if key[0] in CHANGES:
            return read_change(self._resident, key)
        return self._read_predictions(key[1]) if key[0] == "predicted" else read_fact(self.run, key)

    @property
    def taken(self) -> Taken | None:
        """What the run takes from its user; None until it is known."""
        found: Taken | None = self.ask("own")
        return found

    def number(self, state: ViewState) -> int:
        """The sample that is shown, as the run counts."""
        return sample_number(self.run, state)

    def sample_name(self, state: ViewState) -> str:
        """Its name; "" where the run has no samples."""
        return self.run.sample(self.number(state)).name if state.sample < len(self.run.samples) + len(state.own) else ""

    def own_class(self, state: ViewState, which: int) -> int:
        """The class that input number `which` of one's own gets at the epoch that is shown, −1 while it is unknown."""
        number = own_inputs(self.run).number(state.own[which])
        found: int | None = self.ask("own class", number, round(state.time.epoch))
        return -1 if found is None else found

    def predictions(self, epoch: int) -> NDArray[np.int64] | None:
        """(N,) predicted class of each sample, −1 where there is none; None until it is read."""
        found: NDArray[np.int64] | None = self.ask("predicted", epoch)
        return found

    def wrong(self, epoch: int) -> tuple[int, ...]:
        """Indices of samples whose label is known and predicted wrong."""
        predicted = self.predictions(epoch)
        if predicted is None:
            return ()
        labels = ((i, s.label) for i, s in enumerate(self.run.samples))
        return tuple(i for i, label in labels if label is not None and predicted[i] not in (-1, label))

    def input(self, sample: int) -> F32 | None:
        """(H, W) or (H, W, 3) in 0 … 1 of a sample's first input; None until it is read."""
        found: F32 | None = self.ask("input", sample)
        return found

    def _read_input(self, sample: int) -> F32:
        layer = next((x for x in self.run.layers if op_of(x.op).family == "input"), None)
        if layer is None:
            return np.zeros((1, 1), np.float32)
        if not self.run.has_values(layer.shown, layer.shown_output, 0):
            return np.zeros((1, 1), np.float32)
        return picture_of(np.asarray(self.run.values(layer.shown, layer.shown_output, 0, sample), np.float32))

    def _read_predictions(self, epoch: int) -> NDArray[np.int64]:
        return np.array([self._class_of(epoch, k) for k in range(len(self.run.samples))], np.int64)

    def _class_of(self, epoch: int, number: int) -> int:
        """The class that a sample is given, −1 where the network gives none."""
        last = self.run.layers[self._resident.plan.output]
        if len(last.shape) != 1 or last.shape[0] < 2 or not self.run.has_values(last.shown, last.shown_output, epoch):
            return -1
        values = self.run.values(last.shown, last.shown_output, epoch, number)
        return int(np.argmax(values)) if np.isfinite(values).all() else -1

    def layer(self, item: int) -> Layer:
        """What the inspector says of an item: a layer, or a closed group as one layer with the sums of its members."""
        if item < len(self.run.layers):
            return self.run.layers[item]
        return group_row(self._resident.plan, item).layer

    def values(self, layer: int, epoch: int, sample: int, stage: int = -1) -> LayerValues | None:
        """Figures of a layer after one of its stages, where they are in memory."""
        return self._resident.values(ValuesNeed(layer, epoch, sample, stage))

    def node(self, layer: Layer, epoch: int, stage: int) -> tuple[int, int]:
        """(node, output) whose values a layer, or a closed group, shows after one of its stages."""
        is_one = layer.index < len(self.run.layers) and self.run.layers[layer.index] is layer
        return node_of(self.run, layer, stage if is_one else LAST, epoch)

    def stages(self, layer: int) -> tuple[str, ...]:
        """What the recorded stages of a layer are called."""
        known = self._stages.get(layer)
        if known is None:
            is_one = layer < len(self.run.layers) and len(self.run.epochs) > 0
            known = self._stages[layer] = labels_of(self.run, self.run.layers[layer], 0) if is_one else ()
        return known


def tree_rows(layers: tuple[Layer, ...]) -> tuple[TreeRow, ...]:
    """Layers under the modules that hold several of them, in the order of the graph."""
    rows: list[TreeRow] = []
    open_: tuple[str, ...] = ()
    for layer in layers:
        path = _modules_above(layer)
        shared = 0
        while shared < min(len(open_), len(path)) and open_[shared] == path[shared]:
            shared += 1
        rows += [TreeRow(d, path[d], ".".join(path[: d + 1])) for d in range(shared, len(path))]
        open_ = path
        rows.append(TreeRow(len(path), leaf_name(layer, path), layer.module, layer.index))
    return tuple(rows)


def _modules_above(layer: Layer) -> tuple[str, ...]:
    """The modules that a layer stands under: its own too where that holds more than the layer ("block.add")."""
    if not layer.module:
        return ()
    parts = tuple(layer.module.split("."))
    return parts if layer.name.startswith(f"{layer.module}.") else parts[:-1]


def leaf_name(layer: Layer, path: tuple[str, ...]) -> str:
    """The layer's name without the modules that already stand above it in the tree."""
    prefix = ".".join(path) + "."
    return layer.name.removeprefix(prefix) if path else layer.name


def words_of(run: Run) -> tuple[str, ...]:
    """Every word of the run that a panel may show."""
    names = (run.name, *(layer.name for layer in run.layers), *(sample.name for sample in run.samples))
    return (*names, *run.classes[:MOST_CLASSES], *run.notes)


def icon_of(layer: Layer) -> str:
    """The icon of a layer's kind."""
    return _ICONS.get(op_of(layer.op).family, "square")


def shape_text(shape: tuple[int, ...], *, wide: bool = True) -> str:
    """A shape with ×: "16 × 10 × 10", or without gaps; a scalar is 1."""
    return (" × " if wide else "×").join(f"{n}" for n in shape) or "1"


def accuracy_and_loss(run: Run) -> tuple[str | None, str | None]:
    """Names of the metrics that the timeline draws: the first with "acc" in its name, and the first with "loss"."""
    names = [name for epoch in run.epochs for name in epoch.metrics]
    return (
        next((n for n in names if "acc" in n.lower()), None),
        next((n for n in names if "loss" in n.lower()), None),
    )


def metric(run: Run, name: str) -> NDArray[np.float64]:
    """(E,) a metric at each epoch, NaN where it was not recorded."""
    return np.array([epoch.metrics.get(name, np.nan) for epoch in run.epochs], np.float64)


def count_text(n: int) -> str:
    """A count with thousands commas."""
    return f"{n:,}"


def percent_text(share: float, digits: int = 0) -> str:
    """A share as "26 %"."""
    return f"{share * 100:.{digits}f} %"
