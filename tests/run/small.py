"""A small convolutional network with random numbers, as every test of runs needs one."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.model import Epoch, Sample
from nn3d.run.run import Run


def small_layers() -> list[LayerSpec]:
    return [
        LayerSpec("input", "input"),
        LayerSpec("body.conv1", "Conv2d", attributes={"kernel_size": [3, 3], "stride": [1, 1]}),
        LayerSpec("body.relu", "relu"),
        LayerSpec("pool", "MaxPool2d", attributes={"kernel_size": 2, "stride": 2}),
        LayerSpec("flat", "flatten"),
        LayerSpec("fc", "Linear"),
        LayerSpec("prob", "softmax"),
    ]


def small_arrays(rng: np.random.Generator, n_samples: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    def draw(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    conv = draw(n_samples, 4, 6, 6)
    pool = np.maximum(conv, 0)[:, :, ::2, ::2]
    activations = {
        "input": draw(n_samples, 1, 8, 8),
        "body.conv1": conv,
        "body.relu": np.maximum(conv, 0),
        "pool": pool,
        "flat": pool.reshape(n_samples, -1),
        "fc": draw(n_samples, 5),
        "prob": draw(n_samples, 5),
    }
    parameters = {
        "body.conv1.weight": draw(4, 1, 3, 3),
        "body.conv1.bias": draw(4),
        "fc.weight": draw(5, 36),
        "fc.bias": draw(5),
    }
    return activations, parameters


def small_run(seed: int = 0, n_epochs: int = 2, encoding: str = "f32") -> Run:
    rng = np.random.default_rng(seed)
    pairs = [small_arrays(rng) for _ in range(n_epochs)]
    return run_from_arrays(
        small_layers(),
        [a for a, _ in pairs],
        [p for _, p in pairs],
        epochs=[Epoch(5 * e, 100 * e, 1.5, {"loss": 1.0 / (e + 1)}) for e in range(n_epochs)],
        samples=[Sample(f"digit {i}", i) for i in range(3)],
        classes=list("abcde"),
        model="small",
        encoding=encoding,
    )
