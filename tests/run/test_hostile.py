"""A file is never trusted: every broken one is refused in one line, quickly, without taking memory."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nn3d.errors import RunFormatError
from nn3d.run.reader import open_run
from nn3d.run.validate import validate
from nn3d.run.writer import write_folder, write_packed
from tests.run.small import small_run


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _header(shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


def _with(folder: Path, name: str, data: bytes, *, deflate: bool = False, manifest: bytes | None = None) -> Path:
    """A packed run of which one member is replaced or added."""
    write_packed(small_run(), folder / "good.npz")
    with zipfile.ZipFile(folder / "good.npz") as good, zipfile.ZipFile(folder / "bad.npz", "w") as bad:
        for entry in good.namelist():
            if entry == "manifest.npy" and manifest is not None:
                bad.writestr(entry, _npy(np.frombuffer(manifest, np.uint8)))
            elif entry != name:
                bad.writestr(entry, good.read(entry))
        if name:
            bad.compression = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
            with bad.open(name, "w") as member:
                member.write(data)
                for _ in range(1024 * deflate):
                    member.write(bytes(1 << 20))
    return folder / "bad.npz"


MEMBERS = {
    "claims 16 GB": ("e000000/w/0.npy", _header("(4, 1000000000)"), False),
    "zero times 10^12": ("e000000/w/0.npy", _header("(0, 1000000000000)"), False),
    "wrong shape": ("e000000/w/0.npy", _npy(np.zeros((4, 1, 3, 2), np.float32)), False),
    "object array": ("e000000/w/0.npy", _header("(2,)").replace(b"'<f4'", b"'|O' "), False),
    "climbing name": ("../e000000/w/0.npy", _npy(np.zeros(3)), False),
    "absolute name": ("/etc/w.npy", _npy(np.zeros(3)), False),
    "no array": ("e000000/w/0.npy", b"hello", False),
    "bomb": ("e000000/w/9.npy", _header("(268435456,)"), True),
    "unknown node": ("e000000/a/77.0.npy", _npy(np.zeros(3)), False),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_a_hostile_member_is_refused_without_taking_memory(tmp_path: Path, case: str) -> None:
    name, data, deflate = MEMBERS[case]
    path = _with(tmp_path, name, data, deflate=deflate)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(RunFormatError, match="should") as caught:
        open_run(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert time.perf_counter() - began < 5
    assert "\n" not in str(caught.value)


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_packed(small_run(), tmp_path / "r.npz")
    with zipfile.ZipFile(tmp_path / "r.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("e000000/w/0.npy", _npy(np.zeros((4, 1, 3, 3), np.float32)))
    with pytest.raises(RunFormatError, match="twice"):
        open_run(tmp_path / "r.npz")


def _edited(edit: Callable[[dict], object]) -> bytes:
    manifest = json.loads(json.dumps(small_run().manifest))
    edit(manifest)
    return json.dumps(manifest).encode()


MANIFESTS = {
    "JSON NaN": b'{"format": "nn3d-run", "version": 1, "x": NaN}',
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "deep nesting in a key": b'{"x":' * 100_000,
    "newer version": _edited(lambda m: m.update(version=2)),
    "a circle": _edited(lambda m: m["nodes"][1]["inputs"].append({"node": 5, "output": 0, "argument": ""})),
    "unknown input": _edited(lambda m: m["nodes"][1]["inputs"].append({"node": 55, "output": 0, "argument": ""})),
    "unknown output": _edited(lambda m: m["nodes"][1]["inputs"].append({"node": 0, "output": 3, "argument": ""})),
    "same id twice": _edited(lambda m: m["nodes"][1].update(id=0)),
    "huge number": b'{"format": "nn3d-run", "version": ' + b"9" * 5000 + b"}",
    "negative extent": _edited(lambda m: m["parameters"][0].update(shape=[-1, 3])),
    "a billion plates": _edited(lambda m: m["nodes"][1]["outputs"][0].update(shape=[10**9, 4, 4])),
    "10¹² neurons": _edited(lambda m: m["nodes"][1]["outputs"][0].update(shape=[10**12], axes=["F"])),
    "five million lists": b"[" + b"[]," * 5_000_000 + b"[]]",
    "not UTF-8": b'{"format": "\xff"}',
    "falling epochs": _edited(lambda m: m["epochs"].reverse()),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_hostile_manifest_is_refused(tmp_path: Path, case: str) -> None:
    path = _with(tmp_path, "", b"", manifest=MANIFESTS[case])
    with pytest.raises(RunFormatError, match="should") as caught:
        open_run(path)
    assert len(str(caught.value)) < 400


@pytest.mark.soak
def test_a_mutated_file_opens_or_is_refused(
    tmp_path: Path, rng: np.random.Generator, soaking: Callable[[int, int], int]
) -> None:
    write_packed(small_run(encoding="u8"), tmp_path / "r.npz")
    good = np.frombuffer((tmp_path / "r.npz").read_bytes(), np.uint8)
    directory = good.tobytes().index(b"PK\x01\x02")
    headers = [m for m in range(len(good) - 6) if good[m : m + 6].tobytes() == b"\x93NUMPY"]
    n_opened, messages = 0, []
    for i in range(soaking(500, 5000)):
        bad = good.copy()
        kind = i % 5
        if kind == 0:
            bad = bad[: rng.integers(len(bad))]
        else:
            start, size = ((0, len(bad)), (directory, len(bad) - directory), (rng.choice(headers), 128), (64, 4096))[
                kind - 1
            ]
            at = start + rng.integers(size, size=rng.integers(1, 6))
            bad[at] = rng.integers(256, size=at.shape) if i % 2 else bad[at] ^ (1 << rng.integers(8, size=at.shape))
        (tmp_path / "bad.npz").write_bytes(bad.tobytes())
        began = time.perf_counter()
        try:
            with open_run(tmp_path / "bad.npz") as run:
                assert run.layers is not None
                validate(run)
            n_opened += 1
        except RunFormatError as error:
            messages.append(str(error))
        assert time.perf_counter() - began < 5, f"mutation {i}"
    assert n_opened > 0
    assert messages
    assert not any("\n" in message for message in messages)


_RECORD = """
import sys
import numpy as np
from nn3d.run.model import Epoch
from nn3d.run.writer import RunWriter
from tests.run.small import small_arrays, small_run
rng = np.random.default_rng(0)
writer = RunWriter(sys.argv[1], small_run().graph, encoding="u8")
first = int(sys.argv[2])
print("go", flush=True)
for e in range(first, first + 100000):
    writer.write_epoch(Epoch(e, metrics={"loss": 1.0}), *small_arrays(rng))
"""


@pytest.mark.soak
def test_a_killed_recording_leaves_a_whole_run_that_can_be_continued(
    tmp_path: Path, rng: np.random.Generator, soaking: Callable[[int, int], int]
) -> None:
    folder = tmp_path / "r"
    n_before = 0
    for _ in range(soaking(5, 50)):
        first = open_run(folder).epochs[-1].id + 1 if n_before else 0
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
        command = [sys.executable, "-c", _RECORD, str(folder), str(first)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with open_run(folder) as run:
            new = range(n_before, len(run.epochs))
            assert all(run.values(1, 0, e, 0).shape == (4, 6, 6) for e in new)
            assert len(run.epochs) >= n_before
            n_before = len(run.epochs)
    assert n_before > 0
    with open_run(folder) as run:
        assert validate(run) > n_before


def test_validation_finds_one_flipped_bit_of_data(tmp_path: Path) -> None:
    run = small_run()
    write_packed(run, tmp_path / "r.npz")
    data = bytearray((tmp_path / "r.npz").read_bytes())
    at = data.index(run.weights("fc.weight", 0).tobytes()) + 17
    data[at] ^= 4
    (tmp_path / "r.npz").write_bytes(data)
    with open_run(tmp_path / "r.npz") as broken, pytest.raises(RunFormatError, match="checksum"):
        validate(broken)


def test_an_array_that_does_not_fit_its_folder_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    write_folder(small_run(), tmp_path / "r")
    good = np.ones((5, 36), np.float32)
    np.savez(tmp_path / "r" / "epoch_000005.npz", **{"e000005/w/0": np.zeros((4, 1, 3, 2)), "e000005/w/2": good})
    with open_run(tmp_path / "r") as run:
        assert run.weights("fc.weight", 0).shape == (5, 36)
        for _ in range(2):
            with pytest.raises(RunFormatError, match=r"e000005/w/0: should be \(4, 1, 3, 3\), got \(4, 1, 3, 2\)"):
                run.weights("body.conv1.weight", 1)
        assert np.array_equal(run.weights("fc.weight", 1), good)
        with pytest.raises(RunFormatError, match="e000005/w/0"):
            validate(run)
