"""Owns what a person reads about an operation: "Conv 5×5 /2", "Attention, 12 heads"; and what it costs (MACs)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from nn3d.run.model import JSON, Node, Parameter
from nn3d.run.ops import op_of

Shape = tuple[int, ...]


def _numbers(value: JSON) -> tuple[int, ...]:
    """An attribute as a tuple of integers; () when it is something else."""
    if isinstance(value, bool):
        return ()
    if isinstance(value, int):
        return (value,)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(int(v) for v in value) if all(isinstance(v, int | float) for v in value) else ()
    return ()


def _times(numbers: Sequence[int], rank: int) -> str:
    full = tuple(numbers) * rank if len(numbers) == 1 else tuple(numbers)
    return "×".join(str(n) for n in full)


def _over(numbers: Sequence[int]) -> str:
    """Stride as "/2", "/2×1", or nothing when it is 1."""
    if not numbers or all(n == 1 for n in numbers):
        return ""
    return f" /{numbers[0]}" if len(set(numbers)) == 1 else " /" + "×".join(str(n) for n in numbers)


def _rank(op: str) -> int:
    return int(op[-2]) if op[-1:] == "d" and op[-2:-1].isdigit() else 1


def kernel_of(node: Node, parameters: Mapping[int, Parameter]) -> Shape:
    """Kernel extents of a convolution or pool, from its weight or its attributes; () when unknown."""
    weight = parameters.get(node.parameters.get("weight", -1))
    if op_of(node.op).family == "conv" and weight is not None and len(weight.shape) > 2:
        return weight.shape[2:]
    kernel = _numbers(node.attributes.get("kernel_size", ()))
    return kernel * _rank(node.op) if len(kernel) == 1 else kernel


def _conv(node: Node, parameters: Mapping[int, Parameter], _: Sequence[Shape]) -> str:
    kernel = kernel_of(node, parameters)
    text = op_of(node.op).label
    if kernel:
        text += f" {_times(kernel, len(kernel))}" if len(kernel) > 1 else f" {kernel[0]}"
    text += _over(_numbers(node.attributes.get("stride", ())))
    weight = parameters.get(node.parameters.get("weight", -1))
    groups = node.attributes.get("groups", 1)
    if isinstance(groups, int) and groups > 1:
        is_depthwise = weight is not None and len(weight.shape) > 1 and weight.shape[1] == 1
        text += ", depthwise" if is_depthwise else f", {groups} groups"
    dilation = _numbers(node.attributes.get("dilation", ()))
    if any(d > 1 for d in dilation):
        text += f", dilation {max(dilation)}"
    return text


def _pool(node: Node, parameters: Mapping[int, Parameter], _: Sequence[Shape]) -> str:
    text = op_of(node.op).label
    if node.op.startswith("adaptive"):
        to = _numbers(node.attributes.get("output_size", ()))
        return f"{text} {_times(to, _rank(node.op))}" if to else text
    kernel = kernel_of(node, parameters)
    stride = _numbers(node.attributes.get("stride", ()))
    stride = stride * len(kernel) if len(stride) == 1 else stride
    if kernel:
        text += f" {_times(kernel, 1)}" if len(kernel) > 1 else f" {kernel[0]}"
    return text + (_over(stride) if stride != kernel else "")


def _attention(node: Node, _: Mapping[int, Parameter], inputs: Sequence[Shape]) -> str:
    heads = node.attributes.get("num_heads", node.attributes.get("heads"))
    if not isinstance(heads, int) and inputs and len(inputs[0]) == 3:
        heads = inputs[0][0]
    return f"Attention, {heads} heads" if isinstance(heads, int) and heads > 1 else "Attention"


def _recurrent(node: Node, _: Mapping[int, Parameter], __: Sequence[Shape]) -> str:
    text = op_of(node.op).label
    n_layers = node.attributes.get("num_layers", 1)
    text += f", {n_layers} layers" if isinstance(n_layers, int) and n_layers > 1 else ""
    return text + (", bidirectional" if node.attributes.get("bidirectional") is True else "")


_KINDS: dict[str, Callable[[Node, Mapping[int, Parameter], Sequence[Shape]], str]] = {
    "conv": _conv,
    "pool": _pool,
    "attention": _attention,
    "recurrent": _recurrent,
}
_SILENT_STAGES = {"dropout", "rearrange"}


def kind_of(nodes: Sequence[Node], parameters: Mapping[int, Parameter], inputs: Sequence[Shape]) -> str:
    """What a layer is, for people: its producing node with its parameters, then the stages that change values.

    inputs : shapes that enter the producing node, without the sample axis.
    """
    first = nodes[0]
    describe = _KINDS.get(op_of(first.op).family)
    parts = [describe(first, parameters, inputs) if describe else op_of(first.op).label]
    parts += [op_of(n.op).label for n in nodes[1:] if op_of(n.op).family not in _SILENT_STAGES]
    return " · ".join(parts)


def macs_of(node: Node, parameters: Mapping[int, Parameter], inputs: Sequence[Shape]) -> int:
    """Multiply-accumulate operations of one sample: convolutions, linear layers, matrix products, attention, LSTMs.

    Norms, activations, pools and biases count as none (the convention of fvcore and ptflops' conv/linear figures).
    """
    out = node.outputs[0].shape if node.outputs else ()
    weights = [parameters[p].shape for p in node.parameters.values() if p in parameters]
    matrices = sum(prod(shape) for shape in weights if len(shape) == 2)
    weight = parameters.get(node.parameters.get("weight", -1))
    family = op_of(node.op).family
    if family == "conv" and weight is not None:
        space = inputs[0] if node.op.startswith("conv_transpose") and inputs else out
        return prod(weight.shape) * prod(space[1:])
    if family == "linear" and weight is not None:
        return prod(weight.shape) * prod(out[:-1])
    if family == "recurrent":
        return matrices * (inputs[0][0] if inputs and len(inputs[0]) > 1 else 1)
    if node.op == "matmul" and inputs and inputs[0]:
        return prod(out) * inputs[0][-1]
    if node.op == "attention" and len(inputs) >= 3 and inputs[0] and len(inputs[1]) > 1 and inputs[2]:
        return prod(inputs[0][:-1]) * inputs[1][-2] * (inputs[0][-1] + inputs[2][-1])
    if node.op == "multi_head_attention" and len(inputs) >= 2 and len(inputs[0]) > 1 and len(inputs[1]) > 1:
        n_query, n_key, width = inputs[0][-2], inputs[1][-2], inputs[0][-1]
        return matrices * n_query + 2 * n_query * n_key * width
    return 0
