"""`python -m benchmarks [NAME…]`: run the benchmarks, print their tables, assert nothing about time."""

from __future__ import annotations

import importlib
import os
import platform
import sys

from benchmarks.timing import table

BENCHMARKS = (
    "start", "frames", "epochs", "scrub", "tiles", "hover", "edges", "hidden", "fidelity", "chains", "loading",
    "extraction", "recording", "distributed", "film", "watching", "large",
    "inference",
)  # fmt: skip


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"benchmarks: expected some of {', '.join(BENCHMARKS)}, got {', '.join(sorted(unknown))}")
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}. Ratios carry, times do not.")
    for name in names or BENCHMARKS:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n## {module.TITLE}\n\n{getattr(module, 'table', table)(module.rows())}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
