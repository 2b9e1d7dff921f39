"""`nn3d explain`: what it prints adds up, and what it refuses is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nn3d.cli.explain import command
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from tests.runs import SIETZEN


def explained(name: str, *arguments: str) -> Result:
    path = str(bundled_runs().get(name, Path(name)))
    return CliRunner().invoke(command, [path, *arguments])


def test_the_products_and_the_bias_are_the_computed_value_and_that_is_the_stored_one() -> None:
    done = explained("lenet-mnist", "--layer", "conv2", "--cell", "3,4,4", "--epoch", "3", "--sample", "2", "--json")
    assert done.exit_code == 0
    found = json.loads(done.output)
    named = {"stored", "computed", "abs_error", "tolerance", "known", "op", "bias", "terms", "receptive_field"}
    assert named <= set(found)
    run = open_run(bundled_runs()["lenet-mnist"])
    assert found["stored"] == run.activations("conv2", epoch=3)[2, 3, 4, 4]
    total = found["bias"] + sum(t["product"] for t in found["terms"])
    assert max(0.0, total) == pytest.approx(found["computed"], abs=1e-12)
    assert found["known"]
    assert found["abs_error"] == pytest.approx(abs(found["stored"] - found["computed"]))
    assert found["abs_error"] <= found["tolerance"]
    sizes = [abs(t["product"]) for t in found["terms"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 150
    assert found["receptive_field"] == {"pool1": [[0, 6], [4, 9], [4, 9]]}
    assert found["terms"][0]["source"] == "pool1"
    assert len(found["terms"][0]["cell"]) == 3


def test_an_epoch_by_its_id_and_a_sample_by_its_name() -> None:
    run = open_run(bundled_runs()["lenet-mnist"])
    by_name = explained(
        "lenet-mnist", "--layer", "fc3", "--cell", "7", "--epoch", f"id:{run.epochs[2].id}", "--sample",
        run.samples[5].name, "--json",
    )  # fmt: skip
    by_number = explained("lenet-mnist", "--layer", "fc3", "--cell", "7", "--epoch", "2", "--sample", "5", "--json")
    assert by_name.output == by_number.output
    assert json.loads(by_number.output)["epoch"] == 2


def test_a_person_reads_patch_products_and_the_comparison() -> None:
    words = explained("lenet-mnist", "--layer", "conv1", "--cell", "2,9,10").output
    assert "relu(Σ a·w + b)" in words
    assert "input map 0, rows 7 to 11, columns 8 to 12" in words
    assert "13 more" in words
    assert "looks at input 0,7–11,8–12" in words
    assert "within the tolerance of" in words


def test_a_row_of_attention_is_named_by_its_words() -> None:
    run = open_run(bundled_runs()["gpt-python"])
    words = explained("gpt-python", "--layer", "blocks.0.attention.attention", "--cell", "1,5,2").output
    row = next(line for line in words.splitlines() if "row:" in line)
    assert any(word in row for word in run.samples[0].tokens[:6])
    assert "(16 in all)" in row


def test_numbers_that_there_are_not_are_null() -> None:
    found = json.loads(explained("lenet-mnist", "--layer", "input", "--cell", "0,3,4", "--json").output)
    assert (found["computed"], found["bias"], found["known"], found["terms"]) == (None, None, False, [])
    assert "it is given" in found["reason"]
    found = json.loads(explained("gpt-python", "--layer", "blocks.0.mlp.gelu", "--cell", "3,4", "--json").output)
    assert found["terms"][0]["weight"] is None


def test_nn_visualizers_files_say_that_they_cannot_be_reproduced_and_by_how_much() -> None:
    words = explained(str(SIETZEN), "--layer", "conv1", "--cell", "2,3,4").output
    assert "beyond the tolerance" in words
    assert "not known: cannot be reproduced" in words


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--layer", "fc3", "--cell", "12"], "cell: of fc3 should be one number, F 0 to 9; got 12"),
        (["--layer", "conv1", "--cell", "2"], "should be 3 numbers, C 0 to 5, H 0 to 27, W 0 to 27; got 2"),
        (["--layer", "fc9", "--cell", "1"], "layer: should be one of input, conv1, pool1"),
        (["--layer", "fc3", "--cell", "1", "--epoch", "99"], "epoch: should be from -11 to 10"),
        (["--layer", "fc3", "--cell", "1", "--sample", "99"], "sample: should be from -16 to 15"),
    ],
)
def test_what_is_not_there_is_one_line_with_the_range(arguments: list[str], line: str) -> None:
    done = explained("lenet-mnist", *arguments)
    assert isinstance(done.exception, Nn3dError)
    assert line in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_cell_that_is_no_number_is_wrong_usage() -> None:
    done = explained("lenet-mnist", "--layer", "fc3", "--cell", "a,b")
    assert done.exit_code == 2
    assert "expected numbers from 0" in done.output
