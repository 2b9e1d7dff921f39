"""Owns the one table of canonical operations, whatever the framework: what they are to a reader of the picture.

A *producing* operation starts a layer; an element-wise one is a *stage* of the layer before it. Names of frameworks
(torch functions, aten operators, module classes, ONNX and Keras names) are translated by `canonical`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nn3d.run.model import Node


@dataclass(frozen=True, slots=True)
class Op:
    """One canonical operation.

    name : as it stands in files.
    label : for people, e.g. "Conv".
    family : input, parameter, conv, linear, embedding, pool, norm, activation, dropout, rearrange, arithmetic,
        concat, attention, recurrent, split, reduce, resize, select or other.
    is_stage : joins the layer before it where it can.
    is_weighted : multiplies its input by a parameter whose entries are drawn as edges.
    keeps_values : its output holds the values of its input, at most in other places.
    keeps_order : and in the same flat order, so that only the shape differs.
    """

    name: str
    label: str
    family: str
    is_stage: bool = False
    is_weighted: bool = False
    keeps_values: bool = False
    keeps_order: bool = False


_WEIGHTED = {"conv", "linear", "embedding", "recurrent"}
_STAGES = {"norm", "activation", "dropout", "rearrange"}

# family: name=label, in one string each; the name alone where the label is the name.
_TABLE = {
    "input": "input=Input",
    "parameter": "parameter=Parameter constant=Constant",
    "conv": "conv1d=Conv conv2d=Conv conv3d=Conv conv_transpose1d=ConvTranspose conv_transpose2d=ConvTranspose "
    "conv_transpose3d=ConvTranspose",
    "linear": "linear=Linear bilinear=Bilinear",
    "embedding": "embedding=Embedding embedding_bag=EmbeddingBag",
    "pool": "max_pool1d=MaxPool max_pool2d=MaxPool max_pool3d=MaxPool avg_pool1d=AvgPool avg_pool2d=AvgPool "
    "avg_pool3d=AvgPool adaptive_avg_pool1d=AdaptiveAvgPool adaptive_avg_pool2d=AdaptiveAvgPool "
    "adaptive_avg_pool3d=AdaptiveAvgPool adaptive_max_pool1d=AdaptiveMaxPool adaptive_max_pool2d=AdaptiveMaxPool "
    "adaptive_max_pool3d=AdaptiveMaxPool lp_pool1d=LPPool lp_pool2d=LPPool max_unpool2d=MaxUnpool",
    "norm": "batch_norm=BN layer_norm=LayerNorm group_norm=GroupNorm instance_norm=InstanceNorm rms_norm=RMSNorm "
    "local_response_norm=LRN normalize=Normalize",
    "activation": "relu=ReLU relu6=ReLU6 leaky_relu=LeakyReLU prelu=PReLU elu=ELU celu=CELU selu=SELU gelu=GELU "
    "silu=SiLU mish=Mish sigmoid tanh hardtanh=HardTanh hardswish=HardSwish hardsigmoid=HardSigmoid softplus=Softplus "
    "softsign=Softsign log_sigmoid=LogSigmoid softmax log_softmax=log-softmax softmin threshold=Threshold clamp "
    "tanhshrink softshrink hardshrink exp log sqrt rsqrt square abs neg sin cos erf floor round sign reciprocal",
    "dropout": "dropout=Dropout alpha_dropout=AlphaDropout drop_path=DropPath",
    "rearrange": "identity flatten reshape squeeze unsqueeze contiguous cast permute transpose flip roll expand "
    "pixel_shuffle=PixelShuffle pixel_unshuffle=PixelUnshuffle channel_shuffle=ChannelShuffle scale",
    "arithmetic": "add=Add sub=Subtract mul=Multiply div=Divide pow=Power matmul=MatMul einsum=Einsum maximum=Maximum "
    "minimum=Minimum where=Where compare=Compare outer=Outer",
    "concat": "concat=Concat stack=Stack",
    "attention": "attention=Attention multi_head_attention=Attention",
    "recurrent": "lstm=LSTM gru=GRU rnn=RNN lstm_cell=LSTM gru_cell=GRU rnn_cell=RNN",
    "split": "split=Split chunk=Chunk unbind=Unbind topk=TopK",
    "reduce": "mean=Mean sum=Sum max=Max min=Min prod=Product norm=Norm var=Variance std=Deviation logsumexp=LogSumExp "
    "argmax=ArgMax cumsum=CumSum",
    "resize": "interpolate=Upsample pad=Pad grid_sample=GridSample",
    "select": "slice=Slice gather=Gather index_select=Select masked_fill=MaskedFill scatter=Scatter unfold=Unfold "
    "fold=Fold",
    "other": "one_hot=OneHot arange=Range range=Range full=Constant",
}
_SAME_ORDER = {"identity", "flatten", "reshape", "squeeze", "unsqueeze", "contiguous"}
_CHANGES_VALUES = {"scale", "cast"}


def _build() -> dict[str, Op]:
    table: dict[str, Op] = {}
    for family, text in _TABLE.items():
        for entry in text.split():
            name, _, label = entry.partition("=")
            table[name] = Op(
                name,
                label or name,
                family,
                is_stage=family in _STAGES,
                is_weighted=family in _WEIGHTED,
                keeps_values=family == "rearrange" and name not in _CHANGES_VALUES,
                keeps_order=name in _SAME_ORDER,
            )
    return table


OPS: dict[str, Op] = _build()

# What frameworks call it, lower case, no underscores → canonical. Names that equal a canonical one are absent.
_ALIASES = {
    "conv": "conv2d", "convolution": "conv2d", "conv2dtranspose": "conv_transpose2d",
    "convtranspose": "conv_transpose2d",
    "conv1dtranspose": "conv_transpose1d", "conv3dtranspose": "conv_transpose3d", "depthwiseconv2d": "conv2d",
    "gemm": "linear", "addmm": "linear", "dense": "linear", "fullyconnected": "linear", "mm": "matmul", "bmm": "matmul",
    "baddbmm": "matmul", "dot": "matmul", "rmatmul": "matmul", "maxpool": "max_pool2d", "averagepool": "avg_pool2d",
    "maxpooling1d": "max_pool1d", "maxpooling2d": "max_pool2d", "maxpooling3d": "max_pool3d",
    "averagepooling1d": "avg_pool1d", "averagepooling2d": "avg_pool2d", "averagepooling3d": "avg_pool3d",
    "globalaveragepool": "adaptive_avg_pool2d", "globalmaxpool": "adaptive_max_pool2d",
    "globalaveragepooling1d": "adaptive_avg_pool1d", "globalaveragepooling2d": "adaptive_avg_pool2d",
    "globalmaxpooling2d": "adaptive_max_pool2d", "maxpool2dwithindices": "max_pool2d",
    "batchnorm1d": "batch_norm", "batchnorm2d": "batch_norm", "batchnorm3d": "batch_norm",
    "batchnormalization": "batch_norm", "syncbatchnorm": "batch_norm", "frozenbatchnorm2d": "batch_norm",
    "nativebatchnorm": "batch_norm", "cudnnbatchnorm": "batch_norm", "nativelayernorm": "layer_norm",
    "layernormalization": "layer_norm", "simplifiedlayernormalization": "rms_norm", "groupnormalization": "group_norm",
    "instancenorm1d": "instance_norm", "instancenorm2d": "instance_norm", "instancenorm3d": "instance_norm",
    "instancenormalization": "instance_norm", "lrn": "local_response_norm", "rmsnormalization": "rms_norm",
    "swish": "silu", "rrelu": "leaky_relu", "logistic": "sigmoid", "clip": "clamp", "clampmin": "clamp",
    "clampmax": "clamp", "hardshrinkage": "hardshrink", "expit": "sigmoid", "negative": "neg",
    "dropout1d": "dropout", "dropout2d": "dropout", "dropout3d": "dropout", "featuredropout": "dropout",
    "featurealphadropout": "alpha_dropout", "stochasticdepth": "drop_path", "view": "reshape", "reshapeas": "reshape",
    "viewas": "reshape", "unflatten": "reshape", "ravel": "flatten", "clone": "identity", "detach": "identity",
    "alias": "identity", "lift": "identity", "dequantize": "identity", "to": "cast", "type": "cast", "typeas": "cast",
    "float": "cast", "half": "cast", "double": "cast", "long": "cast", "int": "cast", "bool": "cast",
    "bfloat16": "cast",
    "swapaxes": "transpose", "swapdims": "transpose", "t": "transpose", "movedim": "permute", "moveaxis": "permute",
    "expandas": "expand", "broadcastto": "expand", "repeat": "expand", "tile": "expand",
    "depthtospace": "pixel_shuffle",
    "spacetodepth": "pixel_unshuffle", "iadd": "add", "radd": "add", "subtract": "sub", "isub": "sub", "rsub": "sub",
    "multiply": "mul", "imul": "mul", "rmul": "mul", "divide": "div", "truediv": "div", "truedivide": "div",
    "itruediv": "div", "rtruediv": "div", "rdiv": "div", "rpow": "pow", "mt": "transpose",
    "floordivide": "div", "cat": "concat", "concatenate": "concat",
    "hstack": "concat", "vstack": "concat", "scaleddotproductattention": "attention",
    "flashattention": "attention", "multiheadattention": "multi_head_attention",
    "multiheadattentionforward": "multi_head_attention", "rnntanh": "rnn", "rnnrelu": "rnn", "simplernn": "rnn",
    "splitwithsizes": "split", "tensorsplit": "split", "reducemean": "mean", "reducesum": "sum", "reducemax": "max",
    "reducemin": "min", "reduceprod": "prod", "reducel2": "norm", "amax": "max", "amin": "min", "vectornorm": "norm",
    "upsample": "interpolate", "upsamplenearest2d": "interpolate", "upsamplebilinear2d": "interpolate",
    "upsampling2d": "interpolate", "resize": "interpolate", "constantpad": "pad", "zeropadding2d": "pad",
    "zeropad2d": "pad", "reflectionpad2d": "pad", "getitem": "slice", "narrow": "slice", "select": "slice",
    "index": "gather", "gathernd": "gather", "take": "gather", "im2col": "unfold", "col2im": "fold",
    "inputlayer": "input", "placeholder": "input", "getattr": "parameter", "lstmcell": "lstm_cell",
    "grucell": "gru_cell", "rnncell": "rnn_cell",
    "rnntanhcell": "rnn_cell", "rnnrelucell": "rnn_cell",
    "eq": "compare", "ne": "compare", "lt": "compare", "gt": "compare",
    "le": "compare", "ge": "compare", "less": "compare", "greater": "compare", "equal": "compare",
}  # fmt: skip


def _plain(name: str) -> str:
    without_overload = re.sub(r"\.(Tensor|Scalar|default|int|dim|out)$", "", name.strip())
    return re.split(r"[.:/]+", without_overload)[-1].replace("_", "").lower()


_BY_PLAIN = {_plain(name): name for name in OPS} | _ALIASES


def canonical(name: str) -> str:
    """Translate a framework's name ("aten::relu_", "torch.nn.functional.conv2d", "BatchNorm2d", "Gemm").

    Unknown names become "other:<name>". Dimensions that a name leaves open (ONNX `Conv`) are taken as 2-D.
    """
    if name in OPS or name.startswith("other:"):
        return name
    return _BY_PLAIN.get(_plain(name), f"other:{name}")


def op_of(name: str) -> Op:
    """The table's entry of a canonical name; one of family "other" for "other:<name>" and anything unknown."""
    known = OPS.get(name)
    if known is not None:
        return known
    label = name.removeprefix("other:") or "?"
    return Op(name, label, "other")


def is_stage(node: Node) -> bool:
    """Whether a node can join the layer before it: element-wise, reading one value (arithmetic with a constant too)."""
    if len(node.inputs) != 1:
        return False
    op = op_of(node.op)
    return op.is_stage or (op.name in {"add", "sub", "mul", "div", "pow"} and not node.parameters.get("weight"))
