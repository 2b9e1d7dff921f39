"""`--near` and `--hover`: which layer, tile or cell is meant, and the commands that go there."""

from __future__ import annotations

import re

from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage.commands import Advance, Hover, SetCamera, apply
from nn3d.stage.complete import compose
from nn3d.stage.framing import framed
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState

FORM = "LAYER[/TILE[/ROW,COLUMN]]"
_FORM = re.compile(r"(.+?)(?:/(\d{1,9})(?:/(\d{1,9}),(\d{1,9}))?)?")


def thing_of(run: Run, text: str, option: str) -> Thing:
    """A layer by name, one of its tiles, or a cell of a tile; tiles and cells count from 0. Raises Nn3dError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise Nn3dError(f"{option} should be {FORM}, got {text!r}")
    name, *numbers = found.groups()
    tile, row, column = (-1 if number is None else int(number) for number in numbers)
    return Thing(run.layer(name).index, tile, row, column)


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
