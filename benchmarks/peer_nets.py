"""VGG-16 and ResNet-50 as runs with synthetic activations of the real shapes: the layers that the peer draws.

The peer (TensorSpace 0.6.1) has ResNet-50 as a chain, each projection standing before its sum; so has this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.run.memory import run_from_arrays
from nn3d.run.model import InputInfo
from nn3d.run.run import Run

F32 = NDArray[np.float32]
Layers = list[dict[str, Any]]


def vgg16() -> tuple[Layers, list[tuple[int, ...]]]:
    """Layers and the shapes (C, H, W) or (N) of what they put out: 13 convolutions, 5 pools, 3 dense layers."""
    net, shapes, size, before = [_input()], [(3, 224, 224)], 224, 3
    for width, n in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(n):
            net.append(_conv(before, width, 3, 1))
            shapes.append((width, size, size))
            before = width
        size //= 2
        net.append(_pool(2, 2))
        shapes.append((width, size, size))
    return _dense(net, shapes, (4096, 4096, 1000))


def resnet50() -> tuple[Layers, list[tuple[int, ...]]]:
    """Layers and shapes: 53 convolutions, two pools, 16 sums, one dense layer."""
    net, shapes = [_input(), _conv(3, 64, 7, 2), _pool(3, 2)], [(3, 224, 224), (64, 112, 112), (64, 55, 55)]
    before = 64
    for width, n, size in ((64, 3, 55), (128, 4, 28), (256, 6, 14), (512, 3, 7)):
        for block in range(n):
            shortcut, stride = len(net) - 1, 2 if block == 0 and size < 55 else 1
            net += [_conv(before, width, 1, stride), _conv(width, width, 3, 1), _conv(width, 4 * width, 1, 1)]
            shapes += [(width, size, size), (width, size, size), (4 * width, size, size)]
            if block == 0:
                net.append(_conv(4 * width, 4 * width, 1, 1))
                shapes.append((4 * width, size, size))
                shortcut = len(net) - 2
            net.append({"op": "add", "from": (len(net) - 1, shortcut)})
            shapes.append((4 * width, size, size))
            before = 4 * width
    net.append(_pool(7, 7))
    shapes.append((2048, 1, 1))
    return _dense(net, shapes, (1000,))


def _input() -> dict[str, Any]:
    return {"op": "input"}


def _pool(kernel: int, stride: int) -> dict[str, Any]:
    return {"op": "max_pool2d", "attributes": {"kernel_size": [kernel] * 2, "stride": [stride] * 2}}


def _conv(before: int, width: int, kernel: int, stride: int) -> dict[str, Any]:
    attributes = {"kernel_size": [kernel] * 2, "stride": [stride] * 2, "padding": [kernel // 2] * 2}
    return {"op": "conv2d", "attributes": attributes, "weight": (width, before, kernel, kernel)}


def _dense(
    net: Layers, shapes: list[tuple[int, ...]], widths: tuple[int, ...]
) -> tuple[Layers, list[tuple[int, ...]]]:
    net.append({"op": "flatten"})
    shapes.append((int(np.prod(shapes[-1])),))
    for width in widths:
        net.append({"op": "linear", "weight": (width, shapes[-1][0])})
        shapes.append((width,))
    return net, shapes


def synthetic(name: str, *, weights: bool, smooth: bool = True, seed: int = 0) -> Run:
    """The run "vgg16" or "resnet50" with rectified random maps.

    weights : random ones, for strands. smooth : maps with shapes an eighth of their size, else noise.
    """
    net, shapes = {"vgg16": vgg16, "resnet50": resnet50}[name]()
    rng = np.random.default_rng(seed)
    names = [f"{layer['op']}{k}" for k, layer in enumerate(net)]
    specs, values = [], {}
    for k, (layer, shape) in enumerate(zip(net, shapes, strict=True)):
        spec: dict[str, Any] = {"name": names[k], "op": layer["op"], "attributes": layer.get("attributes", {})}
        if "from" in layer:
            spec["inputs"] = tuple(names[i] for i in layer["from"])
        if weights and "weight" in layer:
            w = rng.standard_normal(layer["weight"], dtype=np.float32)
            spec["parameters"] = {"weight": w / np.float32(np.sqrt(np.prod(layer["weight"][1:])))}
        specs.append(spec)
        is_flat = layer["op"] == "flatten"
        values[names[k]] = values[names[k - 1]].reshape(1, -1) if is_flat else _maps(rng, shape, smooth)[None]
    inputs = [InputInfo(node=0, kind="image", value_range=(0.0, 2.5))]
    return run_from_arrays(specs, values, inputs=inputs, model=name, statistics=weights, encoding="f16")


def _maps(rng: np.random.Generator, shape: tuple[int, ...], smooth: bool) -> F32:
    if len(shape) < 3 or not smooth:
        return np.maximum(rng.standard_normal(shape, dtype=np.float32), 0)
    c, h, w = shape
    coarse = rng.standard_normal((c, min(h, 9), min(w, 9)), dtype=np.float32)
    fine = _stretched(_stretched(coarse, h, 1), w, 2)
    fine += 0.25 * rng.standard_normal(shape, dtype=np.float32)
    return np.maximum(fine, 0, out=fine)


def _stretched(a: F32, n: int, axis: int) -> F32:
    """Linear interpolation of an axis to n places."""
    at = np.linspace(0.0, a.shape[axis] - 1.0, n)
    low = np.minimum(at.astype(np.int64), max(a.shape[axis] - 2, 0))
    part = (at - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(a.ndim)])
    high = np.minimum(low + 1, a.shape[axis] - 1)
    return np.take(a, low, axis) * (1 - part) + np.take(a, high, axis) * part
