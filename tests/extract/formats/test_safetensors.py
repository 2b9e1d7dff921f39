"""Safetensors are read by nn3d itself: what its own library says, to the bit, and no more than is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks.large_files import llama_shapes, write_sparse
from nn3d.errors import SourceError
from nn3d.extract.formats.registry import format_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import to_disk
from nn3d.extract.readers.safetensors.reader import TYPES, read
from nn3d.extract.sources import open_source, record
from nn3d.run.reader import open_run
from nn3d.stage.commands import SetOpen, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident


def write(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def test_every_element_type_is_what_its_own_library_says(tmp_path: Path) -> None:
    torch, save = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch").save_file
    codes = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    wide = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    some = torch.arange(-8, 8)
    state = {
        "e4m3": codes.view(torch.float8_e4m3fn), "e5m2": codes.view(torch.float8_e5m2),
        "e4m3fnuz": codes.view(torch.float8_e4m3fnuz), "e5m2fnuz": codes.view(torch.float8_e5m2fnuz),
        "e8m0": codes.view(torch.float8_e8m0fnu), "bf16": wide, "f16": wide.view(torch.float16), "f64": some.double(),
        "scalar": torch.tensor(3.0), "bool": some > 2, **{str(t).split(".")[1]: some.to(t) for t in (
            torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)},
    }  # fmt: skip
    state = {name: tensor.clone() for name, tensor in state.items()}
    save(state, tmp_path / "all.safetensors")
    found = read(tmp_path / "all.safetensors")
    assert set(found.arrays) == set(state)
    for name, tensor in state.items():
        values = found.arrays[name].read()
        expected = tensor.reshape(tensor.shape or (1,))
        assert values.shape == tuple(expected.shape), name
        plain = expected.float().numpy() if expected.is_floating_point() else expected.numpy().astype(np.int64)
        assert np.array_equal(values, plain, equal_nan=values.dtype.kind == "f"), name
        assert np.array_equal(np.signbit(values), np.signbit(plain)) or np.isnan(values).any(), name


def test_four_bits_are_two_a_byte_the_lower_half_first(tmp_path: Path) -> None:
    header = {"w": {"dtype": "F4", "shape": [2, 8], "data_offsets": [0, 8]}}
    path = write(tmp_path / "f4", header, bytes(2 * k | (2 * k + 1) << 4 for k in range(8)))
    values = read(path).arrays["w"].read()
    assert values.ravel().tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6]


def test_tensors_are_those_of_the_library_and_their_types_are_said(tmp_path: Path) -> None:
    torch, save = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch").save_file
    state = {f"module.fc{k}.weight": torch.randn(8, 8).bfloat16() for k in range(3)}
    save(state, tmp_path / "x", {"epoch": "7", "global_step": "70", "loss": "0.25", "who": "me"})
    with open_source(tmp_path / "x", SourceOptions()) as run:
        assert run.parameters == tuple(n.removeprefix("module.") for n in state)
        for name, tensor in state.items():
            assert np.array_equal(run.weights(name.removeprefix("module.")), tensor.float().numpy())
        assert {p.dtype for p in run.graph.parameters} == {"BF16"}
        assert "BF16: 3 tensors, shown as float32, exactly" in run.notes
        epoch = run.epochs[0]
        assert (epoch.id, epoch.step, dict(epoch.metrics)) == (7, 70, {"loss": 0.25})


def test_shards_are_one_network_and_a_missing_one_is_named(tmp_path: Path) -> None:
    save = pytest.importorskip("safetensors.numpy").save_file
    state = {f"fc{k}.weight": np.random.default_rng(k).normal(size=(4, 4)).astype(np.float32) for k in range(4)}
    places = {name: f"model-{k // 2 + 1:05}-of-00002.safetensors" for k, name in enumerate(state)}
    for file in set(places.values()):
        save({n: a for n, a in state.items() if places[n] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    for path in (index, tmp_path):
        with open_source(path, SourceOptions()) as run:
            assert {n: run.weights(n).tolist() for n in run.parameters} == {n: a.tolist() for n, a in state.items()}
    lost = tmp_path / "model-00002-of-00002.safetensors"
    lost.unlink()
    with pytest.raises(SourceError, match=f"expected {lost.name} beside it"):
        record([index], SourceOptions())
    outside = tmp_path.parent / f"{tmp_path.name}-outside.safetensors"
    save(state, outside)
    (tmp_path / "link.safetensors").symlink_to(outside)
    for name in (f"../{outside.name}", str(outside), "link.safetensors"):
        index.write_text(json.dumps({"weight_map": dict.fromkeys(state, name)}))
        with pytest.raises(SourceError, match="of its own folder"):
            record([index], SourceOptions())


def entry(begin: int, end: int, shape: object = None, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "n", "why"),
    [
        ({"a": entry(0, 8), "b": entry(12, 16)}, 16, "a gap before b"),
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "an overlap at b"),
        ({"a": entry(0, 16)}, 8, "8 bytes of tensors where the header has 16"),
        ({"a": entry(0, 8)}, 16, "16 bytes of tensors where the header has 8"),
        ({"a": entry(0, 8, [1 << 40, 1 << 40])}, 8, "bytes, in 8"),
        ({"a": entry(0, 8, [-2])}, 8, "not negative, got -2"),
        ({"a": entry(0, 8, [1] * 40)}, 8, "no list of at most"),
        ({"a": entry(0, 8, [2], "F128")}, 8, "unknown type F128"),
        ({"a": entry(8, 0, [2])}, 8, "bytes, in -8"),
        ({"a": [1, 2]}, 8, "without dtype, shape"),
        (b'{"a":1,"a":2}', 0, "the same name twice"),
        (b'{"a":' + b"[" * 100_000, 0, "expected whole safetensors"),
        (b"{" * 600_000, 0, "more than 500,000 tensors"),
        (b"{\xff\xfe}", 0, "expected whole safetensors"),
    ],
)  # fmt: skip
def test_a_header_that_lies_is_refused_in_one_line(header: object, n: int, why: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=why) as caught:
        read(write(tmp_path / "x", header, bytes(n)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_header_longer_than_the_file_is_not_allocated(tmp_path: Path) -> None:
    for length in (1 << 20, 99_000_000, 1 << 62):
        with pytest.raises(SourceError, match="a header of"):
            read(write(tmp_path / "x", b"{}", b"", length))


def test_types_that_are_not_shown_are_named(tmp_path: Path) -> None:
    header = {"a": entry(0, 8), "z": entry(8, 16, [1], "C64")}
    found = read(write(tmp_path / "x", header, bytes(16)))
    assert list(found.arrays) == ["a"]
    assert found.left_out == ("z: C64, complex numbers are not shown",)
    assert not set(TYPES) & {"C64"}


def test_it_is_known_whatever_the_length_of_its_header(tmp_path: Path) -> None:
    text = json.dumps({"a": entry(0, 4)}).encode()
    for length in (0x80, 0x180, 0x280, 0x380, 0x108, 0x208, 0x150, *range(len(text), 0x70)):  # as pickles, ONNX, zips
        known = format_of(write(tmp_path / "x", text.ljust(length), bytes(4)))
        assert known is not None
        assert known.key == "safetensors", length


def test_a_tensor_without_values_is_named(tmp_path: Path) -> None:
    header = {"a.weight": entry(0, 16, [2, 2]), "b.weight": entry(16, 16, [0, 4]), "c.weight": entry(16, 16, [3, 0, 1])}
    run = open_source(write(tmp_path / "x", header, bytes(16)), SourceOptions())
    assert run.parameters == ("a.weight",)
    assert "b.weight, c.weight: no values" in run.left_out
    compose(run)


def test_a_large_file_is_read_where_one_looks(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    size = write_sparse(path, llama_shapes(blocks=2))
    assert size > 1 << 30
    assert path.stat().st_blocks * 512 < 1 << 20
    run = open_source(path, SourceOptions())
    resident = Resident(run)
    state = initial_state(run, resident)
    compose(run, state, resident=resident)
    assert run.bytes_read < size / 10_000
    layer, before = run.layer("layers.0.self_attn.v_proj"), run.bytes_read
    opened = apply(state, SetOpen(layer.index, is_open=True, at_once=True))
    frame = compose(run, opened, resident=resident)
    assert run.bytes_read - before == 4096 * 4096 * 2
    assert layer.index in {t.layer for t in frame.tiles}
    run.close()


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_listing_a_large_file_imports_no_framework_and_reads_no_tensor(tmp_path: Path) -> None:
    write_sparse(tmp_path / "large", llama_shapes())
    code = (
        "import sys; from nn3d.cli.main import main\n"
        "try: main(['info', sys.argv[1]])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'safetensors', 'OpenGL', 'moderngl'} & set(sys.modules)\n"
        "print('PEAK', open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "large")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "6,738,415,616" in done.stdout  # of Llama 2 7B
    assert int(done.stdout.split("PEAK")[1]) < 300_000  # kB, of 13.5 GB


def test_extracting_holds_one_parameter_at_a_time(tmp_path: Path) -> None:
    save = pytest.importorskip("safetensors.numpy").save_file
    state = {f"fc{k}.weight": np.full((512, 512), k, np.float32) for k in range(24)}
    save(state, tmp_path / "x")
    recording = record([tmp_path / "x"], SourceOptions())
    tracemalloc.start()
    try:
        to_disk(recording, tmp_path / "run", encoding="f32")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * state["fc0.weight"].nbytes  # statistics of one need some, of 24 twice as much
    with open_run(tmp_path / "run") as run:
        assert all(np.array_equal(run.weights(n), a) for n, a in state.items())


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    known = format_of(write(tmp_path / "x.png", {"a": entry(0, 4)}, bytes(4)))
    assert known is not None
    assert known.key == "safetensors"
