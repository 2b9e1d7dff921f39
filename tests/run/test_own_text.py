"""Text of one's own: read as the run's own samples were, or refused with what it lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.paths import bundled_runs
from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.model import InputInfo, Sample
from nn3d.run.own import OwnInput, unpacked
from nn3d.run.own_text import Vocabulary, vocabulary_of, written
from nn3d.run.reader import open_run
from nn3d.run.run import Run

LETTERS = Vocabulary("characters", tuple("abc xyz"), 4)
WORDS = Vocabulary("words", ("<rare>", "the", "end", ".", "don't"), 3, rare=0, is_lower=True)


def letters_run(*texts: str, numbers: dict[str, int] | None = None) -> Run:
    """A network of characters; `numbers` : what a character was recorded as, its place among the classes else."""
    table = numbers or {c: k for k, c in enumerate("abc ")}
    ids = np.array([[table[c] for c in text] for text in texts], np.int64)
    layers = [
        LayerSpec("input", "input"),
        LayerSpec("embed", "embedding", parameters={"weight": np.eye(4, dtype=np.float32)}),
    ]
    return run_from_arrays(
        layers, {"input": ids, "embed": np.eye(4, dtype=np.float32)[ids]}, classes=list("abc "),
        samples=[Sample(t, None, tuple(t)) for t in texts], inputs=[InputInfo(0, "tokens")],
    )  # fmt: skip


def test_the_bundled_transformer_reads_words() -> None:
    found = vocabulary_of(open_run(bundled_runs()["gpt-python"]))
    assert isinstance(found, Vocabulary)
    assert (found.kind, found.length, found.names[found.rare], found.is_lower) == ("words", 16, "<rare>", True)


def test_a_network_of_characters_is_recognized() -> None:
    found = vocabulary_of(letters_run("ab c", "c ab"))
    assert found == Vocabulary("characters", tuple("abc "), 4, -1, True)


def test_a_run_whose_samples_come_out_otherwise_takes_no_text() -> None:
    other = vocabulary_of(letters_run("ab c", numbers={"a": 3, "b": 1, "c": 2, " ": 0}))
    assert isinstance(other, str)
    assert "ab c comes out otherwise" in other


@given(st.text("abc xyz", min_size=4, max_size=12))
def test_a_text_is_its_last_tokens_and_comes_back(text: str) -> None:
    own = written(LETTERS, text, "own 1")
    assert isinstance(own, OwnInput)
    assert LETTERS.joined(own.tokens) == text[-4:]
    assert [LETTERS.names[k] for k in unpacked(own.arrays[0])] == list(text[-4:])


@pytest.mark.parametrize(("text", "said"), [("ab", "2 of 4 characters"), ("abcq", "does not know “q”")])
def test_what_a_text_lacks_is_said(text: str, said: str) -> None:
    found = written(LETTERS, text, "own 1")
    assert isinstance(found, str)
    assert said in found


def test_words_that_have_no_number_are_read_as_the_rare_one_and_counted() -> None:
    own = written(WORDS, "Don't fear the end.", "own 1")
    assert isinstance(own, OwnInput)
    assert own.tokens == ("the", "end", ".")
    rare = written(WORDS, "the bitter end", "own 1")
    assert isinstance(rare, OwnInput)
    assert unpacked(rare.arrays[0]).tolist() == [1, 0, 2]
    assert "1 of its words read as <rare>" in rare.note
    assert written(replace(WORDS, rare=-1), "the bitter end", "own 1") == "the network does not know “bitter”"
