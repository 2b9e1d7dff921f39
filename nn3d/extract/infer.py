"""Owns guessing a graph from a bare state_dict: prefix groups in file order, joined where channel counts match.

Nothing here is known: the graph is marked `inferred`, and every joint is written down in its notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nn3d.run.model import JSON, Graph, Module, Node, Output, Parameter, Source

Shape = tuple[int, ...]
_KERNEL = {3: ("kL",), 4: ("kH", "kW"), 5: ("kD", "kH", "kW")}
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
_EMBEDDING = ("emb", "wte", "wpe", "token", "vocab")


@dataclass(frozen=True, slots=True)
class _Group:
    """Entries that share a module path: role → (parameter id, shape)."""

    path: str
    roles: Mapping[str, tuple[int, Shape]]

    def shape(self, *names: str) -> Shape:
        return next((self.roles[n][1] for n in names if n in self.roles), ())


@dataclass(frozen=True, slots=True)
class _Guess:
    """What a group seems to be. fits : numbers of channels that it could read; 0 stands for any."""

    op: str
    attributes: Mapping[str, JSON]
    n_in: int
    n_out: int


def infer_graph(shapes: Mapping[str, Shape]) -> Graph:
    """Names and shapes, in the file's order → a graph of kind "inferred" without shapes of maps."""
    parameters = tuple(_parameter(i, name, shape) for i, (name, shape) in enumerate(shapes.items()))
    groups = _groups(shapes)
    nodes: list[Node] = []
    ends: list[tuple[int, int]] = []
    notes = [
        "Graph inferred from names and shapes alone, in the file's order; functions without parameters are missing."
    ]
    for group in groups:
        guess = _guess(group)
        source, guess, why = _join(guess, group, ends)
        if source is None and not nodes:
            nodes.append(Node(0, "input", "input", outputs=(Output((guess.n_in,), ("C",)),)))
            ends.append((0, guess.n_in))
            source, why = 0, f"first in the file, {guess.n_in} channels in"
        node = len(nodes)
        roles = {role: parameter for role, (parameter, _) in group.roles.items() if role != "num_batches_tracked"}
        inputs = (Source(source, 0, "input"),) if source is not None else ()
        outputs = (Output((guess.n_out,), ("C",)),)
        name = group.path or guess.op
        nodes.append(Node(node, guess.op, name, group.path, guess.attributes, inputs, outputs, roles))
        joint = f"{nodes[source].name} → {name}" if source is not None else f"{name} has no joint"
        notes.append(f"{joint}: {why}")
        ends.append((node, guess.n_out))
    kept = tuple(p for p in parameters if not p.name.endswith("num_batches_tracked"))
    output = (("output", nodes[-1].id, 0),) if nodes else ()
    return Graph("inferred", tuple(nodes), kept, _modules(groups), (), output, tuple(notes))


def _parameter(index: int, name: str, shape: Shape) -> Parameter:
    kind = "buffer" if name.endswith(_BUFFERS) else "parameter"
    axes: tuple[str, ...] = (
        ("out", "in", *_KERNEL.get(len(shape), ())) if 2 <= len(shape) <= 5 else ("out",) * len(shape)
    )
    return Parameter(index, name, shape, axes if len(axes) == len(shape) else (), kind)


def _groups(shapes: Mapping[str, Shape]) -> list[_Group]:
    found: dict[str, dict[str, tuple[int, Shape]]] = {}
    for i, (name, shape) in enumerate(shapes.items()):
        path, _, role = name.rpartition(".")
        found.setdefault(path, {})[role] = (i, shape)
    return [_Group(path, roles) for path, roles in found.items()]


def _modules(groups: list[_Group]) -> tuple[Module, ...]:
    paths = {""}
    for group in groups:
        parts = group.path.split(".")
        paths |= {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
    return tuple(Module(path, "unknown") for path in sorted(paths))


def _guess(group: _Group) -> _Guess:
    weight = group.shape("weight")
    if group.shape("running_mean"):
        n = group.shape("running_mean")[0]
        return _Guess("batch_norm", {"eps": 1e-5}, n, n)
    if group.shape("weight_ih_l0"):
        return _recurrent(group)
    if group.shape("in_proj_weight"):
        n = group.shape("in_proj_weight")[1]
        return _Guess("multi_head_attention", {}, n, n)
    if len(weight) in _KERNEL:
        return _convolution(group, weight)
    if len(weight) == 2:
        is_embedding = "bias" not in group.roles and any(word in group.path.lower() for word in _EMBEDDING)
        return _Guess("embedding", {}, 0, weight[1]) if is_embedding else _Guess("linear", {}, weight[1], weight[0])
    if len(weight) == 1:
        return _Guess("layer_norm", {"normalized_shape": list(weight), "eps": 1e-5}, weight[0], weight[0])
    shape = next((s for _, s in group.roles.values() if s), (1,))
    return _Guess("other:unknown", {}, shape[-1], shape[-1])


def _convolution(group: _Group, weight: Shape) -> _Guess:
    rank = len(weight) - 2
    attributes: dict[str, JSON] = {"kernel_size": list(weight[2:])}
    return _Guess(f"conv{rank}d", attributes, weight[1], weight[0])


def _recurrent(group: _Group) -> _Guess:
    rows, columns = group.shape("weight_ih_l0")
    hidden = (group.shape("weight_hh_l0") or (rows, rows))[1]
    op = {4: "lstm", 3: "gru"}.get(rows // max(1, hidden), "rnn")
    is_both = "weight_ih_l0_reverse" in group.roles
    layers = sum(1 for role in group.roles if role.startswith("weight_ih") and not role.endswith("reverse"))
    attributes = {"num_layers": layers, "bidirectional": is_both, "hidden_size": hidden}
    return _Guess(op, attributes, columns, hidden * (2 if is_both else 1))


def _join(guess: _Guess, group: _Group, ends: list[tuple[int, int]]) -> tuple[int | None, _Guess, str]:
    """The node that this one seems to read, the guess as the joint changes it, and why."""
    if guess.op == "embedding":
        return None, guess, "an embedding reads tokens"
    if not ends:
        return None, guess, ""
    last, channels = ends[-1]
    if channels == guess.n_in:
        return last, guess, f"{channels} channels = {guess.n_in}"
    found = _other_joint(guess, group.shape("weight"), channels)
    earlier = next((node for node, n in reversed(ends) if n == guess.n_in), None)
    if found is not None and (earlier is None or found[2]):
        return last, found[0], found[1]
    if earlier is not None:
        return earlier, guess, f"the nearest earlier one with {guess.n_in} channels (the last has {channels})"
    return None, guess, f"reads {guess.n_in} channels, nothing before it gives as many"


def _other_joint(guess: _Guess, weight: Shape, channels: int) -> tuple[_Guess, str, bool] | None:
    """How the last node may fit all the same, why, and whether that is likelier than an earlier node that fits."""
    if guess.op == "linear" and guess.n_in % channels == 0:
        return guess, f"{guess.n_in} = {channels} channels × {guess.n_in // channels} positions (flattened)", True
    if not guess.op.startswith("conv"):
        return None
    if channels == weight[0] and weight[1] == 1:
        grouped = _Guess(guess.op, {**guess.attributes, "groups": channels}, channels, channels)
        return grouped, f"{channels} channels, one a group (depthwise)", True
    if channels == weight[0]:
        attributes = {**guess.attributes, "transposed": True}
        turned = _Guess(guess.op.replace("conv", "conv_transpose"), attributes, weight[0], weight[1])
        return turned, f"{channels} channels = {weight[0]} if transposed", all(k % 2 == 0 for k in weight[2:])
    if channels % guess.n_in == 0 and weight[0] % (channels // guess.n_in) == 0:
        groups = channels // guess.n_in
        grouped = _Guess(guess.op, {**guess.attributes, "groups": groups}, channels, guess.n_out)
        return grouped, f"{channels} channels in {groups} groups", False
    return None
