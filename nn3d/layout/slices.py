"""Which rows of a plate a slice takes: one token, or the last state of a recurrent layer."""

from __future__ import annotations

import re

from nn3d.layout.recurrent import Recurrent
from nn3d.layout.staves import n_tokens
from nn3d.run.model import Layer, Node

ROW = re.compile(r"\[:, (-?\d+)\]")
STATE = re.compile(r"\[(-?\d+)\]")
Spans = tuple[tuple[float, float], ...]


def rows_of_slice(reader: Node, source: Node, output: int, layer: Layer, found: Recurrent | None) -> Spans:
    """(bottom, top) shares of a plate's height of the rows that `reader` takes of `source`; () for anything else.

    layer, found : what the plate shows, and its plates where it is recurrent.

    "[:, -1]" of rows of tokens is the last row, in every lane of a recurrent layer; "[1]" of its h_n is the state that
    a direction ends with: the last step forward, the first backward.
    """
    if reader.op != "slice":
        return ()
    index = str(reader.attributes.get("index", ""))
    rows = n_tokens(layer.shape, layer.axes)
    row, state = ROW.fullmatch(index), STATE.fullmatch(index)
    if row is not None and rows and output == 0:
        step = int(row[1]) % rows
        lanes = [(-0.5, 0.5)] if found is None else [found.lane(d) for d in range(found.directions)]
        return tuple(_within(lane, step, rows) for lane in lanes)
    is_hidden = output < len(source.outputs) and source.outputs[output].name == "h_n"
    if state is None or found is None or not is_hidden or found.levels > 1:
        return ()
    direction = int(state[1]) % found.directions
    return (_within(found.lane(direction), found.steps - 1 if direction == 0 else 0, found.steps),)


def _within(lane: tuple[float, float], step: int, steps: int) -> tuple[float, float]:
    low, high = lane
    return high - (step + 1) * (high - low) / steps, high - step * (high - low) / steps
