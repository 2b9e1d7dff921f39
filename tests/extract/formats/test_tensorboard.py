"""TensorBoard's event files: what TensorBoard itself reads from them, on the timeline and in layers of counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from nn3d.cli.main import cli
from nn3d.errors import SourceError
from nn3d.extract.events import join_events
from nn3d.extract.formats.registry import format_of
from nn3d.extract.formats.tensorboard import events_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.run.memory import run_from_arrays
from nn3d.run.model import Epoch
from nn3d.run.run import Run
from nn3d.run.writer import write_packed
from tests.extract.formats import events_file as made


def written(path: Path, *events: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.VERSION + b"".join(events))
    return path


@pytest.mark.soak
def test_a_log_of_torch_is_read_as_tensorboard_reads_it(tmp_path: Path, soaking: Callable[[int, int], int]) -> None:
    if not soaking(0, 1):
        pytest.skip("long: NN3D_SOAK=1")
    pytest.importorskip("tensorboard")
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter(tmp_path)
    rng = np.random.default_rng(0)
    for step in range(0, 40, 10):
        writer.add_scalar("loss/train", 1 / (step + 1), step)
        writer.add_scalar("acc", step / 40, step, new_style=True)
        writer.add_histogram("conv/weight", rng.normal(size=500) * (step + 1), step)
    writer.add_text("words", "no", 0)
    writer.add_image("picture", np.zeros((3, 4, 4), np.uint8), 0)
    writer.close()
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    theirs = accumulator(str(tmp_path), size_guidance={"histograms": 0, "scalars": 0, "tensors": 0})
    theirs.Reload()
    found = events_of(tmp_path)
    assert found.scalars["loss/train"] == {e.step: e.value for e in theirs.Scalars("loss/train")}
    assert list(found.scalars["acc"].values()) == [float(e.tensor_proto.float_val[0]) for e in theirs.Tensors("acc")]
    for event in theirs.Histograms("conv/weight"):
        mine = found.histograms["conv/weight"][event.step]
        assert np.array_equal(mine.counts, event.histogram_value.bucket)
        value = event.histogram_value  # whose outermost buckets are wider than what they hold
        assert np.array_equal(mine.edges[1:], np.clip(value.bucket_limit, value.min, value.max))
    assert found.unshown == {"text": 1, "image": 1}


def test_scalars_are_metrics_by_step_and_histograms_keep_their_counts(tmp_path: Path) -> None:
    events = [made.scalar(0, "loss", 4), made.histogram(0, "w", [-2, 0, 2], [3, 5]), made.scalar(10, "loss", 1),
              made.scalar(10, "acc", 0.5), made.histogram(10, "w", [-1, 0, 1, 4], [1, 2, 3])]  # fmt: skip
    with open_source(written(tmp_path / "x", *events), SourceOptions()) as run:
        assert [(e.step, dict(e.metrics)) for e in run.epochs] == [(0, {"loss": 4}), (10, {"loss": 1, "acc": 0.5})]
        assert run.epochs[1].wall_time == 110.0
        counts = [run.activations("w", epoch) for epoch in range(2)]
        assert [c.shape for c in counts] == [(64,), (64,)]
        assert [float(c.sum()) for c in counts] == [8, 6]
        edges = np.linspace(-2, 4, 65)
        assert counts[0][edges[:-1] < 0].sum() == pytest.approx(3, abs=0.2)
        assert "w: counts in 64 bins from -2 to 4" in run.notes


def test_scalars_alone_are_one_layer_of_their_last_values(tmp_path: Path) -> None:
    events = [made.scalar(s, t, v) for s, t, v in ((0, "a", 1), (1, "b", 2), (2, "a", 3))]
    with open_source(written(tmp_path / "x", *events), SourceOptions()) as run:
        rows = np.stack([run.activations("scalars", e) for e in range(3)])
        assert np.array_equal(rows, np.array([[1, np.nan], [1, 2], [3, 2]]), equal_nan=True)
        assert {"cell 0: a", "cell 1: b"} <= set(run.notes)


def test_folders_below_stand_before_the_tags_and_a_later_file_goes_on(tmp_path: Path) -> None:
    written(tmp_path / "train" / "events.out.tfevents.1", made.scalar(0, "loss", 1), made.scalar(5, "loss", 9))
    written(tmp_path / "train" / "events.out.tfevents.2", made.scalar(5, "loss", 2))
    written(tmp_path / "val" / "events.out.tfevents.1", made.scalar(5, "loss", 3))
    assert events_of(tmp_path).scalars == {"train/loss": {0: 1, 5: 2}, "val/loss": {5: 3}}


def a_run(*steps: int | None) -> Run:
    layers: list[dict[str, Any]] = [{"name": "x", "op": "input"}, {"name": "fc", "op": "linear"}]
    layers[1]["parameters"] = {"weight": np.eye(2)}
    epochs = [Epoch(k, step, metrics={"loss": 7.0}) for k, step in enumerate(steps)]
    values = {name: np.zeros((1, 2), np.float32) for name in ("x", "fc")}
    return run_from_arrays(layers, values, epochs=epochs)


def test_beside_a_run_each_epoch_takes_the_last_value_since_the_one_before(tmp_path: Path) -> None:
    path = written(tmp_path / "x", *(made.scalar(s, "lr", s) for s in (0, 4, 9, 10, 40)), made.scalar(10, "loss", 1))
    run = a_run(0, 10, 20, 50)
    join_events(run, path)
    assert [e.metrics.get("lr") for e in run.epochs] == [0, 10, None, 40]
    assert [e.metrics["loss"] for e in run.epochs] == [7] * 4  # its own
    assert "2 of 2 scalars of x joined by step" in run.notes
    by_id = a_run(None, None)
    join_events(by_id, written(tmp_path / "y", made.scalar(1, "lr", 5)))
    assert [e.metrics.get("lr") for e in by_id.epochs] == [None, 5]


def test_the_command_line_joins_a_log(tmp_path: Path) -> None:
    write_packed(a_run(0, 10), tmp_path / "run.npz")
    path = written(tmp_path / "x", made.scalar(10, "lr", 0.125))
    done = CliRunner().invoke(cli, ["info", str(tmp_path / "run.npz"), "--events", str(path)])
    assert done.exit_code == 0, done.output
    assert "0.125" in done.output


def test_a_record_that_is_being_written_is_left_and_a_broken_one_refused(tmp_path: Path) -> None:
    whole = made.scalar(0, "a", 1)
    found = events_of(written(tmp_path / "x", whole, whole[:-3]))
    assert found.n == 2  # with the version
    assert found.notes == ["x: the last record is cut off, it is being written"]
    flipped = bytearray(made.scalar(1, "a", 1))
    flipped[14] ^= 1
    huge = b"\xff" * 7 + b"\x7f" + bytes(8)
    for bad in (bytes(flipped), huge, made.record(b"\x2a\xff\xff\xff\x7f"), made.record(b"\x07")):
        with pytest.raises(SourceError, match="expected event records") as caught:
            events_of(written(tmp_path / "x", whole, bad))
        assert "\n" not in str(caught.value)


def test_many_steps_are_shown_evenly_and_it_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "x", *(made.scalar(s, "a", s) for s in range(2500)))
    with open_source(path, SourceOptions()) as run:
        steps = [e.step for e in run.epochs]
        assert (len(steps), steps[0], steps[-1]) == (2000, 0, 2499)
        assert "500 of 2,500 steps: 2,000 are shown, evenly chosen" in run.left_out


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    for path in (written(tmp_path / "x.bin", made.scalar(0, "a", 1)), tmp_path / "logs"):
        written(tmp_path / "logs" / "events.out.tfevents.7", made.scalar(0, "a", 1))
        known = format_of(path)
        assert known is not None
        assert known.key.startswith("tensorboard")
