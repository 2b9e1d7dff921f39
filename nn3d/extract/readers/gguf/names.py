"""Owns names of GGUF: which part of a block a tensor is, so that wires can be inferred; what is shown keeps its name.

After the tables of github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/constants.py. Files list tensors in any
order; here a block's come in the order in which a transformer reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from nn3d.extract.infer import infer_graph
from nn3d.run.model import Graph, Module

# Part of GGUF → path that says what it is, in the order of a block.
_BLOCK = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_qkv": "self_attn.qkv_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "attn_output": "self_attn.o_proj", "post_attention_norm": "post_attn_norm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip
_BEFORE = {"token_embd": "embed_tokens", "position_embd": "embed_positions", "token_embd_norm": "embed_norm"}
_AFTER = {"output_norm": "norm", "output": "lm_head"}
_NAME = re.compile(r"blk\.(\d{1,6})\.([A-Za-z0-9_]+)")


def infer(shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """The graph of a file's tensors, by what their names say they are; names of what it holds stay as they are."""
    places = {name: _place(name) for name in shapes}
    ordered = sorted(shapes, key=lambda name: places[name][0])
    meant = {name: places[name][1] for name in ordered}
    if len(set(meant.values())) < len(meant):
        return infer_graph(shapes)
    graph = infer_graph({meant[name]: shapes[name] for name in ordered})
    own = {new: name for name, new in meant.items()}
    paths = {new.rpartition(".")[0]: name.rpartition(".")[0] for new, name in own.items()}
    return _renamed(graph, own, paths)


def _place(name: str) -> tuple[tuple[int, int, int], str]:
    """Where a tensor comes in the file's order, and the name that says what it is."""
    path, _, role = name.rpartition(".")
    found = _NAME.fullmatch(path)
    if found and found[2] in _BLOCK:
        order = list(_BLOCK).index(found[2])
        return (1, int(found[1]), order), f"blk.{found[1]}.{_BLOCK[found[2]]}.{role}"
    if found:
        return (1, int(found[1]), len(_BLOCK)), name
    for where, table in ((0, _BEFORE), (2, _AFTER)):
        if path in table:
            return (where, list(table).index(path), 0), f"{table[path]}.{role}"
    return (1, -1, 0), name


def _renamed(graph: Graph, own: Mapping[str, str], paths: Mapping[str, str]) -> Graph:
    """The graph with the file's own names, also in front of what was added to it and in the joints of the notes."""
    longest_first = "|".join(map(re.escape, sorted(paths, key=len, reverse=True)))
    words = re.compile(rf"(?:^|(?<=[\s→+]))({longest_first})(?=[\s.:]|$)")

    def name(text: str) -> str:
        return words.sub(lambda found: paths[found[1]], text)

    def note(line: str) -> str:
        joint, colon, why = line.partition(": ")
        return name(joint) + colon + why

    nodes = tuple(replace(n, name=name(n.name), module=paths.get(n.module, n.module)) for n in graph.nodes)
    parameters = tuple(replace(p, name=own[p.name]) for p in graph.parameters)
    types = {paths.get(m.path, m.path): m.type for m in graph.modules}
    modules = tuple(Module(path, types[path]) for path in sorted(types))
    return replace(graph, nodes=nodes, parameters=parameters, modules=modules, notes=tuple(map(note, graph.notes)))
