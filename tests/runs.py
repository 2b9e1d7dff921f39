"""Runs for tests: small networks from plain arrays, and the files that come with the project."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from nn3d.paths import bundled_runs
from nn3d.run.memory import run_from_arrays
from nn3d.run.model import InputInfo
from nn3d.run.reader import open_run
from nn3d.run.run import Run

SIETZEN = Path(__file__).parent / "data" / "sietzen-mnist.zip"


@cache
def bundled() -> Run:
    """The bundled LeNet, trained on MNIST."""
    return open_run(bundled_runs()["lenet-mnist"])


def conv_run(
    *, channels: tuple[int, int] = (2, 3), size: int = 6, kernel: int = 3, padding: int = 1, stride: int = 1,
    dilation: int = 1, groups: int = 1, n_epochs: int = 2, seed: int = 0,
) -> Run:  # fmt: skip
    """An input and one convolution with random weights; its output is computed here, in float64."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, channels[0], size, size)).astype(np.float32)
    shape = (channels[1], channels[0] // groups, kernel, kernel)
    weights = [rng.normal(size=shape).astype(np.float32) for _ in range(n_epochs)]
    attributes = {
        "stride": [stride] * 2, "padding": [padding] * 2, "dilation": [dilation] * 2, "groups": groups,
        "kernel_size": [kernel] * 2,
    }  # fmt: skip
    layers = [
        {"name": "input", "op": "input"},
        {"name": "conv", "op": "conv2d", "attributes": attributes, "parameters": {"weight": weights}},
    ]
    outputs = [convolve(x, w, padding, stride, dilation, groups) for w in weights]
    return run_from_arrays(
        layers, {"input": [x] * n_epochs, "conv": outputs}, inputs=[InputInfo(node=0, kind="array")], model="one conv"
    )


def convolve(
    x: np.ndarray, w: np.ndarray, padding: int, stride: int, dilation: int, groups: int
) -> np.ndarray:
    """Cross-correlation (N, C, H, W) by the definition: the sum over every output cell's own patch."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    n_out, per_group, k, _ = w.shape
    size = (x.shape[2] - dilation * (k - 1) - 1) // stride + 1
    out = np.zeros((x.shape[0], n_out, size, size))
    for o in range(n_out):
        first = o // (n_out // groups) * per_group
        for row in range(size):
            for col in range(size):
                patch = x[:, first : first + per_group,
                          row * stride : row * stride + dilation * k : dilation,
                          col * stride : col * stride + dilation * k : dilation]  # fmt: skip
                out[:, o, row, col] = (patch * w[o]).sum((1, 2, 3))
    return out.astype(np.float32)


def mlp_run(sizes: tuple[int, ...] = (5, 7, 4), seed: int = 0, n_epochs: int = 2) -> Run:
    """Linear layers with ReLU between; values computed here."""
    rng = np.random.default_rng(seed)
    layers: list[dict[str, object]] = [{"name": "input", "op": "input"}]
    values: dict[str, list[np.ndarray]] = {"input": [rng.normal(size=(2, sizes[0])).astype(np.float32)] * n_epochs}
    before = "input"
    for k, (a, b) in enumerate(pairwise(sizes)):
        weights = [rng.normal(size=(b, a)).astype(np.float32) for _ in range(n_epochs)]
        layers.append({"name": f"fc{k}", "op": "linear", "parameters": {"weight": weights}})
        values[f"fc{k}"] = [v @ w.T for v, w in zip(values[before], weights, strict=True)]
        before = f"fc{k}"
        if k < len(sizes) - 2:
            layers.append({"name": f"relu{k}", "op": "relu"})
            values[f"relu{k}"] = [np.maximum(v, 0) for v in values[before]]
            before = f"relu{k}"
    return run_from_arrays(layers, values, model="mlp", classes=[str(i) for i in range(sizes[-1])])
