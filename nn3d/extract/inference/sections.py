"""Owns what a transformer's block is made of by names and widths: attentions, matrices that return, norms, factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nn3d.extract.inference import names
from nn3d.extract.inference.blocks import is_excitation
from nn3d.extract.inference.tree import Box
from nn3d.extract.inference.units import Unit


@dataclass(slots=True)
class Core:
    """One attention. parts : role (q, k, v, qkv, kv, whole) → unit. norms : of queries and keys; inner : others in it.

    reduce : what makes keys and values fewer. out : the projection back. tables : bare parameters added to scores.
    """

    path: str
    parts: dict[str, Unit] = field(default_factory=dict)
    norms: dict[str, Unit] = field(default_factory=dict)
    reduce: list[Unit] = field(default_factory=list)
    out: Unit | None = None
    tables: list[Unit] = field(default_factory=list)
    biases: list[Unit] = field(default_factory=list)

    @property
    def is_cross(self) -> bool:
        """Whether its keys and values come from elsewhere, by its name."""
        return names.CROSS.search(self.path) is not None

    @property
    def width(self) -> int:
        """Channels that its result has before the projection, 0 where shapes do not tell."""
        if "v" in self.parts and "q" in self.parts:
            return self.parts["q"].n_out
        whole = self.parts.get("whole")
        return whole.n_out if whole is not None else self.parts["q"].n_out if "q" in self.parts else 0

    @property
    def is_complete(self) -> bool:
        """Whether it has queries, keys and values."""
        roles = set(self.parts)
        return bool(roles & {"qkv", "whole"}) or {"q", "kv"} <= roles or {"q", "k", "v"} <= roles


@dataclass(slots=True)
class Sections:
    """branches : attentions and chains of matrices, in order. norms : of the stream. scales : factors a channel.

    is_norm_first : whether a norm comes before the first branch in the file.
    """

    branches: list[Core | list[Unit]] = field(default_factory=list)
    norms: list[Unit] = field(default_factory=list)
    scales: list[Unit] = field(default_factory=list)
    is_norm_first: bool = False
    odd: list[Unit] = field(default_factory=list)

    @property
    def cores(self) -> list[Core]:
        """The attentions."""
        return [b for b in self.branches if isinstance(b, Core)]

    @property
    def chains(self) -> list[list[Unit]]:
        """The chains of matrices."""
        return [b for b in self.branches if not isinstance(b, Core)]


def core_paths(box: Box) -> list[str]:
    """Paths of all attentions in a box: modules that hold queries, keys and values."""
    found: dict[str, set[str]] = {}
    for unit in box.units():
        role = _role(unit)
        if role and role != "whole":
            found.setdefault(_parent(unit.path), set()).add(role)
        elif role:
            found.setdefault(unit.path, set()).add(role)
    return [p for p, r in found.items() if r & {"qkv", "whole"} or {"q", "kv"} <= r or {"q", "k", "v"} <= r]


def _role(unit: Unit) -> str:
    if unit.op == "multi_head_attention":
        return "whole"
    return names.attention_role(unit.path) if unit.is_weighted else ""


def _parent(path: str) -> str:
    parts = path.split(".")
    while parts and parts[-1].isdigit():
        parts = parts[:-1]
    return ".".join(parts[:-1])


def sections_of(box: Box, width: int) -> Sections:
    """All units of a block as sections. width : channels of the stream."""
    made, cores = Sections(), {path: Core(path) for path in core_paths(box)}
    loose: list[Unit] = []
    for unit in _without_excitation(box):
        core = _core_of(unit, cores, box)
        if unit.op == "parameter":
            _bare(unit, core, cores, made)
        elif core is not None and _in_core(unit, core, width):
            if all(b is not core for b in made.branches):
                _close(loose, made)
                made.branches.append(core)
        elif unit.is_norm and unit.n_in == width:
            made.is_norm_first = made.is_norm_first or not (made.branches or loose)
            made.norms.append(unit)
        elif unit.is_weighted:
            loose.append(unit)
            if unit.n_out == loose[0].n_in and len(loose) > 1:
                _close(loose, made)
        else:
            made.odd.append(unit)
    _close(loose, made)
    return made


def _without_excitation(box: Box) -> Iterator[Unit]:
    if box.unit is not None:
        yield box.unit
    for child in box.children:
        if not is_excitation(child):
            yield from _without_excitation(child)


def _close(loose: list[Unit], made: Sections) -> None:
    """A chain of matrices ends; a single one of the shape of the chain's first before stands beside it (a gate)."""
    if not loose:
        return
    chains = made.chains
    if len(loose) == 1 and chains and chains[-1][0].weight == loose[0].weight and len(chains[-1]) == 2:
        chains[-1].insert(1, loose[0])
    else:
        made.branches.append(list(loose))
    loose.clear()


def _core_of(unit: Unit, cores: dict[str, Core], box: Box) -> Core | None:
    """The attention that a unit lies in or beside: the longest path that both share, below the block."""
    inside = [c for c in cores.values() if unit.path == c.path or unit.path.startswith(f"{c.path}.")]
    if inside:
        return max(inside, key=lambda c: len(c.path))
    near = []
    for core in cores.values():
        around = _parent(core.path)
        if len(around) > len(box.path) and unit.path.startswith(f"{around}."):
            near.append(core)
    return max(near, key=lambda c: len(c.path)) if near else None


def _in_core(unit: Unit, core: Core, width: int) -> bool:
    """Take a unit into an attention where name and width say that it belongs there."""
    role = _role(unit)
    if role and role not in core.parts and (_parent(unit.path) == core.path or unit.path == core.path):
        core.parts[role] = unit
        return True
    if unit.is_norm and names.QK_NORM.search(unit.path):
        core.norms[unit.path.rpartition(".")[2][0]] = unit
        return True
    if unit.op == "embedding" and names.BIAS_TABLE.search(unit.path):
        core.tables.append(unit)
        return True
    if not unit.is_weighted:
        return False
    if core.out is None and core.is_complete and unit.n_out == width and _closes(core, unit):
        core.out = unit
        return True
    if unit.op.startswith("conv") and not unit.is_pointwise and core.out is None and unit.n_in == unit.n_out == width:
        core.reduce.append(unit)
        return True
    return False


def _closes(core: Core, unit: Unit) -> bool:
    fused = core.parts.get("qkv")
    if fused is not None:
        return unit.n_in < fused.n_out and (fused.n_out == 3 * unit.n_in or (fused.n_out - unit.n_in) % 2 == 0)
    return unit.n_in == core.width


def _bare(unit: Unit, core: Core | None, cores: dict[str, Core], made: Sections) -> None:
    own = core or next(iter(cores.values()), None)
    if names.SCALE.search(unit.path):
        made.scales.append(unit)
    elif own is not None and names.QKV_BIAS.search(unit.path):
        own.biases.append(unit)
    elif own is not None and names.BIAS_TABLE.search(unit.path):
        own.tables.append(unit)
    else:
        made.odd.append(unit)
