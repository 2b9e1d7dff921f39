"""The forward pass in numpy: it equals what frameworks computed, layer by layer, and says where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nn3d.analysis.forward.check import checked
from nn3d.analysis.forward.moving import index_of
from nn3d.analysis.forward.network import Network, recorded_inputs
from nn3d.analysis.forward.pointwise import erf
from nn3d.extract.trace import capture
from nn3d.paths import bundled_runs
from nn3d.run.memory import run_from_arrays
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from tests.networks import SMALL
from tests.runs import SIETZEN, conv_run

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")


class Of(nn.Module):
    """A function of a tensor as a module; modules that it uses are handed over."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


def worst(run: Run, epoch: int = -1) -> float:
    """Largest difference of computed from recorded values, over a layer's largest; fails where there is a reason."""
    epoch %= len(run.epochs)
    samples = list(range(min(3, len(run.samples))))
    network = Network(run)
    assert network.reason == ""
    found = checked(run, network.infer, recorded_inputs(run, epoch, samples), epoch, samples)
    assert found.reason == ""
    assert found.n_outputs > 0
    return found.worst


@pytest.mark.parametrize("name", sorted(bundled_runs()))
def test_every_recorded_value_of_a_bundled_run_is_computed_again(name: str) -> None:
    run = open_run(bundled_runs()[name])
    for epoch in {0, len(run.epochs) // 2, len(run.epochs) - 1}:
        assert worst(run, epoch) < 0.02


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_recorded_value_of_a_traced_network_is_computed_again(name: str) -> None:
    assert worst(capture(*SMALL[name]())) < 2e-5


def randomized(norm: nn.Module) -> nn.Module:
    with torch.no_grad():
        for tensor in [*norm.parameters(), *norm.buffers()]:
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    return norm


MAPS: dict[str, nn.Module] = {
    "strided, dilated conv": nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2)),
    "grouped conv": nn.Conv2d(4, 8, 3, groups=2, bias=False),
    "depthwise conv, same": nn.Conv2d(4, 4, 4, padding="same", groups=4),
    "reflecting conv": nn.Conv2d(4, 3, 3, padding=2, padding_mode="reflect"),
    "circular conv": nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"),
    "transposed conv": nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2),
    "dilated transposed conv": nn.ConvTranspose2d(4, 3, 3, 2, 4, dilation=2),
    "ceiling max pool": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    "dilated max pool": nn.MaxPool2d(2, 1, dilation=3),
    "ceiling mean pool": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "mean pool without pads": nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    "adaptive mean": nn.AdaptiveAvgPool2d((3, 4)),
    "adaptive max": nn.AdaptiveMaxPool2d((4, 3)),
    "batch norm": randomized(nn.BatchNorm2d(4)),
    "group norm": randomized(nn.GroupNorm(2, 4)),
    "instance norm": randomized(nn.InstanceNorm2d(4, affine=True)),
    "local response": nn.LocalResponseNorm(3, 0.1, 0.6, 2.0),
    "layer norm": randomized(nn.LayerNorm([4, 7, 9])),
    "pixel shuffle": nn.PixelShuffle(2),
    "channel shuffle": nn.ChannelShuffle(2),
    "nearest": nn.Upsample(scale_factor=2),
    "bilinear": nn.Upsample((10, 5), mode="bilinear"),
    "aligned bilinear": nn.Upsample(scale_factor=1.7, mode="bilinear", align_corners=True),
    "pad": Of(lambda x: F.pad(x, (1, 2, 0, -1), value=0.5)),
    "softmax": nn.Softmax(1),
    "normalize": Of(lambda x: F.normalize(x, dim=1)),
    "reductions": Of(lambda x: x.mean((2, 3)) + x.amax(3).sum(2) - x.var(3).std(2) + x.norm(dim=3).prod(2)),
    "largest": Of(lambda x: x.max(3).values.min(2)[0]),
    "cut and joined": Of(lambda x: torch.cat([x[:, 1:3, ::2], x[:, -2:, ::2].flip(3)], 1)),
    "pieces": Of(lambda x: torch.stack([*x.chunk(2, 1), *x.split([2, 2], 1)], 2)),
    "rolled": Of(lambda x: x.roll((1, 2), (2, 3)).permute(0, 2, 3, 1).unsqueeze(1)),
    "arithmetic": Of(lambda x: (1 - x) * x / 2 + 3 * x**2 - torch.maximum(x, x * x)),
    "products": Of(lambda x: (x @ x.transpose(2, 3)).masked_fill(torch.eye(7).bool(), 2.0)),
    "choice": Of(lambda x: torch.where(x.sigmoid().clamp(min=0.4, max=0.9).round().bool(), x, -x)),
    "gated": Of(lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True))),
}  # fmt: skip
ACTIVATIONS = (
    nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(4), nn.ELU(0.7), nn.CELU(0.6), nn.SELU(), nn.GELU(), nn.GELU("tanh"),
    nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Tanh(), nn.Hardtanh(-0.3, 0.4), nn.Hardswish(), nn.Hardsigmoid(),
    nn.Softplus(2.0), nn.Softsign(), nn.LogSigmoid(), nn.LogSoftmax(1), nn.Softmin(1), nn.Threshold(0.1, -2.0),
    nn.Tanhshrink(), nn.Softshrink(0.3), nn.Hardshrink(0.3), nn.RReLU(),
)  # fmt: skip


def maps(channels: int = 4) -> Tensor:
    return torch.randn(2, channels, 7, 9, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", MAPS)
def test_an_operation_gives_what_torch_gives(name: str) -> None:
    assert worst(capture(MAPS[name].eval(), maps())) < 1e-5


@pytest.mark.parametrize("part", ACTIVATIONS, ids=lambda p: type(p).__name__)
def test_an_activation_gives_what_torch_gives(part: nn.Module) -> None:
    assert worst(capture(Of(lambda x, act: act(3 * x), part).eval(), maps())) < 1e-5


@pytest.mark.parametrize(
    "part",
    [nn.Conv1d(4, 5, 3, 2, 1), nn.ConvTranspose1d(4, 5, 3, 2), nn.MaxPool1d(2), nn.AvgPool1d(3),
     nn.AdaptiveAvgPool1d(2), nn.BatchNorm1d(4),
     Of(lambda x, gru: gru(x)[1][-1], nn.GRU(9, 5, 2, batch_first=True)), nn.LSTM(9, 5, batch_first=True),
     nn.GRU(9, 5, 2, batch_first=True, bidirectional=True),
     nn.RNN(9, 5, batch_first=True), nn.RMSNorm(9), nn.Upsample(scale_factor=2, mode="linear"),
     nn.TransformerEncoderLayer(9, 3, 12, batch_first=True)],
    ids=lambda p: type(p).__name__,
)  # fmt: skip
def test_an_operation_on_rows_gives_what_torch_gives(part: nn.Module) -> None:
    rows = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(3))
    assert worst(capture(part.eval(), rows)) < 1e-5


@pytest.mark.parametrize("part", [nn.Conv3d(2, 3, 3, 2, 1), nn.MaxPool3d(2), nn.AvgPool3d(2, padding=1),
                                  nn.ConvTranspose3d(2, 3, 2, 2)], ids=lambda p: type(p).__name__)  # fmt: skip
def test_an_operation_on_volumes_gives_what_torch_gives(part: nn.Module) -> None:
    assert worst(capture(part.eval(), torch.rand(2, 2, 5, 6, 7))) < 1e-5


def test_the_error_function_is_right_to_seven_digits() -> None:
    x = np.linspace(-5, 5, 2001)
    assert np.abs(erf(x) - torch.erf(torch.from_numpy(x)).numpy()).max() < 2e-7


def test_an_index_is_read_or_refused() -> None:
    assert index_of("[:, 0, ..., 1:3]") == (slice(None), 0, Ellipsis, slice(1, 3))
    assert index_of("[None, ::2, -1]") == (None, slice(None, None, 2), -1)
    assert index_of("[:, ·]") is None


def test_an_operation_that_is_not_known_is_named() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x)

    assert "special_bessel_j0" in Network(capture(Odd(), torch.rand(2, 3))).reason


def test_a_graph_that_was_guessed_is_not_computed(tmp_path: Path) -> None:
    from nn3d.extract.options import SourceOptions
    from nn3d.extract.sources import open_source

    torch.save({"fc.weight": torch.rand(3, 4), "fc.bias": torch.rand(3)}, tmp_path / "a.pt")
    assert "inferred" in Network(open_source(tmp_path / "a.pt", SourceOptions())).reason


def test_values_of_another_network_are_found_out() -> None:
    """Sietzen's files cannot be reproduced, and a run whose values are not its weights' is found out by how much."""
    from nn3d.extract.options import SourceOptions
    from nn3d.extract.sources import open_source

    good = conv_run()
    assert worst(good) < 1e-6
    x, wrong = good.values(0, 0, 0, 0)[None], 1.1 * good.values(1, 0, 0, 0)[None]
    node = good.graph.nodes[1]
    spec = {"name": "conv", "op": "conv2d", "attributes": dict(node.attributes),
            "parameters": {"weight": [good.parameter(0, 0)]}}  # fmt: skip
    bad = run_from_arrays([{"name": "input", "op": "input"}, spec], {"input": [x], "conv": [wrong]})
    said = checked(bad, Network(bad).infer, recorded_inputs(bad, 0, [0]), 0, [0]).reason
    assert said.startswith("conv: computed values differ from the recorded ones by 9.")
    theirs = open_source(SIETZEN, SourceOptions())
    network = Network(theirs)
    if not network.reason:
        assert checked(theirs, network.infer, recorded_inputs(theirs, 0, [0]), 0, [0]).reason


def test_computing_ends_when_it_is_stopped() -> None:
    from nn3d.analysis.forward.step import ForwardError

    run = capture(*SMALL["lenet"]())
    calls = []

    def is_stopped() -> bool:
        calls.append(1)
        return len(calls) > 3

    with pytest.raises(ForwardError, match="stopped"):
        Network(run).infer(recorded_inputs(run, 0, [0]), 0, is_stopped)
    assert len(calls) == 4
