"""How a picture moves while layers and groups open and close: step by step, at a fixed time between two steps.

What moves eases: 3p² − 2p³ of its linear progress p, at most 1.5 times as fast as on the average. Tiles of one layer
start one after the other, each on a clock 1.45 times as fast: in one of N equal steps a tile goes at most 1.5 · 1.45
/ N of its way in its plate. A plate in a lane waits until what grows beneath it reaches it, and is then pushed: in
one step it goes at most twice 1.5 / N of the longest way of any plate. Closing is 1.2 times as fast as opening, so a
layer that is turned back goes home by that much faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import camera as cameras
from nn3d.stage import commands as c
from nn3d.stage.commands.time import CLOSE_SECS, MORPH_SECS, OPEN_SECS
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.folds import FOLD_SECS
from nn3d.stage.frame import Frame
from nn3d.stage.reference import STAGGER, half_thickness, tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

N_STEPS = 30
FASTEST = 1.5
PLATE_SHARE = 2.0 * FASTEST / N_STEPS
TILE_SHARE = FASTEST * (1.0 + STAGGER) / N_STEPS
NAMES = ("lenet-mnist", "resnet20-cifar10", "gpt-python")

Places = dict[tuple[int, int], np.ndarray]


@dataclass(frozen=True, slots=True)
class Motion:
    """How the view is made ready, what begins the motion, what turns it back, and how long it takes, s."""

    first: tuple[c.Command, ...]
    begin: c.Command
    back: c.Command
    secs: float


@cache
def case(name: str) -> tuple[Run, Resident, ViewState]:
    """A run of which nothing is in memory: only what moves is looked at."""
    run = open_run(bundled_runs()[name])
    resident = Resident(run)
    state = played(initial_state(run, resident), c.SetSelection("off", at_once=True))
    return run, resident, state


def played(state: ViewState, *commands: c.Command) -> ViewState:
    for command in commands:
        state = c.apply(state, command)
    return state


def motion_of(name: str, kind: str) -> Motion:
    """A motion of a layer with several tiles, one in the middle of the network, or of its largest outermost group."""
    _, resident, state = case(name)
    unfolded = (c.UnfoldAll(at_once=True),) if state.group_depths else ()
    many = [i for i, p in enumerate(resident.plan.layers) if len(p.table) > 2 and p.recurrent is None]
    layer = many[len(many) // 2]
    if kind == "layer opened":
        shut = c.SetOpen(layer, False, at_once=True)
        return Motion((*unfolded, shut), c.SetOpen(layer, True), c.SetOpen(layer, False), OPEN_SECS)
    if kind == "layer closed":
        wide = c.SetOpen(layer, True, at_once=True)
        return Motion((*unfolded, wide), c.SetOpen(layer, False), c.SetOpen(layer, True), CLOSE_SECS)
    if kind == "arrangement":
        grid = c.Arrange(layer, "grid", at_once=True)
        return Motion((*unfolded, grid), c.Arrange(layer, "circle"), c.Arrange(layer, "grid"), MORPH_SECS)
    groups = resident.plan.groups.all
    group = max(groups, key=lambda g: (not g.depth, len(g.layers))).index
    return Motion((c.FoldAll(at_once=True),), c.OpenGroup(group, True), c.OpenGroup(group, False), FOLD_SECS)


KINDS = ("layer opened", "layer closed", "arrangement", "group opened")
CASES = [(name, kind) for name in NAMES for kind in KINDS if (name, kind) != ("lenet-mnist", "group opened")]


def places(frame: Frame) -> Places:
    """Where every plate stands (x, y; tile −1) and where every tile lies in its plate, u, by layer and tile."""
    out: Places = {}
    for plate in frame.tiles:
        out[plate.layer, -1] = np.array([plate.x, plate.y])
        centres, _ = tile_places(plate)
        out |= {(plate.layer, k): np.array([y - plate.y, z]) for k, (_, y, z) in enumerate(centres)}
    return out


def steps_of(found: list[Places], key: tuple[int, int]) -> np.ndarray:
    """Lengths of a tile's or plate's steps, u."""
    return np.asarray(np.linalg.norm(np.diff([p[key] for p in found if key in p], axis=0), axis=1))


@cache
def frames_of(name: str, kind: str, turn_at: int = -1) -> list[Frame]:
    """The frame before, and one after each of N_STEPS equal steps; after `turn_at` steps it turns back."""
    run, resident, state = case(name)
    motion = motion_of(name, kind)
    state = played(state, *motion.first)
    if kind == "group opened":
        state = played(state, motion.begin)
    found = [compose_frame(run, state, resident)]
    state = played(state, motion.begin)
    for k in range(N_STEPS):
        if k == turn_at:
            state = played(state, motion.back)
            assert farthest(places(found[-1]), places(compose_frame(run, state, resident))) < 1e-9
        state = played(state, c.Advance(motion.secs / N_STEPS))
        found.append(compose_frame(run, state, resident))
    return found


def farthest(a: Places, b: Places) -> float:
    return max((float(np.abs(a[k] - b[k]).max()) for k in a.keys() & b.keys()), default=0.0)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_step_is_another_frame_and_no_tile_leaps(name: str, kind: str) -> None:
    found = [places(frame) for frame in frames_of(name, kind)]
    assert len({b"".join(p[k].tobytes() for k in sorted(p)) for p in found}) == N_STEPS + 1
    ways = {key: steps_of(found, key) for key in found[0].keys() & found[-1].keys()}
    longest = max(steps.sum() for key, steps in ways.items() if key[1] < 0)
    for key, steps in ways.items():
        most = PLATE_SHARE * longest if key[1] < 0 else TILE_SHARE * steps.sum()
        assert steps.max() <= most * 1.001 + 1e-9, key


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_neighbours_make_room_one_way_and_nothing_overlaps(name: str, kind: str) -> None:
    found = frames_of(name, kind)
    plates = [{t.layer: t for t in frame.tiles} for frame in found]
    for item in plates[0].keys() & plates[-1].keys():
        for axis in ("x", "y"):
            steps = np.diff([getattr(p[item], axis) for p in plates])
            assert (steps >= -1e-9).all() or (steps <= 1e-9).all(), f"{item} goes to and fro along {axis}"
    for frame in found[:: N_STEPS // 10]:
        seen = [t for t in frame.tiles if t.scale > 0.999]
        x = np.array([t.x for t in seen])
        thick = np.array([float(half_thickness(t, 0.0)) for t in seen])
        y, high = np.array([t.y for t in seen]), np.array([t.block_half[0] for t in seen])
        apart = np.abs(x[:, None] - x) >= thick[:, None] + thick - 1e-6
        apart |= np.abs(y[:, None] - y) >= high[:, None] + high - 1e-6
        assert (apart | np.eye(len(seen), dtype=bool)).all()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_turning_back_half_way_stays_where_it_is_and_goes_home_as_smoothly(name: str, kind: str) -> None:
    found = [places(frame) for frame in frames_of(name, kind, turn_at=N_STEPS // 2)]
    whole = [places(frame) for frame in frames_of(name, kind)]
    ways = {key: steps_of(whole, key).sum() for key in found[0].keys() & found[-1].keys()}
    longest = max(way for key, way in ways.items() if key[1] < 0)
    for key, way in ways.items():
        most = PLATE_SHARE * longest if key[1] < 0 else TILE_SHARE * way
        assert steps_of(found, key).max() <= OPEN_SECS / CLOSE_SECS * most * 1.001 + 1e-9, key


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_camera_that_was_placed_stays_and_one_that_fits_goes_along(name: str, kind: str) -> None:
    motion = motion_of(name, kind)
    run, resident, state = case(name)
    state = played(state, *motion.first)
    free = cameras.resolve(compose_frame(run, state, resident))
    for camera in (free, cameras.fit(free)):
        now = played(state, c.SetCamera(camera), motion.begin)
        views = []
        for _ in range(6):
            now = played(now, c.Advance(motion.secs / 6))
            views.append(compose_frame(run, now, resident).view.eye_world)
        steps = [float(np.linalg.norm(b - a)) for a, b in pairwise(views)]
        if camera.fit:
            assert now.camera.fit
        else:
            assert max(steps) == 0.0


def test_every_step_of_an_opening_layer_is_another_picture() -> None:
    run = open_run(bundled_runs()["lenet-mnist"])
    resident = Resident(run)
    state = initial_state(run, resident, size_px=(480, 300))
    state = played(state, c.SetOpen(3, False, at_once=True), c.SetOpen(3, True))
    pictures = []
    with Offscreen() as screen:
        for _ in range(N_STEPS):
            state = played(state, c.Advance(OPEN_SECS / N_STEPS))
            pictures.append(screen.pixels(compose(run, state, resident=resident)).tobytes())
    assert len(set(pictures)) == N_STEPS
