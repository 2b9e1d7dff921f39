"""Receptive fields: a box is exactly where the gradient of the cell is not zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nn3d
from nn3d.analysis.explain import explain, receptive_field
from nn3d.analysis.explain.receptive import reshaped
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from tests.explained import GIVEN, random_cells
from tests.networks import SMALL
from tests.runs import bundled


class Positive(nn.Module):
    """Layers in a row whose weights and values are all above zero, so that nothing cancels and every ReLU is open."""

    def __init__(self, *parts: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(p for p in parts if isinstance(p, nn.Module))
        self.order = parts

    def forward(self, x: Tensor) -> Tensor:
        for part in self.order:
            x = part(x)
        return x


def positive(*parts: Callable[[Tensor], Tensor]) -> nn.Module:
    model = Positive(*parts).eval()
    for parameter in model.parameters():
        parameter.data = parameter.data.abs() + 0.1
    return model


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv_pool_conv": (
        lambda: positive(nn.Conv2d(2, 4, 3, 2, 1), nn.ReLU(), nn.AvgPool2d(2, 1), nn.Conv2d(4, 4, 3, 1, 0, 2, 2)),
        (2, 15, 13),
    ),
    "transposed": (
        lambda: positive(nn.Conv2d(2, 4, 3, 2), nn.ConvTranspose2d(4, 2, 2, 3, groups=2), nn.Conv2d(2, 1, 1)), (2, 9, 9)
    ),
    "upsampled": (lambda: positive(nn.Conv1d(2, 3, 3), nn.Upsample(scale_factor=2, mode="linear")), (2, 9)),
    "flattened": (lambda: positive(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 4)), (1, 5, 5)),
    "padded": (lambda: positive(nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate"), nn.ReLU()), (1, 5, 6)),
    "joined": (lambda: positive(lambda x: torch.cat([F.avg_pool2d(x, 2), x[:, :, ::2, ::2]], 1)), (2, 6, 6)),
    "rows": (lambda: positive(lambda x: x.flatten(2).transpose(1, 2), nn.Linear(2, 4), lambda x: x[:, 3]), (2, 3, 3)),
    "far_out": (
        lambda: positive(nn.Conv2d(1, 2, 2, 1, 3, 2), nn.Conv2d(2, 2, 3, 2)), (1, 5, 6)
    ),
    "adaptive": (lambda: positive(nn.AdaptiveAvgPool2d((3, 2)), nn.Conv2d(2, 2, 2)), (2, 7, 5)),
    "shuffled": (lambda: positive(nn.Conv2d(2, 4, 3), nn.PixelShuffle(2), nn.ReLU()), (2, 5, 5)),
}  # fmt: skip


def touched(model: nn.Module, x: Tensor, cell: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """The box of the inputs that the cell of sample 0 depends on, () where there is none."""
    x = x.clone().requires_grad_()
    model(x)[(0, *cell)].backward()
    assert x.grad is not None
    axes = np.nonzero(x.grad[0].numpy())
    return tuple((int(a.min()), int(a.max()) + 1) for a in axes if len(a))


@pytest.mark.soak
@pytest.mark.parametrize("name", NETWORKS)
def test_a_receptive_field_is_where_the_gradient_is_not_zero(
    name: str, rng: np.random.Generator, soaking: Callable[[int, int], int]
) -> None:
    build, shape = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = build(), torch.rand(2, *shape) + 0.5
    run = nn3d.capture(model, x)
    last = run.layers[-1]
    for cell in random_cells(last.shape, soaking(12, 300), rng).tolist():
        found = receptive_field(run, last.name, tuple(cell))
        assert found.get(run.layers[0].name, ()) == touched(model, x, tuple(cell)), cell


@pytest.mark.parametrize("name", ["densenet", "unet", "googlenet", "vit", "gpt", "lstm_both"])
def test_a_receptive_field_holds_all_that_the_gradient_reaches(name: str, rng: np.random.Generator) -> None:
    model, x = SMALL[name]()
    run = nn3d.capture(model, x)
    last = run.layers[-1]
    for cell in random_cells(last.shape, 3, rng).tolist():
        found = receptive_field(run, last.name, tuple(cell))
        if x.is_floating_point():
            box = found[run.layers[0].name]
            assert all(a <= c and d <= b for (a, b), (c, d) in zip(box, touched(model, x, tuple(cell)), strict=True))
        for layer in run.layers:
            box = found.get(layer.name, ())
            assert all(0 <= a < b <= n for (a, b), n in zip(box, layer.shape, strict=False))


def test_one_step_back_is_what_the_terms_read() -> None:
    run = bundled()
    for layer in run.layers:
        if layer.op in GIVEN:
            continue
        cell = tuple(n // 2 for n in layer.shape)
        assert receptive_field(run, layer.name, cell, depth=1) == explain(run, layer.name, cell).receptive_field


def test_depth_counts_layers() -> None:
    run = bundled()
    fields = [receptive_field(run, "conv2", (3, 4, 4), depth=d) for d in (0, 1, 2, 3, None)]
    assert [list(f) for f in fields] == [
        [], ["pool1"], ["pool1", "conv1"], ["pool1", "conv1", "input"], ["pool1", "conv1", "input"]
    ]  # fmt: skip
    assert fields[3] == {
        "pool1": ((0, 6), (4, 9), (4, 9)), "conv1": ((0, 6), (8, 18), (8, 18)), "input": ((0, 1), (6, 20), (6, 20))
    }  # fmt: skip


def test_a_token_looks_at_no_token_after_it() -> None:
    run = open_run(bundled_runs()["gpt-python"])
    found = receptive_field(run, run.layers[-1].name, (5, 17))
    tokens = [box[0] for layer, box in found.items() if run.layer(layer).axes[:1] == ("T",) and "place" not in layer]
    assert tokens
    assert {b for _, b in tokens} == {6}


@pytest.mark.parametrize(
    ("box", "old", "new", "wanted"),
    [
        (((0, 400),), (400,), (16, 5, 5), ((0, 16), (0, 5), (0, 5))),
        (((30, 31),), (400,), (16, 5, 5), ((1, 2), (1, 2), (0, 1))),
        (((3, 30),), (400,), (16, 5, 5), ((0, 2), (0, 5), (0, 5))),
        (((5, 6), (16, 32)), (16, 64), (16, 4, 16), ((5, 6), (1, 2), (0, 16))),
        (((5, 6), (1, 2), (0, 16)), (16, 4, 16), (16, 64), ((5, 6), (16, 32))),
        (((2, 3), (0, 1), (0, 1)), (64, 1, 1), (64,), ((2, 3),)),
        (((2, 3),), (64,), (1, 64, 1), ((0, 1), (2, 3), (0, 1))),
        ((), (), (1,), ((0, 1),)),
    ],
)
def test_a_box_in_another_shape_holds_the_same_cells(
    box: tuple[tuple[int, int], ...], old: tuple[int, ...], new: tuple[int, ...], wanted: tuple[tuple[int, int], ...]
) -> None:
    assert reshaped(box, old, new) == wanted


def test_a_cell_that_is_not_there_is_one_line() -> None:
    with pytest.raises(Nn3dError, match="H 0 to 9"):
        receptive_field(bundled(), "conv2", (0, 10, 0))


@pytest.mark.parametrize(("kind", "both", "levels"), [(nn.LSTM, False, 1), (nn.GRU, True, 1), (nn.RNN, True, 2)])
def test_a_recurrent_step_looks_at_the_steps_before_it_in_its_direction(
    kind: type[nn.RNNBase], both: bool, levels: int
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, x = kind(3, 4, levels, batch_first=True, bidirectional=both).eval(), torch.randn(2, 6, 3)
    run = nn3d.capture(model, x)
    name = run.layers[1].name
    first = Positive(lambda v: model(v)[0])
    for cell in [(2, 1), (0, 3), (5, 0), *([(2, 5), (5, 7)] if both else [])]:
        assert receptive_field(run, name, cell) == {"input": touched(first, x, cell)}
    assert list(explain(run, name, (2, 1)).receptive_field) == ["input"]


def test_what_a_split_takes_is_boxed_on_what_it_was_split_from() -> None:
    run = open_run(bundled_runs()["gpt-python"])
    for name, first in (("blocks.0.attention.reshape", 0), ("blocks.0.attention.reshape_3", 128)):
        field = explain(run, name, (5, 1, 2)).receptive_field
        at = first + 16 + 2
        assert field == {"blocks.0.attention.query_key_value": ((5, 6), (at, at + 1))}
