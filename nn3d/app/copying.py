"""Numbers as text for the clipboard: a row a line, tabs between columns, an empty line between maps."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import Final

import numpy as np

from nn3d.app.facts import Facts, count_text
from nn3d.errors import Nn3dError
from nn3d.run.model import Array, Layer
from nn3d.stage.stages import LAST
from nn3d.stage.state import ViewState

MOST_VALUES: Final = 1 << 20


def copied(facts: Facts, state: ViewState, parameter: int) -> tuple[str, str]:
    """(text, what it is) of a parameter, or where that is −1 of what is selected; of the network a table of layers.

    A cell is a number, a tile a table of its cells, a layer all of its values. Raises Nn3dError when that is too much.
    """
    run, thing = facts.run, state.selection
    epoch = round(state.time.epoch)
    if parameter >= 0:
        name = run.parameter_info(parameter).name
        return values_text(run.parameter(parameter, epoch), name), name
    if thing is None:
        return _table(run.layers), f"{count_text(len(run.layers))} layers"
    group = facts.groups.of_item(thing.layer)
    if group is not None:
        return _table(run.layers[i] for i in group.layers), f"{count_text(len(group.layers))} layers of {group.name}"
    layer = run.layers[thing.layer]
    stage = state.layers[layer.index].stage if thing.layer < len(state.layers) else LAST
    if thing.tile < 0:
        node, output = facts.node(layer, epoch, stage)
        values = run.values(node, output, epoch, facts.number(state))
        return values_text(values, layer.name), f"{count_text(values.size)} values of {layer.name}"
    found = facts.values(layer.index, epoch, facts.number(state), stage)
    if found is None:
        raise Nn3dError(f"{layer.name}: its values are still being read. Try again in a moment.")
    cells = found.values.cells[thing.tile]
    if thing.row < 0 or thing.col < 0:
        return values_text(cells, layer.name), f"{layer.name} {thing.tile}"
    where = f"{layer.name} {thing.tile} ({thing.row}, {thing.col})"
    return f"{float(cells[thing.row, thing.col]):.9g}", where


def values_text(values: Array, name: str) -> str:
    """An array of any rank: a vector one value a line, a matrix a row a line, more axes as matrices one by one.

    Nine digits give every float32 back exactly. Raises Nn3dError beyond 2²⁰ values.
    """
    if values.size > MOST_VALUES:
        raise Nn3dError(f"{name}: {count_text(values.size)} values are too many for the clipboard. Save them as .npy.")
    array = np.asarray(values, np.float32)
    if array.ndim <= 1:
        return "\n".join(_number(v) for v in array.reshape(-1).tolist())
    out = StringIO()
    for k, matrix in enumerate(array.reshape(-1, *array.shape[-2:])):
        out.write("\n\n" if k else "")
        out.write("\n".join("\t".join(map(_number, row)) for row in matrix.tolist()))
    return out.getvalue()


def _number(value: float) -> str:
    return f"{value:.9g}"


def _table(layers: Iterable[Layer]) -> str:
    lines = ["layer\tkind\tshape\tparameters"]
    lines += [f"{la.name}\t{la.kind}\t{'x'.join(map(str, la.shape))}\t{la.n_params}" for la in layers]
    return "\n".join(lines)
