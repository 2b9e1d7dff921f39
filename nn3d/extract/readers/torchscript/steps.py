"""Owns computing TorchScript: statements and expressions of a parsed source, one after the other, counted.

Calls go to the file's own functions and to aten's operators (aten_calls); there is nothing else that they could reach.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from nn3d.errors import TraceError
from nn3d.extract.readers.aten.calls import called
from nn3d.extract.readers.torchscript.source import Sources

MOST_STEPS = 2_000_000
MOST_DEPTH = 200
_BINARY: Mapping[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "floordiv": operator.floordiv, "remainder": operator.mod, "pow": operator.pow, "lt": operator.lt,
    "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
    "__and__": operator.and_, "__or__": operator.or_, "__xor__": operator.xor,
}  # fmt: skip
_PLAIN: Mapping[str, Callable[..., Any]] = {
    "neg": operator.neg, "len": len, "__not__": operator.not_, "__is__": operator.is_, "__isnot__": operator.is_not,
    "__getitem__": operator.getitem, "__contains__": operator.contains, "list": list, "dim": lambda x: x.ndim,
    "is_floating_point": lambda x: x.is_floating_point(), "numel": lambda x: x.numel(), "min": min, "max": max,
    "warn": lambda *_, **__: None, "device": lambda *_: "cpu", "append": lambda items, one: items.append(one),
    "keys": lambda d: list(d), "values": lambda d: list(d.values()), "items": lambda d: list(d.items()),
    "format": lambda text, *_: text, "str": str, "ScalarImplicit": lambda x: x.item(), "Int": int, "Float": float,
    "Bool": bool, "IntImplicit": int, "FloatImplicit": float, "sqrt": lambda x: x**0.5, "list_with_default":
    lambda given, default: [d if g is None else g for g, d in zip(given, default, strict=True)],
}  # fmt: skip
_PRIM: Mapping[str, Callable[..., Any]] = {
    "NumToTensor": torch.tensor, "data": lambda x: x, "device": lambda _: "cpu", "dtype": lambda x: x.dtype,
    "is_cuda": lambda _: False, "unchecked_unwrap_optional": lambda x: x, "min": min, "max": max,
    "is_quantized": lambda _: False, "is_nested": lambda _: False, "requires_grad": lambda _: False,
    "layout": lambda _: None, "TupleIndex": operator.getitem, "abs": abs, "is_mkldnn": lambda _: False,
    "is_sparse": lambda _: False, "shape": lambda x: list(x.shape), "SetAttr": lambda *_: None,
}  # fmt: skip
# Codes of torch's element types, as sources write them (c10/core/ScalarType.h).
_DTYPES = {
    0: torch.uint8, 1: torch.int8, 2: torch.int16, 3: torch.int32, 4: torch.int64, 5: torch.float16, 6: torch.float32,
    7: torch.float64, 11: torch.bool, 15: torch.bfloat16,
}  # fmt: skip


class _Return(Exception):  # noqa: N818 (no error: how a function ends)
    def __init__(self, value: Any) -> None:
        self.value = value


class Steps:
    """Computes functions. call_method : runs a module's method (module, name, arguments)."""

    def __init__(
        self, sources: Sources, constants: Sequence[Any], call_method: Callable[[Any, str, list[Any]], Any],
        attribute: Callable[[Any, str], Any],
    ) -> None:  # fmt: skip
        self._sources, self._constants = sources, constants
        self._call_method, self._attribute = call_method, attribute
        self._n_steps = self._depth = 0

    def begin(self) -> None:
        """Count anew."""
        self._n_steps = self._depth = 0

    def run(self, function: ast.FunctionDef, args: Sequence[Any]) -> Any:
        """A function of the file's code with positional arguments; what is missing by its default."""
        names = [a.arg for a in function.args.args]
        if len(args) > len(names):
            raise TraceError(f"{function.name}: expected at most {len(names)} arguments, got {len(args)}.")
        scope: dict[str, Any] = {}
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            scope[name] = self._value(default, scope)
        scope |= dict(zip(names, args, strict=False))
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise TraceError(f"{function.name}: expected at most {MOST_DEPTH} calls inside of each other, got more.")
        try:
            self._block(function.body, scope)
        except _Return as ended:
            return ended.value
        finally:
            self._depth -= 1
        return None

    # Statements

    def _block(self, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        for statement in body:
            self._n_steps += 1
            if self._n_steps > MOST_STEPS:
                raise TraceError(f"expected at most {MOST_STEPS:,} steps of TorchScript, got more.")
            self._statement(statement, scope)

    def _statement(self, statement: ast.stmt, scope: dict[str, Any]) -> None:
        if isinstance(statement, ast.Assign):
            value = self._value(statement.value, scope)
            for target in statement.targets:
                self._assign(target, value, scope)
        elif isinstance(statement, ast.Return):
            raise _Return(None if statement.value is None else self._value(statement.value, scope))
        elif isinstance(statement, ast.If):
            self._block(statement.body if self._value(statement.test, scope) else statement.orelse, scope)
        elif isinstance(statement, ast.While):
            while self._value(statement.test, scope):
                self._block(statement.body, scope)
        elif isinstance(statement, ast.For):
            for value in self._value(statement.iter, scope):
                self._assign(statement.target, value, scope)
                self._block(statement.body, scope)
        elif isinstance(statement, ast.Expr):
            self._value(statement.value, scope)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, self._value(statement.value, scope), scope)
        elif not isinstance(statement, ast.Pass | ast.AnnAssign):
            raise TraceError(f"{type(statement).__name__}: expected TorchScript that nn3d can compute, got this.")

    def _assign(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for one, part in zip(target.elts, value, strict=True):
                self._assign(one, part, scope)
        elif isinstance(target, ast.Subscript):
            self._value(target.value, scope)[self._value(target.slice, scope)] = value
        elif not isinstance(target, ast.Attribute):  # a state that a module keeps for itself is not kept here
            raise TraceError(f"{type(target).__name__}: expected a name to assign to, got this.")

    # Expressions

    def _value(self, node: ast.expr, scope: Mapping[str, Any]) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._name(node.id, scope)
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        if isinstance(node, ast.List):
            return [self._value(e, scope) for e in node.elts]
        if isinstance(node, ast.Tuple):
            return tuple(self._value(e, scope) for e in node.elts)
        if isinstance(node, ast.Dict):
            keys = [self._value(k, scope) for k in node.keys if k is not None]
            return dict(zip(keys, [self._value(v, scope) for v in node.values], strict=True))
        if isinstance(node, ast.Subscript):
            return self._value(node.value, scope)[self._value(node.slice, scope)]
        if isinstance(node, ast.UnaryOp):
            value = self._value(node.operand, scope)
            return (not value) if isinstance(node.op, ast.Not) else -value
        if isinstance(node, ast.Attribute):
            return self._member(node, scope)
        if isinstance(node, ast.IfExp):
            return self._value(node.body if self._value(node.test, scope) else node.orelse, scope)
        raise TraceError(f"{type(node).__name__}: expected TorchScript that nn3d can compute, got this.")

    def _name(self, name: str, scope: Mapping[str, Any]) -> Any:
        if name in scope:
            return scope[name]
        if name in ("inf", "nan"):
            return float(name)
        raise TraceError(f"{name[:60]}: expected a name that was assigned before, got none.")

    def _member(self, node: ast.Attribute, scope: Mapping[str, Any]) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id == "CONSTANTS" and node.attr[1:].isdigit():
            return self._constants[int(node.attr[1:])]
        dotted = _dotted(node)
        if dotted.startswith("__torch__."):
            return self._sources.function(dotted)
        return self._attribute(self._value(node.value, scope), node.attr)

    def _call(self, node: ast.Call, scope: Mapping[str, Any]) -> Any:
        dotted = _dotted(node.func)
        if dotted in ("annotate", "unchecked_cast"):
            return self._value(node.args[1], scope)
        if dotted == "uninitialized":
            return None
        args = [self._value(a, scope) for a in node.args]
        kwargs = {k.arg: self._value(k.value, scope) for k in node.keywords if k.arg is not None}
        if dotted in ("int", "float", "bool", "str"):
            return {"int": int, "float": float, "bool": bool, "str": str}[dotted](*args)
        if dotted == "getattr":
            return self._attribute(args[0], str(args[1]))
        if dotted == "range":
            return range(*args)
        function = scope.get(dotted)
        if dotted.startswith("__torch__."):
            function = self._sources.function(dotted)
        if isinstance(function, ast.FunctionDef):
            return self.run(function, [*args, *_rest(function, len(args), kwargs)])
        if dotted.startswith("torch."):
            return _operator(dotted[6:], args, kwargs)
        if dotted.startswith("ops.prim."):
            return self._prim(dotted[9:], args)
        if dotted.startswith("ops.aten."):
            return _operator(dotted[9:], args, kwargs)
        if isinstance(node.func, ast.Attribute):
            return self._call_method(self._value(node.func.value, scope), node.func.attr, args)
        raise TraceError(f"{dotted[:100] or 'a call'}: expected an operator of torch. It is not called.")

    def _prim(self, name: str, args: list[Any]) -> Any:
        if name == "RaiseException":
            raise TraceError(f"the model raises: {str(args[0])[:100] if args else ''}")
        found = _PRIM.get(name)
        if found is None:
            raise TraceError(f"prim.{name[:60]}: expected TorchScript that nn3d can compute, got this.")
        return found(*args)


def _rest(function: ast.FunctionDef, n: int, kwargs: Mapping[str, Any]) -> list[Any]:
    """Arguments that were given by name, where they follow those given by place."""
    names = [a.arg for a in function.args.args[n:]]
    found = [kwargs[name] for name in names if name in kwargs]
    if len(found) != len(kwargs) or any(name not in kwargs for name in names[: len(found)]):
        raise TraceError(f"{function.name}: expected arguments in their order, got {', '.join(kwargs)[:80]}.")
    return found


def _dotted(node: ast.expr) -> str:
    """torch.nn.relu as text; "" of what is no chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _operator(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """An operator on tensors, else the same on numbers, words and lists."""
    is_on_tensors = any(isinstance(a, torch.Tensor) for a in _flat([*args, *kwargs.values()]))
    if name == "size":
        return called("size", args, kwargs)
    if not is_on_tensors and name in _BINARY and len(args) >= 2:
        return _BINARY[name](args[0], args[1])
    if name in _PLAIN and (not is_on_tensors or name not in ("neg", "sqrt", "min", "max")):
        return _PLAIN[name](*args)
    if "dtype" in kwargs and isinstance(kwargs["dtype"], int):
        kwargs["dtype"] = _DTYPES.get(kwargs["dtype"])
    if name == "to" or name.startswith("_to"):
        args = [args[0], *(_DTYPES.get(a, a) if type(a) is int else a for a in args[1:])]
    return called(name, args, kwargs)


def _flat(values: Sequence[Any]) -> list[Any]:
    return [one for v in values for one in (v if isinstance(v, list | tuple) else (v,))]
