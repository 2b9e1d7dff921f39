"""Owns the list of formats, in the order in which they are asked whether a path is theirs."""

from __future__ import annotations

from pathlib import Path

from nn3d.extract.formats import (
    dcp,
    gguf,
    huggingface,
    keras,
    keras_h5,
    numpy_files,
    onnx,
    pickled_module,
    run,
    safetensors,
    sietzen,
    spec,
    tensorboard,
    tf_checkpoint,
    tfjs,
    tflite,
    torch_export,
    torch_state,
    torchscript,
    unread,
)
from nn3d.extract.formats.format import Format
from nn3d.extract.formats.head import look_at

RUN = run.FORMAT
CHECKPOINTS = torch_state.FOLDER
FORMATS: tuple[Format, ...] = (
    run.FORMAT,
    sietzen.FORMAT,
    gguf.FORMAT,
    safetensors.FORMAT,  # before pickles: a header of 640 bytes begins like one
    dcp.FORMAT,
    torch_export.FORMAT,
    torchscript.FORMAT,
    pickled_module.FORMAT,
    torch_state.FORMAT,
    huggingface.FORMAT,
    safetensors.INDEX,
    torch_state.FOLDER,
    onnx.FORMAT,
    keras.FORMAT,
    keras_h5.FORMAT,
    tf_checkpoint.FORMAT,
    tf_checkpoint.SAVED_MODEL,
    tf_checkpoint.FOLDER,
    tfjs.FORMAT,
    tflite.FORMAT,
    numpy_files.FORMAT,
    numpy_files.FOLDER,
    spec.FORMAT,
    tensorboard.FORMAT,
    tensorboard.FOLDER,
    *unread.FORMATS,
)


def format_of(path: Path) -> Format | None:
    """The format of a file or folder, by its content; None where nobody knows it. Raises SourceError without one."""
    head = look_at(path)
    return next((known for known in FORMATS if known.sniff(head)), None)
