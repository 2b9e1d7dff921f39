"""A virtual screen for one window, and pictures of it with the pointer drawn where it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw

ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))


@contextmanager
def virtual_screen(size: tuple[int, int]) -> Iterator[None]:
    """An X server of its own on a display that was free; DISPLAY names it inside."""
    reader, writer = os.pipe()
    screen = ["-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *screen], pass_fds=(writer,), stderr=subprocess.DEVNULL
    )
    os.close(writer)
    with os.fdopen(reader) as numbers:
        os.environ["DISPLAY"] = f":{numbers.readline().strip()}"
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def photograph(path: Path, size: tuple[int, int]) -> None:
    """Write what the screen shows, with the pointer."""
    from Xlib import X
    from Xlib.display import Display

    display = Display()
    root = display.screen().root
    raw = root.get_image(0, 0, *size, X.ZPixmap, 0xFFFFFFFF).data
    at = root.query_pointer()
    picture = Image.frombytes("RGB", size, raw, "raw", "BGRX")
    arrow = [(at.root_x + x, at.root_y + y) for x, y in ARROW]
    ImageDraw.Draw(picture).polygon(arrow, fill="white", outline="black")
    picture.save(path)
    display.close()
