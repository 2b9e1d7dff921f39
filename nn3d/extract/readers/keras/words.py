"""Owns how Keras's JSON says shapes, and how its files name groups after classes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nn3d.run.model import JSON

Shape = tuple[int | None, ...]


def snake_case(name: str) -> str:
    """A class's name as Keras 3 names its groups: Conv2DTranspose → conv2d_transpose, ReLU → re_lu."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def input_shape(config: Mapping[str, JSON]) -> Shape | None:
    """What a layer's config says that it reads."""
    for name in ("batch_shape", "batch_input_shape"):
        if config.get(name) is not None:
            return shape_of(config[name])
    if config.get("input_shape") is not None:
        return shape_of([None, *config["input_shape"]])
    width = config.get("input_dim")
    return shape_of([None, width]) if isinstance(width, int) and "units" in config else None


def shape_of(given: JSON) -> Shape | None:
    """[null, 28, 28, 1] → (28, 28, 1); None where it is no shape."""
    if not isinstance(given, list | tuple) or not given or len(given) > 16:
        return None
    entries = given[1:]
    if not all(n is None or (isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 31) for n in entries):
        return None
    return tuple(entries)
