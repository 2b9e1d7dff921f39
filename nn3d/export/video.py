"""A film as .mp4 (H.264) or .webm (VP9), by ffmpeg: frames go into its standard input, one at a time.

ffmpeg comes with the package imageio-ffmpeg (extra `video`), or is the one on PATH. Colours are marked BT.709, as
players expect them; 4:2:0, so both sides are even.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import ExportError
from nn3d.export.parts import part_of, refuse

SUFFIXES: Final = (".mp4", ".webm")
EXTRA: Final = 'pip install "nn3d-viewer[video]"'
MAX_FPS: Final = 240.0
END_SECS: Final = 600.0


class VideoFile:
    """A video. quality : 0 (small) to 100 (best). transparent : with alpha, .webm alone."""

    n_samples = 0

    def __init__(self, path: Path, fps: float, *, quality: int, transparent: bool = False) -> None:
        if transparent and path.suffix.lower() != ".webm":
            raise ExportError(f"{path}: an .mp4 cannot be transparent; a .webm or a folder of frames can")
        self._ffmpeg = find_ffmpeg(path)
        self._goal, self._part, self._fps = path, part_of(path), fps
        self._quality, self._transparent = quality, transparent
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the film)
        try:
            self._part.open("wb").close()
        except OSError as error:
            self._said.close()
            raise refuse(path, error) from error

    def begin(self, samples: Iterator[NDArray[np.uint8]]) -> None:
        """ffmpeg starts with the first frame, whose size it needs."""

    def has(self, k: int, state: object) -> bool:
        """A video is written in one go."""
        return False

    def add(self, k: int, pixels: NDArray[np.uint8], state: object) -> None:
        """Hand a frame on. Raises ExportError with ffmpeg's own words when it has given up."""
        if self._process is None:
            self._process = self._started(pixels.shape[1], pixels.shape[0], pixels.shape[2])
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(pixels).data)
        except OSError as error:
            raise self._failed() from error

    def finish(self) -> None:
        """Let ffmpeg end, and put the film under its name. Raises ExportError."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            process.stdin.close()
            code = process.wait(END_SECS)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._failed() from error
        if code:
            raise self._failed()
        try:
            os.replace(self._part, self._goal)
        except OSError as error:
            raise refuse(self._goal, error) from error
        self._said.close()

    def abandon(self) -> None:
        """End ffmpeg and take the unfinished file away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                with suppress(OSError):
                    self._process.stdin.close()
        self._part.unlink(missing_ok=True)
        self._said.close()

    def _started(self, width: int, height: int, channels: int) -> subprocess.Popen[bytes]:
        if width % 2 or height % 2:
            raise ExportError(f"{self._goal}: a video's sides are even, got {width} × {height} px")
        command = [
            self._ffmpeg, "-hide_banner", "-loglevel", "error", "-y",
            "-f", "rawvideo", "-pix_fmt", "rgba" if channels == 4 else "rgb24", "-s", f"{width}x{height}",
            "-r", f"{self._fps:.10g}", "-i", "-", "-an", *self._codec(), *_colours(), os.fspath(self._part),
        ]  # fmt: skip
        try:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said,
                start_new_session=os.name == "posix",
            )  # fmt: skip
        except OSError as error:
            raise ExportError(f"{self._ffmpeg}: cannot be started ({error.strerror or error}). Try {EXTRA}") from error

    def _codec(self) -> list[str]:
        """Constant quality: rate factors 38 … 13 of x264 and 55 … 25 of VP9."""
        if self._goal.suffix.lower() == ".mp4":
            factor = round(38 - 0.25 * self._quality)
            return ["-c:v", "libx264", "-preset", "medium", "-crf", f"{factor}", "-pix_fmt", "yuv420p",
                    "-movflags", "+faststart"]  # fmt: skip
        factor = round(55 - 0.3 * self._quality)
        shape = "yuva420p" if self._transparent else "yuv420p"
        return ["-c:v", "libvpx-vp9", "-crf", f"{factor}", "-b:v", "0", "-row-mt", "1", "-cpu-used", "4",
                "-auto-alt-ref", "0" if self._transparent else "1", "-pix_fmt", shape]  # fmt: skip

    def _failed(self) -> ExportError:
        """The last line that ffmpeg said."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        said = lines[-1] if lines else "it ended without a word"
        return ExportError(f"{self._goal}: ffmpeg cannot write it ({said})")


def find_ffmpeg(path: Path | None = None) -> str:
    """The program: of imageio-ffmpeg, else on PATH. Raises ExportError that says how to get it."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
    if found is None:
        what = "a video" if path is None else f"{path}: a video"
        raise ExportError(f"{what} needs ffmpeg: {EXTRA}, or put ffmpeg on PATH; a .gif needs neither")
    return found


def _colours() -> list[str]:
    return ["-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries", "bt709",
            "-color_trc", "bt709", "-color_range", "tv"]  # fmt: skip
