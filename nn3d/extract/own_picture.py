"""Owns a picture or text file → an input of one's own of a run: a picture fitted to its size, colours and polarity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from nn3d.errors import SourceError
from nn3d.extract.pictures import read_picture
from nn3d.run.model import Array, InputInfo, Output
from nn3d.run.own import OwnInput, packed, pictured
from nn3d.run.own_text import vocabulary_of, written
from nn3d.run.run import Run

MOST_COMPARED = 8


def picture_input(run: Run) -> tuple[int, Output, InputInfo]:
    """Node, output and kind of the one picture that a network reads. Raises SourceError when it reads anything else."""
    nodes = [n for n in run.graph.nodes if n.op == "input"]
    info = next((i for i in run.graph.inputs if nodes and i.node == nodes[0].id), None)
    if len(nodes) != 1 or info is None or info.kind != "image":
        kinds = ", ".join(i.kind for i in run.graph.inputs) or "nothing"
        raise SourceError(f"own input: this network reads {kinds}, not one picture. Pass numbers as .npy instead.")
    return nodes[0].id, nodes[0].outputs[0], info


def read_own(path: Path, run: Run, name: str) -> OwnInput:
    """A picture, a text, or a .npy with numbers of the input's shape, as an input of a run. Raises SourceError.

    The picture is cut to the input's proportions around its middle, resized, and made grey where the input has one
    channel; there, it is inverted when its border is bright and that of the recorded pictures dark, or the reverse.
    """
    if _head(path) == b"\x93NUMPY":
        return _numbers(path, run, name)
    if any(i.kind == "tokens" for i in run.graph.inputs):
        return _text(path, run, name)
    node, output, info = picture_input(run)
    n, height, width = output.shape
    picture = _read(path, "L" if n == 1 else "RGB")
    done = []
    cut = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    if picture.size[0] * height != picture.size[1] * width:
        done.append("cut to its middle")
    if picture.size != cut.size:
        done.append(f"resized from {picture.size[0]}×{picture.size[1]} to {width}×{height}")
    pixels = np.asarray(cut, np.uint8)
    pixels = pixels[None] if n == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if n == 1:
        done.append("made grey")
        if _is_inverted(pixels, run, node, info):
            pixels = np.asarray(255 - pixels, np.uint8)
            done.append("inverted, as the recorded ones")
    low, high = info.value_range or (0.0, 1.0)
    if not info.mean and (low, high) not in ((0.0, 1.0), (0.0, 255.0)):
        done.append(f"black and white set to the recorded {low:.3g} and {high:.3g}")
    if n == 4:
        pixels = np.concatenate([pixels, np.full((1, height, width), 255, np.uint8)])
    return OwnInput(name, (packed("picture", pixels),), f"{path.name}: {', '.join(done) or 'as it is'}")


def _text(path: Path, run: Run, name: str) -> OwnInput:
    """A text file, for a network of words or characters."""
    vocabulary = vocabulary_of(run)
    if isinstance(vocabulary, str):
        raise SourceError(f"own input: {vocabulary}. Pass numbers as .npy instead.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: expected a text for this network, got: {error}.") from error
    found = written(vocabulary, text, name)
    if isinstance(found, str):
        raise SourceError(f"{path}: expected {vocabulary.length} {vocabulary.kind} or more, got: {found}.")
    return found


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(6)
    except OSError as error:
        raise SourceError(f"{path}: expected a picture, got: {error.strerror}.") from error


def _read(path: Path, mode: str) -> Image.Image:
    """Upright, on white where it is see-through, in grey or colour."""
    found = ImageOps.exif_transpose(read_picture(path)).convert("RGBA")
    white = Image.new("RGBA", found.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, found).convert(mode)


def _is_inverted(pixels: Array, run: Run, node: int, info: InputInfo) -> bool:
    """Whether a picture's ground is bright where that of the recorded pictures is dark, or the reverse."""
    if not run.samples or not run.has_values(node, 0, 0):
        return False
    n = min(MOST_COMPARED, len(run.samples))
    known = [_border(pictured(run.values(node, 0, 0, s), info)) for s in range(n)]
    return (_border(pixels) > 127.5) != (float(np.median(known)) > 127.5)


def _border(picture: Array) -> float:
    """The median of the outermost pixels of (C, H, W)."""
    edges = (picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1])
    return float(np.median(np.concatenate([e.ravel() for e in edges])))


def _numbers(path: Path, run: Run, name: str) -> OwnInput:
    nodes = [n for n in run.graph.nodes if n.op == "input"]
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path}: expected an array without pickled objects, got: {error}.") from error
    if len(nodes) != 1 or values.shape not in (nodes[0].outputs[0].shape, (1, *nodes[0].outputs[0].shape)):
        wanted = " and ".join(str(n.outputs[0].shape) for n in nodes)
        raise SourceError(f"{path}: expected an array of shape {wanted}, got {values.shape}.")
    kind = "tokens" if "int" in nodes[0].outputs[0].dtype else "array"
    found = packed(kind, values.reshape(nodes[0].outputs[0].shape))
    return OwnInput(name, (found,), f"{path.name}: numbers as they are")
