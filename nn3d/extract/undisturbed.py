"""Owns running a model in the middle of its training so that nothing can be told afterwards.

Restored: training flags of every module, buffers, plain attributes, parameters, random streams (torch, CUDA, numpy,
Python), grad mode, autocast, fused attention's switch. Gradients and hooks are never touched.
"""

from __future__ import annotations

import contextlib
import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

_DICTS = ("_parameters", "_buffers", "_modules")


@contextlib.contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Within: eval mode, no gradients, no autocast; after it everything is as before, also when it raises."""
    modules = list(model.modules())
    flags = [m.training for m in modules]
    attributes = [_copied(vars(m)) for m in modules]
    tensors = [(t, t._version, t.detach().clone()) for t in _state(modules)]
    with _random_state(), _switches(), torch.no_grad(), _no_autocast():
        for module in modules:
            module.training = False
        try:
            yield
        finally:
            for module, saved in zip(modules, attributes, strict=True):
                _restore(vars(module), saved)
            for tensor, version, saved_values in tensors:
                if tensor._version != version:
                    tensor.copy_(saved_values)
            for module, flag in zip(modules, flags, strict=True):
                module.training = flag


def _state(modules: list[torch.nn.Module]) -> list[torch.Tensor]:
    """Tensors a forward pass could write: parameters, buffers, and plain attributes."""
    found = {}
    for module in modules:
        held = [*module._parameters.values(), *module._buffers.values(), *vars(module).values()]
        found.update({id(t): t for t in held if isinstance(t, torch.Tensor) and not t.is_inference()})
    return list(found.values())


def _copied(attributes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Every attribute, and a shallow copy of those that are containers."""
    return {
        name: (value, value.copy() if isinstance(value, dict | list | set | deque) else None)
        for name, value in attributes.items()
        if not name.startswith(("_forward_", "_backward_"))
    }


def _restore(attributes: dict[str, Any], saved: dict[str, tuple[Any, Any]]) -> None:
    for name in [n for n in attributes if n not in saved and not n.startswith(("_forward_", "_backward_"))]:
        del attributes[name]
    for name, (value, copy) in saved.items():
        if copy is not None and not _same(value, copy):
            value.clear()
            value.extend(copy) if isinstance(value, list | deque) else value.update(copy)
        attributes[name] = value


def _same(value: Any, copy: Any) -> bool:
    """Whether a container still holds the very same objects in the same order."""
    if len(value) != len(copy):
        return False
    if isinstance(value, dict):
        return all(a == b and value[a] is copy[b] for a, b in zip(value, copy, strict=True))
    return all(a is b for a, b in zip(value, copy, strict=True))


@contextlib.contextmanager
def _random_state() -> Iterator[None]:
    cpu, cuda = torch.get_rng_state(), None
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        cuda = torch.cuda.get_rng_state_all()
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


@contextlib.contextmanager
def _switches() -> Iterator[None]:
    is_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)


@contextlib.contextmanager
def _no_autocast() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield
