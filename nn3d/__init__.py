"""nn3d: a trained network in 3-D. The public names, all lazy: importing nn3d imports neither OpenGL nor torch.

load : open a recorded run → Run.
capture : record a live torch module at some inputs → Run.
Recorder : record a training loop, epoch by epoch, into a folder.
from_arrays : a Run from plain numpy arrays (for JAX, Keras, own code).
live : open the window beside a training; returns what records it.
compose : run and view state → Frame, plain numpy.
render : a picture of a run, (H, W, 3) uint8.
view : open the window.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn3d.app.window import show as view
    from nn3d.extract.live import live
    from nn3d.extract.recorder import Recorder
    from nn3d.extract.trace import capture
    from nn3d.offscreen import render_run as render
    from nn3d.run.memory import run_from_arrays as from_arrays
    from nn3d.run.reader import open_run as load
    from nn3d.stage.complete import compose

__version__ = "0.1.0"

__all__ = ["Recorder", "__version__", "capture", "compose", "from_arrays", "live", "load", "render", "view"]

_HOMES = {
    "Recorder": ("nn3d.extract.recorder", "Recorder"),
    "capture": ("nn3d.extract.trace", "capture"),
    "compose": ("nn3d.stage.complete", "compose"),
    "from_arrays": ("nn3d.run.memory", "run_from_arrays"),
    "live": ("nn3d.extract.live", "live"),
    "load": ("nn3d.run.reader", "open_run"),
    "render": ("nn3d.offscreen", "render_run"),
    "view": ("nn3d.app.window", "show"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nn3d' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
