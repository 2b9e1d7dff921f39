"""A run that is followed while it is recorded: every epoch appears, and nothing that befalls the trainer ends it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from nn3d.app.following import Following, Pulse, Waiting, followed, resumed
from nn3d.app.window import Viewer, show
from nn3d.offscreen import Offscreen
from nn3d.run.folder import EPOCHS_FILE, GrowingRun, epoch_file, open_folder
from nn3d.run.model import Epoch, Graph, Node, Output
from nn3d.run.reader import open_run
from nn3d.run.validate import validate
from nn3d.run.writer import RunWriter
from nn3d.stage.commands import Advance, Follow, Grow, Play, SetEpoch, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Live, ViewState

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECS = 60.0
GRAPH = Graph("file", (Node(0, "input", "x", outputs=(Output((3,), ("F",)),)),), ())


def write(folder: Path, *ids: int) -> RunWriter:
    writer = RunWriter(folder, GRAPH)
    for id_ in ids:
        writer.write_epoch(Epoch(id_, wall_time=1000.0 + 4.0 * id_), {"x": np.full((2, 3), float(id_))}, {})
    return writer


def until(is_so: Callable[[], bool], secs: float = PATIENCE_SECS) -> None:
    end = time.monotonic() + secs
    while not is_so():
        assert time.monotonic() < end, f"not within {secs} s"
        time.sleep(0.02)


# What is said


def test_the_card_says_when_the_last_epoch_landed_and_the_rhythm() -> None:
    pulse = Pulse(epoch=7, landed=100.0, rhythm_secs=4.0)
    assert pulse.words(103.0) == "epoch 7 landed 3 s ago · about one every 4 s"
    assert not pulse.is_silent(111.9)
    assert pulse.is_silent(112.1)
    assert pulse.words(140.0) == "no epoch for 40 s · epoch 7 was the last"
    assert Pulse().words(5.0) == "waiting for the first epoch"
    assert not Pulse(epoch=0, landed=0.0).is_silent(1e6), "one epoch has no rhythm"
    assert 0.0 < pulse.wake_secs(103.4) <= 1.02


# The state


def state_of(n: int) -> ViewState:
    return ViewState(n_epochs=n, n_samples=1, layers=(), live=Live())


def test_the_playhead_goes_along_unless_it_is_held() -> None:
    first = apply(state_of(3), Follow(True))
    assert (first.time.target, first.live) == (2.0, Live())
    grown = apply(first, Grow(5))
    assert (grown.n_epochs, grown.time.target) == (5, 4.0)
    held = apply(grown, SetEpoch(1.0))
    assert held.live == Live(is_held=True)
    assert apply(held, Grow(9)).time.target == 1.0
    assert apply(apply(held, Grow(9)), SetEpoch(8.0)).live == Live(), "who goes to the end follows again"
    assert apply(apply(held, Grow(9)), Follow(True)).time.target == 8.0
    assert apply(grown, Grow(2)).n_epochs == 5, "a run never shrinks under a view"
    assert apply(replace(first, live=None), Grow(5)).time.target == 2.0


def test_playing_goes_on_while_epochs_come_and_ends_in_following() -> None:
    state = apply(apply(apply(state_of(3), Follow(True)), SetEpoch(0.0, at_once=True)), Play(True))
    state = apply(apply(state, Advance(1.5)), Grow(5))
    assert (state.time.is_playing, state.time.epoch) == (True, 1.5)
    state = apply(state, Advance(10.0))
    assert (state.time.is_playing, state.time.epoch) == (False, 4.0)
    assert apply(state, Grow(6)).time.target == 5.0


# The folder


def test_epochs_come_in_order_a_torn_line_is_waited_for_and_a_late_file_too(tmp_path: Path) -> None:
    writer = write(tmp_path / "run", 0, 1)
    run = open_run(tmp_path / "run")
    assert isinstance(run, GrowingRun)
    writer.write_epoch(Epoch(2), {"x": np.zeros((2, 3))}, {})
    assert [e.id for e in run.poll()] == [2]
    assert len(run.epochs) == 2, "only take changes the run"
    run.take((Epoch(2),))
    with (tmp_path / "run" / EPOCHS_FILE).open("ab") as file:
        file.write(b'{"id": 3')
    assert run.poll() == ()
    with (tmp_path / "run" / EPOCHS_FILE).open("ab") as file:
        file.write(b"}\n")
    assert run.poll() == (), "its file is not there yet"
    shutil.copy(tmp_path / "run" / epoch_file(2), tmp_path / "run" / epoch_file(3))
    assert [e.id for e in run.poll()] == [3]


def test_a_file_that_stays_away_is_passed_over_once_others_follow(tmp_path: Path) -> None:
    writer = write(tmp_path / "run", 0)
    run = open_folder(tmp_path / "run")
    writer.write_epoch(Epoch(1), {"x": np.zeros((2, 3))}, {})
    (tmp_path / "run" / epoch_file(1)).write_bytes(b"torn")
    assert [run.poll() for _ in range(60)] == [()] * 60, "the last one may still come"
    writer.write_epoch(Epoch(2), {"x": np.zeros((2, 3))}, {})
    came = [e.id for _ in range(60) for e in run.poll()]
    assert (came, [e.id for e in run.skipped]) == ([2], [1])


def test_another_run_in_the_folder_is_opened_in_place_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    write(folder, 0, 1)
    run = open_run(folder)
    following = followed(run, folder, open_run, lambda: None)
    assert isinstance(following, Following)
    shutil.rmtree(folder)
    until(lambda: "is gone" in following.pulse.trouble)
    write(folder, 0, 1, 2)
    until(lambda: following.has_news)
    news = following.take()
    assert news.successor is not None
    assert len(news.successor.epochs) == 3
    state = replace(initial_state(run, Resident(run)), live=Live(is_held=True))
    moved = resumed(run, news.successor, apply(state, SetEpoch(0.0, at_once=True)))
    assert moved is not None
    assert (moved.n_epochs, moved.time.target) == (3, 0.0)
    following.close()
    news.successor.close()


def test_a_folder_without_a_run_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    waiting = Waiting(open_run)
    found: list[int] = []
    thread = Thread(target=lambda: found.append(len(waiting(folder).epochs)))
    thread.start()
    time.sleep(0.1)
    assert not found
    write(folder, 0)
    thread.join(PATIENCE_SECS)
    assert found == [1]


# A trainer that is killed


class Trainer:
    """A training in a child process, begun again wherever it was killed. seen : ids that it said were on the disk."""

    def __init__(self, folder: Path, pause_secs: float, n: int, kind: str = "mnist") -> None:
        script = str(ROOT / "tests/app/training.py")
        self._command = [sys.executable, script, str(folder), f"{pause_secs}", f"{n}", kind]
        self.seen: list[int] = []
        self.process: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=environment)

    def learn(self, n: int) -> None:
        """Wait until `n` more epochs are on the disk."""
        assert self.process is not None
        assert self.process.stdout is not None
        for _ in range(n):
            line = self.process.stdout.readline()
            assert line, "the trainer ended"
            self.seen.append(int(line))

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        assert self.process.stdout is not None
        self.seen += [int(line) for line in self.process.stdout if line.endswith("\n")]
        self.process.wait()


def caught_up(following: Following, came: list[int], last: int) -> bool:
    """Take what came; whether epoch `last` is among it."""
    came += [e.id for e in following.take().epochs]
    return bool(came) and came[-1] >= last


@pytest.mark.soak
def test_nothing_listed_is_lost_and_following_goes_on_through_kills(
    tmp_path: Path, soaking: Callable[[int, int], int], seed: int
) -> None:
    rng, folder = random.Random(seed), tmp_path / "run"
    trainer = Trainer(folder, 0.0, 100_000)
    run: GrowingRun | None = None
    following: Following | None = None
    came: list[int] = []
    for _ in range(soaking(2, 19)):
        trainer.begin()
        trainer.learn(1)
        if run is None:
            opened = open_run(folder)
            assert isinstance(opened, GrowingRun)
            run = opened
            came += [e.id for e in run.epochs]
            following = followed(run, folder, open_run, lambda: None)
        time.sleep(rng.uniform(0.0, 0.4))
        trainer.kill()
        assert following is not None
        until(partial(caught_up, following, came, trainer.seen[-1]))
    assert following is not None
    assert run is not None
    following.close()
    came += [e.id for e in following.take().epochs]
    assert came == sorted(set(came))
    assert set(trainer.seen) <= set(came)
    with open_run(folder) as whole:
        assert validate(whole) > 0
        assert set(trainer.seen) <= {e.id for e in whole.epochs}
    run.close()


@pytest.mark.soak
def test_a_window_lives_through_the_death_and_return_of_the_trainer(
    tmp_path: Path, display: str, soaking: Callable[[int, int], int]
) -> None:
    """The folder is empty first, then recorded, its trainer killed and begun again: the window shows each epoch."""
    for kind in ("mnist", "cifar")[: soaking(1, 2)]:
        watch_a_window(tmp_path / kind, kind)


def watch_a_window(folder: Path, kind: str) -> None:
    trainer = Trainer(folder, 0.1, 1000, kind)
    trainer.begin()
    stage = ["waiting"]
    last: list[ViewState] = []
    pixels: list[np.ndarray] = []

    def on_frame(viewer: Viewer) -> None:
        n = viewer.state.n_epochs if not viewer.is_empty else 0
        if stage[0] == "waiting" and n >= 2:
            assert viewer.state.live == Live()
            assert viewer.state.time.target == n - 1
            trainer.kill()
            trainer.begin()
            stage[:] = ["killed", str(n)]
        elif stage[0] == "killed" and n > int(stage[1]) + 1 and trainer.process is not None:
            trainer.kill()
            viewer.do([Follow(False)])
            stage[0] = "held"
        elif stage[0] == "held" and viewer.is_idle:
            last.append(viewer.state)
            pixels.append(viewer.scene_pixels())
            viewer.stop()

    show(follow=folder, max_secs=PATIENCE_SECS, on_frame=on_frame, size_px=(700, 420))
    assert stage[0] == "held"
    assert last[0].n_epochs >= 4
    with open_run(folder) as run, Offscreen() as scene:
        assert len(run.epochs) >= last[0].n_epochs
        if "llvmpipe" in scene.ctx.info["GL_RENDERER"]:
            again = scene.pixels(compose(run, last[0]))
            assert np.array_equal(pixels[0], again), "the same state and run: the same pixels, whatever came since"
