"""Random commands of every kind, from a seed: values of each field's annotation, mostly sensible, sometimes not."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import replace
from typing import Any

import numpy as np

from nn3d.run.own import OwnInput, packed
from nn3d.stage import state as views
from nn3d.stage.commands import COMMANDS, Command
from nn3d.stage.state import Anchors, Budget, Camera, Thing, ViewState
from nn3d.stage.viewstring import to_text

MOST_OWN = 3
NOT_HERE = ("Resize", "Restore", "Recall", "Advance", "Grow")
WORDS = [
    *views.ARRANGEMENTS, *views.LEVELS, *views.MODES, *views.ORDERS, *views.PRINTS, *views.RAMPS, *views.SCOPES,
    *views.SELECTIONS, *views.THEMES, "", "all", "layers", "nonsense", "ünïcode 中文",
]  # fmt: skip
BY_NAME: dict[str, tuple[str, ...]] = {
    "arrangement": views.ARRANGEMENTS, "level": views.LEVELS, "mode": views.MODES, "order": views.ORDERS,
    "print": views.PRINTS, "ramp": views.RAMPS, "scope": views.SCOPES, "selection": views.SELECTIONS,
    "signal": views.SIGNALS, "axis": views.AXES, "theme": views.THEMES, "kind": ("", "layers", "all"),
}  # fmt: skip


def random_command(rng: np.random.Generator, state: ViewState) -> Command:
    """A command of any kind but those of time and size."""
    full = ("AddOwn",) if len(state.own) >= MOST_OWN else ()
    names = sorted(set(COMMANDS) - set(NOT_HERE) - set(full))
    kind = COMMANDS[names[int(rng.integers(len(names)))]]
    command: Command = _built(rng, kind, state)
    return command


def _built(rng: np.random.Generator, kind: type[Any], state: ViewState) -> Any:
    if kind is Thing:
        return _thing(rng, state)
    if kind is OwnInput:
        return _own(rng, state)
    if kind is Camera:
        return _camera(rng)
    if kind is Budget:  # little memory, so that all of it is soon held: what grows then is not what it is for
        spans = (1, 1200), (8, 45), (0, 9000), (4, 24)
        strands, samples, cubes, memory = (int(rng.integers(*span)) for span in spans)
        return Budget(strands=strands, samples=samples, cubes=cubes, memory_mb=memory)
    if kind is Anchors:
        return Anchors()
    hints = typing.get_type_hints(kind)
    return kind(**{f.name: _value(rng, hints[f.name], f.name, state) for f in dataclasses.fields(kind)})


def _value(rng: np.random.Generator, hint: Any, name: str, state: ViewState) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        some = [a for a in args if a is not type(None)]
        return None if rng.random() < 0.3 else _value(rng, some[int(rng.integers(len(some)))], name, state)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_value(rng, args[0], name, state) for _ in range(int(rng.integers(4))))
        return tuple(_value(rng, a, name, state) for a in args)
    if dataclasses.is_dataclass(hint):
        return _built(rng, hint, state)  # type: ignore[arg-type]
    if hint is bool:
        return bool(rng.random() < 0.5)
    if hint is int:
        return _int(rng, name, state)
    if hint is float:
        return float(rng.choice([0.0, 0.5, 1.0, -1.0, 2.5, rng.uniform(0, 12)]))
    return _word(rng, name, state)


def _word(rng: np.random.Generator, name: str, state: ViewState) -> str:
    if name == "view":
        return to_text(replace(state, bookmarks=()))
    words = BY_NAME.get(name, WORDS) if rng.random() < 0.95 else WORDS
    return str(words[int(rng.integers(len(words)))])


def _int(rng: np.random.Generator, name: str, state: ViewState) -> int:
    if name == "stage":
        return int(rng.integers(-1, 1))
    n_layers, n_groups = len(state.layers), len(state.group_depths)
    most = {"layer": n_layers, "group": n_groups, "items": n_layers + n_groups, "sample": state.n_samples + 1,
            "rows": 28, "cols": 28, "depth": 3, "reach": 3, "digit": 10}.get(name, 6)  # fmt: skip
    return int(rng.integers(-1, max(1, most) + 1))


def _thing(rng: np.random.Generator, state: ViewState) -> Thing:
    layer = int(rng.integers(0, len(state.layers) + len(state.group_depths)))
    depth = int(rng.integers(3))
    tile = int(rng.integers(0, 12)) if depth else -1
    return Thing(layer, tile, *(int(v) for v in rng.integers(0, 14, 2))) if depth == 2 else Thing(layer, tile)


def _camera(rng: np.random.Generator) -> Camera:
    fit = bool(rng.random() < 0.3)
    return Camera(
        float(rng.uniform(-math.pi, math.pi)), float(rng.uniform(-1.4, 1.4)), math.radians(float(rng.uniform(5, 40))),
        tuple(float(v) for v in rng.uniform(-60, 60, 3)), float(10.0 ** rng.uniform(0, 3)), fit,
    )  # fmt: skip


def _own(rng: np.random.Generator, state: ViewState) -> OwnInput:
    side = int(rng.choice([8, 28, 28, 3]))
    picture = rng.integers(0, 256, (1, side, side)).astype(np.uint8)
    return OwnInput(f"own {len(state.own) + 1}", (packed("picture", picture),))
