"""A guided tour: steps of commands with a caption, played in order, by time or by hand.

A tour file is JSON: {"nn3d_tour": 1, "title": …, "steps": [{"say": …, "do": [command, …], "look": …, "secs": …}, …]}.
`do` holds commands as nn3d.stage.commands writes them; layers may be given by name. `look` names what the camera
travels to: "all", or LAYER[/TILE]. `secs` is how long the step stands before the next one when the tour plays by
itself. Times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nn3d.errors import Nn3dError
from nn3d.stage.commands import Advance, Command, FlyTo, Say, StartWave, apply, from_json, is_moving
from nn3d.stage.state import Camera, Thing, ViewState

VERSION: Final = 1
SECS: Final = 5.0
TRAVEL_SECS: Final = 1.4
MAX_STEPS: Final = 1000
LONGEST_SECS: Final = 600.0
SETTLE_SECS: Final = 20.0
MOTION_SECS: Final = 120.0

Looker = Callable[[ViewState, Thing | None], tuple[Camera, Camera]]
"""(state, thing) → the camera as it is now, free of fit, and the one that shows the thing (everything for None)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. look : what the camera travels to, None for everything; `moves` is False where it stays."""

    say: str
    do: tuple[Command, ...] = ()
    moves: bool = False
    look: Thing | None = None
    secs: float = SECS


@dataclass(frozen=True, slots=True)
class Tour:
    """Steps in order, one at least."""

    title: str
    steps: tuple[Step, ...]


def from_data(data: Any, layers: Mapping[str, int]) -> Tour:
    """The tour of a JSON value; `layers` gives the index of each layer's name. Raises Nn3dError naming the step."""
    if not isinstance(data, dict) or data.get("nn3d_tour") != VERSION:
        raise Nn3dError(f'a tour should be an object with "nn3d_tour": {VERSION}, got {str(data)[:60]}')
    steps = data.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MAX_STEPS:
        raise Nn3dError(f'a tour should have a list "steps" of 1 to {MAX_STEPS}, got {str(steps)[:60]}')
    _only(data, {"nn3d_tour", "title", "steps"}, "a tour")
    title = data.get("title", "")
    if not isinstance(title, str):
        raise Nn3dError(f"title should be words, got {str(title)[:60]}")
    return Tour(title, tuple(_step(k, entry, layers) for k, entry in enumerate(steps, 1)))


def entered(step: Step, state: ViewState, look: Looker) -> tuple[Command, ...]:
    """The commands that begin a step in `state`: caption, its own, and the camera's way."""
    commands: list[Command] = [Say(step.say), *step.do]
    if step.moves:
        for command in commands:
            state = apply(state, command)
        start, goal = look(settled(state), step.look)
        if goal != start:
            commands.append(FlyTo(start if state.camera.fit else state.camera, goal, TRAVEL_SECS))
    return tuple(commands)


def settled(state: ViewState) -> ViewState:
    """The state once everything that moves has come to its end; what plays on by itself is stopped where it is."""
    if state.time.is_playing:
        state = replace(state, time=replace(state.time, is_playing=False, target=state.time.epoch))
    left = SETTLE_SECS
    while is_moving(state) and left > 0.0:
        state = apply(state, Advance(0.25))
        left -= 0.25
    return state


def played(tour: Tour, state: ViewState, look: Looker, dt_secs: float) -> Iterator[ViewState]:
    """The states of a tour that plays by itself, every `dt_secs`: a step stands for its time once nothing moves.

    What moves for ever (epochs that loop), or longer than two minutes, is not waited for.
    """
    for step in tour.steps:
        for command in entered(step, state, look):
            state = apply(state, command)
        left, moved = step.secs, 0.0
        while True:
            if state.wave is not None and state.wave.waits:
                state = apply(state, StartWave())
            yield state
            after = apply(state, Advance(dt_secs))
            is_endless = state.time.is_playing and state.time.is_looping
            is_waited_for = after != state and moved < MOTION_SECS and not is_endless
            moved, left = (moved + dt_secs, left) if is_waited_for else (moved, left - dt_secs)
            state = after
            if left <= 1e-9 and not is_waited_for:
                break


def _step(number: int, entry: Any, layers: Mapping[str, int]) -> Step:
    where = f"step {number}"
    if not isinstance(entry, dict):
        raise Nn3dError(f"{where} should be an object, got {str(entry)[:60]}")
    _only(entry, {"say", "do", "look", "secs"}, where)
    say, do, look, secs = entry.get("say", ""), entry.get("do", []), entry.get("look"), entry.get("secs", SECS)
    if not isinstance(say, str) or not isinstance(do, list):
        raise Nn3dError(f'{where}: "say" should be words and "do" a list of commands')
    number_given = isinstance(secs, int | float) and not isinstance(secs, bool)
    if not (number_given and math.isfinite(secs) and 0.0 <= secs <= LONGEST_SECS):
        raise Nn3dError(f'{where}: "secs" should be 0 to {LONGEST_SECS:g}, got {str(secs)[:20]}')
    try:
        commands = tuple(from_json(_by_index(c, layers)) for c in do)
        thing = None if look in (None, "all") else _thing(look, layers)
    except Nn3dError as error:
        raise Nn3dError(f"{where}: {error}") from None
    return Step(say, commands, look is not None, thing, float(secs))


def _thing(text: Any, layers: Mapping[str, int]) -> Thing:
    if not isinstance(text, str):
        raise Nn3dError(f'"look" should be "all" or LAYER[/TILE], got {str(text)[:40]}')
    if text in layers:
        return Thing(layers[text])
    name, _, tile = text.rpartition("/")
    if name not in layers or not tile.isdecimal() or len(tile) > 9:
        raise Nn3dError(f'"look" should be "all" or LAYER[/TILE], got {text!r}; layers: {_some(layers)}')
    return Thing(layers[name], int(tile))


def _by_index(value: Any, layers: Mapping[str, int]) -> Any:
    """JSON with the name of a layer, where one stands under "layer", replaced by its index."""
    if isinstance(value, list):
        return [_by_index(v, layers) for v in value]
    if not isinstance(value, dict):
        return value
    out = {key: _by_index(v, layers) for key, v in value.items()}
    name = out.get("layer")
    if isinstance(name, str):
        if name not in layers:
            raise Nn3dError(f"there is no layer {name!r}; there are {_some(layers)}")
        out["layer"] = layers[name]
    return out


def _some(layers: Mapping[str, int]) -> str:
    names = list(layers)
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def _only(data: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise Nn3dError(f"{where} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")
