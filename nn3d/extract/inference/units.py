"""Owns entries of a state_dict grouped into units, what each seems to be, and which numbers of channels it can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nn3d.extract.inference import names
from nn3d.run.model import JSON

Shape = tuple[int, ...]
_RANKS = (3, 4, 5)


@dataclass(frozen=True, slots=True)
class Unit:
    """Entries that one operation holds.

    path : of the module, for a parameter of its own its whole name. roles : role → parameter id. shapes : role → shape.
    op : canonical; "parameter" where it is a bare parameter. n_in : channels that it reads, 0 for any; n_out : gives.
    layout : "IO" where the weight is kept (in, out).
    """

    path: str
    roles: Mapping[str, int]
    shapes: Mapping[str, Shape]
    op: str
    n_in: int
    n_out: int
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    layout: str = ""

    @property
    def weight(self) -> Shape:
        """Shape of its weight, () without one."""
        return self.shapes.get("weight", ())

    @property
    def is_norm(self) -> bool:
        """Whether it normalises: one number a channel."""
        return self.op in ("batch_norm", "layer_norm", "rms_norm")

    @property
    def is_weighted(self) -> bool:
        """Whether it multiplies by a matrix or kernel."""
        return self.op.startswith(("conv", "linear"))

    @property
    def is_pointwise(self) -> bool:
        """Whether its kernel reads one place at a time: a linear layer, or a convolution of 1 × 1."""
        return self.op == "linear" or (self.op.startswith("conv") and all(k == 1 for k in self.weight[2:]))

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel seems to have a kernel of its own."""
        return self.op.startswith("conv") and self.weight[1] == 1 and self.weight[0] > 1 and not self.is_pointwise


@dataclass(frozen=True, slots=True)
class Fit:
    """How a unit reads a number of channels. is_exact : by equality alone. unit : as the joint changes it."""

    unit: Unit
    why: str
    is_exact: bool = True


def units_of(shapes: Mapping[str, Shape]) -> list[Unit]:
    """All units, in the order of the file; tables and counters of frameworks are left out."""
    grouped: dict[str, dict[str, tuple[int, Shape]]] = {}
    for i, (name, shape) in enumerate(shapes.items()):
        if names.is_table(name):
            continue
        path, _, role = name.rpartition(".")
        if path.endswith(".parametrizations.weight"):
            path = path.removesuffix(".parametrizations.weight")
        is_part = names.is_role(role) or (role in ("gamma", "beta") and f"{path}.beta" in shapes)
        key, role = (path, {"gamma": "weight", "beta": "bias"}.get(role, role)) if is_part else (name, "weight")
        grouped.setdefault(key, {})[role] = (i, shape)
    made = []
    for key, entries in grouped.items():
        is_own = key in shapes and len(entries) == 1
        ids = {role: i for role, (i, _) in entries.items()}
        made.append(_unit(key, ids, {role: shape for role, (_, shape) in entries.items()}, is_own))
    return _same_layout(made)


def _unit(path: str, ids: Mapping[str, int], shapes: Mapping[str, Shape], is_own: bool) -> Unit:
    if is_own:
        only = next(iter(shapes.values()))
        return Unit(path, ids, shapes, "parameter", 0, _width(only))
    if "original1" in shapes or "weight_v" in shapes:
        shapes = {**shapes, "weight": shapes.get("original1", shapes.get("weight_v", ()))}
    if len(shapes.get("running_mean", ())) == 1:
        n = shapes["running_mean"][0]
        return Unit(path, ids, shapes, "batch_norm", n, n, {"eps": 1e-5})
    if any(len(shapes.get(role, ())) == 2 for role in ("weight_ih", "weight_ih_l0")):
        return _recurrent(path, ids, shapes)
    if len(shapes.get("in_proj_weight", ())) == 2:
        n = shapes["in_proj_weight"][1]
        return Unit(path, ids, shapes, "multi_head_attention", n, n)
    return _by_weight(path, ids, shapes)


def _by_weight(path: str, ids: Mapping[str, int], shapes: Mapping[str, Shape]) -> Unit:
    weight, bias = shapes.get("weight", ()), shapes.get("bias", ())
    if len(weight) in _RANKS:
        attributes: dict[str, JSON] = {"kernel_size": list(weight[2:])}
        return Unit(path, ids, shapes, f"conv{len(weight) - 2}d", weight[1], weight[0], attributes)
    if len(weight) == 2:
        last = path.rpartition(".")[2]
        is_table = names.EMBEDDING.search(path) is not None or names.BIAS_TABLE.search(last) is not None
        if not bias and is_table and not names.HEAD.search(last):
            return Unit(path, ids, shapes, "embedding", 0, weight[1])
        if bias == weight[1:] != weight[:1]:
            return Unit(path, ids, shapes, "linear", weight[0], weight[1], layout="IO")
        return Unit(path, ids, shapes, "linear", weight[1], weight[0])
    if len(weight) == 1:
        op = "layer_norm" if bias else "rms_norm"
        last = path.rpartition(".")[2].lower()
        if not bias and (weight == (1,) or "prelu" in last or last.startswith("act")):
            return Unit(path, ids, shapes, "prelu", 0 if weight == (1,) else weight[0], weight[0])
        return Unit(path, ids, shapes, op, weight[0], weight[0], {"normalized_shape": list(weight), "eps": 1e-5})
    shape = next((s for s in shapes.values() if s), (1,))
    return Unit(path, ids, shapes, "other:unknown", _width(shape), _width(shape))


def _width(shape: Shape) -> int:
    """Channels that a bare parameter has: its last axis that is not 1."""
    return next((n for n in reversed(shape) if n != 1), 1)


def _recurrent(path: str, ids: Mapping[str, int], shapes: Mapping[str, Shape]) -> Unit:
    is_cell = len(shapes.get("weight_ih", ())) == 2
    suffix = "" if is_cell else "_l0"
    rows, columns = shapes.get(f"weight_ih{suffix}", (1, 1))
    hidden = (shapes.get(f"weight_hh{suffix}", ()) or (rows,))[-1]
    op = {4: "lstm", 3: "gru"}.get(rows // max(1, hidden), "rnn")
    is_both = "weight_ih_l0_reverse" in shapes
    layers = sum(1 for role in shapes if role.startswith("weight_ih") and not role.endswith("reverse"))
    attributes: dict[str, JSON] = {"num_layers": layers, "bidirectional": is_both, "hidden_size": hidden}
    n_out = hidden * (2 if is_both else 1)
    return Unit(path, ids, shapes, f"{op}_cell" if is_cell else op, columns, n_out, {} if is_cell else attributes)


def _same_layout(units: list[Unit]) -> list[Unit]:
    """Square matrices are kept as those of other units are that hold their weight (in, out)."""
    turned = {u.path.rpartition(".")[2] for u in units if u.layout}
    if not turned:
        return units
    known = [u for u in units if u.op == "linear" and "bias" in u.shapes]
    straight = any(not u.layout and u.weight[0] != u.weight[1] for u in known)
    return [
        replace(u, layout="IO")
        if u.op == "linear" and not u.layout and len(set(u.weight)) == 1 and "bias" in u.shapes
        and (not straight or u.path.rpartition(".")[2] in turned)
        else u
        for u in units
    ]  # fmt: skip


def fit(unit: Unit, channels: int, form: str) -> Fit | None:
    """How a unit reads `channels` (1 or more) of form "maps" or "rows"; None where it cannot."""
    if unit.op.startswith("conv"):
        return _fit_convolution(unit, channels)
    if channels == unit.n_in:
        return Fit(unit, f"{channels} outputs = {unit.n_in} inputs")
    if not unit.n_in:
        return Fit(unit, "it reads any number of channels", False)
    if unit.op == "linear" and form == "maps" and unit.n_in % channels == 0:
        places = unit.n_in // channels
        return Fit(unit, f"{unit.n_in} = {channels} channels × {places} positions (flattened)", False)
    return None


def _fit_convolution(unit: Unit, channels: int) -> Fit | None:
    out, inside = unit.weight[:2]
    if _is_turned(unit, channels):
        op = unit.op.replace("conv", "conv_transpose")
        turned = replace(unit, op=op, n_in=out, n_out=inside, attributes={**unit.attributes, "transposed": True})
        return Fit(turned, f"{channels} outputs = {out} inputs if transposed")
    if channels == inside:
        return Fit(unit, f"{channels} outputs = {inside} inputs")
    if inside == 1 and out % channels == 0 and not unit.is_pointwise:
        grouped = replace(unit, n_in=channels, attributes={**unit.attributes, "groups": channels})
        return Fit(grouped, f"{channels} outputs, one a group (depthwise)")
    if inside and channels % inside == 0 and out % (channels // inside) == 0 and inside > 1 and not unit.is_pointwise:
        groups = channels // inside
        grouped = replace(unit, n_in=channels, attributes={**unit.attributes, "groups": groups})
        return Fit(grouped, f"{channels} outputs in {groups} groups of {inside}", False)
    return None


def _is_turned(unit: Unit, channels: int) -> bool:
    out, inside = unit.weight[:2]
    is_even = all(k % 2 == 0 for k in unit.weight[2:])
    if channels != out or (channels == inside and not (is_even and names.UP.search(unit.path))):
        return False
    return inside != 1 and (is_even or names.UP.search(unit.path) is not None)
