"""LSTM, GRU and RNN, step by step in time and array-wise in all else, with the gates and cells a run may hold.

Order of gates as torch stores them: LSTM i f g o (Hochreiter & Schmidhuber 1997; Gers et al. 2000), GRU r z n (Cho
et al. 2014, torch's variant; with reset_after false the paper's own: r times h before the product). Gates are sigmoids,
or with recurrent_activation "hard_sigmoid" Keras 2's 0.2 x + 0.5 between 0 and 1, "hard_sigmoid3" relu6(x + 3) / 6.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn3d.analysis.forward.pointwise import sigmoid
from nn3d.analysis.forward.step import Result, Rule, Step
from nn3d.run.model import Array, FloatArray


def _layer(step: Step) -> Result:
    """All levels and directions; outputs by their names."""
    layers, both = int(step.number("num_layers", 1)), step.flag("bidirectional")
    ends = ("", "_reverse") if both else ("",)
    suffixes = [f"l{k}{end}" for k in range(layers) for end in ends]
    if any(f"weight_hr_{s}" in step.node.parameters for s in suffixes):
        raise step.unknown("with a projection")
    if step.x.ndim != 3:
        raise step.unknown("without samples")
    begin = {k: step.named(f"hx[{k}]") for k in (0, 1)}
    below, found, last = step.x, dict[str, Array](), list[tuple[Array, Array]]()
    for k, suffix in enumerate(suffixes):
        start = [None if (b := begin[i]) is None else _state(step, b, k, len(suffixes)) for i in (0, 1)]
        steps, h, c = _run(step, below, suffix, start, is_reverse=suffix.endswith("_reverse"))
        found |= {f"{name}_{suffix}" if len(suffixes) > 1 else name: v for name, v in steps.items()}
        last.append((h, c))
        if k % len(ends) == len(ends) - 1:
            rows = [found[f"h_{s}" if len(suffixes) > 1 else "h"] for s in suffixes[k - len(ends) + 1 : k + 1]]
            below = np.concatenate(rows, -1)
    found[""] = below
    found["h_n"], found["c_n"] = (np.stack([pair[i] for pair in last], 1) for i in (0, 1))
    return tuple(_named(step, found, i) for i in range(len(step.node.outputs)))


def _named(step: Step, found: dict[str, Array], index: int) -> Array:
    name = step.node.outputs[index].name
    if name not in found:
        raise step.unknown(f"with an output {name}")
    return found[name].reshape(step.shape(index))


def _state(step: Step, given: Array, k: int, n: int) -> Array:
    """State k of (N, layers, H)."""
    if given.shape[:2] != (step.n, n):
        raise step.unknown("with states of another shape")
    return given[:, k]


def _run(
    step: Step, x: Array, suffix: str, start: list[Array | None], *, is_reverse: bool
) -> tuple[dict[str, Array], Array, Array]:
    """One direction of one level. x (N, T, F) → h (N, T, H), c and gates (N, gates, T, H), and the last states."""
    w_hh = step.must(f"weight_hh_{suffix}")
    into, back = step.weight(f"bias_ih_{suffix}"), step.weight(f"bias_hh_{suffix}")
    driven = np.matmul(x, step.must(f"weight_ih_{suffix}").T) + (0.0 if into is None else into)
    zero = np.zeros((x.shape[0], w_hh.shape[1]), np.float32)
    h, c = (zero if s is None else s for s in start)
    rows, cells, gates = [], [], []
    for t in range(x.shape[1])[:: -1 if is_reverse else 1]:
        again = np.matmul(h, w_hh.T) + (0.0 if back is None else back)
        h, c, parts = _step(step, driven[:, t], again, h, c, w_hh)
        rows.append(h)
        cells.append(c)
        gates.append(parts)
    turn = -1 if is_reverse else 1
    steps = {"h": np.stack(rows[::turn], 1)}
    if step.node.op == "lstm":
        steps["c"] = np.stack(cells[::turn], 1)
    if step.node.op != "rnn":
        steps["gates"] = np.stack(gates[::turn], 2)
    return steps, h, c


_GATES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard_sigmoid3": lambda x: np.clip(x + 3, 0, 6) / 6,
}


def _step(
    step: Step, driven: Array, back: Array, h: Array, c: Array, w_hh: FloatArray
) -> tuple[Array, Array, FloatArray]:
    """One step in time: h and c after it, and the gates (N, gates, H)."""
    gate = _GATES.get(step.text("recurrent_activation", "sigmoid"))
    if gate is None:
        raise step.unknown(f"with gates by {step.text('recurrent_activation', '')}")
    if step.node.op == "lstm":
        i, f, g, o = np.split(driven + back, 4, -1)
        i, f, g, o = gate(i), gate(f), np.tanh(g), gate(o)
        c = f * c + i * g
        return o * np.tanh(c), c, np.stack([i, f, g, o], 1)
    if step.node.op == "gru":
        (r, z, n), (r_back, z_back, n_back) = np.split(driven, 3, -1), np.split(back, 3, -1)
        r, z = gate(r + r_back), gate(z + z_back)
        if step.node.attributes.get("reset_after", True):
            n = np.tanh(n + r * n_back)
        else:
            n = np.tanh(n + n_back + np.matmul(r * h - h, w_hh[-h.shape[1] :].T))
        return (1 - z) * n + z * h, c, np.stack([r, z, n], 1)
    total = driven + back
    h = np.maximum(total, 0) if step.text("nonlinearity", "tanh") == "relu" else np.tanh(total)
    return h, c, np.zeros((len(h), 0), np.float32)


RULES: dict[str, Rule] = {"lstm": _layer, "gru": _layer, "rnn": _layer}
