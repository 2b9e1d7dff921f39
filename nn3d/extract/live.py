"""Owns watching a training from inside it: a Recorder with a viewer beside it, in a process of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from nn3d.extract.distributed import is_first_rank
from nn3d.extract.recorder import Recorder
from nn3d.run.model import Epoch

TEMPORARY_BYTES = 2 << 30


class LiveRecorder(Recorder):
    """A Recorder whose folder is followed by a viewer; it goes on recording when the window is closed or has none."""

    def __init__(self, folder: Path | None, model: torch.nn.Module, inputs: Any, **options: Any) -> None:
        super().__init__(folder, model, inputs, **options)
        self._viewer: subprocess.Popen[bytes] | None = None
        self._has_told = False

    def open(self) -> bool:
        """Open the viewer, if it is not open; whether it is. Without a display, a warning says where the run lies.

        Of several ranks only the one that writes opens a window.
        """
        if self.is_open or not self.is_writer:
            return self.is_open
        if not has_display():
            self._tell("there is no display to open a window on")
            return False
        self._viewer = subprocess.Popen(
            [sys.executable, "-m", "nn3d", "view", str(self.folder), "--follow"], stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": _with_us()}, start_new_session=True,
        )  # fmt: skip
        return True

    @property
    def is_open(self) -> bool:
        """Whether the window is open."""
        return self._viewer is not None and self._viewer.poll() is None

    def record(self, epoch: int | None = None, *, step: int | None = None, **metrics: Any) -> Epoch | None:
        """As Recorder.record; a viewer that could not open is told of once."""
        if self._viewer is not None and (code := self._viewer.poll()):
            self._tell(f"the viewer ended with exit code {code}")
        return super().record(epoch, step=step, **metrics)

    def wait(self) -> None:
        """Return when the window is closed."""
        if self._viewer is not None:
            self._viewer.wait()

    def close(self) -> None:
        """Close the window; what was recorded stays."""
        if self._viewer is not None and self._viewer.poll() is None:
            self._viewer.terminate()
            self._viewer.wait()
        self._viewer = None

    def _tell(self, why: str) -> None:
        if not self._has_told:
            self._has_told = True
            text = f"nn3d.live: {why}; recording into {self.folder}. Later: nn3d view {self.folder}"
            warnings.warn(text, stacklevel=3)


def live(
    model: torch.nn.Module, inputs: Any, *, folder: str | os.PathLike[str] | None = None, **options: Any
) -> LiveRecorder:
    """Open the viewer beside a training, and return what records it: call `.record(loss=…)` once an epoch or step.

    model, inputs, options : as for nn3d.Recorder. folder : where the run is kept; by default a temporary one of at most
    2 GB, which goes with this process unless the window is still open then.

    Raises what nn3d.Recorder raises. Without a display it warns, and records on.
    """
    if folder is None and not is_first_rank():
        watch = LiveRecorder(None, model, inputs, **options)
    elif folder is None:
        root = Path(tempfile.mkdtemp(prefix="nn3d-live-"))
        options = {"max_bytes": TEMPORARY_BYTES} | options
        watch = LiveRecorder(root / type(model).__name__, model, inputs, **options)
        atexit.register(_remove, root, watch)
    else:
        watch = LiveRecorder(Path(folder), model, inputs, **options)
    watch.open()
    return watch


def has_display() -> bool:
    """Whether this process may open a window, as far as its environment tells."""
    if sys.platform.startswith(("win", "darwin")):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _with_us() -> str:
    """PYTHONPATH on which the viewer's process finds this very package."""
    ours = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([ours, before]) if before else ours


def _remove(root: Path, watch: LiveRecorder) -> None:
    if not watch.is_open:
        shutil.rmtree(root, ignore_errors=True)
