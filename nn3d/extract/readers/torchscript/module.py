"""Owns a TorchScript archive as a torch module: its tree, its tensors, and calls of its code in their modules."""

from __future__ import annotations

from typing import Any

import torch

from nn3d.errors import TraceError
from nn3d.extract.readers.aten.module import Place
from nn3d.extract.readers.torchscript.source import Sources
from nn3d.extract.readers.torchscript.steps import Steps
from nn3d.extract.readers.torchscript.values import Mirror

_MOST_MODULES = 100_000


class Scripted(Place):
    """A module of the archive. plain : what it holds beside tensors and modules."""

    def __init__(self, mirror: Mirror) -> None:
        super().__init__()
        self.script_kind = mirror.kind
        self.plain: dict[str, Any] = {}


class Program(torch.nn.Module):
    """The whole archive; call it with the inputs of its `forward` by name."""

    def __init__(self, top: Mirror, sources: Sources, constants: tuple[Any, ...]) -> None:
        super().__init__()
        self._mirrors: dict[int, Scripted] = {}
        self._parameters_made: dict[int, torch.nn.Parameter] = {}
        self._sources = sources
        self.top_kind = top.kind
        self._steps = Steps(sources, constants, self._call, self._attribute)
        self._forward = sources.method(top.kind, "forward")
        self.user_inputs = [a.arg for a in self._forward.args.args[1:]]
        self._root = self._built(top, 0, self)

    def forward(self, **inputs: Any) -> Any:
        """The archive's own `forward`."""
        self._steps.begin()
        given = [inputs[name] for name in self.user_inputs if name in inputs]
        return self._steps.run(self._forward, [self._root, *given])

    def _built(self, mirror: Mirror, depth: int, home: torch.nn.Module | None = None) -> Any:
        if depth > 200 or len(self._mirrors) > _MOST_MODULES:
            raise TraceError("a module tree too deep or too large to read")
        if id(mirror) in self._mirrors:
            return self._mirrors[id(mirror)]
        name = mirror.kind.rsplit(".", 1)[-1]
        made = type(name if name.isidentifier() else "Module", (Scripted,), {})(mirror)
        self._mirrors[id(mirror)] = made
        hung: torch.nn.Module = made if home is None else home
        for key, value in mirror.held.items():
            if isinstance(value, Mirror):
                child = self._built(value, depth + 1)
                hung.add_module(key, child)
                made.plain[key] = child
            elif isinstance(value, torch.Tensor):
                made.plain[key] = self._hung(hung, key, value)
            else:
                made.plain[key] = value
        return made

    def _hung(self, home: torch.nn.Module, key: str, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_floating_point() and not key.startswith("running_"):
            made = self._parameters_made.setdefault(id(tensor), torch.nn.Parameter(tensor, requires_grad=False))
            home.register_parameter(key, made)
            return made
        home.register_buffer(key, tensor)
        return tensor

    def _attribute(self, value: Any, name: str) -> Any:
        if isinstance(value, Scripted):
            if name in value.plain:
                return value.plain[name]
            if name == "training":
                return False
        if isinstance(value, torch.Tensor) and name in ("T", "mT"):
            return value.transpose(-1, -2)
        raise TraceError(f"attribute {name[:60]}: expected it in the file, got none.")

    def _call(self, value: Any, name: str, args: list[Any]) -> Any:
        if isinstance(value, list) and name == "append":
            return value.append(*args)
        if not isinstance(value, Scripted):
            raise TraceError(f"{name[:60]}: expected a module to call, got {type(value).__name__}.")
        function, found = self._sources.method(value.script_kind, name), []

        def work() -> None:
            found.append(self._steps.run(function, [value, *args]))

        value(work)
        return found[0]
