"""TensorFlow's checkpoints, read without TensorFlow: files that TensorFlow itself wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats import tf_checkpoint
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.readers.records.crc32c import crc32c
from nn3d.extract.readers.records.wire import WireError, fields
from nn3d.extract.readers.tensorflow.bundle import Bundle, shared_names
from nn3d.extract.sources import record
from nn3d.run.run import Run
from tests.extract.formats.samples import TENSORFLOW

GRAPH = TENSORFLOW / "graph"


def opened(path: Path) -> Run:
    return in_memory(record([path], SourceOptions()))


def drawn() -> dict[str, np.ndarray]:
    """What make.py drew for the checkpoints of graph mode."""
    shapes = {
        "conv0": (3, 3, 1, 4), "conv1": (3, 3, 4, 4), "conv2": (3, 3, 4, 8), "conv10": (3, 3, 8, 8),
        "fc0": (128, 12), "fc_out": (12, 10),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    found = {}
    for name, shape in shapes.items():
        found[f"{name}/kernel"] = rng.normal(size=shape).astype(np.float32)
        found[f"{name}/bias"] = rng.normal(size=shape[-1:]).astype(np.float32)
    return found


def test_every_tensor_is_what_was_saved() -> None:
    bundle = Bundle(GRAPH / "model.ckpt-10.index")
    assert len(bundle.variables) == 27
    for name, wanted in drawn().items():
        assert np.array_equal(bundle.read(bundle.variables[name]), wanted)
    assert bundle.strings(bundle.variables["words"]) == [b"a", b"bc"]


def test_parts_of_a_variable_and_shards_are_put_together() -> None:
    bundle = Bundle(TENSORFLOW / "slices" / "model.ckpt.index")
    assert bundle.n_shards == 2
    whole = bundle.read(bundle.variables["embed/weights"])
    assert np.array_equal(whole, np.arange(35, dtype=np.float32).reshape(7, 5))
    assert bundle.variables["fc/half"].dtype == "bfloat16"
    assert bundle.read(bundle.variables["fc/half"]).tolist() == [0, 1, 2]


def test_a_folder_of_checkpoints_is_a_run_of_epochs_in_the_networks_order() -> None:
    run = opened(GRAPH)
    assert [(e.id, e.step) for e in run.epochs] == [(0, 0), (10, 10)]
    assert [layer.name for layer in run.layers] == ["input", "conv0", "conv1", "conv2", "conv10", "fc0", "fc_out"]
    assert [layer.name for layer in run.layers if "BN" in layer.kind] == ["conv1", "conv10", "fc0"]
    assert any("Adam" in line for line in run.left_out)
    kernel = next(p.id for p in run.graph.parameters if p.name == "conv2.weight")
    assert np.array_equal(run.parameter(kernel, 1), drawn()["conv2/kernel"].transpose(3, 2, 0, 1))


def test_columns_of_a_linear_layer_after_maps_count_channels_first() -> None:
    run = opened(GRAPH)
    weight = next(p.id for p in run.graph.parameters if p.name == "fc0.weight")
    stored = drawn()["fc0/kernel"].reshape(16, 8, 12)  # (place, channel, out)
    assert np.array_equal(run.parameter(weight, 0).reshape(12, 8, 16), stored.transpose(2, 1, 0))


def test_objects_of_tensorflow_2_have_their_own_names() -> None:
    bundle = Bundle(TENSORFLOW / "object" / "ckpt-1.index")
    assert "out/kernel" in shared_names(bundle).values()
    assert [layer.name for layer in opened(TENSORFLOW / "object").layers] == ["input", "conv", "deep", "out"]


def test_variables_of_a_saved_model_are_read_and_its_functions_are_not_run() -> None:
    run = opened(TENSORFLOW / "saved_model")
    kernel = next(p.id for p in run.graph.parameters if p.name == "dense.weight")
    assert run.parameter(kernel, 0).tolist() == np.arange(6).reshape(2, 3).T.tolist()
    assert any("not run" in line for line in run.left_out)


def test_several_tables_are_epochs_of_one_run() -> None:
    found = record(sorted(GRAPH.glob("*.index"), reverse=True), SourceOptions())
    assert [m.epoch.id for m in found] == [0, 10]


def _no_shard(folder: Path) -> None:
    (folder / "model.ckpt-0.data-00000-of-00001").unlink()


def _short_shard(folder: Path) -> None:
    path = folder / "model.ckpt-0.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:100])


def _changed_value(folder: Path) -> None:
    path = folder / "model.ckpt-0.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    for i in range(0, len(data), 7):
        data[i] ^= 1
    path.write_bytes(bytes(data))


def _changed_table(folder: Path) -> None:
    path = folder / "model.ckpt-0.index"
    data = bytearray(path.read_bytes())
    data[40] ^= 8
    path.write_bytes(bytes(data))


def _link(folder: Path) -> None:
    path = folder / "model.ckpt-0.data-00000-of-00001"
    other = folder.parent / "elsewhere"
    path.rename(other)
    path.symlink_to(other)


def _read_all(folder: Path) -> None:
    for moment in tf_checkpoint.FOLDER.record(folder, SourceOptions()):
        list(moment.parameters.values())


@pytest.mark.parametrize("spoil", [_no_shard, _short_shard, _changed_value, _changed_table, _link])
def test_what_does_not_fit_the_table_ends_in_one_line(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tmp_path / "ckpt"
    folder.mkdir()
    for file in GRAPH.glob("model.ckpt-0.*"):
        shutil.copy(file, folder)
    spoil(folder)
    with pytest.raises(SourceError, match="expected") as error:
        _read_all(folder)
    assert "\n" not in str(error.value)


def test_checksums_of_long_texts_are_those_of_short_ones_joined() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # Castagnoli's check value (RFC 3720, B.4: 32 zeros 8A9136AA)
    assert crc32c(bytes(32)) == 0x8A9136AA
    data = np.random.default_rng(0).integers(0, 256, 70_001, dtype=np.uint8).tobytes()
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(data) == state ^ 0xFFFFFFFF


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0b", b"\x00\x00"])
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        list(fields(data))
