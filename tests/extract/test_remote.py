"""URLs of fsspec are files like others: fetched once for each state of theirs, never more than was allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nn3d.cli.main import cli
from nn3d.errors import SourceError
from nn3d.extract import remote
from nn3d.extract.remote import fetched, url_of
from nn3d.run.writer import write_folder, write_packed
from tests.run.small import small_run

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty file system in memory, and a cache of its own."""
    monkeypatch.setenv("NN3D_CACHE", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def put(system: Any, source: Path, target: str) -> None:
    system.put(str(source), target, recursive=source.is_dir())


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("memory://a/b.npz", "memory://a/b.npz"), ("s3://bucket/key", "s3://bucket/key"),
        ("file:///tmp/none", "file:///tmp/none"), ("/tmp/none", ""), ("C:/a/b", ""), ("run.npz", ""),
    ],
)  # fmt: skip
def test_a_path_of_the_command_line_is_told_from_a_url(text: str, url: str) -> None:
    assert url_of(Path(text)) == url


def test_a_run_elsewhere_is_listed_and_fetched_once(memory: Any, tmp_path: Path) -> None:
    write_packed(small_run(), tmp_path / "run.npz")
    put(memory, tmp_path / "run.npz", "/runs/a.npz")
    for k in range(2):
        done = CliRunner().invoke(cli, ["info", "memory://runs/a.npz"])
        assert done.exit_code == 0, done.output
        assert ("MB fetched" in done.output) == (k == 0)
    first = fetched(Path("memory://runs/a.npz"))
    memory.pipe("/runs/a.npz", (tmp_path / "run.npz").read_bytes() + b"x")
    assert fetched(Path("memory://runs/a.npz")) != first
    assert first.name == "a.npz"


def test_a_folder_and_a_file_url_open_as_well(memory: Any, tmp_path: Path) -> None:
    write_folder(small_run(), tmp_path / "run")
    put(memory, tmp_path / "run", "/runs/folder")
    for url in ("memory://runs/folder", f"file://{tmp_path / 'run'}"):
        done = CliRunner().invoke(cli, ["info", url])
        assert done.exit_code == 0, done.output


def test_what_is_too_large_or_not_there_is_said_and_nothing_is_kept(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/big", bytes(3 << 20))
    monkeypatch.setenv(remote.LIMIT, "2")
    for url, why in (
        ("memory://big", r"expected at most 2 MB, got 3 MB in 1 files\. Raise NN3D_MOST_DOWNLOAD_MB"),
        ("memory://none", "expected a file that can be fetched"),
        ("odd+scheme://x", "expected a file that can be fetched"),
    ):
        with pytest.raises(SourceError, match=why) as caught:
            fetched(Path(url))
        assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("big"))


def test_a_file_that_gives_less_than_it_said_is_not_kept(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/a", b"12345")
    kind = type(memory)
    monkeypatch.setattr(kind, "info", lambda self, path, **more: {"name": path, "size": 9, "type": "file"})
    with pytest.raises(SourceError, match="expected 9 bytes, got 5"):
        fetched(Path("memory://a"))
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
