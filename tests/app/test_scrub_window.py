"""Scrubbing in a real window: every epoch is answered, then whole, and memory stays flat."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.scrub_window import scrubbed
from tests.conftest import SOAK
from tests.runs import bundled


@pytest.mark.soak
@pytest.mark.usefixtures("display")
def test_each_scrub_is_answered_then_whole_and_memory_stays_flat() -> None:
    n = 60 if SOAK else 3
    found = scrubbed(bundled(), n, (n // 2, n), (480, 320))
    assert len(found.first) == len(found.whole) == n
    assert (np.array(found.first) <= np.array(found.whole)).all()
    assert set(found.held) == {n // 2, n}
    if SOAK and sys.platform == "linux":
        assert found.held[n] < 1.05 * found.held[n // 2]
