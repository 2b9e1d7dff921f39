"""A Hugging Face folder runs by transformers from local files alone; without it wires are inferred, and it says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats import huggingface as known
from nn3d.extract.formats.registry import format_of
from nn3d.extract.huggingface import read_folder
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source

PLAIN = SourceOptions()
CONFIG = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50, "n_embd": 8, "n_layer": 2,
    "n_head": 2, "n_positions": 16, "bos_token_id": 1, "eos_token_id": 1,
}  # fmt: skip


def gpt2(rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """Weights of that configuration, as transformers names and lays them: (in, out)."""
    shapes: dict[str, tuple[int, ...]] = {
        "wte.weight": (50, 8),
        "wpe.weight": (16, 8),
        "ln_f.weight": (8,),
        "ln_f.bias": (8,),
    }
    for k in range(2):
        for name, shape in (
            ("attn.c_attn", (8, 24)),
            ("attn.c_proj", (8, 8)),
            ("mlp.c_fc", (8, 32)),
            ("mlp.c_proj", (32, 8)),
        ):
            shapes |= {f"h.{k}.{name}.weight": shape, f"h.{k}.{name}.bias": shape[1:]}
        for name in ("ln_1", "ln_2"):
            shapes |= {f"h.{k}.{name}.weight": (8,), f"h.{k}.{name}.bias": (8,)}
    return {f"transformer.{n}": rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    save_file = pytest.importorskip("safetensors.numpy").save_file
    home = tmp_path / "tiny-gpt2"
    home.mkdir()
    (home / "config.json").write_text(json.dumps(CONFIG))
    save_file(gpt2(rng), home / "model.safetensors", metadata={"format": "pt"})
    return home


def without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: None if name == "transformers" else object())


def test_without_transformers_wires_are_inferred_and_the_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    without_transformers(monkeypatch)
    found = format_of(folder)
    assert found is known.FORMAT
    run = open_source(folder, PLAIN)
    assert run.graph.kind == "inferred"
    assert "transformers is not installed. Run: pip install 'nn3d-viewer[hf]'" in run.left_out[0]
    assert "config.json: gpt2, 2 blocks, 8 wide, 2 heads, 50 words" in run.graph.notes
    names = {node.id: node.name for node in run.graph.nodes}
    attention = next(n for n in run.graph.nodes if n.name.endswith("h.1.attn.attention"))
    assert [names[s.node].rpartition("h.1.")[2] for s in attention.inputs] == ["attn.c_attn"]
    parameter = next(p for p in run.graph.parameters if p.name.endswith("h.0.attn.c_attn.weight"))
    assert (parameter.shape, parameter.source_layout) == ((24, 8), "IO")
    assert not any("has no joint" in note for note in run.graph.notes)


def test_a_folder_that_lies_is_refused_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_transformers(monkeypatch)
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(SourceError, match=r"config\.json: expected JSON"):
        read_folder(folder)
    (folder / "config.json").write_text("{}")
    assert format_of(folder) is not known.FORMAT


def test_a_model_too_large_is_not_loaded_unasked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: object())
    monkeypatch.setattr(known, "MOST_BYTES", 100)
    run = open_source(folder, PLAIN)
    assert run.graph.kind == "inferred"
    assert "--model hf:" in run.left_out[0]


@pytest.fixture
def transformers(soaking: Callable[[int, int], int]) -> Any:
    if not soaking(0, 1):
        pytest.skip("long: NN3D_SOAK=1")
    return pytest.importorskip("transformers")


@pytest.mark.soak
def test_with_transformers_it_runs_on_random_tokens_or_on_text(folder: Path, transformers: Any) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    run = open_source(folder, PLAIN)
    assert run.graph.kind == "traced"
    assert run.samples[0].name == "random tokens 0"
    words = {w: i for i, w in enumerate(["[UNK]", "the", "cat", "sat", "on", "a", "mat"])}
    tokens = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, unk_token="[UNK]").save_pretrained(folder)
    text = folder.parent / "text.txt"
    text.write_text("the cat sat\n\nthe cat sat on a mat\n")
    run = open_source(folder, SourceOptions(input=str(text)))
    assert [s.tokens for s in run.samples] == [("the", "cat", "sat")] * 2
    assert run.samples[1].name.endswith("its first 3 tokens")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(torch.tensor([[1, 2, 3]])).logits[0].numpy()
    head = next(i for i, layer in enumerate(run.layers) if layer.name == "lm_head")
    assert np.allclose(run.activations(run.layers[head].name)[0], expected, atol=1e-4)


@pytest.mark.soak
def test_code_in_the_folder_never_runs(folder: Path, transformers: Any) -> None:
    canary = folder.parent / "canary"
    config = CONFIG | {
        "model_type": "own",
        "architectures": ["Own"],
        "auto_map": {"AutoModel": "own.Own", "AutoConfig": "own.C"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(canary)!r}, 'w')\n")
    run = open_source(folder, PLAIN)
    assert run.graph.kind == "inferred"
    assert "transformers can build" in run.left_out[0]
    assert not canary.exists()
    assert "own" not in sys.modules


@pytest.mark.soak
@pytest.mark.parametrize("lie", [{"n_layer": 10**6}, {"vocab_size": 10**10}, {"n_embd": 10**7, "n_head": 1}])
def test_a_configuration_larger_than_its_weights_is_not_built(
    lie: dict[str, int], folder: Path, transformers: Any
) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | lie))
    run = open_source(folder, PLAIN)
    assert run.graph.kind == "inferred"
    assert "expected" in run.left_out[0]


@pytest.mark.soak
def test_pictures_pairs_and_pieces_run_too(tmp_path: Path, transformers: Any) -> None:
    small: dict[str, Any] = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 40,
    }  # fmt: skip
    vit = transformers.ViTConfig(**small, image_size=16, patch_size=8, id2label={0: "cat", 1: "dog"})
    t5 = transformers.T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    transformers.ViTForImageClassification(vit).save_pretrained(tmp_path / "vit")
    transformers.T5Model(t5).save_pretrained(tmp_path / "t5", max_shard_size="8KB")
    run = open_source(tmp_path / "vit", PLAIN)
    assert (run.graph.kind, run.classes, run.samples[0].name) == ("traced", ("cat", "dog"), "random 0")
    run = open_source(tmp_path / "t5", PLAIN)
    assert run.graph.kind == "traced"
    assert run.samples[0].name == "random tokens 0, random tokens for the decoder"
