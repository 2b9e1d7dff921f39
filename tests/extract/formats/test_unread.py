"""What is known and not read says what it is, and the way round."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats.registry import FORMATS, format_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from tests.extract.formats.matrix import PAGE, READ

# Name of a file, its first bytes, the format.
STARTS = (
    ("x.bin", b"RKNN\0\0\0\0", "rknn"),
    ("x.bin", b"\x20\0\0\0ET12\0\0\0\0", "executorch"),
    ("x.bin", b"\x20\0\0\0MSL2\0\0\0\0", "mindspore"),
    ("x.bin", b"7767517\n75 83\nInput data 0 1 data\n", "ncnn"),
    ("x.bin", b'"1 18 1 4206624770 ,"\n"input 1 3 224 224 ,"', "tnn"),
    ("x.bin", b'<?xml version="1.0"?>\n<net name="m" version="11">\n<layers>\n', "openvino"),
    ("x.bin", b'{\n "nodes": [\n {\n "op": "null", "name": "data"', "mxnet"),
    ("x.bin", b'name: "AlexNet"\nlayer {\n name: "data"\n', "caffe"),
    ("x.bin", b"[net]\nbatch=64\n", "darknet"),
    ("x.bin", b"4\n1\n3\nV 1\n21\nnn.SpatialConvolution\n", "torch7"),
    ("x.bin", b"B\0C\0N\0\0\0", "cntk"),
    ("x.bin", b"LDMK\1\0\0\0", "kmodel"),
    ("x.mnn", b"\x18\0\0\0\0\0", "mnn"),
    ("x.pdmodel", b"\n\x0b\x12", "paddle"),
    ("frozen.pb", b"\n\x1a\n\x05input", "tensorflow-graph"),
    ("x.msgpack", b"\x81\xa6params", "messagepack"),
    ("x.sentis", b"\0\0\0\0", "sentis"),
)


@pytest.mark.parametrize(("name", "start", "key"), STARTS, ids=[key for _, _, key in STARTS])
def test_a_format_that_is_not_read_names_itself_and_the_way_round(
    name: str, start: bytes, key: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(start + bytes(64))
    found = format_of(tmp_path / name)
    assert found is not None
    assert found.key == key
    with pytest.raises(SourceError, match=f"got {found.name}\\. [A-Z].+\\.$"):
        open_source(tmp_path / name, SourceOptions())


@pytest.mark.parametrize(("members", "key"), [
    (("Manifest.json", "Data/com.apple.CoreML/model.mlmodel"), "coreml"),
    (("TransformerChain/Model.key",), "ml.net"), (("configuration.json", "coefficients.bin"), "deeplearning4j"),
])  # fmt: skip
def test_so_does_an_archive(members: tuple[str, ...], key: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for member in members:
            archive.writestr(member, "{}")
    found = format_of(tmp_path / "x.zip")
    assert found is not None
    assert found.key == key


def test_the_docs_name_every_format_that_is_not_read() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = [known.name.removeprefix("a ").removeprefix("an ") for known in FORMATS if known not in READ]
    assert len(names) > 20
    assert [name for name in names if name not in text] == []
