"""Options of a view, as `nn3d view` and `nn3d render` share them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nn3d.cli.states import read_state
from nn3d.cli.view import command as view
from nn3d.cli.viewing import apply_view_options, read_script
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.run import Run
from nn3d.stage import jsonable
from nn3d.stage.commands import Select, SetTheme
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState


@pytest.fixture
def state(small_run: Run) -> ViewState:
    return initial_state(small_run, Resident(small_run))


def test_options_change_the_view_at_once(small_run: Run, state: ViewState) -> None:
    seen = apply_view_options(
        small_run, state, epoch="id:1", sample="-1", open_="conv1", theme="light", level="maps", by="weight",
        strength=0.25,
    )  # fmt: skip
    assert (seen.time.epoch, seen.time.target, seen.sample) == (1.0, 1.0, 5)
    assert [v.opening for v in seen.layers] == [0.0, 1.0, 0.0, 0.0]
    assert (seen.theme, seen.edges.level, seen.edges.mode, seen.edges.strength) == ("light", "maps", "weight", 0.25)


def test_no_options_change_nothing(small_run: Run, state: ViewState) -> None:
    assert apply_view_options(small_run, state) == state


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": "99"}, "epoch"),
        ({"sample": "x"}, "sample"),
        ({"open_": "conv9"}, "layer"),
        ({"open_": ","}, "--open"),
    ],
)
def test_what_does_not_exist_is_named(small_run: Run, state: ViewState, options: dict[str, str], message: str) -> None:
    with pytest.raises(Nn3dError, match=message):
        apply_view_options(small_run, state, **options)  # type: ignore[arg-type]


def test_state_comes_from_a_file_or_a_string(small_run: Run, state: ViewState, tmp_path: Path) -> None:
    text = json.dumps(jsonable.to_json(state))
    path = tmp_path / "view.json"
    path.write_text(text, encoding="utf-8")
    assert read_state(small_run, text) == read_state(small_run, str(path)) == state


def test_state_of_another_network_is_refused(small_run: Run, state: ViewState) -> None:
    data = jsonable.to_json(state)
    data["layers"] = data["layers"][:2]
    with pytest.raises(Nn3dError, match="2 layers, this one has 4"):
        read_state(small_run, json.dumps(data))


def test_script_is_a_list_of_commands() -> None:
    script = [{"do": "SetTheme", "theme": "light"}, {"do": "Select", "thing": {"layer": 1}}]
    assert read_script(json.dumps(script)) == [SetTheme("light"), Select(Thing(1))]
    with pytest.raises(Nn3dError, match="list of commands"):
        read_script("{}")
    with pytest.raises(Nn3dError, match="expected JSON"):
        read_script("[")
    with pytest.raises(Nn3dError, match="cannot read"):
        read_script("/no/such/file.json")


def test_a_window_begins_with_what_select_names_as_a_picture_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[ViewState] = []
    monkeypatch.setattr("nn3d.app.window.show", lambda run, *, state, **_: seen.append(state))
    path = str(bundled_runs()["lenet-mnist"])
    for text, thing in (("conv2", Thing(3)), ("conv2/4/3,2", Thing(3, 4, 3, 2)), ("conv2:4,3,2", Thing(3, 4, 3, 2))):
        assert CliRunner().invoke(view, [path, "--select", text]).exit_code == 0
        assert seen.pop().selection == thing
    found = CliRunner().invoke(view, [path, "--select", "conv2:99,0,0"])
    assert "--select: a cell of conv2 is 0–15,0–9,0–9" in str(found.exception)
    assert CliRunner().invoke(view, ["--select", "conv2"]).exit_code == 2
