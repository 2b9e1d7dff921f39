"""Laws of the view as a string: what is read back is what was written, and damage is told."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.errors import Nn3dError
from nn3d.stage import commands as c
from nn3d.stage import viewstring
from nn3d.stage.state import Camera, LayerView, Thing, ViewState

START = ViewState(n_epochs=11, n_samples=16, layers=(LayerView(),) * 60, group_depths=(0, 1, 1, 0))

COMMANDS = st.one_of(
    st.builds(c.Advance, st.floats(0, 2)),
    st.builds(c.SetEpoch, st.floats(-5, 20), st.booleans()),
    st.builds(c.SetOpen, st.one_of(st.none(), st.integers(0, 59)), st.booleans(), st.booleans()),
    st.builds(c.OpenGroup, st.integers(0, 3), st.booleans(), st.booleans()),
    st.builds(c.Arrange, st.integers(0, 59), st.sampled_from(["line", "circle", "grid"])),
    st.builds(c.Select, st.one_of(st.none(), st.builds(Thing, st.integers(0, 63), st.integers(-1, 3)))),
    st.builds(c.SetCamera, st.builds(Camera, st.floats(-4, 4), st.floats(-1, 1), distance=st.floats(0.1, 1e6))),
    st.builds(c.SetStrength, st.floats(-1, 2), st.booleans()),
    st.builds(c.Resize, st.tuples(st.integers(100, 4000), st.integers(100, 4000)), st.floats(0.5, 3)),
)


@given(st.lists(COMMANDS, max_size=30))
def test_a_view_read_back_from_its_string_is_equal(commands: list[c.Command]) -> None:
    state = START
    for command in commands:
        state = c.apply(state, command)
    assert viewstring.from_text(viewstring.to_text(state)) == state
    assert viewstring.from_json(json.loads(json.dumps(viewstring.to_json(state)))) == state


def test_a_view_of_sixty_layers_fits_in_a_line_of_chat() -> None:
    state = START
    for layer in range(0, 60, 3):
        state = c.apply(state, c.SetOpen(layer, False, at_once=True))
    assert len(viewstring.to_text(state)) < 300


@given(st.data())
def test_damage_ends_in_one_line_that_says_so(data: st.DataObject) -> None:
    text = viewstring.to_text(c.apply(START, c.SetEpoch(3.25)))
    at = data.draw(st.integers(0, len(text) - 1))
    broken = data.draw(st.sampled_from([text[:at], text[:at] + "!" + text[at + 1 :], text[:at] + "zz" + text[at:]]))
    said = ""
    try:
        viewstring.from_text(broken)
    except Nn3dError as error:
        said = str(error)
    assert said.count("\n") == 0


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"{}", "lacks"), (b'{"n_epochs":"x"}', "n_epochs"), (b'{"nonsense":1}', "nonsense"), (b"[1]", "object"),
     (b"[" * 100_000, "damaged"), (b" " * (65 << 20) + b"{}", "damaged")],
)  # fmt: skip
def test_what_is_no_view_is_named(raw: bytes, said: str) -> None:
    text = viewstring.PREFIX + base64.urlsafe_b64encode(zlib.compress(raw)).decode()
    with pytest.raises(Nn3dError, match=said):
        viewstring.from_text(text)
