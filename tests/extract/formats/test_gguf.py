"""GGUF: shapes turned round, codes unpacked as its own package unpacks them, wires by what its names say."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.gguf.quants import BLOCKS
from nn3d.extract.readers.gguf.reader import read
from nn3d.extract.sources import open_source
from tests.extract.formats import gguf_file as made
from tests.extract.formats.samples import SAMPLES

SHOWN = {kind: block for kind, block in BLOCKS.items() if block.unpack is not None}


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: SHOWN[kind].name)
def test_codes_are_unpacked_as_the_package_of_gguf_does(kind: int) -> None:
    gguf = pytest.importorskip("gguf")
    block, rng = SHOWN[kind], np.random.default_rng(kind)
    raw = rng.integers(0, 256, (300, block.n_bytes), dtype=np.uint8)
    theirs = gguf.GGMLQuantizationType(kind)
    assert (theirs.name, gguf.GGML_QUANT_SIZES[theirs]) == (block.name, (block.values, block.n_bytes))
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(raw.reshape(1, -1), theirs).reshape(300, -1)
        assert block.unpack is not None
        found = block.unpack(raw)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected, equal_nan=True)


def test_a_file_of_the_package_opens_as_the_package_reads_it(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    kinds = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16", "F32", "MXFP4", "TQ1_0")
    writer = gguf.GGUFWriter(tmp_path / "x", "llama")
    writer.add_name("Of all kinds")
    writer.add_block_count(2)
    writer.add_token_list([f"<{k}>" for k in range(7)])
    rng = np.random.default_rng(0)
    for k, name in enumerate(kinds):
        kind, values = gguf.GGMLQuantizationType[name], rng.normal(size=(8 + k, 256)).astype(np.float32)
        writer.add_tensor(f"w{k}.weight", gguf.quants.quantize(values, kind), raw_dtype=kind)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    expected = {t.name: t for t in gguf.GGUFReader(tmp_path / "x").tensors}
    with open_source(tmp_path / "x", SourceOptions()) as run:
        assert run.name == "Of all kinds"
        assert {"architecture llama: 2 blocks", "tokenizer  of 7 tokens"} <= set(run.notes)
        assert "w9.weight: TQ1_0 is not unpacked" in run.left_out
        assert len(run.parameters) == len(expected) - 1
        for p in run.graph.parameters:
            theirs = expected[p.name]
            assert p.dtype == ("" if theirs.tensor_type.name == "F32" else theirs.tensor_type.name)
            assert p.shape == tuple(reversed(theirs.shape.tolist()))
            values = gguf.quants.dequantize(theirs.data, theirs.tensor_type)
            assert np.array_equal(np.asarray(run.weights(p.name), np.float32), values.reshape(p.shape)), p.name


def test_a_llama_has_its_wires_in_whatever_order_its_tensors_lie(tmp_path: Path) -> None:
    rng, width = np.random.default_rng(0), 32
    parts = ("attn_norm", "ffn_down", "ffn_gate", "ffn_up", "ffn_norm", "attn_k", "attn_output", "attn_q", "attn_v")
    shapes = {"output_norm": (width,), "token_embd": (8, width)}
    for k in range(2):
        shapes |= {f"blk.{k}.{p}": (width,) if p.endswith("norm") else (width, width) for p in parts}
        shapes |= {f"blk.{k}.ffn_gate": (64, width), f"blk.{k}.ffn_up": (64, width), f"blk.{k}.ffn_down": (width, 64)}
    arrays = {f"{n}.weight": ("F32", rng.normal(size=s).astype(np.float32)) for n, s in shapes.items()}
    with open_source(made.write(tmp_path / "x", arrays), SourceOptions()) as run:
        nodes = {n.name: n for n in run.graph.nodes}
        reads = {n.name: [run.node(s.node).name for s in n.inputs] for n in run.graph.nodes}
        assert set(run.parameters) == set(arrays)
        for k in range(2):
            attention = next(n for n in nodes.values() if n.op == "attention" and n.module.startswith(f"blk.{k}."))
            assert reads[attention.name] == [f"blk.{k}.attn_{part}" for part in "qkv"]
            assert reads[f"blk.{k}.attn_output"] == [attention.name]
            gate = reads[f"blk.{k}.ffn_down"][0]
            assert (nodes[gate].op, reads[gate]) == ("mul", [f"blk.{k}.ffn_gate", f"blk.{k}.ffn_up"])
        assert sum(n.op == "add" for n in nodes.values()) == 4
        assert run.bytes_read == 0


NAME, KEY = "blk.0.w.weight", "general.architecture"
GOOD = made.tensor(NAME, (4,), 0, 0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (made.file([], [GOOD], bytes(8)), "ends at 16 of 8"),
        (made.file([], [GOOD], bytes(16), counts=(1 << 60, 0)), "1,152,921,504,606,846,976 tensors"),
        (made.file([], [GOOD], bytes(16), counts=(1, 1 << 60)), "entries in"),
        (made.file([], [GOOD, made.tensor("b", (4,), 0, 8)], bytes(32)), "an overlap"),
        (made.file([], [GOOD, GOOD], bytes(32)), "twice"),
        (made.file([], [made.tensor(NAME, (1 << 40, 1 << 40), 0, 0)], bytes(16)), "that ends at"),
        (made.file([], [made.tensor(NAME, (1 << 63, 1 << 63, 4), 2, 0)], bytes(16)), "that ends at"),
        (made.file([], [made.tensor(NAME, (33,), 2, 0)], bytes(64)), "in blocks of 32"),
        (made.file([], [made.tensor(NAME, (4,), 77, 0)], bytes(64)), "unknown type 77"),
        (made.file([], [made.tensor(NAME, (4,), 0, 1 << 62)], bytes(64)), "that ends at"),
        (made.file([], [struct.pack("<Q", 1 << 40)], bytes(64)), "a text of"),
        (made.file([made.entry(KEY, 9, struct.pack("<IQ", 8, 1 << 50))], [GOOD], bytes(16)), "a list of"),
        (made.file([made.entry(KEY, 9, struct.pack("<IQ", 4, 1 << 62))], [GOOD], bytes(16)), "bytes at"),
        (made.file([made.entry(KEY, 9, struct.pack("<IQ", 9, 1) * 9)], [GOOD], bytes(99)), "deep"),
        (made.file([made.entry(KEY, 99, b"")], [GOOD], bytes(16)), "of type 99"),
        (made.file([made.entry("general.alignment", 4, bytes(4))], [GOOD], bytes(16)), "an alignment of 0"),
        (made.file([], [GOOD], bytes(16), start=b"GGUF\0\0\0\x03"), "big endian"),
        (made.file([], [GOOD], bytes(16), start=b"GGUF\x01\0\0\0"), "version 1"),
        (b"GGUF\x03\0\0\0\x01", "expected whole GGUF"),
    ],
)  # fmt: skip
def test_a_file_that_lies_is_refused_in_one_line(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(SourceError, match=why) as caught:
        read(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_a_vocabulary_of_many_words_is_passed_over_quickly(tmp_path: Path) -> None:
    words = made.entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 200_000) + made.text("word") * 200_000)
    (tmp_path / "x").write_bytes(made.file([words], [GOOD], bytes(16)))
    begin = time.perf_counter()
    _, said = read(tmp_path / "x")
    assert time.perf_counter() - begin < 5.0
    assert said["tokenizer.ggml.tokens"].n == 200_000  # type: ignore[union-attr]


def test_a_model_beside_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no --model beside GGUF"):
        open_source(SAMPLES["gguf"](tmp_path), SourceOptions(model="net:make"))
