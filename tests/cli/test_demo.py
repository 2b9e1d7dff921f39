"""`nn3d demo` finds the bundled runs by the beginning of their names."""

from __future__ import annotations

import pytest

import nn3d
from nn3d.cli.demo import choose
from nn3d.errors import Nn3dError


@pytest.mark.parametrize(
    ("name", "model"),
    [(None, "LeNet-5"), ("mlp", "MLP 144-16-10"), ("resnet", "ResNet-20"), ("gpt", "Transformer")],
)
def test_a_bundled_run_by_the_beginning_of_its_name(name: str | None, model: str) -> None:
    found, path = choose(name)
    assert found.startswith(name or "lenet-mnist")
    with nn3d.load(path) as run:
        assert run.name == model
        assert run.samples
        assert len(run.epochs) >= 3


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(Nn3dError, match="lenet-mnist, gpt-python, mlp-digits, resnet20-cifar10"):
        choose("alexnet")
