"""Owns an exported graph as a module that computes it: one aten call a node, in the module that the file names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import torch

from nn3d.errors import TraceError
from nn3d.extract.readers.aten.calls import called, symbolic
from nn3d.extract.readers.aten.module import Place, place, tree
from nn3d.extract.readers.torch_export.archive import Archive, dtype_of

_OTHERS = frozenset(("as_memory_format", "as_layout", "as_device"))


class Exported(torch.nn.Module):
    """The program of an archive; call it with its user inputs by name."""

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self._nodes: list[Mapping[str, Any]] = list(archive.graph["nodes"])
        self._outputs = [_name(o) for o in archive.graph["outputs"]]
        self._held: dict[str, str] = {}
        self.user_inputs: list[str] = []
        for spec in archive.signature["input_specs"]:
            (kind, told), *_ = spec.items()
            if kind == "user_input":
                name = _name(told["arg"])
                if name:
                    self.user_inputs.append(name)
            else:
                self._held[str(told["arg"]["name"])] = str(told.get(f"{kind}_name"))
        users = {_name(s["user_output"]["arg"]) for s in archive.signature["output_specs"] if "user_output" in s}
        self._outputs = [o for o in self._outputs if o in users]
        tree(self, archive.tensors, archive.trained)
        paths = {path for node in self._nodes for path, _ in [_module(node)]}
        kinds = dict(_kinds(self._nodes))
        self._places = {path: place(self, path.split("."), kinds) for path in paths if path}
        metas = {n: archive.graph["tensor_values"].get(n) for n in self.user_inputs}
        self.shapes = {n: _shape(meta) for n, meta in metas.items()}
        self._is_whole = {n for n, meta in metas.items() if meta and not dtype_of(meta["dtype"]).is_floating_point}
        self.takes_any_number = all(m and m["sizes"] and "as_int" not in m["sizes"][0] for m in metas.values())

    def is_whole(self, name: str) -> bool:
        """Whether a user input is of whole numbers."""
        return name in self._is_whole

    def forward(self, **inputs: torch.Tensor) -> Any:
        """All nodes in the file's order; user inputs by name."""
        values: dict[str, Any] = dict(inputs)
        for name, held in self._held.items():
            values[name] = _at(self, held)
        for path, nodes in groupby(self._nodes, lambda node: _module(node)[0]):
            part = list(nodes)

            def work(part: list[Mapping[str, Any]] = part) -> None:
                for node in part:
                    _run(node, values)

            home = self._places.get(path)
            if isinstance(home, Place):
                home(work)
            else:
                work()
        found = tuple(values[name] for name in self._outputs)
        return found[0] if len(found) == 1 else found


def _at(module: torch.nn.Module, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, torch.Tensor):
        raise TraceError(f"{name[:80]}: expected its values in the file, got none.")
    return found


def _name(argument: Any) -> str:
    """Name of a tensor argument, "" of others."""
    tensor = argument.get("as_tensor") if isinstance(argument, Mapping) else None
    return str(tensor["name"]) if tensor else ""


def _shape(meta: Any) -> tuple[int, ...]:
    """Sizes as exported; where a size is open, the one that it was exported with."""
    if not meta:
        return ()
    return tuple(_size(s) for s in meta["sizes"])


def _size(told: Mapping[str, Any]) -> int:
    if "as_int" in told:
        return int(told["as_int"])
    hint = (told.get("as_expr") or {}).get("hint") or {}
    return int(hint.get("as_int", 1)) if isinstance(hint, Mapping) else 1


def most_words(graph: Mapping[str, Any], name: str, program: Exported) -> int:
    """Rows of the table that an input of whole numbers looks up first; 0 where it looks up none."""
    for node in graph["nodes"]:
        if str(node["target"]).startswith("torch.ops.aten.embedding"):
            read = {i["name"]: _name(i["arg"]) for i in node["inputs"]}
            table = graph["tensor_values"].get(read.get("weight", ""))
            if read.get("indices") == name and table:
                return _shape(table)[0]
    return 0


def _module(node: Mapping[str, Any]) -> tuple[str, str]:
    """Path and class of the innermost module that a node stands in: "key,path,class" each, joined by ";"."""
    stack = str(node.get("metadata", {}).get("nn_module_stack", ""))
    last = stack.split(";")[-1].split(",")
    path = last[1].split("@")[0] if len(last) > 2 else ""
    return path.replace("[", ".").replace("]", "").strip("."), last[2] if len(last) > 2 else ""


def _kinds(nodes: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        for entry in str(node.get("metadata", {}).get("nn_module_stack", "")).split(";"):
            parts = entry.split(",")
            if len(parts) > 2:
                yield parts[1], parts[2]


def _run(node: Mapping[str, Any], values: dict[str, Any]) -> None:
    target = str(node["target"])
    args = [_value(i["arg"], values) for i in node["inputs"] if i.get("kind", 1) != 2]
    kwargs = {i["name"]: _value(i["arg"], values) for i in node["inputs"] if i.get("kind", 1) == 2}
    kwargs = {k: v for k, v in kwargs.items() if v is not _Nothing}
    kind, _, rest = target.rpartition("torch.ops.aten.")
    if target.startswith("torch.ops.aten."):
        named = {i["name"]: a for i, a in zip([i for i in node["inputs"] if i.get("kind", 1) != 2], args, strict=True)}
        made = called(rest.split(".")[0], *_ordered(rest, named), kwargs)
    elif target.startswith(("_operator.", "operator.")):
        made = symbolic(target.rsplit(".", 1)[-1], args)
    else:
        raise TraceError(f"operator {target[:80]}: expected one of aten's{kind and ''}. It is not called.")
    _keep(node["outputs"], made, values)


def _ordered(target: str, named: Mapping[str, Any]) -> tuple[list[Any]]:
    """Arguments by their place in the operator's schema; those between that were left away by their default."""
    name, _, overload = target.partition(".")
    packet = getattr(torch.ops.aten, name, None)
    schema = getattr(packet, overload or "default", None)
    if schema is None:
        raise TraceError(f"operator {target[:80]}: expected one of aten's. It is not called.")
    found: list[Any] = []
    left = dict(named)
    for argument in schema._schema.arguments:
        if not left:
            break
        if argument.name in left:
            value = left.pop(argument.name)
            found.append(None if value is _Nothing else value)
        else:
            found.append(argument.default_value)
    return (found,)


def _keep(outputs: list[Any], made: Any, values: dict[str, Any]) -> None:
    for output, value in zip(outputs, made if len(outputs) > 1 else (made,), strict=False):
        (kind, told), *_ = output.items()
        if kind == "as_tensors":
            for one, part in zip(told, value, strict=False):
                values[str(one["name"])] = part
        elif kind == "as_tensor" and told:
            values[str(told["name"])] = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        elif isinstance(told, Mapping):
            values[str(told.get("as_name") or told.get("name"))] = value


class _Nothing:
    """Stands for arguments that a call does without: layouts, devices, memory formats."""


def _value(argument: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    (kind, told), *_ = argument.items()
    if kind in ("as_none",) or told is None:
        return None
    if kind in _OTHERS:
        return _Nothing
    if kind == "as_tensor":
        return values[told["name"]]
    if kind in ("as_tensors", "as_optional_tensors"):
        return [None if _is_none(t) else values[_inner(t)["name"]] for t in told]
    if kind == "as_scalar_type":
        return dtype_of(told)
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return _symbol(told, values)
    if kind in ("as_sym_ints", "as_sym_floats"):
        return [_symbol(t, values) for t in told]
    if kind in ("as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats", "as_bools", "as_strings"):
        return told
    raise TraceError(f"argument {kind[:40]}: expected tensors, numbers or words. It is not read.")


def _is_none(told: Mapping[str, Any]) -> bool:
    return "as_none" in told


def _inner(told: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = told.get("as_tensor", told)
    return found


def _symbol(told: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(told, Mapping):
        if told.get("as_name"):
            return values[told["as_name"]]
        return next((v for k, v in told.items() if k in ("as_int", "as_float", "as_bool")), None)
    return told
