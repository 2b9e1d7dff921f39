"""Laws of `nn3d render`, in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nn3d.paths import bundled_runs

RUN = str(bundled_runs()["lenet-mnist"])
STATS = {
    "gl_renderer", "gl_version", "size", "draw_calls", "layers", "tiles", "edges_shown", "edges_total", "weight_share",
    "edge_mode", "segments", "face_hidden_share", "first_frame_ms", "open_ms", "layout_ms", "bundle_ms",
    "frame_ms_median", "frame_ms_p95", "frames", "upload_bytes", "peak_anon_mb",
}  # fmt: skip
DUMP = {
    "layers", "tile_layer", "tile_index", "tile_center", "tile_size", "tile_value", "edge_source_tile",
    "edge_target_tile", "edge_source_cell", "edge_target_cell", "params", "edge_param", "edge_weight_index",
    "edge_weight", "edge_level", "edge_control", "row_source", "row_target", "row_path", "row_colour", "row_amount",
    "row_area", "row_control", "world_from_bench",
}  # fmt: skip


def render(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nn3d", "render", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_picture_its_figures_and_its_numbers_are_written(tmp_path: Path) -> None:
    picture, stats, dump = tmp_path / "a.png", tmp_path / "a.json", tmp_path / "a.npz"
    done = render(RUN, "-o", str(picture), "--size", "640x360", "--frames", "2", "--stats", str(stats), "--dump",
                  str(dump), "--edges", "all", "--epoch", "3")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert Image.open(picture).size == (640, 360)
    figures = json.loads(stats.read_text())
    assert set(figures) == STATS
    assert figures["frames"] == 2
    assert figures["edges_shown"] == figures["edges_total"] == 150 + 2400 + 48000 + 10080 + 840
    with np.load(dump, allow_pickle=False) as arrays:
        assert set(arrays.files) == DUMP
        assert arrays["edge_control"].shape[1:] == (11, 3)
        assert (arrays["edge_param"] >= 0).sum() == figures["edges_total"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.npz", "-o", "a.png"], 1, "missing.npz"),
        ([RUN, "-o", "a.xyz"], 1, ".png"),
        ([RUN, "-o", "a.png", "--epoch", "99"], 1, "99"),
        ([RUN, "-o", "a.png", "--open", "nowhere"], 1, "nowhere"),
        ([RUN, "-o", "a.png", "--size", "huge"], 2, "WxH"),
        ([RUN], 2, "-o"),
    ],
)
def test_bad_input_is_one_line_and_its_exit_code(arguments: list[str], code: int, said: str) -> None:
    done = render(*arguments)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("nn3d: ")
    assert said in done.stderr


def test_a_script_of_commands_is_played_before_the_picture(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"do": "SetOpen", "layer": None, "is_open": False, "at_once": True}]))
    stats = tmp_path / "a.json"
    done = render(RUN, "-o", str(tmp_path / "a.png"), "--script", str(script), "--stats", str(stats))
    assert done.returncode == 0
    assert json.loads(stats.read_text())["edges_shown"] == 0


def test_every_edge_of_a_large_layer_is_refused_with_the_count(tmp_path: Path) -> None:
    import nn3d
    from nn3d.run.writer import write_packed
    from tests.runs import mlp_run

    path = tmp_path / "wide.npz"
    write_packed(mlp_run((2400, 2400, 4), n_epochs=1), path)
    assert len(nn3d.load(path).layers) == 3
    done = render(str(path), "-o", str(tmp_path / "a.png"), "--edges", "all", "--open", "all")
    assert done.returncode == 1
    assert "5,769,600" in done.stderr
