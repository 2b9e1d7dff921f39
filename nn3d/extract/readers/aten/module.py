"""Owns a module tree that is built from a file: parameters under their names, and a place for calls to happen in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


class Place(torch.nn.Module):
    """A module of a file. A call runs what it is handed, so that hooks see which module computes."""

    def forward(self, work: Callable[[], Any]) -> None:
        """Run a part of the file's graph."""
        work()


def tree(root: torch.nn.Module, tensors: Mapping[str, torch.Tensor], trained: frozenset[str]) -> None:
    """Hang tensors below a module by their dotted names. trained : those that are parameters, the rest are buffers.

    A tensor of several names becomes one parameter of several modules.
    """
    made: dict[int, torch.nn.Parameter] = {}
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        home = place(root, path)
        if name in trained and tensor.is_floating_point():
            parameter = made.setdefault(id(tensor), torch.nn.Parameter(tensor, requires_grad=False))
            home.register_parameter(leaf, parameter)
        else:
            home.register_buffer(leaf, tensor)


def place(root: torch.nn.Module, path: list[str], kinds: Mapping[str, str] | None = None) -> torch.nn.Module:
    """The module at a path, made where there is none. kinds : path → class, as the file tells it."""
    home = root
    for i, part in enumerate(path):
        child = home._modules.get(part)
        if child is None:
            kind = (kinds or {}).get(".".join(path[: i + 1]), "Module").rsplit(".", 1)[-1]
            child = type(kind if kind.isidentifier() else "Module", (Place,), {})()
            home.add_module(part, child)
        home = child
    return home
