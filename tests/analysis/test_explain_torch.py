"""Explaining cells against torch itself: strides, paddings, dilations, groups and the rest are drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from torch import Tensor, nn

import nn3d
from nn3d.analysis.explain import explain
from nn3d.run.run import Run
from tests.conftest import SOAK
from tests.explained import outputs, unknown

Build = Callable[[], tuple[nn.Module, Tensor]]
N_EXAMPLES = 400 if SOAK else 25
CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}


class Calls(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Tensor) -> Any:
        return self.function(*x)


def recorded(build: Callable[[], nn.Module], *shape: int, seed: int = 0, encoding: str = "f32") -> Run:
    """A module of random weights, norms with random statistics, at two random inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build().eval()
        for part in module.modules():
            for name, values in (*part.named_buffers(recurse=False), *part.named_parameters(recurse=False)):
                if name in ("running_mean", "running_var") or isinstance(part, nn.modules.batchnorm._NormBase):
                    values.data = torch.rand_like(values.data.float()) + 0.5 if values.is_floating_point() else values
        return nn3d.capture(module, torch.randn(2, *shape), encoding=encoding)


def is_explained(run: Run, n: int = 60) -> None:
    found = list(outputs(run, n, np.random.default_rng(0), sample=1))
    assert found
    assert unknown(iter(found)) == []


def per_axis(n: int, low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(low, high)] * n)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Callable[[], nn.Module], tuple[int, ...]]:
    """A convolution, its padding in any of torch's ways, and the shape of an input that it can read."""
    n = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel, dilation = draw(per_axis(n, 1, 3)), draw(per_axis(n, 1, 2))
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    size = tuple(draw(st.integers(d * (k - 1) + 1, d * (k - 1) + 4)) for k, d in zip(kernel, dilation, strict=True))
    least = min(size) - 1 if mode != "zeros" else 2
    padding: Any = draw(per_axis(n, 0, min(2, least)))
    stride = draw(per_axis(n, 1, 3))
    if mode == "zeros" and draw(st.booleans()):
        padding, stride = "same", (1,) * n
    bias = draw(st.booleans())
    return lambda: CONVS[n](*channels, kernel, stride, padding, dilation, groups, bias, mode), (channels[0], *size)


@st.composite
def transposed(draw: st.DrawFn) -> tuple[Callable[[], nn.Module], tuple[int, ...]]:
    n = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel, stride, dilation = (draw(per_axis(n, 1, 3)) for _ in range(3))
    padding = tuple(draw(st.integers(0, min(1, d * (k - 1)))) for k, d in zip(kernel, dilation, strict=True))
    more = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    size = draw(per_axis(n, 2, 4))
    bias = draw(st.booleans())
    return lambda: TRANSPOSED[n](*channels, kernel, stride, padding, more, groups, bias, dilation), (channels[0], *size)


@st.composite
def pools(draw: st.DrawFn) -> tuple[Callable[[], nn.Module], tuple[int, ...]]:
    n = draw(st.integers(1, 3))
    kernel, stride = draw(per_axis(n, 1, 3)), draw(per_axis(n, 1, 3))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    ceil = draw(st.booleans())
    shape = (2, *draw(per_axis(n, 5, 8)))
    if draw(st.booleans()):
        dilation = draw(per_axis(n, 1, 2))
        return lambda: MAX_POOLS[n](kernel, stride, padding, dilation, ceil_mode=ceil), shape
    counts = draw(st.booleans())
    return lambda: AVG_POOLS[n](kernel, stride, padding, ceil, counts), shape


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=N_EXAMPLES)
@given(convolutions(), st.integers(0, 9))
def test_convolutions(case: tuple[Callable[[], nn.Module], tuple[int, ...]], seed: int) -> None:
    is_explained(recorded(case[0], *case[1], seed=seed))


@settings(max_examples=N_EXAMPLES)
@given(transposed(), st.integers(0, 9))
def test_transposed_convolutions(case: tuple[Callable[[], nn.Module], tuple[int, ...]], seed: int) -> None:
    is_explained(recorded(case[0], *case[1], seed=seed))


@settings(max_examples=N_EXAMPLES)
@given(pools(), st.integers(0, 9))
def test_pools(case: tuple[Callable[[], nn.Module], tuple[int, ...]], seed: int) -> None:
    is_explained(recorded(case[0], *case[1], seed=seed))


@settings(max_examples=N_EXAMPLES)
@given(per_axis(2, 3, 9), per_axis(2, 1, 12), st.sampled_from(["avg", "max"]))
def test_adaptive_pools(size: tuple[int, int], to: tuple[int, int], kind: str) -> None:
    pool = {"avg": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}[kind]
    is_explained(recorded(lambda: pool(to), 2, *size))


@settings(max_examples=N_EXAMPLES)
@given(
    st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]), st.booleans(), per_axis(2, 2, 7),
    st.one_of(per_axis(2, 1, 15), st.sampled_from([0.5, 2.0, 1.7, 3.0])),
)  # fmt: skip
def test_resizing(mode: str, is_aligned: bool, size: tuple[int, int], to: Any) -> None:
    aligned = {"align_corners": is_aligned} if mode.startswith("bi") else {}
    how = {"scale_factor": to} if isinstance(to, float) else {"size": to}
    is_explained(recorded(lambda: Calls(lambda x: F.interpolate(x, mode=mode, **how, **aligned)), 2, *size))


@settings(max_examples=N_EXAMPLES)
@given(st.sampled_from(["constant", "reflect", "replicate", "circular"]), per_axis(4, 0, 3))
def test_padding(mode: str, pads: tuple[int, ...]) -> None:
    how = {"value": 0.25} if mode == "constant" else {}
    is_explained(recorded(lambda: Calls(lambda x: F.pad(x, list(pads), mode=mode, **how) + 1), 2, 4, 5))


NORMS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "batch1d": (lambda: nn.BatchNorm1d(5), (5,)),
    "batch2d": (lambda: nn.BatchNorm2d(4), (4, 3, 5)),
    "batch3d_plain": (lambda: nn.BatchNorm3d(4, affine=False), (4, 2, 3, 2)),
    "batch_of_the_batch": (lambda: nn.BatchNorm2d(4, track_running_stats=False), (4, 3, 5)),
    "layer": (lambda: nn.LayerNorm(6), (4, 6)),
    "layer_of_maps": (lambda: nn.LayerNorm([3, 4, 5], eps=0.1), (3, 4, 5)),
    "layer_plain": (lambda: nn.LayerNorm(6, elementwise_affine=False), (6,)),
    "group": (lambda: nn.GroupNorm(2, 6), (6, 3, 4)),
    "instance": (lambda: nn.InstanceNorm2d(3, affine=True), (3, 4, 5)),
    "instance_tracked": (lambda: nn.InstanceNorm2d(3, track_running_stats=True), (3, 4, 5)),
    "rms": (lambda: nn.RMSNorm(6), (4, 6)),
    "rms_eps": (lambda: nn.RMSNorm([4, 6], eps=0.2), (3, 4, 6)),
    "response": (lambda: nn.LocalResponseNorm(3, 0.5, 0.8, 2.0), (6, 3, 4)),
    "unit": (lambda: Calls(lambda x: F.normalize(x, dim=1)), (6, 3)),
}  # fmt: skip
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "leaky": lambda: nn.LeakyReLU(0.3), "elu": lambda: nn.ELU(0.7),
    "celu": lambda: nn.CELU(1.3), "selu": nn.SELU, "gelu": nn.GELU, "gelu_tanh": lambda: nn.GELU("tanh"),
    "silu": nn.SiLU, "mish": nn.Mish, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "hardtanh": lambda: nn.Hardtanh(-0.5, 1),
    "hardswish": nn.Hardswish, "hardsigmoid": nn.Hardsigmoid, "softplus": lambda: nn.Softplus(2, 1.5),
    "softsign": nn.Softsign, "logsigmoid": nn.LogSigmoid, "threshold": lambda: nn.Threshold(0.1, 20),
    "tanhshrink": nn.Tanhshrink, "softshrink": lambda: nn.Softshrink(0.4), "hardshrink": lambda: nn.Hardshrink(0.6),
    "prelu": lambda: nn.PReLU(4), "prelu_one": nn.PReLU, "softmax": lambda: nn.Softmax(1), "glu": lambda: nn.GLU(1),
    "log_softmax": lambda: nn.LogSoftmax(-1), "softmin": lambda: nn.Softmin(2), "dropout": nn.Dropout,
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["f32", "f16", "u8"])
@pytest.mark.parametrize("name", NORMS)
def test_norms(name: str, encoding: str) -> None:
    build, shape = NORMS[name]
    is_explained(recorded(build, *shape, encoding=encoding))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    is_explained(recorded(ACTIVATIONS[name], 4, 3, 5))
    is_explained(recorded(ACTIVATIONS[name], 4, 3, 5, encoding="u8"))


MASK = torch.ones(5, 5, dtype=torch.bool).tril()
ROWS: dict[str, Callable[[Tensor], Any]] = {
    "attention": lambda x: F.scaled_dot_product_attention(x, x * 0.5, x + 1),
    "causal": lambda x: F.scaled_dot_product_attention(x, x * 0.5, x + 1, is_causal=True, scale=0.3),
    "bool_mask": lambda x: F.scaled_dot_product_attention(x, x * 0.5, x + 1, attn_mask=MASK),
    "float_mask": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=torch.linspace(-2, 2, 25).view(5, 5)),
    "grouped": lambda x: F.scaled_dot_product_attention(x, x[:, :2] * 0.5, x[:, :2] + 1, enable_gqa=True),
    "by_hand": lambda x: torch.softmax(x @ x.transpose(-2, -1) / 2 + (1 - MASK.float()) * -1e9, -1) @ x,
    "masked_fill": lambda x: (x @ x.mT).masked_fill(~MASK, -torch.inf).softmax(-1) @ x,
    "einsum": lambda x: torch.einsum("nhqd,nhkd->nhqk", x, x + 1),
    "einsum_sum": lambda x: torch.einsum("nhqd->nhd", x * 2),
    "vector": lambda x: x @ torch.ones(6),
    "matrices": lambda x: x.flatten(1, 2) @ torch.linspace(0, 1, 18).view(6, 3),
}
ARITHMETIC: dict[str, Callable[[Tensor], Any]] = {
    "scalars": lambda x: (1 - x) * 2 + x / 3 - 0.5,
    "alpha": lambda x: torch.add(x, x * x, alpha=0.5),
    "over": lambda x: 2 / (x * x + 1),
    "quotient": lambda x: x / (x.abs() + 0.5),
    "power": lambda x: (x.abs() + 0.1) ** 1.5 + 2**x,
    "roots": lambda x: (x * x + 1).sqrt() + (x * x + 1).rsqrt() + (x * x + 1).log() + x.exp(),
    "channels": lambda x: x * torch.linspace(0, 1, 4).view(4, 1, 1) + torch.ones(5),
    "squeeze": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "extremes": lambda x: torch.maximum(x, -x) - torch.minimum(x, x * 2),
    "clamp": lambda x: x.clamp(min=-0.3) + x.clamp(-1, 1),
    "where": lambda x: torch.where(x > 0.2, x, x * 0.1) + torch.where(x.le(0), 1.0, x),
    "reduce": lambda x: x.sum(1) + x.amax(1) + x.amin(1) + x.max(1).values + x.mean(1),
    "reduce_last": lambda x: x.mean(-1, keepdim=True) + x.sum((1, 2, 3), keepdim=True),
}
MOVES: dict[str, Callable[[Tensor], Any]] = {
    "concat": lambda x: torch.cat([x, x * 2, x[:, :1]], 1),
    "concat_rows": lambda x: torch.cat([x, x * 2], -2),
    "stack": lambda x: torch.stack([x, x * 2], 2),
    "split": lambda x: x.split([1, 3], 1)[1] + x.chunk(4, 1)[2] * 2,
    "unbind": lambda x: x.unbind(1)[2] * 2,
    "slices": lambda x: x[:, 1:3, ::2, None, -1] * 2 + x[:, -1][:, None, :2, None, 3],
    "dots": lambda x: x[..., 1:4:2] * 2,
    "select": lambda x: x.select(2, 1)[..., 2] + x.narrow(3, 1, 3)[:, :, 0, 0],
    "permute": lambda x: x.permute(0, 3, 1, 2).transpose(1, 3) * 2,
    "heads": lambda x: x.flatten(2).transpose(1, 2).reshape(2, 15, 2, 2).transpose(1, 2) * 1,
    "flip": lambda x: x.flip(2) + x.flip(1, 3),
    "roll": lambda x: torch.roll(x, (1, -2), (2, 3)),
    "shuffle": lambda x: F.pixel_shuffle(x, 2) + F.pixel_shuffle(x * 2, 2),
    "unshuffle": lambda x: F.pixel_unshuffle(F.pad(x, (0, 1, 0, 1)), 2),
    "channels": lambda x: F.channel_shuffle(x, 2),
    "expand": lambda x: x[:, :, :1].expand(-1, -1, 3, -1) * 2 + x.mean(2, keepdim=True).repeat(1, 1, 3, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_products_of_rows(name: str) -> None:
    is_explained(recorded(lambda: Calls(ROWS[name]), 4, 5, 6))
    is_explained(recorded(lambda: Calls(ROWS[name]), 4, 5, 6, encoding="u8"))


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic(name: str) -> None:
    is_explained(recorded(lambda: Calls(ARITHMETIC[name]), 4, 3, 5))


@pytest.mark.parametrize("name", MOVES)
def test_moves(name: str) -> None:
    is_explained(recorded(lambda: Calls(MOVES[name]), 4, 3, 5))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_plain_recurrent_layers(nonlinearity: str) -> None:
    is_explained(recorded(lambda: nn.RNN(4, 3, 2, nonlinearity, batch_first=True, bidirectional=True), 5, 4))
    is_explained(recorded(lambda: Cell(nn.RNNCell(4, 3, nonlinearity=nonlinearity)), 4))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize(("layers", "both", "bias"), [(1, False, True), (2, True, True), (2, False, False)])
def test_recurrent_layers(kind: type[nn.RNNBase], layers: int, both: bool, bias: bool) -> None:
    is_explained(recorded(lambda: kind(4, 3, layers, bias=bias, batch_first=True, bidirectional=both), 5, 4))


PATCHES: dict[str, Callable[[Tensor], Any]] = {
    "unfold": lambda x: F.unfold(x, (2, 3), padding=1, stride=2) * 2,
    "fold": lambda x: F.fold(F.unfold(x, (2, 3), dilation=(2, 1)), (6, 7), (2, 3), dilation=(2, 1)),
    "fold_strided": lambda x: F.fold(F.unfold(x, 3, padding=1, stride=2), (6, 7), 3, padding=1, stride=2),
    "power_pool": lambda x: F.lp_pool2d(x.abs() + 0.1, 3, (2, 3), 1),
}


@pytest.mark.parametrize("encoding", ["f32", "u8"])
@pytest.mark.parametrize("name", PATCHES)
def test_patches(name: str, encoding: str) -> None:
    is_explained(recorded(lambda: Calls(PATCHES[name]), 2, 6, 7, encoding=encoding))


def test_bilinear_layers() -> None:
    is_explained(several((rows(0, 3, 5, 4), rows(1, 3, 5, 3)), lambda m, x, y: m[0](x, y), nn.Bilinear(4, 3, 6)))


class Cell(nn.Module):
    """A recurrent cell, called twice."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        state = self.cell(x)
        state = self.cell(x * 2, state)
        return state[0] if isinstance(state, tuple) else state


class Begun(nn.Module):
    """A recurrent layer that begins with states of its own."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer, self.begin = kind(4, 3, 2, batch_first=True), nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        state = self.begin(x[:, 0]).view(len(x), 2, 3).transpose(0, 1).contiguous()
        return self.layer(x, (state, state * 2) if isinstance(self.layer, nn.LSTM) else state)[0]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_that_begin_somewhere(kind: type[nn.RNNBase]) -> None:
    is_explained(recorded(lambda: Begun(kind), 5, 4))


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell])
def test_recurrent_cells(kind: type[nn.RNNCellBase]) -> None:
    is_explained(recorded(lambda: Cell(kind(4, 3)), 4))


def several(inputs: tuple[Tensor, ...], function: Callable[..., Any], *parts: nn.Module) -> Run:
    """A function of several inputs over modules of random weights."""

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(parts)

        def forward(self, *x: Tensor) -> Any:
            return function(self.parts, *x)

    return nn3d.capture(Whole().eval(), inputs)


def rows(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("first", [True, False])
def test_encoders_with_samples_or_tokens_first(first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=first)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    is_explained(several((rows(0, 3, 5, 8),), lambda m, x: m[0](x), encoder))


@pytest.mark.parametrize("widths", [{}, {"kdim": 6, "vdim": 4}])
@pytest.mark.parametrize("mask", ["none", "bool", "float", "padding"])
def test_attention_of_other_rows(mask: str, widths: dict[str, int]) -> None:
    masks: dict[str, Any] = {
        "none": {}, "bool": {"attn_mask": torch.ones(5, 4, dtype=torch.bool).triu(1)},
        "float": {"attn_mask": rows(9, 5, 4)}, "padding": {},
    }  # fmt: skip

    def call(m: nn.ModuleList, x: Tensor, key: Tensor, value: Tensor) -> Tensor:
        padding = {"key_padding_mask": key[..., 0] > 0.6} if mask == "padding" else {}
        return m[0](x, key, value, **masks[mask], **padding)[0]

    key, value = rows(1, 3, 4, widths.get("kdim", 8)), rows(2, 3, 4, widths.get("vdim", 8))
    key[:, 0] = 0
    is_explained(several((rows(0, 3, 5, 8), key, value), call, nn.MultiheadAttention(8, 2, batch_first=True, **widths)))


def test_weights_that_are_computed() -> None:
    parametrized = nn.utils.parametrizations.weight_norm
    for part in (nn.Conv2d(4, 6, 3, 2, groups=2), nn.ConvTranspose2d(4, 6, 3, 2, groups=2)):
        run = several((rows(0, 2, 4, 7, 7),), lambda m, x: m[0](x), parametrized(part))
        found = [f for f in outputs(run, 60, np.random.default_rng(0)) if f.node.op.startswith("conv")]
        assert len(found) == 1
        assert unknown(iter(found)) == []


def test_products_with_parameters_in_every_way() -> None:
    def call(m: nn.ModuleList, x: Tensor) -> Tensor:
        w = m[0].weight
        return x @ w.T + F.linear(x, w.t().t()) + torch.addmm(torch.ones(5), x, w.t()) + (x * m[1].weight).sum(-1, True)

    is_explained(several((rows(0, 3, 4),), call, nn.Linear(4, 5), nn.LayerNorm(4)))


def test_windows_of_a_picture_that_lie_among_the_samples() -> None:
    def call(m: nn.ModuleList, x: Tensor) -> Tensor:
        n, h = len(x), 4
        x = torch.roll(m[0](x), (-1, -1), (2, 3)).permute(0, 2, 3, 1)
        x = x.view(n, 2, h, 2, h, 4).permute(0, 1, 3, 2, 4, 5).reshape(-1, h * h, 4)
        q, k, v = m[1](x).chunk(3, -1)
        x = ((q @ k.transpose(1, 2) / 2).softmax(-1) @ v).view(n, 2, 2, h, h, 4).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(n, 8, 8, 4).mean((1, 2))

    is_explained(several((rows(0, 2, 3, 8, 8),), call, nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 12)))


def test_rotary_rows_with_grouped_keys() -> None:
    def call(m: nn.ModuleList, x: Tensor) -> Tensor:
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        q, k, v = (part(x).view(len(x), 5, -1, 4).transpose(1, 2) for part in m)
        angle = torch.arange(5)[:, None] * torch.tensor([1.0, 0.1])
        cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
        q, k = (z * cos + torch.cat((-z[..., 2:], z[..., :2]), -1) * sin for z in (q, k))
        k, v = (z[:, :, None].expand(-1, 2, 2, 5, 4).reshape(len(x), 4, 5, 4) for z in (k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)

    is_explained(several((rows(0, 2, 5, 8),), call, nn.Linear(8, 16), nn.Linear(8, 8), nn.Linear(8, 8)))


FIGURES: dict[str, Callable[[Tensor], Any]] = {
    "spread": lambda x: x.var(1, keepdim=True) + x.std(1, correction=0)[:, None],
    "spread_of_all": lambda x: x.var((1, 2), unbiased=False) + x.std((1, 2)),
    "norms": lambda x: x.norm(dim=1) + torch.linalg.vector_norm(x, 1, dim=1) + x.norm(p=3, dim=1),
    "logsumexp": lambda x: x.logsumexp(-1) + x.logsumexp(1).sum(-1, keepdim=True),
    "product": lambda x: x.prod(1),
    "running": lambda x: x.cumsum(2) + x.cumsum(1),
    "places": lambda x: F.one_hot(x.argmax(1), 4) * 1.0 + x.argmin(1)[..., None],
    "top": lambda x: x.topk(3, 1).values + x.topk(3, 1, largest=False).values,
    "select": lambda x: x.index_select(1, torch.tensor([2, 0, 2])) + x[:, torch.tensor([1, 1, 3])],
    "gather": lambda x: x.gather(1, (torch.arange(20).view(1, 4, 5) % 4).expand(3, 4, 5)),
    "triangles": lambda x: torch.triu(x, 1) - torch.tril(x),
    "scalars": lambda x: x.sum((1, 2)) * 2 + 1,
}


def written_into(x: Tensor) -> Tensor:
    x = x * 1
    x[:, 0] = 0.5
    x[:, 1:3, 2] = x[:, 2:4, 0] * 2
    return x + 1


@pytest.mark.parametrize("encoding", ["f32", "u8"])
@pytest.mark.parametrize("name", [*FIGURES, "written"])
def test_figures_and_lookups(name: str, encoding: str) -> None:
    function = FIGURES.get(name, written_into)
    run = nn3d.capture(Calls(function).eval(), rows(0, 3, 4, 5), encoding=encoding)
    found = [f for f in outputs(run, 60, np.random.default_rng(0), sample=1) if not (f.node.op == "topk" and f.output)]
    assert unknown(iter(found)) == []


def test_embeddings() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        run = nn3d.capture(nn.Embedding(9, 4), torch.tensor([[1, 8, 0], [3, 3, 2]]))
    is_explained(run)
    for mode in ("mean", "sum"):
        bag = nn.EmbeddingBag(9, 4, mode=mode)
        is_explained(nn3d.capture(bag, torch.tensor([[1, 8, 0], [3, 3, 2], [5, 4, 4]])))
    found = explain(run, run.layers[1].name, (1, 2))
    assert found.extras["token"] == 8
    assert found.weight_index.tolist() == [8 * 4 + 2]
