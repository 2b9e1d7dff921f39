"""Owns calls that hide several operations: fused attention, multi-head attention, recurrent layers.

What such a call hides is computed once more from its inputs, compared with what it returned, and marked as recomputed;
where the comparison fails it stays missing, and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from nn3d.extract import calls, recurrent
from nn3d.extract.calls import Call
from nn3d.extract.draft import Draft
from nn3d.run.model import Source
from nn3d.run.ops import canonical

if TYPE_CHECKING:
    from nn3d.extract.tracer import Tracer

Handler = Callable[["Tracer", Callable[..., Any], Call, tuple[Any, ...], Mapping[str, Any]], Any]
_MAX_WEIGHTS = 1 << 27


def is_close(made: torch.Tensor, recorded: torch.Tensor) -> bool:
    """Whether a recomputed tensor equals the recorded one within float32 rounding (half precision: its own)."""
    if made.shape != recorded.shape:
        return False
    made, recorded = made.detach(), recorded.detach()
    loose = recorded.dtype in (torch.float16, torch.bfloat16)
    bound = (2e-2 if loose else 1e-4) * max(1.0, float(recorded.float().abs().max())) if recorded.numel() else 0.0
    return bool(torch.nan_to_num(made.float() - recorded.float()).abs().max() <= bound) if recorded.numel() else True


def attention_weights(arguments: Mapping[str, Any]) -> torch.Tensor:
    """softmax(q kᵀ · scale + mask) of scaled_dot_product_attention's arguments: (..., query, key), before dropout."""
    query, key = arguments["query"].float(), arguments["key"].float()
    if arguments.get("enable_gqa") and query.shape[-3] != key.shape[-3]:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scale = arguments.get("scale") or 1 / math.sqrt(query.shape[-1])
    scores = query @ key.transpose(-2, -1) * scale
    if arguments.get("is_causal"):
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    mask = arguments.get("attn_mask")
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    return torch.nan_to_num(scores.softmax(-1))


def _attend(arguments: Mapping[str, Any], weights: torch.Tensor) -> torch.Tensor:
    value = arguments["value"].float()
    if arguments.get("enable_gqa") and value.shape[-3] != weights.shape[-3]:
        value = value.repeat_interleave(weights.shape[-3] // value.shape[-3], -3)
    mixed: torch.Tensor = weights @ value
    return mixed


def attention(
    tracer: Tracer, func: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """F.scaled_dot_product_attention: its result, and the weights (heads, query, key) that it never shows."""
    result = func(*args, **kwargs)
    draft = tracer.draft("attention", call)
    arguments = call.arguments
    tracer.bind(draft, [(name, arguments.get(name)) for name in ("query", "key", "value", "attn_mask")])
    if result.ndim >= 4:
        draft.attributes["heads"] = int(result.shape[-3])
    tracer.finish(draft, [result])
    if result.numel() // max(1, result.shape[-1]) * arguments["key"].shape[-2] > _MAX_WEIGHTS:
        tracer.notes.append(f"{draft.name}: attention weights left out, they are too many to keep")
        return result
    weights = attention_weights(arguments)
    if is_close(_attend(arguments, weights), result):
        tracer.add_output(draft, weights, "weights", recomputed=True)
    else:
        tracer.notes.append(f"{draft.name}: attention weights missing, recomputing them did not give its output")
    return result


def multi_head_attention(
    tracer: Tracer, func: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """nn.MultiheadAttention: taken apart into projection, heads and output projection where that gives its result."""
    result = func(*args, **kwargs)
    arguments = call.arguments
    keep = len(tracer.drafts)
    if _can_take_apart(arguments):
        whole = _taken_apart(tracer, arguments)
        if is_close(whole, result[0]):
            known = tracer.identity.find(whole)
            assert known is not None  # the projection was recorded a moment ago
            tracer.identity.remember(result[0], known.node, known.output)
            tracer.rename(keep, "linear", ("in_proj", "out_proj"))
            if result[1] is not None:
                _remember_weights(tracer, result[1], keep)
            return result
        tracer.rewind(keep)
    _whole_attention(tracer, func, call, args, kwargs, result)
    return result


def _remember_weights(tracer: Tracer, weights: torch.Tensor, start: int) -> None:
    node = next(d for d in tracer.drafts[start:] if d.op == "attention")
    if len(node.outputs) < 2:
        return
    if node.outputs[1].shape == tuple(weights.shape):
        tracer.identity.remember(weights, node.index, 1)
        return
    draft = tracer.draft("mean")
    draft.attributes = {"dim": 1}
    draft.inputs = [Source(node.index, 1, "input")]
    tracer.finish(draft, [weights])


def _can_take_apart(arguments: Mapping[str, Any]) -> bool:
    query = arguments["query"]
    plain = ("bias_k", "bias_v", "key_padding_mask", "static_k", "static_v")
    return (
        query is arguments["key"]
        and query is arguments["value"]
        and query.ndim == 3
        and not arguments.get("use_separate_proj_weight")
        and not arguments.get("add_zero_attn")
        and all(arguments.get(name) is None for name in plain)
        and (arguments.get("attn_mask") is None or arguments["attn_mask"].ndim == 2)
    )


def _taken_apart(tracer: Tracer, arguments: Mapping[str, Any]) -> torch.Tensor:
    """(T, N, E) → (T, N, E), step by step under the tracer's eyes."""
    query, heads, mask = arguments["query"], int(arguments["num_heads"]), arguments.get("attn_mask")
    if mask is not None and mask.dtype == torch.bool:
        with torch._C.DisableTorchFunction():
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(mask, -math.inf)
    with tracer:
        projected = F.linear(query, arguments["in_proj_weight"], arguments["in_proj_bias"])
        parts = [torch.unflatten(p, -1, (heads, -1)).permute(1, 2, 0, 3) for p in projected.chunk(3, -1)]
        mixed = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=mask)
        rows = mixed.permute(2, 0, 1, 3).flatten(2)
        return F.linear(rows, arguments["out_proj_weight"], arguments["out_proj_bias"])


def _whole_attention(
    tracer: Tracer,
    func: Callable[..., Any],
    call: Call,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    result: tuple[torch.Tensor, torch.Tensor | None],
) -> Draft:
    draft = tracer.draft("multi_head_attention")
    draft.attributes = {"heads": int(call.arguments["num_heads"])}
    tracer.bind(draft, list(call.tensors()))
    shown = result[1]
    tracer.finish(draft, [result[0]] if shown is None else [result[0], shown])
    again = dict(call.arguments) | {"need_weights": True, "average_attn_weights": False}
    out, weights = func(**again)
    if weights is not None and is_close(out, result[0]):
        tracer.add_output(draft, weights, "weights", recomputed=True)
    else:
        tracer.notes.append(f"{draft.name}: attention weights missing, recomputing them did not give its output")
    return draft


def recurrent_layer(
    tracer: Tracer, func: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """nn.LSTM, nn.GRU, nn.RNN: sequence and last states as recorded, gates and states of every step recomputed."""
    result = func(*args, **kwargs)
    draft = tracer.draft(canonical(call.name))
    if not isinstance(args[-1], bool) or len(args) != 9 or isinstance(args[3], list | tuple):
        packed = recurrent.read_packed(call.name, args)
        draft.attributes = packed.attributes()
        tracer.bind(draft, [("input", packed.input), *zip(packed.roles(), packed.params, strict=True)])
        tracer.finish(draft, [t for _, t in calls.flatten(result)])
        tracer.notes.append(f"{draft.name}: gates missing, they are not computed for packed sequences")
        return result
    layer = recurrent.read_layer(call.name, call.arguments)
    draft.attributes = layer.attributes()
    states = layer.hx if isinstance(layer.hx, tuple | list) else (layer.hx,)
    tracer.bind(draft, [("input", layer.input), *zip(layer.roles(), layer.params, strict=True)])
    known = [(f"hx[{i}]", s) for i, s in enumerate(states) if tracer.identity.find(s) is not None]
    tracer.bind(draft, known)
    tracer.finish(draft, result)
    for output, name in zip(draft.outputs, ("", "h_n", "c_n"), strict=False):
        output.name = name
    sequence, steps = recurrent.recompute(layer)
    if is_close(sequence, result[0]):
        for name, tensor in steps.items():
            tracer.add_output(draft, tensor, name, recomputed=True)
    else:
        tracer.notes.append(f"{draft.name}: gates missing, recomputing them did not give its output")
    return result


HANDLERS: dict[str, Handler] = {
    "scaled_dot_product_attention": attention,
    "multi_head_attention_forward": multi_head_attention,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), recurrent_layer),
}
