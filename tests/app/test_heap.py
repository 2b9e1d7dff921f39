"""What was freed goes back to the system, though something younger keeps the C library from giving it back itself."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.app import heap
from nn3d.app.heap import LOOK_SECS, Heap, resident_bytes

PIECE_BYTES = 64 << 10  # glibc takes no piece of this size from outside its heap
N_PIECES = 1600
MUCH_BYTES = 64 << 20
MOST_LEFT = 24 << 20

needs_glibc = pytest.mark.skipif(heap._glibc() is None, reason="the C library is not glibc 2.33 or later")


def pinned_and_freed() -> tuple[list[np.ndarray], int]:
    """What lies between the freed pieces and over them, and how many bytes the process had before."""
    before = resident_bytes()
    pieces = [np.ones(PIECE_BYTES, np.uint8) for _ in range(N_PIECES)]
    pins = [pieces[k] for k in range(0, N_PIECES, 40)] + [pieces[-1]]
    return pins, before


@needs_glibc
def test_freed_memory_that_glibc_keeps_goes_back_at_the_next_look_and_not_before() -> None:
    Heap().clear()  # what earlier tests of this process freed would be taken first, and is resident already
    found = Heap()
    assert not found.look(0.0)
    pins, before = pinned_and_freed()
    assert resident_bytes() - before > MUCH_BYTES
    assert not found.look(0.5 * LOOK_SECS)
    assert found.look(1.5 * LOOK_SECS)
    assert resident_bytes() - before < MOST_LEFT
    assert not found.look(4.0 * LOOK_SECS)
    assert all(pin.all() for pin in pins)


@needs_glibc
def test_what_only_refers_to_itself_is_freed_when_a_run_was_closed() -> None:
    before = resident_bytes()
    circle: list[object] = [np.ones(MUCH_BYTES, np.uint8)]
    circle.append(circle)
    del circle
    assert resident_bytes() - before > MOST_LEFT
    Heap().clear()
    assert resident_bytes() - before < MOST_LEFT


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_glibc", lambda: None)
    found = Heap()
    found.clear()
    assert not found.look(10.0)
