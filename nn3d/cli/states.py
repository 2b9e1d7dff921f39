"""`--state`: a view from its string, from JSON, from a file of either, or from a picture that carries it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nn3d.cli.viewing import MOST_JSON, read_json
from nn3d.errors import Nn3dError
from nn3d.run.grouping import groups_of
from nn3d.run.run import Run
from nn3d.stage import folds, viewstring
from nn3d.stage.own import check_own
from nn3d.stage.state import Thing, ViewState

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff")


def read_state(run: Run, text: str) -> ViewState:
    """The state, checked against the run. Raises Nn3dError that says what was expected and what came."""
    state = _any_state(text)
    if len(state.layers) != len(run.layers):
        raise Nn3dError(f"--state is of a network with {len(state.layers)} layers, this one has {len(run.layers)}")
    check_own(run, state)
    n_epochs, n_samples = len(run.epochs), max(1, len(run.samples)) + len(state.own)
    state = replace(state, n_epochs=n_epochs, n_samples=n_samples, live=None)
    last = float(max(0, n_epochs - 1))
    time = replace(state.time, epoch=min(state.time.epoch, last), target=min(state.time.target, last))
    state = replace(state, time=time, sample=min(max(0, state.sample), n_samples - 1))
    groups = groups_of(run.layers, run.graph)
    n_items = len(run.layers) + len(groups.all)
    return replace(
        folds.of_run(state, groups), selection=_known(state.selection, n_items), hover=_known(state.hover, n_items),
    )  # fmt: skip


def _known(thing: Thing | None, n_items: int) -> Thing | None:
    return thing if thing is not None and 0 <= thing.layer < n_items else None


def _any_state(text: str) -> ViewState:
    if text.lstrip().startswith(viewstring.PREFIX):
        return viewstring.from_text(text)
    head = b"" if text.lstrip().startswith("{") else _head(text)
    if head.startswith(_PICTURES):
        from nn3d.export.png import view_inside

        inside = view_inside(text)
        if inside is None:
            raise Nn3dError(f"--state: expected a picture with a view inside, as nn3d saves them, {text} has none")
        return viewstring.from_text(inside)
    if head.startswith(viewstring.PREFIX.encode()):
        return viewstring.from_text(_start(text))
    return viewstring.from_json(read_json(text, "--state"))


def _start(path: str) -> str:
    """A file's text, as far as a view may be long; what is longer is told as damaged."""
    with Path(path).open(encoding="ascii", errors="replace") as file:
        return file.read(MOST_JSON)


def _head(path: str) -> bytes:
    """The first bytes of a file; none where it cannot be read, which is told when it is read as JSON."""
    try:
        with Path(path).open("rb") as file:
            return file.read(8)
    except (OSError, ValueError):
        return b""
