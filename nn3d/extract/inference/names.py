"""Owns what names of parameters and modules usually mean; a name alone never decides where shapes disagree."""

from __future__ import annotations

import re
from typing import Final

BUFFERS: Final = ("running_mean", "running_var", "num_batches_tracked")
# Tables and counters that frameworks keep beside their parameters: nothing flows through them.
_TABLE: Final = re.compile(
    r"(^|[._])(num_batches_tracked|position_ids|token_type_ids|inv_freq|relative_position_index|relative_coords_table"
    r"|attn_mask|masked_bias|causal_mask|rel_pos_index)$|(^|\.)attn(ention)?\.bias$"
)
_ROLES: Final = re.compile(
    r"(weight|bias|running_mean|running_var|num_batches_tracked|(weight|bias)_(ih|hh|hr)(_l\d+(_reverse)?)?|in_proj_weight"
    r"|in_proj_bias|[qkv]_proj_weight|bias_[kv]|weight_[gv]|weight_orig|weight_u|original[01]|gain|qweight|scales|qzeros)$"
)
EMBEDDING: Final = re.compile(r"emb|wte|wpe|vocab|(^|[._])(shared|tokens?|words?)([._]|$)", re.I)
HEAD: Final = re.compile(r"(^|[._])(lm_head|head|decoder|proj_out|generator|classifier|fc|output)([._]|$)", re.I)
POSITION: Final = re.compile(r"pos|wpe|type|segment", re.I)
CLASS_TOKEN: Final = re.compile(r"(cls|class|dist|reg|register)(iation)?_?(tokens?|embed\w*)", re.I)
SCALE: Final = re.compile(r"(^|[._])(gamma(_\d+)?|layer_?scale\w*|ls\d?|lambda1?|scale|res_scale\w*)([._]\w+)?$", re.I)
BIAS_TABLE: Final = re.compile(r"rel\w*_(pos|att|bias)|relative\w*|attention_biases", re.I)
QKV_BIAS: Final = re.compile(r"(^|[._])[qkv]_bias$", re.I)
SHORTCUT: Final = re.compile(
    r"^(downsample|down_sample|shortcut|skip|residual|identity|conv_?skip|skip_conv|proj_?shortcut|res_?conv|conv_?res|"
    r"convshortcut|conv_shortcut|shortcut_conv|match_channels?|proj|project)\w?$",
    re.I,
)
RESIDUAL: Final = re.compile(r"(^|[._])res(idual)?_?(block|unit|layer)?s?(_?\d+)?([._]|$)", re.I)
BRANCH: Final = re.compile(r"^(branch|tower|path|stream|b(?=\d))", re.I)
EXCITATION: Final = re.compile(r"(^|[._])(se|se_module|squeeze_?excit\w*|excitation|attn|attention|ca)\d?$", re.I)
EXCITE_PAIR: Final = (("fc1", "fc2"), ("conv_reduce", "conv_expand"), ("reduce", "expand"), ("squeeze", "excitation"))
CROSS: Final = re.compile(r"cross|enc_?dec|encoder_attn|encoder_decoder|multihead_attn|context_attn", re.I)
QK_NORM: Final = re.compile(r"(^|[._])(q|k|query|key|q_a|kv_a)_?(norm|ln|layernorm|layer_norm)$", re.I)
PRE_NORM: Final = re.compile(r"^(input_layer_?norm|layer_?norm_?before|pre_?\w*norm|ln_1$)", re.I)
UP: Final = re.compile(r"(^|[._])(up|deconv|upconv|conv_?trans\w*|transp\w*|unpool|upsample)", re.I)
DECODER: Final = re.compile(r"(^|[._])decoder$", re.I)
ENCODER: Final = re.compile(r"(^|[._])encoder$", re.I)

_ATTENTION: Final = (
    ("qkv", re.compile(r"^(qkv|c_attn|in_proj|query_key_value|wqkv|qkv_proj|attn_qkv|to_qkv|w_pack|qkv_mlp)$", re.I)),
    ("kv", re.compile(r"^(kv|to_kv|kv_proj|key_value)$", re.I)),
    ("q", re.compile(r"^(q|query|q_proj|to_q|wq|q_lin|queries|query_proj|linear_q|q_linear|q_conv|fc_q)$", re.I)),
    ("k", re.compile(r"^(k|key|k_proj|to_k|wk|k_lin|keys|key_proj|linear_k|k_linear|k_conv|fc_k)$", re.I)),
    ("v", re.compile(r"^(v|value|v_proj|to_v|wv|v_lin|values|value_proj|linear_v|v_linear|v_conv|fc_v)$", re.I)),
)


def is_table(name: str) -> bool:
    """Whether an entry is a table or counter of the framework, not a parameter that anything flows through."""
    return _TABLE.search(name) is not None


def is_role(name: str) -> bool:
    """Whether the last part of an entry's name is a role within a module, not a parameter of its own."""
    return _ROLES.fullmatch(name) is not None


def attention_role(path: str) -> str:
    """q, k, v, qkv or kv by the last words of a module's path; "" for anything else."""
    parts = [p for p in path.split(".") if not p.isdigit()]
    last = parts[-1] if parts else ""
    return next((role for role, pattern in _ATTENTION if pattern.fullmatch(last)), "")


def stem(name: str) -> str:
    """A branch's name without what counts within it: "branch3x3dbl_2" → "branch3x3dbl"."""
    return re.sub(r"_\d[a-z]?$", "", name)


def is_twin(a: str, b: str) -> bool:
    """Whether two names count as a and b of one step: "branch3x3_2a" and "branch3x3_2b"."""
    return re.search(r"_\d[a-z]$", a) is not None and a[:-1] == b[:-1] and ord(b[-1]) == ord(a[-1]) + 1
