"""Owns finding a Keras layer's tensors: by group and number (Keras 3), or by layer and weight name (Keras 1, 2, tfjs).

Gates of recurrent kernels stand as Keras keeps them: LSTM i f c o, GRU z r h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nn3d.extract.readers.keras.build import Entry
from nn3d.extract.readers.keras.config import Layer, Model

# What the names of older files call the parts that Keras 3 keeps in groups of their own.
_PARTS = {
    "forward_layer/cell": ("forward",), "backward_layer/cell": ("backward",), "query_dense": ("query",),
    "key_dense": ("key",), "value_dense": ("value",), "output_dense": ("attention_output", "output"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Tensors of one layer. numbered : "part/vars/0" → tensor. named : as older files list them, in order.

    path : of the layer, for the names of parameters.
    """

    path: str
    numbered: Mapping[str, Entry]
    named: Sequence[Entry]

    def get(self, names: Sequence[str], part: str = "") -> dict[str, Entry]:
        """Tensors by role. names : of the roles, in Keras 3's order. part : group below the layer's."""
        found = self._by_number(names, part) if self.numbered else self._by_name(names, part)
        label = f"{self.path}/{part.removesuffix('/cell')}/" if part not in ("", "cell", "layer") else f"{self.path}/"
        return {role: replace(entry, name=label + role) for role, entry in found.items()}

    def _by_number(self, names: Sequence[str], part: str) -> dict[str, Entry]:
        start = f"{part}/vars/" if part else "vars/"
        return {name: self.numbered[f"{start}{i}"] for i, name in enumerate(names) if f"{start}{i}" in self.numbered}

    def _by_name(self, names: Sequence[str], part: str) -> dict[str, Entry]:
        words = _PARTS.get(part, ())
        chosen = [e for e in self.named if not words or any(w in p for p in e.name.split("/")[:-1] for w in words)]
        if part in ("query_dense", "key_dense", "value_dense"):
            chosen = [e for e in chosen if words[0] in e.name.split("/")]
        by_role = {_role(entry.name): entry for entry in chosen}
        if any(name in by_role for name in names):
            return {name: by_role[name] for name in names if name in by_role}
        return dict(zip(names, chosen, strict=False))

    def all(self) -> dict[str, Entry]:
        """Everything that it has, by number or name."""
        found = dict(self.numbered) if self.numbered else {_role(e.name): e for e in self.named}
        return {k: replace(e, name=f"{self.path}/{k}") for k, e in found.items()}


class WeightFile:
    """All tensors of a file of weights.

    groups : of older files, layer of the model → its tensors with their names, in order. numbered : of Keras 3's, path
    → tensor. titles : of Keras 3's, group → name of its layer, where the file says it.
    """

    def __init__(
        self,
        *,
        numbered: Mapping[str, Entry] | None = None,
        groups: Mapping[str, Sequence[Entry]] | None = None,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        self._groups = dict(groups or {})
        self._below: dict[str, dict[str, Entry]] = {}
        self._titles = {v: k for k, v in (titles or {}).items()}
        for path, entry in (numbered or {}).items():
            parts = path.split("/")
            for k in range(1, len(parts)):
                self._below.setdefault("/".join(parts[:k]), {})["/".join(parts[k:])] = entry

    def of(self, layer: Layer, around: Sequence[str], path: str) -> LayerWeights:
        """Tensors of a layer. around : names of the nested models that it stands in, outermost first."""
        if self._below:
            return LayerWeights(path, self._below.get(self.address(layer), {}), ())
        group = self._groups.get(around[0] if around else layer.name)
        if group is None:
            group = [e for entries in self._groups.values() for e in entries]
            return LayerWeights(path, {}, _belonging(group, [*around, layer.name]))
        return LayerWeights(path, {}, _belonging(group, [*around[1:], layer.name]) if around else list(group))

    def address(self, layer: Layer) -> str:
        """Its group; by name where one of the same parent says that it is this layer's."""
        parent = layer.address.rpartition("/")[0]
        titled = self._titles.get(layer.name, "")
        return titled if titled and titled.rpartition("/")[0] == parent else layer.address


def named_groups(entries: Sequence[Entry], model: Model) -> dict[str, list[Entry]]:
    """Tensors of a flat list by the layer of the model whose name theirs begins with; others under ""."""
    found: dict[str, list[Entry]] = {layer.name: [] for layer in model.layers}
    for entry in entries:
        parts = entry.name.split("/")
        ends = ["/".join(parts[:k]) for k in range(len(parts) - 1, 0, -1)]
        home = next((end for end in ends if end in found), None)
        if home is None:
            home = next((p for p in parts if p in found), None)
        found.setdefault(home or "", []).append(entry)
    return {name: group for name, group in found.items() if group}


def _role(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0]


def _belonging(group: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    """Those whose name holds a layer's, and where it is ambiguous, the names around it too."""
    chosen = [e for e in group if f"/{names[-1]}/" in f"/{e.name}"]
    for outer in reversed(names[:-1]):
        nearer = [e for e in chosen if f"/{outer}/" in f"/{e.name}"]
        chosen = nearer or chosen
    return chosen
