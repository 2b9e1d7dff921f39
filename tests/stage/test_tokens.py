"""Laws of the words beside token inputs: each row is named while there is room, none over another."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Line, Text
from nn3d.stage.overlay.facts import text_boxes
from nn3d.stage.resident import Resident


@cache
def transformer() -> Run:
    """The bundled transformer."""
    return open_run(bundled_runs()["gpt-python"])


def picture(size: tuple[int, int], *commands: c.Command) -> tuple[Frame, list[Text]]:
    """A picture, and the words beside its token input, from the top."""
    resident = Resident(transformer())
    state = initial_state(transformer(), resident, size_px=size)
    for command in commands:
        state = c.apply(state, command)
    frame = compose(transformer(), state, resident=resident)
    words = set(transformer().samples[frame.state.sample].tokens)
    beside = [m for m in frame.marks if isinstance(m, Text) and m.text in words and m.anchor in ("rm", "lm")]
    edge = frame.view.project([[frame.tiles[0].x, frame.tiles[0].y, 0.0]], size)[0, 0]
    return frame, sorted((m for m in beside if abs(m.x - edge) < 0.1 * size[0]), key=lambda m: m.y)


@pytest.mark.parametrize("size", [(1280, 720), (1600, 900), (2560, 1440)])
def test_every_token_is_named_in_order_and_no_word_lies_over_another(size: tuple[int, int]) -> None:
    frame, said = picture(size)
    assert [m.text for m in said] == list(transformer().samples[frame.state.sample].tokens)
    rows = [m.y for m in said]
    assert min(b - a for a, b in pairwise(rows)) >= 0.8 * said[0].size_px
    assert said[-1].weight == "medium"


def test_words_away_from_their_rows_hang_on_lines_to_them() -> None:
    frame, said = picture((1600, 900))
    tile = frame.tiles[0]
    ends = [[tile.x, tile.y + s * tile.block_half[0], -tile.block_half[1]] for s in (1.0, -1.0)]
    (_, top), (_, low) = frame.view.project(ends, (1600, 900))
    rows = [top + (low - top) * (t + 0.5) / len(said) for t in range(len(said))]
    lines = [m for m in frame.marks if isinstance(m, Line)]
    for word, row in zip(said, rows, strict=True):
        assert any(abs(m.y0 - row) < 2.0 and abs(m.y1 - word.y) < 1e-6 for m in lines)


def test_where_no_fan_has_room_every_nth_row_is_named_and_the_last_one_always() -> None:
    frame, said = picture((480, 270))
    tokens = transformer().samples[frame.state.sample].tokens
    assert 0 < len(said) < len(tokens)
    assert said[-1].text == tokens[-1]
    assert len(text_boxes(list(said))) == len(said)
