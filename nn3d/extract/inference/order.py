"""Owns the order of modules in files that keep names sorted, as safetensors do: numbers count, names tell the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from nn3d.extract.inference import names
from nn3d.extract.inference.blocks import MOST_PARTS, is_excitation
from nn3d.extract.inference.tree import Box
from nn3d.extract.inference.units import Shape

FEW: Final = 4
# From what reads the input to what gives the output; the first pattern that matches a module's name decides.
_STAGES: Final = tuple(
    (re.compile(pattern, re.I), rank)
    for pattern, rank in (
        (r"^aux", 99.0),
        (r"^(shared|wte|word_emb|embed_tokens|tok\w*_emb|token_emb|tokens?$)", 0.0),
        (r"^(wpe|pos(?!t)|embed_pos|token_type|segment)", 1.0),
        (r"^(cls|class|dist)_?(token|emb)", 1.1),
        (
            r"^(embed|patch_emb|stem|conv_stem|conv_proj|conv_first|conv_in|feature_ext|feature_proj|pre_(?!feed|mlp|ffn|cl|lo))",
            2.0,
        ),
        (r"^(body|backbone|trunk)$", 2.2),
        (r"(norm|ln|layrnorm)\w*emb", 2.5),
        (r"^(inc|enc_in|squeeze)$", 3.0),
        (r"^(down|enc|encoder|contract|text_model|vision_model)(_?\w*block\w*|_?path|s)?\d*$", 4.0),
        (r"^(mid|bottleneck|bottle|bridge)", 4.2),
        (r"^(up|dec|decoder|expan[ds]ing)(_?\w*block\w*|_?path|s)?\d*$", 4.6),
        (r"^(fuse|merge)", 4.7),
        (r"^(input_layer_?norm|layer_?norm_?before|norm_?before|pre_\w*norm)", 5.0),
        (r"^(self_?attn|self_?attention|sa)_(layer_?)?norm", 5.3),
        (r"^(self$|attn$|self_?att|attention$|self$|msa|mixer|token_mix|mlp_tokens)", 5.2),
        (r"^(post_attention|layer_?norm_?after|norm_?after)", 5.4),
        (r"^(encoder_attn|cross|enc_?dec|multihead_attn)\w*norm", 5.6),
        (r"^(encoder_attn|cross|enc_?dec|multihead_attn)", 5.5),
        (r"^(pre_feed|pre_mlp|pre_ffn)", 5.7),
        (r"^(intermediate|gate_proj|mlp_fc1|wi)", 5.8),
        (r"^(post_feed|post_mlp)", 6.4),
        (r"^(mlp|ffn|feed|channel_mix|densereludense)", 6.0),
        (r"^(gate|up|c_fc|fc_in|dense_h|fc1$|lin1$|linear1$|w1$|w3$)", 6.05),
        (r"^(down_proj|down$|c_proj|out_proj|out_lin|o_proj|o$|proj$|to_out|wo$|fc_out|dense_4h|mlp_fc2|w2$)", 6.15),
        (r"^(lin|linear|fc|dense)_?\d*$", 6.1),
        (r"^(final|output|ffn|post)\w*norm", 6.4),
        (r"^output", 6.2),
        (r"^(se|se_module|squeeze_excitation|excitation)$", 6.5),
        (r"^(downsample|shortcut|skip|residual|proj_shortcut)$", 7.0),
        (r"^(norm|ln|ln_f|norm_f|ln_post|head_norm|fc_norm|final\w*|layer_?norm|post_?\w*norm)$", 8.0),
        (r"^(pool|pooler|avg|global_pool)", 8.5),
        (r"^(pre_classifier|pre_logits|visual_proj|text_proj)", 8.6),
        (r"^(classifier|heads?|lm_head|score|logits|qa_outputs|proj_out|out|outc|last|cls|final)$", 9.0),
    )
)
_BODY, _QUERIES = 5.0, 4.9
_NUMBER: Final = re.compile(r"(\d+)([a-z]?)(?:_\d+x\d+)?$")
# Steps of a mobile block, whose norms carry numbers: with and without the convolution that widens.
_STEPS: Final = ({"conv_pw": 1.0, "conv_dw": 2.0, "conv_pwl": 3.0}, {"conv_dw": 1.0, "conv_pw": 2.0},
                 {"conv_exp": 1.0, "conv_pwl": 2.0})  # fmt: skip
_CONVOLUTION, _NORM = re.compile(r"^(conv|dw|pw|weight)", re.I), re.compile(r"^(bn|norm|ln|gn|batch)", re.I)


def is_sorted(shapes: Mapping[str, Shape]) -> bool:
    """Whether a file keeps its names in alphabetical order, but for a few breaks between element types."""
    if len(shapes) < FEW:
        return False
    breaks = sum(a > b for a, b in pairwise(shapes))
    return breaks <= min(3, len(shapes) // 16)


def put_in_order(root: Box) -> None:
    """Boxes and units of each box from early to late."""
    waiting = [root]
    while waiting:
        box = waiting.pop()
        is_leading = _norms_lead(box.children)
        top = box is root
        here = {c.name for c in box.children}
        steps = next((s for s in _STEPS if s.keys() <= here), {})
        box.children = sorted(box.children, key=lambda c: _key(c, is_leading, top, steps))
        _place_excitation(box)
        waiting += box.children


def _place_excitation(box: Box) -> None:
    """Squeeze and excitation stands after the last part whose channels it weighs."""
    found = next((c for c in box.children if is_excitation(c)), None)
    if found is None or len(box.children) > MOST_PARTS:
        return
    width, rest = found.operations()[0].n_in, [c for c in box.children if c is not found]
    kept = [i for i, c in enumerate(rest) if not names.SHORTCUT.match(c.name)]
    at = max((i for i in kept if (u := rest[i].operations()) and u[-1].n_out == width), default=len(rest) - 1)
    box.children = [*rest[: at + 1], found, *rest[at + 1 :]]


def _key(
    box: Box, is_leading: bool, is_top: bool, steps: Mapping[str, float]
) -> tuple[float, float, float, float, str]:
    """Stage, then number, then convolution before its norm (or after it where norms lead)."""
    name = box.name
    found = _NUMBER.search(name)
    number = steps.get(name, float(found[1]) if found is not None and not names.BRANCH.match(name) else 0.0)
    letter = float(ord(found[2])) if found is not None and found[2] else 0.0
    stage = next((rank for pattern, rank in _STAGES if pattern.search(name)), _BODY)
    if names.attention_role(name):
        stage = _QUERIES
    if is_top and re.match(r"^(fc|linear|dense)_?\d*$", name, re.I):
        stage = 8.8
    if box.unit is not None and box.unit.is_norm and _NORM.match(name) and found is not None:
        stage = _BODY
    within = 0.5 if not _NORM.match(name) else 0.4 if is_leading else 0.47
    within = 0.45 if within == 0.5 and _CONVOLUTION.match(name) else within
    return stage, number, letter, within, name


def _norms_lead(boxes: Sequence[Box]) -> bool:
    """Whether the norms of a box have the widths that its matrices of the same number read, and not what they give."""
    first = {}
    for box in boxes:
        found = _NUMBER.search(box.name)
        if box.unit is not None and box.unit.is_weighted and found is not None:
            first[found[1]] = box.unit
    votes = 0
    for box in boxes:
        found = _NUMBER.search(box.name)
        matrix = first.get(found[1]) if found is not None else None
        if box.unit is None or not box.unit.is_norm or matrix is None:
            continue
        votes += (box.unit.n_in == matrix.n_in) - (box.unit.n_in == matrix.n_out)
    return votes > 0
