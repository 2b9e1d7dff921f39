"""What `view` and `render` share: the options that say what to look at, and the state they make of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from nn3d.errors import ExportError, Nn3dError
from nn3d.run.grouping import groups_of
from nn3d.run.run import Run
from nn3d.stage.commands import (
    Command,
    FoldAll,
    OpenGroup,
    SetBudget,
    SetEpoch,
    SetLevel,
    SetMode,
    SetOpen,
    SetOrder,
    SetPrint,
    SetRamp,
    SetReach,
    SetSample,
    SetScope,
    SetSelection,
    SetSignal,
    SetStrength,
    SetTheme,
    UnfoldAll,
    apply,
    from_json,
    to_json,
)
from nn3d.stage.state import LEVELS, MODES, ORDERS, PRINTS, RAMPS, SCOPES, SELECTIONS, SIGNALS, THEMES, ViewState

F = TypeVar("F", bound=Callable[..., Any])
# Letters of a script, tour or state: what a view of 200,000 layers takes.
MOST_JSON = 16 << 20

_OPTIONS = (
    click.option("--epoch", metavar="E", help="Index from 0 (negative: from the end), or id:10, or step:500.  [last]"),
    click.option("--sample", metavar="S", help="Index from 0, or the sample's name.  [first]"),
    click.option("--open", "open_", metavar="all|none|NAME,…", help="Which layers stand open, the others collapsed."),
    click.option("--fold", metavar="all|none|NAME,…", help="Which groups of modules are closed, all else open."),
    click.option("--theme", type=click.Choice(THEMES), help="Dark, or light for print.  [dark]"),
    click.option("--scope", type=click.Choice(SCOPES), help="Whose largest values have full colour.  [layer]"),
    click.option("--signal", type=click.Choice(SIGNALS), help="What tiles show: a signal of training.  [values]"),
    click.option("--ramp", type=click.Choice(RAMPS), help="Colours of activations.  [jade]"),
    click.option("--level", type=click.Choice(LEVELS), help="Level of the edges.  [kernels]"),
    click.option("--edges", type=click.Choice(SELECTIONS), help="Which edges are drawn.  [sampled]"),
    click.option("--by", type=click.Choice(MODES), help="What an edge shows.  [contribution]"),
    click.option("--print", "print_", type=click.Choice(PRINTS), help="grey dashes negative strands.  [colour]"),
    click.option("--order", type=click.Choice(ORDERS), help="Tiles by index, or by flow: few crossings.  [index]"),
    click.option("--strength", type=click.FloatRange(0.0, 1.0), metavar="B", help="0 straight to 1 bundled.  [1]"),
    click.option("--focus", type=click.IntRange(0, 9), metavar="N", help="The selection and N links around it alone."),
    click.option("--memory", type=click.IntRange(1, 1 << 20), metavar="MB", help="Most data in memory.  [1024]"),
    click.option("--against", metavar="FILE", help="Show FILE minus this other run, its last epoch."),
    click.option("--against-epoch", metavar="E", help="Show everything minus epoch E: of the run, or of --against."),
    click.option("--side-by-side", is_flag=True, help="With it: A and B as they are, small above their difference."),
    click.option("--state", metavar="STATE", help="A view: its string, JSON, a file of either, or a picture we made."),
    click.option("--script", metavar="FILE", help="A JSON list of commands to play first."),
)


def view_options(command: F) -> F:
    """Add the options of a view to a click command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def apply_view_options(
    run: Run,
    state: ViewState,
    *,
    epoch: str | None = None,
    sample: str | None = None,
    open_: str | None = None,
    fold: str | None = None,
    theme: str | None = None,
    scope: str | None = None,
    ramp: str | None = None,
    signal: str | None = None,
    level: str | None = None,
    edges: str | None = None,
    by: str | None = None,
    strength: float | None = None,
    order: str | None = None,
    focus: int | None = None,
    memory: int | None = None,
    print_: str | None = None,
) -> ViewState:
    """The state with what was asked for, at once and without motion. Raises Nn3dError naming what does not exist."""
    todo: list[Command] = []
    if epoch is not None:
        todo.append(SetEpoch(float(run.epoch_index(epoch)), at_once=True))
    if sample is not None:
        todo.append(SetSample(run.sample_index(sample)))
    if open_ is not None:
        todo += _opened(run, open_)
    if fold is not None:
        todo += _folded(run, fold)
    given = (
        (SetTheme, theme), (SetScope, scope), (SetRamp, ramp), (SetSignal, signal), (SetMode, by), (SetPrint, print_),
    )  # fmt: skip
    todo += [make(value) for make, value in given if value is not None]
    if level is not None:
        todo.append(SetLevel(level, at_once=True))
    if order is not None:
        todo.append(SetOrder(order, at_once=True))
    if strength is not None:
        todo.append(SetStrength(strength, at_once=True))
    if focus is not None:
        todo.append(SetReach(focus, at_once=True))
    if memory is not None:
        todo.append(SetBudget(replace(state.budget, memory_mb=memory)))
    if edges is not None:
        todo.append(SetSelection(edges, at_once=True))
    return play(state, todo)


def _opened(run: Run, text: str) -> list[Command]:
    if text in ("all", "none"):
        return [SetOpen(None, text == "all", at_once=True)]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise Nn3dError(f"--open should be all, none or names of layers, got {text!r}")
    return [
        SetOpen(None, False, at_once=True),
        *(SetOpen(run.layer(name).index, True, at_once=True) for name in names),
    ]


def _folded(run: Run, text: str) -> list[Command]:
    if text in ("all", "none"):
        return [FoldAll(at_once=True) if text == "all" else UnfoldAll(at_once=True)]
    groups = groups_of(run.layers, run.graph)
    known = {g.name: g.index for g in groups.all}
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None or not names:
        here = ", ".join([g.name for g in groups.all if not g.depth][:12]) or "none in this network"
        raise Nn3dError(f"--fold should be all, none or names of groups ({here}), got {unknown or text!r}")
    return [UnfoldAll(at_once=True), *(OpenGroup(known[name], False, at_once=True) for name in names)]


def read_script(text: str) -> list[Command]:
    """Commands from a JSON file (or a JSON string). Raises Nn3dError."""
    data = read_json(text, "--script")
    if not isinstance(data, list):
        raise Nn3dError(f"--script should be a JSON list of commands, got {str(data)[:60]}")
    return [from_json(entry) for entry in data]


def write_script(path: Path, commands: Sequence[Command]) -> None:
    """Write commands as `read_script` reads them, one a line. Raises ExportError where the file cannot be written."""
    lines = (json.dumps(to_json(command), ensure_ascii=False) for command in commands)
    try:
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{path}: cannot write ({error.strerror or error}). Choose another folder.") from error


def play(state: ViewState, commands: Sequence[Command]) -> ViewState:
    """The state after all commands, in order."""
    for command in commands:
        state = apply(state, command)
    return state


def read_json(text: str, option: str) -> Any:
    """JSON out of a string or a file. Raises Nn3dError naming the option or the line."""
    if text.lstrip().startswith(("{", "[")):
        where, content = option, text
    else:
        where = text
        try:
            with Path(text).open(encoding="utf-8") as file:
                content = file.read(MOST_JSON + 1)
        except (OSError, ValueError) as error:
            raise Nn3dError(f"{option}: expected a JSON file or JSON, cannot read {text[:200]!r} ({error})") from None
    if len(content) > MOST_JSON:
        raise Nn3dError(f"{where[:200]}: expected at most {MOST_JSON:,} letters of JSON, got more")
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise Nn3dError(f"{where}: expected JSON, got {error.msg} at line {error.lineno}") from None
    except (ValueError, RecursionError) as error:
        raise Nn3dError(f"{where}: expected JSON, got: {error}") from None
