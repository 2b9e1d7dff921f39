"""How well wires are inferred: real architectures without their graph, against the graph that running them gives.

Each network is built without trained weights and run once; its state_dict's names and shapes are all that inference
sees. Networks of the first part were looked at while the rules were written; those of the second never were: their
failures were not examined, so their score is what a network that nobody met may expect.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nn3d.extract.infer import infer_graph
from nn3d.extract.trace import Probe
from nn3d.run.model import Epoch
from tests import networks, wires

TITLE = "Inferred wires against the true ones, by edges between units that hold parameters"
Case = tuple[torch.nn.Module, Any]
_TEXT = {
    "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
}  # fmt: skip
_PICTURE = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_SEQ = {
    "vocab_size": 100, "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
}  # fmt: skip
_WHISPER = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}

SEEN = (
    "own lenet", "own vgg", "own resnet", "own densenet", "own googlenet", "own unet", "own lstm_both", "own vit",
    "own gpt", "own two_inputs", "torchvision alexnet", "torchvision vgg16_bn", "torchvision resnet18",
    "torchvision mobilenet_v2", "torchvision efficientnet_b0", "torchvision squeezenet1_1", "torchvision convnext_tiny",
    "torchvision swin_t", "torchvision vit_b_16", "torchvision densenet121", "torchvision googlenet",
    "torchvision inception_v3", "torchvision regnet_y_400mf", "torchvision shufflenet_v2_x1_0",
    "torchvision mobilenet_v3_small", "torchvision efficientnet_v2_s", "torchvision maxvit_t",
    "torchvision wide_resnet50_2", "timm mixer_s32_224", "timm deit_tiny_patch16_224", "timm resnet26d",
    "timm beit_base_patch16_224", "timm convmixer_768_32", "timm dla34", "timm ghostnet_100", "timm inception_v4",
    "timm nfnet_f0", "timm poolformer_s12", "timm res2net50_26w_4s", "timm seresnet50", "timm xception41", "hf bert",
    "hf gpt2", "hf llama", "hf vit", "hf t5", "hf distilbert", "hf roberta", "hf qwen3", "hf mistral", "hf gemma2",
    "hf bart", "hf wav2vec2", "hf opt",
)  # fmt: skip
UNSEEN = (
    "torchvision mnasnet0_5", "torchvision resnext50_32x4d", "torchvision fcn_resnet50",
    "torchvision deeplabv3_mobilenet_v3_large", "timm hrnet_w18_small", "timm repvgg_a0", "timm cspdarknet53",
    "timm tf_efficientnet_lite0", "timm resnetv2_50", "timm pit_ti_224", "timm mobilevit_s", "timm cait_xxs24_224",
    "timm edgenext_xx_small", "hf gpt_neox", "hf whisper", "hf clip", "hf albert", "hf resnet",
    "hf segformer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One network of the table; scores are None where its library is not installed.

    score : with names in the order of modules, as torch keeps them. by_name : in alphabetical order, as safetensors do.
    """

    name: str
    score: wires.Score | None
    by_name: wires.Score | None


def build(name: str) -> Case | None:
    """A network with an input, None where its library is not installed."""
    family, _, model = name.partition(" ")
    if family == "own":
        return {**networks.SMALL, **networks.FULL}[model]()
    if not _is_installed({"hf": "transformers"}.get(family, family)):
        return None
    makers: dict[str, Callable[[str], Case]] = {"torchvision": _torchvision, "timm": _timm, "hf": _transformers}
    return makers[family](model)


def _is_installed(package: str) -> bool:
    """Whether it can be imported; torchvision built for another torch wants its operators declared first."""
    if importlib.util.find_spec("torchvision") is not None and not hasattr(torch.ops.torchvision, "nms"):
        _OPERATORS.define("nms(Tensor a, Tensor b, float c) -> Tensor")
        _OPERATORS.define("qnms(Tensor a, Tensor b, float c) -> Tensor")
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


_OPERATORS = torch.library.Library("torchvision", "FRAGMENT")


def _torchvision(name: str) -> Case:
    extra: dict[str, Any] = {"init_weights": False} if name == "inception_v3" else {}
    is_dense = name.startswith(("fcn", "deeplab"))
    extra |= {"weights_backbone": None} if is_dense else {}
    size = 64 if is_dense else 299 if name == "inception_v3" else 224
    return importlib.import_module("torchvision").models.get_model(name, weights=None, **extra), _image(size)


def _timm(name: str) -> Case:
    return importlib.import_module("timm").create_model(name), _image(256 if name.startswith("mobilevit") else 224)


def _transformers(name: str) -> Case:
    library = importlib.import_module("transformers")
    model, settings, inputs = _HF[name]
    names = (f"{model}Config", *(f"{model.split(word)[0]}Config" for word in _HEADS))
    config_name = next(name for name in names if hasattr(library, name))
    return getattr(library, model)(getattr(library, config_name)(**settings)), inputs()


_HEADS = ("ForCausalLM", "LMHeadModel", "ForImageClassification", "ForSequenceClassification", "ForMaskedLM",
          "ForSemanticSegmentation", "Model")  # fmt: skip


def _image(size: int = 32) -> torch.Tensor:
    return torch.rand(1, 3, size, size)


def _tokens() -> dict[str, torch.Tensor]:
    return {"input_ids": torch.randint(5, 90, (1, 12))}


def _both() -> dict[str, torch.Tensor]:
    return {**_tokens(), "decoder_input_ids": torch.randint(5, 90, (1, 12))}


_T5 = {"vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
_CLIP = {
    "text_config": {**_TEXT, "max_position_embeddings": 32}, "vision_config": {**_PICTURE, "hidden_size": 48},
    "projection_dim": 24,
}  # fmt: skip
_HF: dict[str, tuple[str, dict[str, Any], Callable[[], Any]]] = {
    "bert": ("BertModel", _TEXT, _tokens),
    "gpt2": ("GPT2LMHeadModel", {"vocab_size": 100, "n_embd": 32, "n_layer": 3, "n_head": 4}, _tokens),
    "llama": ("LlamaForCausalLM", {**_TEXT, "num_key_value_heads": 2}, _tokens),
    "vit": ("ViTForImageClassification", _PICTURE, lambda: {"pixel_values": _image()}),
    "t5": ("T5Model", _T5, _both),
    "distilbert": (
        "DistilBertForSequenceClassification",
        {"vocab_size": 100, "dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64},
        _tokens,
    ),
    "roberta": ("RobertaForMaskedLM", _TEXT, _tokens),
    "qwen3": ("Qwen3ForCausalLM", {**_TEXT, "num_key_value_heads": 2, "head_dim": 8}, _tokens),
    "mistral": ("MistralForCausalLM", {**_TEXT, "num_key_value_heads": 2}, _tokens),
    "gemma2": ("Gemma2ForCausalLM", {**_TEXT, "num_key_value_heads": 2, "head_dim": 8}, _tokens),
    "gpt_neox": ("GPTNeoXForCausalLM", _TEXT, _tokens),
    "opt": (
        "OPTForCausalLM",
        {
            "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "ffn_dim": 64,
            "max_position_embeddings": 64, "word_embed_proj_dim": 32,
        },
        _tokens,
    ),
    "bart": ("BartModel", {**_SEQ, "max_position_embeddings": 64}, _both),
    "whisper": (
        "WhisperModel", {**_SEQ, **_WHISPER},
        lambda: {"input_features": torch.rand(1, 80, 3000), "decoder_input_ids": _tokens()["input_ids"]},
    ),
    "clip": ("CLIPModel", _CLIP, lambda: {**_tokens(), "pixel_values": _image()}),
    "albert": ("AlbertModel", {**_TEXT, "embedding_size": 16}, _tokens),
    "resnet": (
        "ResNetModel", {"embedding_size": 16, "hidden_sizes": [32, 64], "depths": [2, 2]},
        lambda: {"pixel_values": _image(64)},
    ),
    "segformer": ("SegformerForSemanticSegmentation", {}, lambda: {"pixel_values": _image(64)}),
    "wav2vec2": ("Wav2Vec2Model", _TEXT, lambda: {"input_values": torch.rand(1, 16000)}),
}  # fmt: skip


def line(name: str) -> Line:
    """One network, scored."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        case = build(name)
        if case is None:
            return Line(name, None, None)
        model, inputs = case
        probe = Probe(model.eval(), inputs)
        probe.shoot(Epoch(0))
    shapes, same = wires.stripped(model), wires.aliases(model)
    score, by_name = (
        wires.scored(probe.known_graph, infer_graph(given), same) for given in (shapes, dict(sorted(shapes.items())))
    )
    return Line(name, score, by_name)


def rows() -> list[Line]:
    """All networks, those that rules were written for first."""
    return [line(name) for name in (*SEEN, *UNSEEN)]


def table(lines: Sequence[Line]) -> str:
    """The table as markdown, with the means of each part: precision and recall, in both orders of names."""
    text = []
    for title, part in (("looked at while the rules were written", SEEN), ("never looked at", UNSEEN)):
        found = [each for each in lines if each.name in part]
        text += [f"| {title} | edges | precision | recall | sorted: precision | recall |", "|---|--:|--:|--:|--:|--:|"]
        text += [f"| {each.name} | {_figures(each)} |" for each in found]
        known = [(each.score, each.by_name) for each in found if each.score and each.by_name]
        columns = zip(*((a.precision, a.recall, b.precision, b.recall) for a, b in known), strict=True)
        means = " | ".join(f"**{sum(column) / len(column):.3f}**" for column in columns)
        text += [f"| **mean of {len(known)}** | | {means} |", ""] if known else [""]
    return "\n".join(text)


def _figures(found: Line) -> str:
    a, b = found.score, found.by_name
    if a is None or b is None:
        return "not installed | | | | "
    return f"{a.n_true:,} | {a.precision:.3f} | {a.recall:.3f} | {b.precision:.3f} | {b.recall:.3f}"
