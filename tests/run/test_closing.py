"""Closing a run leaves the arrays alive that it handed out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.run.writer import write_folder, write_packed
from tests.runs import mlp_run

SCRIPT = """
import sys, gc
from nn3d.run.reader import open_run
with open_run(sys.argv[1]) as run:
    weight, values = run.weights("fc0.weight"), run.values(1, 0, -1, 0)
del run
gc.collect()
print(float(weight.astype("f8").sum()), float(values.astype("f8").sum()))
"""


def written(run: Run, form: str, folder: Path) -> Path:
    """The run as a file or folder of its own."""
    path = folder / ("run.npz" if form == "packed" else "run")
    (write_packed if form == "packed" else write_folder)(run, path)
    return path


@pytest.mark.parametrize("form", ["packed", "folder"])
def test_arrays_outlive_the_run_they_came_from(form: str, tmp_path: Path) -> None:
    """In a process of its own: a view of a file that was unmapped is a segmentation fault."""
    path = written(mlp_run(), form, tmp_path)
    with open_run(path) as run:
        expected = [float(np.sum(a, dtype=np.float64)) for a in (run.weights("fc0.weight"), run.values(1, 0, -1, 0))]
    command = [sys.executable, "-c", SCRIPT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert [float(part) for part in done.stdout.split()] == pytest.approx(expected)
