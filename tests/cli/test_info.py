"""`nn3d info --clusters`: what clusters keep, beside shuffled weights."""

from __future__ import annotations

import json

from click.testing import CliRunner

from nn3d.cli.info import command
from nn3d.paths import bundled_runs


def test_every_fully_connected_link_has_its_fidelity_beside_shuffled_weights() -> None:
    path = str(bundled_runs()["lenet-mnist"])
    done = CliRunner().invoke(command, [path, "--clusters", "--json"])
    assert done.exit_code == 0
    rows = json.loads(done.output)["clusters"]
    assert [(r["from"], r["layer"]) for r in rows] == [("pool2", "fc1"), ("fc1", "fc2"), ("fc2", "fc3")]
    assert all(r["r2_shuffled"] < r["r2"] < 1.0 for r in rows)
    words = CliRunner().invoke(command, [path, "--clusters"]).output
    assert f"fc1 → fc2: 8 × 7 clusters, contribution, R² {rows[1]['r2']:.2f}" in words
