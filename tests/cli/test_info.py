"""`nn3d info`: what clusters keep beside shuffled weights, and the health of a training."""

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


def test_health_says_in_words_and_in_json_what_the_tables_hold() -> None:
    path = str(bundled_runs()["lenet-mnist"])
    done = CliRunner().invoke(command, [path, "--health", "--json"])
    assert done.exit_code == 0
    health = json.loads(done.output)["health"]
    fc1 = next(layer for layer in health["layers"] if layer["name"] == "fc1")
    last = fc1["epochs"][-1]
    words = CliRunner().invoke(command, [path, "--health"]).output
    line = next(x for x in words[words.index("health, by epoch") :].splitlines() if x.startswith("fc1 "))
    assert f"{last['dead']} ({100 * last['dead'] / fc1['units']:.0f} %)" in line
    assert f"{last['ratio']:.2g}" in line
    for mark in health["marks"]:
        assert f"epoch {mark['id']:>2}  {mark['words']}" in words or f"epoch {mark['id']}  {mark['words']}" in words
