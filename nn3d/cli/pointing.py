"""`--near`, `--hover`, `--select`: which layer, tile or cell is meant, and the commands that go there."""

from __future__ import annotations

import re

import numpy as np

from nn3d.errors import Nn3dError
from nn3d.layout.arrange import fold
from nn3d.run.run import Run
from nn3d.stage.commands import Advance, Hover, Select, SetCamera, apply
from nn3d.stage.complete import compose
from nn3d.stage.framing import framed
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState

FORM = "LAYER[/TILE[/ROW,COLUMN]] or LAYER:I,J,…"
_BY_AXES = re.compile(r"(.+):(\d{1,9}(?:,\d{1,9})*)")
_FORM = re.compile(r"(.+?)(?:/(\d{1,9})(?:/(\d{1,9}),(\d{1,9}))?)?")


def thing_of(run: Run, text: str, option: str) -> Thing:
    """A layer by name, one of its tiles, or a cell of a tile; tiles and cells count from 0. Raises Nn3dError.

    After a colon a cell is meant by one index for each axis of the layer, as `nn3d explain` does.
    """
    by_axes = _BY_AXES.fullmatch(text)
    if by_axes is not None and by_axes[1] in {layer.name for layer in run.layers}:
        return _by_axes(run, by_axes[1], tuple(int(i) for i in by_axes[2].split(",")), option)
    found = _FORM.fullmatch(text)
    if found is None:
        raise Nn3dError(f"{option} should be {FORM}, got {text!r}")
    name, *numbers = found.groups()
    tile, row, column = (-1 if number is None else int(number) for number in numbers)
    return Thing(run.layer(name).index, tile, row, column)


def _by_axes(run: Run, name: str, cell: tuple[int, ...], option: str) -> Thing:
    layer = run.layer(name)
    if len(cell) != len(layer.shape) or any(i >= n for i, n in zip(cell, layer.shape, strict=False)):
        ranges = ",".join(f"0–{n - 1}" for n in layer.shape) or "none"
        raise Nn3dError(f"{option}: a cell of {name} is {ranges}, got {','.join(str(i) for i in cell)}")
    _, rows, cols = fold(layer.shape, layer.axes)
    tile, rest = divmod(int(np.ravel_multi_index(cell, layer.shape)), rows * cols)
    return Thing(layer.index, tile, *divmod(rest, cols))


def selected(run: Run, state: ViewState, select: str | None) -> ViewState:
    """The state with a layer, tile or cell selected, at rest."""
    if select is None:
        return state
    return apply(apply(state, Select(thing_of(run, select, "--select"))), Advance(1.0))


def pointed(
    run: Run, state: ViewState, resident: Resident, *, near: str | None = None, hover: str | None = None
) -> ViewState:
    """The state with the camera near one thing and the pointer over another, at rest."""
    if near is not None:
        thing = thing_of(run, near, "--near")
        frame = compose(run, state, resident=resident)
        shown = next((t for t in frame.tiles if t.layer == thing.layer), None)
        if shown is None:
            raise Nn3dError(f"--near: {near.split('/')[0]} lies in a closed group. Open it with --fold none.")
        if thing.tile >= len(shown.table):
            raise Nn3dError(f"--near: the layer has {len(shown.table)} tiles, from 0, got {thing.tile}")
        state = apply(apply(state, SetCamera(framed(frame, thing))), Advance(1.0))
    if hover is not None:
        state = apply(apply(state, Hover(thing_of(run, hover, "--hover"))), Advance(1.0))
    return state
