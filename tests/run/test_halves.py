"""Float16 by its bits is numpy's float16."""

from __future__ import annotations

import numpy as np

from nn3d.run.halves import float16, float32


def test_every_float16_becomes_the_float32_that_numpy_makes_of_it() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    found = float32(every.reshape(256, 256)).ravel()
    assert np.array_equal(found, every.astype(np.float32), equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(every))
    assert np.array_equal(float32(every[::2]), every[::2].astype(np.float32), equal_nan=True)


def test_a_float32_becomes_the_nearest_float16(rng: np.random.Generator) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert np.array_equal(float16(finite.astype(np.float32)).view(np.uint16), finite.view(np.uint16))
    spread = (rng.normal(size=300_001) * 10.0 ** rng.uniform(-9, 3, 300_001)).astype(np.float32)
    away = np.abs(float16(spread).astype(np.float64) - spread)
    assert (away <= np.abs(spread.astype(np.float16).astype(np.float64) - spread) + 2.0**-36).all()
