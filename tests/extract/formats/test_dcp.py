"""A torch distributed checkpoint is what torch itself loads from it, and nothing that it says is run."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.errors import Nn3dError, SourceError
from nn3d.extract.formats.registry import format_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.dcp import metadata as dcp_metadata
from nn3d.extract.readers.dcp.metadata import METADATA, read_metadata
from nn3d.extract.readers.dcp.reader import state
from nn3d.extract.sources import open_source, record
from tests.extract.formats import samples

torch = pytest.importorskip("torch")
SHARD = "__0_0.distcp"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A training's state of every type that is shown, as torch.distributed.checkpoint.save writes it."""
    dcp = pytest.importorskip("torch.distributed.checkpoint")
    torch.manual_seed(0)
    model = samples.net()
    adam = torch.optim.Adam(model.parameters())
    model(torch.rand(2, 1, 8, 8)).sum().backward()
    adam.step()
    weights = dict(model.state_dict())
    kinds = (torch.bfloat16, torch.float16, torch.float64)
    weights |= {f"more.{str(kind)[6:]}": torch.rand(3, 4).to(kind) for kind in kinds}
    weights |= {"more.count": torch.tensor(7), "more.flags": torch.tensor([True, False])}
    weights["more.eight"] = torch.rand(5).to(torch.float8_e4m3fn)
    folder = tmp_path_factory.mktemp("dcp") / "step-40"
    content = {"model": weights, "optim": adam.state_dict(), "epoch": 4, "loss": 0.25, "name": "first"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(content, checkpoint_id=folder)
    return folder, weights


def test_values_are_what_torch_saved_and_the_optimizer_is_left_aside(saved: tuple[Path, dict[str, Any]]) -> None:
    folder, weights = saved
    tensors, numbers = state(folder)
    assert list(tensors) == list(weights)
    assert all(tensors[n].dtype == t.dtype and torch.equal(tensors[n], t) for n, t in weights.items())
    assert numbers == {"epoch": 4.0, "loss": 0.25}
    with open_source(folder, SourceOptions()) as run:
        assert set(run.parameters) == set(weights)
        for name, tensor in weights.items():
            assert np.array_equal(run.weights(name).ravel(), tensor.float().numpy().ravel()), name
        assert [(e.id, dict(e.metrics)) for e in run.epochs] == [(4, {"loss": 0.25})]
        assert any("tensors of the optimizer" in line for line in run.left_out)
        assert any("bfloat16: 1 tensor, shown as float32, exactly" in note for note in run.graph.notes)
    with open_source(folder / METADATA, SourceOptions()) as run:
        assert len(run.parameters) == len(weights)


def test_nothing_of_a_tensor_is_read_before_it_is_looked_at(
    saved: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nn3d.extract.readers.dcp import reader as dcp_reader

    read: list[str] = []
    real = dcp_reader.Pieces._load

    def spy(self: Any, name: str, *rest: Any) -> Any:
        read.append(name)
        return real(self, name, *rest)

    monkeypatch.setattr(dcp_reader.Pieces, "_load", spy)
    moment = next(iter(record([saved[0]], SourceOptions())))
    names = {p.name: p.id for p in record([saved[0]], SourceOptions()).graph.parameters}
    assert read == []
    assert moment.parameters[names["fc.weight"]].shape == (5, 6)
    assert read == ["fc.weight"]


def test_with_a_model_it_runs_and_folders_of_them_are_epochs(tmp_path: Path) -> None:
    dcp = pytest.importorskip("torch.distributed.checkpoint")
    model = samples.net()
    for step in (20, 100):
        torch.nn.init.constant_(model.conv1.bias, float(step))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.save(model.state_dict(), checkpoint_id=tmp_path / f"step-{step}")
    options = SourceOptions(model="tests.extract.formats.samples:net", input="random:1,8,8", cache=False)
    with open_source(tmp_path, options) as run:
        assert [e.step for e in run.epochs] == [20, 100]
        assert [float(run.weights("conv1.bias", e)[0]) for e in range(2)] == [20.0, 100.0]
        assert run.activations("conv1", 1).shape == (1, 4, 6, 6)


def broken(folder: Path, to: Path, old: bytes, new: bytes, name: str = METADATA) -> Path:
    """A copy in which some bytes of a file are others."""
    shutil.copytree(folder, to)
    data = (to / name).read_bytes()
    assert old in data
    (to / name).write_bytes(data.replace(old, new))
    return to


class Evil:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.folder / 'canary'}'",)


def nested(depth: int) -> bytes:
    """{((((…),),),): 1}: a key whose hash goes as deep."""
    return b"\x80\x04}(" + b")" + b"\x85" * depth + b"K\x01u."


def test_hostile_metadata_is_one_line_and_runs_nothing(
    saved: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dcp_metadata, "MOST_THINGS", 100_000)
    folder = shutil.copytree(saved[0], tmp_path / "copy")
    real = pickle.loads((folder / METADATA).read_bytes())
    real.planner_data["model.fc.bias"] = Evil(tmp_path)
    cases = {
        "posix.system": pickle.dumps(real, 4),
        "nt": pickle.dumps(Evil(tmp_path)),
        "builtins.getattr": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
        "tuples within": nested(1_000_000),
        "objects": b"\x80\x04(" + b"]" * 200_000 + b"t.",
        "expected the metadata": b"\x80\x04\x96" + (1 << 40).to_bytes(8, "little") + b".",  # 1 TB of a bytearray
        "got:": (folder / METADATA).read_bytes()[:-20],
    }
    for text, data in cases.items():
        (folder / METADATA).write_bytes(data)
        with pytest.raises(SourceError) as met:
            read_metadata(folder / METADATA)
        assert "\n" not in str(met.value)
        assert text in str(met.value) or text == "nt"
    assert not (tmp_path / "canary").exists()


def test_pieces_that_are_not_what_they_say_are_refused(saved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = saved[0]
    outside = broken(folder, tmp_path / "outside", SHARD.encode(), b"../x.distcp"[:12].rjust(12, b"/"))
    with pytest.raises(SourceError, match="in a file of this folder"):
        open_source(outside, SourceOptions())
    cut = shutil.copytree(folder, tmp_path / "cut")
    size = (cut / SHARD).stat().st_size
    (cut / SHARD).write_bytes((folder / SHARD).read_bytes()[: size // 3])
    with pytest.raises(SourceError, match="Copy it again"):
        open_source(cut, SourceOptions())
    entry = next(e for e in read_metadata(folder / METADATA)[0] if e.path == ("model", "fc.weight"))
    place = entry.pieces[0].place
    for name, content, says in (
        ("code", Evil(tmp_path), "Weights only load failed"),
        ("shape", torch.rand(3, 2), "got float32 [3, 2]"),
        ("strides", torch.zeros(1).expand(5, 6), "a storage that holds it"),
        ("none", None, "got NoneType []"),
    ):
        to, buffer = shutil.copytree(folder, tmp_path / name), io.BytesIO()
        torch.save(content, buffer)
        data = bytearray((to / SHARD).read_bytes())
        piece = _padded(buffer.getvalue(), place.length)
        data[place.offset : place.offset + place.length] = piece
        (to / SHARD).write_bytes(data)
        with open_source(to, SourceOptions()) as run, pytest.raises(Nn3dError, match=r"fc\.weight: expected") as met:
            run.weights("fc.weight")
        assert says in str(met.value)
    assert not (tmp_path / "canary").exists()


def _padded(data: bytes, length: int) -> bytes:
    """The same zip in exactly so many bytes: the rest is its comment."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = b" " * max(0, length - len(out.getvalue()) - 1000)
    found = out.getvalue()
    return found + bytes(length - len(found)) if len(found) <= length else found[:length]


def test_claims_are_checked_before_anything_is_reserved(saved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = shutil.copytree(saved[0], tmp_path / "large")
    real = pickle.loads((folder / METADATA).read_bytes())
    entry = real.state_dict_metadata["model.fc.weight"]
    entry.size = torch.Size([10**6, 10**6])
    entry.chunks[0].sizes = entry.size
    (folder / METADATA).write_bytes(pickle.dumps(real, 4))
    with pytest.raises(SourceError, match=r"fc\.weight \[1000000, 1000000\] of float32 in [\d,]+ bytes"):
        open_source(folder, SourceOptions())
    entry.chunks[0].sizes = torch.Size([5, 6])
    (folder / METADATA).write_bytes(pickle.dumps(real, 4))
    with pytest.raises(SourceError, match="in pieces that do not make it up"):
        open_source(folder, SourceOptions())


def test_a_folder_is_known_by_its_content(saved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    known = format_of(saved[0])
    assert known is not None
    assert known.key == "dcp"
    (tmp_path / METADATA).write_bytes(b"{}")
    found = format_of(tmp_path)
    assert found is None or found.key != "dcp"
    assert dcp_metadata.METADATA == ".metadata"
