"""Owns the arithmetic of nn.LSTM, nn.GRU and nn.RNN, step by step, so that gates and states can be seen.

Order of gates as torch stores them: LSTM i f g o (Hochreiter & Schmidhuber 1997, forget gate by Gers et al. 2000);
GRU r z n (Cho et al. 2014, torch's variant).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nn3d.run.model import JSON

_GATES = {"lstm": ["i", "f", "g", "o"], "gru": ["r", "z", "n"]}


@dataclass(frozen=True, slots=True)
class RecurrentLayer:
    """The arguments of one recurrent call. input : (N, T, F), or (T, N, F) unless batch_first; 2-D without samples."""

    kind: str
    input: torch.Tensor
    hx: Any
    params: tuple[torch.Tensor, ...]
    has_biases: bool
    n_layers: int
    is_bidirectional: bool
    is_batch_first: bool

    def suffixes(self) -> list[str]:
        """One for each layer and direction, as torch names them: l0, l0_reverse, l1, ..."""
        ends = ("", "_reverse") if self.is_bidirectional else ("",)
        return [f"l{k}{end}" for k in range(self.n_layers) for end in ends]

    def roles(self) -> list[str]:
        """Names of `params`, as torch names them: weight_ih_l0, weight_hh_l0, bias_ih_l0, ..."""
        suffixes = self.suffixes()
        kinds = ["weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if self.has_biases else ())]
        if len(self.params) > len(kinds) * len(suffixes):
            kinds.append("weight_hr")
        return [f"{kind}_{suffix}" for suffix in suffixes for kind in kinds]

    def attributes(self) -> dict[str, JSON]:
        """What the run says about it."""
        found: dict[str, JSON] = {
            "num_layers": self.n_layers,
            "bidirectional": self.is_bidirectional,
            "batch_first": self.is_batch_first,
            "hidden_size": int(self.params[1].shape[1]),
        }
        if self.kind == "rnn_relu":
            found["nonlinearity"] = "relu"
        return found | ({"gates": _GATES[self.kind]} if self.kind in _GATES else {})


def read_layer(name: str, arguments: Mapping[str, Any]) -> RecurrentLayer:
    """The call's arguments (nn3d.extract.calls names them)."""
    return RecurrentLayer(
        name,
        arguments["input"],
        arguments["hx"],
        tuple(arguments["params"]),
        bool(arguments["has_biases"]),
        int(arguments["num_layers"]),
        bool(arguments["bidirectional"]),
        bool(arguments["batch_first"]),
    )


def read_packed(name: str, args: Sequence[Any]) -> RecurrentLayer:
    """A call on a packed sequence: data, batch_sizes, hx, params, has_biases, layers, dropout, train, bidirectional."""
    return RecurrentLayer(name, args[0], args[2], tuple(args[3]), bool(args[4]), int(args[5]), bool(args[8]), False)


def recompute(layer: RecurrentLayer) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The sequence as torch returns it, and by name, samples first: gates (N, gates, T, H), c and h (N, T, H).

    Names have the layer's suffix (gates_l1_reverse) where there is more than one layer or direction. Layers with a
    projection are not computed: an empty sequence comes back, which equals nothing.
    """
    suffixes = layer.suffixes()
    each = len(layer.params) // len(suffixes)
    if each not in (2, 4):
        return layer.input.new_zeros(0), {}
    unbatched = layer.input.ndim == 2
    batched = layer.input if layer.is_batch_first else layer.input.transpose(0, 1)
    below = layer.input.unsqueeze(0) if unbatched else batched
    states = layer.hx if isinstance(layer.hx, tuple | list) else (layer.hx,)
    states = tuple(s.unsqueeze(1) if unbatched else s for s in states)
    steps: dict[str, torch.Tensor] = {}
    directions = 2 if layer.is_bidirectional else 1
    for level in range(layer.n_layers):
        outputs = []
        for direction in range(directions):
            k = level * directions + direction
            params = layer.params[k * each : (k + 1) * each]
            found = _run(layer.kind, below, [s[k] for s in states], params, direction == 1)
            outputs.append(found["h"])
            steps |= {f"{n}_{suffixes[k]}" if len(suffixes) > 1 else n: t for n, t in found.items()}
        below = torch.cat(outputs, -1)
    sequence = below if layer.is_batch_first else below.transpose(0, 1)
    return (below[0], {n: t[0] for n, t in steps.items()}) if unbatched else (sequence, steps)


def _run(
    kind: str, values: torch.Tensor, states: list[torch.Tensor], params: tuple[torch.Tensor, ...], is_reverse: bool
) -> dict[str, torch.Tensor]:
    """One direction of one layer. values (N, T, F) → h (N, T, H), and gates and c where there are any."""
    weight_ih, weight_hh, *biases = params
    bias_ih, bias_hh = biases or (None, None)
    driven = torch.nn.functional.linear(values, weight_ih, bias_ih)
    h, c = states[0], states[-1]
    order = range(values.shape[1] - 1, -1, -1) if is_reverse else range(values.shape[1])
    gates, cells, hidden = [], [], []
    for t in order:
        back = torch.nn.functional.linear(h, weight_hh, bias_hh)
        if kind == "lstm":
            i, f, g, o = (driven[:, t] + back).chunk(4, -1)
            parts = [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()]
            c = parts[1] * c + parts[0] * parts[2]
            h = parts[3] * c.tanh()
            cells.append(c)
        elif kind == "gru":
            (r, z, n), (r_back, z_back, n_back) = driven[:, t].chunk(3, -1), back.chunk(3, -1)
            parts = [(r + r_back).sigmoid(), (z + z_back).sigmoid()]
            parts.append((n + parts[0] * n_back).tanh())
            h = (1 - parts[1]) * parts[2] + parts[1] * h
        else:
            parts = []
            h = (driven[:, t] + back).relu() if kind == "rnn_relu" else (driven[:, t] + back).tanh()
        gates.append(torch.stack(parts, 1) if parts else None)
        hidden.append(h)
    turn = -1 if is_reverse else 1
    found = {"h": torch.stack(hidden[::turn], 1)}
    if kind in _GATES:
        found = {"gates": torch.stack([g for g in gates[::turn] if g is not None], 2), **found}
    if cells:
        found = {"gates": found["gates"], "c": torch.stack(cells[::turn], 1), "h": found["h"]}
    return found
