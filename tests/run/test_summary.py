"""What `nn3d info` says, as JSON and as a table."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from nn3d.cli.info import command as info
from nn3d.cli.pack import command as pack
from nn3d.run.summary import text
from nn3d.run.writer import write_folder, write_packed
from tests.run.small import small_run

KEYS = {"format", "graph", "layers", "epochs", "samples", "classes", "params_total", "macs_total", "bytes"}
LAYER_KEYS = {"id", "name", "op", "module", "shape", "params", "macs", "inputs"}


def test_info_json_has_the_keys_that_scripts_rely_on(tmp_path: Path) -> None:
    write_packed(small_run(), tmp_path / "r.npz")
    result = CliRunner().invoke(info, [str(tmp_path / "r.npz"), "--json", "--ops", "--validate"])
    facts = json.loads(result.stdout)
    assert set(facts) >= KEYS
    assert set(facts["layers"][1]) >= LAYER_KEYS
    assert facts["params_total"] == 4 * 9 + 4 + 5 * 36 + 5
    assert facts["layers"][3]["inputs"] == ["pool"]
    assert facts["epochs"][1] == {"id": 5, "step": 100, "metrics": {"loss": 0.5}}
    assert facts["bytes"] == (tmp_path / "r.npz").stat().st_size
    assert len(facts["ops"]) == 7


def test_the_table_shows_shares_and_metrics() -> None:
    lines = text(small_run()).splitlines()
    assert any("Conv 3×3 · ReLU" in line and "17.8 %" in line for line in lines)
    assert any(line.split() == ["5", "100", "0.5"] for line in lines)


def test_pack_makes_one_file_of_a_folder(tmp_path: Path) -> None:
    write_folder(small_run(), tmp_path / "r")
    result = CliRunner().invoke(pack, [str(tmp_path / "r"), "-o", str(tmp_path / "r.npz")])
    assert result.exit_code == 0
    assert (tmp_path / "r.npz").is_file()
