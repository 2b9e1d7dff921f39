"""Laws of runs: round trips, memory maps, selection by name, layers."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from nn3d.errors import Nn3dError
from nn3d.run.folder import GrowingRun
from nn3d.run.layers import layer_names, layers_of
from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.model import Epoch, Graph, Node, Output, Source
from nn3d.run.ops import canonical
from nn3d.run.reader import is_run, open_run
from nn3d.run.run import Run
from nn3d.run.validate import validate
from nn3d.run.writer import RunWriter, write_folder, write_json, write_packed
from tests.run.small import small_arrays, small_run


def _save(run: Run, folder: Path, form: str) -> Path:
    path = folder / {"packed": "r.npz", "json": "r.json", "folder": "r"}[form]
    {"packed": write_packed, "json": write_json, "folder": write_folder}[form](run, path)
    return path


@pytest.mark.parametrize("encoding", ["f32", "f16", "u8"])
@pytest.mark.parametrize("form", ["packed", "json", "folder"])
def test_a_run_comes_back_bit_for_bit_in_every_form(tmp_path: Path, form: str, encoding: str) -> None:
    run = small_run(encoding=encoding)
    path = _save(run, tmp_path, form)
    assert is_run(path)
    with open_run(path) as back:
        assert back.identity == run.identity
        assert back.epochs == run.epochs
        assert back.graph == run.graph
        assert validate(back) >= len(list(run.store.keys()))
        for key in run.store.keys():  # noqa: SIM118
            np.testing.assert_array_equal(back.store[key], run.store[key])
            assert back.store[key].dtype == run.store[key].dtype


def test_packed_arrays_are_views_of_the_file_aligned_to_64_bytes(tmp_path: Path) -> None:
    write_packed(small_run(), tmp_path / "r.npz")
    run = open_run(tmp_path / "r.npz")
    weights = run.weights("fc.weight")
    base: object = weights
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, memoryview)
    assert isinstance(base.obj, mmap.mmap)
    assert weights.ctypes.data % 64 == 0
    assert not weights.flags.writeable
    assert np.shares_memory(run.activations("fc"), run.activations("fc"))


def test_numpy_reads_a_packed_run(tmp_path: Path) -> None:
    run = small_run()
    write_packed(run, tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["e000005/w/0"], run.weights("body.conv1.weight"))


def test_deflated_files_of_numpy_open_too(tmp_path: Path) -> None:
    run = small_run()
    write_packed(run, tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as arrays:
        np.savez_compressed(tmp_path / "z.npz", **dict(arrays))
    np.testing.assert_array_equal(open_run(tmp_path / "z.npz").weights("fc.weight"), run.weights("fc.weight"))


def test_values_of_an_input_and_of_a_flatten_are_found_where_they_are_stored() -> None:
    run = small_run()
    flat = run.layer("pool").nodes[1]
    np.testing.assert_array_equal(run.values(0, 0, 0, 1), run.activations("input", 0)[1])
    np.testing.assert_array_equal(run.values(flat, 0, 1, 2), run.activations("pool", 1)[2].ravel())


def test_epochs_are_named_by_index_id_or_step() -> None:
    run = small_run(n_epochs=3)
    assert [run.epoch_index(t) for t in ("2", "-1", "id:5", "step:100")] == [2, 2, 1, 1]
    assert run.sample_index("digit 1") == 1
    for wrong in ("3", "-4", "id:7", "last"):
        with pytest.raises(Nn3dError, match="epoch"):
            run.epoch_index(wrong)


def test_a_growing_folder_shows_new_epochs_on_refresh_and_continues_after_a_cut_line(tmp_path: Path) -> None:
    graph = small_run().graph
    rng = np.random.default_rng(1)
    writer = RunWriter(tmp_path / "r", graph, encoding="u8")
    writer.write_epoch(Epoch(0), *small_arrays(rng))
    run = open_run(tmp_path / "r")
    assert isinstance(run, GrowingRun)
    assert run.refresh() == ()
    with (tmp_path / "r" / "epochs.jsonl").open("ab") as file:
        file.write(b'{"id": 1, "st')
    assert run.refresh() == ()
    RunWriter(tmp_path / "r", graph).write_epoch(Epoch(2, metrics={"loss": float("nan")}), *small_arrays(rng))
    assert [e.id for e in run.refresh()] == [2]
    assert np.isnan(run.epochs[-1].metrics["loss"])
    assert run.values(1, 0, -1, 0).shape == (4, 6, 6)


def test_a_recording_turns_to_uint8_when_its_activations_grow_large_and_stays_so_when_continued(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small_run().graph
    values, weights = small_arrays(rng)
    an_epoch = 2 * sum(a.size for name, a in values.items() if name != "input")
    monkeypatch.setattr("nn3d.run.writer.MAX_HALF_BYTES", int(2.6 * an_epoch))
    writer = RunWriter(tmp_path / "r", graph)
    for e in range(3):
        writer.write_epoch(Epoch(e), values, weights)
    RunWriter(tmp_path / "r", graph).write_epoch(Epoch(3), values, weights)
    run = open_run(tmp_path / "r")
    assert [run.stored(1, 0, e).data.dtype for e in range(4)] == ["float16", "float16", "uint8", "uint8"]
    assert all(run.parameter(0, e).dtype == np.float16 for e in range(4))


def test_statistics_hold_the_sums_that_contributions_need() -> None:
    run = small_run()
    stats = run.parameter_stats(run.parameter_id("fc.weight"), 0)
    w = run.weights("fc.weight", 0)
    assert stats is not None
    np.testing.assert_allclose(stats.col_pos - stats.col_neg, np.abs(w).sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(stats.row_pos + stats.row_neg, w.sum(axis=1), atol=1e-4)
    assert stats.histogram.sum() == w.size
    np.testing.assert_allclose(stats.pyramid[2].max(), stats.max_abs)
    channels = run.channel_stats(1, 0, 0)
    assert channels is not None
    np.testing.assert_allclose(channels.mean, run.activations("body.conv1", 0).mean(axis=(0, 2, 3)), atol=1e-5)
    assert channels.histogram.sum() == run.activations("body.conv1", 0).size


def test_layers_take_their_stages_and_a_pool_is_shown_as_maps() -> None:
    layers = small_run().layers
    assert [la.name for la in layers] == ["input", "conv1", "pool", "fc"]
    assert [la.kind for la in layers] == ["Input", "Conv 3×3 · ReLU", "MaxPool 2×2", "Linear · softmax"]
    assert layers[2].shape == (4, 3, 3)
    assert [link.kind for la in layers for link in la.links] == ["weight", "map", "weight"]
    assert layers[1].macs == 4 * 6 * 6 * 9


def test_a_norm_that_reads_a_shared_sum_is_a_layer_of_its_own() -> None:
    def node(i: int, op: str, *inputs: int) -> Node:
        return Node(i, op, f"{op}{i}", inputs=tuple(Source(s, 0, "") for s in inputs), outputs=(Output((4,), ("F",)),))

    graph = Graph(
        "traced",
        (node(0, "input"), node(1, "linear", 0), node(2, "add", 0, 1), node(3, "layer_norm", 2), node(4, "add", 2, 3)),
        (),
    )
    assert [la.kind for la in layers_of(graph)] == ["Input", "Linear", "Add", "LayerNorm", "Add"]


def test_layer_names_are_short_and_unique() -> None:
    assert layer_names(["enc.conv1", "l1.0.conv1", "features.0", "fc"]) == (
        "enc.conv1",
        "l1.0.conv1",
        "features.0",
        "fc",
    )


def test_names_of_frameworks_become_canonical() -> None:
    names = ["aten::relu_", "torch.nn.functional.conv2d", "BatchNorm2d", "Gemm", "__add__", "aten::add.Tensor", "zork"]
    assert [canonical(n) for n in names] == ["relu", "conv2d", "batch_norm", "linear", "add", "add", "other:zork"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="anonymous memory is read from /proc")
def test_reading_a_large_packed_run_takes_no_anonymous_memory(tmp_path: Path) -> None:
    def anonymous_kb() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])

    weights = np.ones((2048, 4096), np.float32)
    layers = [LayerSpec("input", "input"), LayerSpec("fc", "linear")]
    values = {"input": np.ones((1, 4096)), "fc": np.ones((1, 2048))}
    run = run_from_arrays(layers, values, {"fc.weight": weights}, epochs=[0, 1, 2], statistics=False)
    write_packed(run, tmp_path / "r.npz")
    before = anonymous_kb()
    with open_run(tmp_path / "r.npz") as mapped:
        total = sum(float(mapped.weights("fc.weight", e).sum()) for e in range(3))
        assert anonymous_kb() - before < 4096
    assert total == 3 * weights.size
