"""Inputs of every kind become samples first, channels second, with their truth where it is known."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nn3d.errors import SourceError
from nn3d.extract.inputs import Wanted, natural, read_inputs
from nn3d.extract.options import SourceOptions


def picture(path: Path, value: int, size: tuple[int, int] = (4, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 255)).save(path)


def read(path: Path | str, channels: int | None = 3, **options: object) -> object:
    return read_inputs(SourceOptions(input=str(path), **options), Wanted(channels))


def test_a_picture_is_channels_height_width_from_zero_to_one(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 51)
    batch = read(tmp_path / "a.png")
    assert batch.values.shape == (1, 3, 3, 4)
    assert np.allclose(batch.values[0, :, 0, 0], [0.2, 0, 1])


def test_mean_and_std_are_by_channel(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 51)
    batch = read(tmp_path / "a.png", mean=(0.2, 0.5, 0.0), std=(0.5,))
    assert np.allclose(batch.values[0, :, 0, 0], [0, -1, 2])
    with pytest.raises(SourceError, match="--mean: expected 1 or 3 numbers"):
        read(tmp_path / "a.png", mean=(0.2, 0.5))


def test_class_folders_give_the_truth_and_turns(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for i in (2, 10, 1):
            picture(tmp_path / name / f"{i}.png", i)
    batch = read(tmp_path, samples=4)
    assert batch.names == ("cat/1.png", "dog/1.png", "cat/2.png", "dog/2.png")
    assert batch.labels == (0, 1, 0, 1)
    assert batch.classes == ("cat", "dog")


def test_pictures_of_two_sizes_ask_for_resize(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    picture(tmp_path / "b.png", 1, (5, 5))
    with pytest.raises(SourceError, match="--resize"):
        read(tmp_path)
    assert read(tmp_path, resize=(6, 8), gray=True).values.shape == (2, 1, 6, 8)


@pytest.mark.parametrize("is_zipped", [False, True])
def test_idx_files_bring_their_labels(is_zipped: bool, tmp_path: Path) -> None:
    images, labels = np.arange(60, dtype=np.uint8).reshape(5, 3, 4), bytes([7, 2, 1, 0, 4])
    opener, end = (gzip.open, ".gz") if is_zipped else (open, "")
    with opener(tmp_path / f"t10k-images-idx3-ubyte{end}", "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, 5, 3, 4) + images.tobytes())
    with opener(tmp_path / f"t10k-labels-idx1-ubyte{end}", "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, 5) + labels)
    batch = read(tmp_path / f"t10k-images-idx3-ubyte{end}", 1, samples=3)
    assert np.allclose(batch.values, images[:3, None] / 255)
    assert batch.labels == (7, 2, 1)


def test_an_idx_file_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, 5, 2**31, 2**31))
    with pytest.raises(SourceError, match="got a claim of"):
        read(tmp_path / "a")


def test_arrays_are_read_without_pickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((5, 4, 4, 3), np.uint8), y=np.arange(5))
    batch = read(tmp_path / "a.npz", samples=2)
    assert batch.values.shape == (2, 3, 4, 4)
    assert batch.labels == (0, 1)
    np.save(tmp_path / "b.npy", np.arange(6).reshape(2, 3))
    assert read(tmp_path / "b.npy").values.dtype == np.int64
    np.save(tmp_path / "c.npy", np.array([{}], object))
    with pytest.raises(SourceError, match="without pickled objects"):
        read(tmp_path / "c.npy")


def test_random_is_always_the_same() -> None:
    first, again = (read("random:3,5,6", samples=2) for _ in range(2))
    assert first.values.shape == (2, 3, 5, 6)
    assert np.array_equal(first.values, again.values)
    with pytest.raises(SourceError, match="whole numbers"):
        read("random:3,x")


def test_natural_order_counts() -> None:
    assert sorted(["e10", "e9", "E1", "b"], key=natural) == ["b", "E1", "e9", "e10"]


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello hello")
    with pytest.raises(SourceError, match="expected a picture"):
        read(tmp_path / "a.png")
