"""Files of the true shapes of large models, sparse: their tensors take no room on the disk, and read as zeros."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

# Llama 2 7B as its model card and configuration have it: 32 blocks, width 4096, 11,008 in the MLP, 32,000 words.
WIDTH, WIDE, WORDS, BLOCKS = 4096, 11008, 32000, 32


def llama_shapes(
    blocks: int = BLOCKS, width: int = WIDTH, wide: int = WIDE, words: int = WORDS
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama 2, in the order in which its file has them."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (words, width)}
    for k in range(blocks):
        block = f"model.layers.{k}"
        shapes |= {f"{block}.self_attn.{part}_proj.weight": (width, width) for part in "qkvo"}
        shapes |= {f"{block}.mlp.{part}_proj.weight": (wide, width) for part in ("gate", "up")}
        shapes |= {f"{block}.mlp.down_proj.weight": (width, wide)}
        shapes |= {f"{block}.{part}_layernorm.weight": (width,) for part in ("input", "post_attention")}
    return shapes | {"model.norm.weight": (width,), "lm_head.weight": (words, width)}


def write_sparse(path: Path, shapes: dict[str, tuple[int, ...]], dtype: str = "F16", n_bytes: int = 2) -> int:
    """A safetensors file of these shapes with nothing but holes for data; its apparent size in bytes."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = prod(shape) * n_bytes
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return 8 + len(text) + at
