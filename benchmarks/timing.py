"""Interleaved medians and the markdown table they are printed in."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what was done, what its floor is, both in milliseconds, and what to know about them."""

    what: str
    ms: float
    floor: str
    floor_ms: float
    note: str = ""


def interleaved(*actions: Callable[[], object], rounds: int = 7) -> list[float]:
    """Median milliseconds of each action, run in turn `rounds` times after one round that warms up.

    In turn, so that a machine that slows down or gets busy does so for all of them.
    """
    times: list[list[float]] = [[] for _ in actions]
    for round_ in range(rounds + 1):
        for action, taken in zip(actions, times, strict=True):
            begin = time.perf_counter()
            action()
            if round_ > 0:
                taken.append((time.perf_counter() - begin) * 1000)
    return [statistics.median(taken) for taken in times]


def table(rows: Sequence[Row]) -> str:
    """The rows as a markdown table."""
    lines = ["| what | ms | floor | ms | ratio | |", "|---|--:|---|--:|--:|---|"]
    lines += [
        f"| {row.what} | {_short(row.ms)} | {row.floor} | {_short(row.floor_ms)} "
        f"| {_short(row.ms / row.floor_ms)} | {row.note} |"
        for row in rows
    ]
    return "\n".join(lines)


def _short(value: float) -> str:
    """Three digits or so: 1,390 or 16.8 or 0.012."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{decimals}f}"
