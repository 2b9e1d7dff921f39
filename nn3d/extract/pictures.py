"""Owns decoding a picture that anyone may have made: usual kinds only, a bounded size, one line when it is broken."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from nn3d.errors import SourceError

# Kinds whose decoders neither start programs (EPS does) nor are seldom looked at.
KINDS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
MOST_PIXELS = 1 << 26


def read_picture(path: Path, what_to_do: str = "") -> Image.Image:
    """A picture, decoded; what it claims is checked before. Raises SourceError, ending with `what_to_do`."""
    end = f" {what_to_do}" if what_to_do else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd tags; too many pixels are told below
            with Image.open(path, formats=KINDS) as opened:
                width, height = opened.size
                if width * height <= MOST_PIXELS:
                    opened.load()
                    return opened
    except MemoryError:
        raise SourceError(f"{path}: expected a picture, got one that memory has no room for.{end}") from None
    except Exception as error:  # decoders of broken pictures fail in many ways
        words = " ".join(str(error).split())[:200] or type(error).__name__
        words = f"none of {', '.join(KINDS)}" if isinstance(error, UnidentifiedImageError) else words
        raise SourceError(f"{path}: expected a picture, got: {words}.{end}") from error
    raise SourceError(f"{path}: expected a picture of at most {MOST_PIXELS:,} pixels, got {width} × {height}.{end}")
