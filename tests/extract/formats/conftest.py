"""What tests of formats share: one sample file of each, made once a session, and one headless renderer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nn3d.offscreen import Offscreen
from tests.extract.formats.samples import SAMPLES


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`sample("onnx")`: the path of that format's sample; never to be written to."""
    made: dict[str, Path] = {}

    def find(key: str) -> Path:
        if key not in made:
            made[key] = SAMPLES[key](tmp_path_factory.mktemp(key))
        return made[key]

    return find


@pytest.fixture(scope="session")
def screen() -> Iterator[Offscreen]:
    """A renderer without a window."""
    with Offscreen() as made:
        yield made
