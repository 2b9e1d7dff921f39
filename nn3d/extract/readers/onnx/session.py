"""Owns running an ONNX model so that every value comes out, on the processor, unoptimised, with one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn3d.extract import factory
from nn3d.extract.readers.onnx.file import Opened, as_known
from nn3d.run.model import Array


class NotRunError(Exception):
    """Why onnxruntime does not run a model, or not on these inputs; one line."""


class Tapped:
    """A model of whose main graph all named values are outputs.

    free_axes : input → axis whose size is left open, where the file fixes it. Raises NotRunError.
    """

    def __init__(self, opened: Opened, names: Sequence[str], free_axes: Mapping[str, int] | None = None) -> None:
        onnx, runtime = factory.require("onnx", "onnx"), factory.require("onnxruntime", "onnx")
        model = onnx.ModelProto()
        model.CopyFrom(opened.model)
        graph = model.graph
        del graph.value_info[:]
        del graph.output[:]
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        for given in graph.input:
            if free_axes and given.name in free_axes:
                given.type.tensor_type.shape.dim[free_axes[given.name]].dim_param = "nn3d_samples"
        self.names = tuple(names)
        options = _options(runtime)
        if opened.folder is not None:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(opened.folder))
        try:
            self._session = runtime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base
            raise NotRunError(words_of(error)) from error

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Value → array, of every named value that is a tensor of numbers. Raises NotRunError."""
        try:
            found = self._session.run(list(self.names), dict(feeds))
        except Exception as error:  # as above
            raise NotRunError(words_of(error)) from error
        kept = {n: as_known(v) for n, v in zip(self.names, found, strict=True) if isinstance(v, np.ndarray)}
        return {name: v for name, v in kept.items() if v.dtype.kind in "fiub"}


def run_bytes(model: bytes, names: Sequence[str], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """A small model run once. Raises NotRunError."""
    runtime = factory.require("onnxruntime", "onnx")
    try:
        session = runtime.InferenceSession(model, _options(runtime), providers=["CPUExecutionProvider"])
        found = session.run(list(names), dict(feeds))
    except Exception as error:  # onnxruntime's errors have no common base
        raise NotRunError(words_of(error)) from error
    return {n: as_known(v) for n, v in zip(names, found, strict=True) if isinstance(v, np.ndarray)}


def _options(runtime: Any) -> Any:
    """Nothing is fused, and one thread computes: the same values every time."""
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_mem_pattern = options.enable_cpu_mem_arena = False
    return options


def words_of(error: BaseException) -> str:
    """An error of a library in one line, without its addresses and file names."""
    text = " ".join(str(error).split())
    text = text.split("Status Message: ")[-1].split(" : ", 3)[-1]
    return text[:200] or type(error).__name__


def input_type(given: Any) -> np.dtype[Any] | None:
    """The numpy type of a tensor input; None of sequences, text and types that numpy does not have."""
    onnx = factory.require("onnx", "onnx")
    if not given.type.HasField("tensor_type"):
        return None
    try:
        found = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type))
    except (KeyError, TypeError):
        return None
    return found if found.kind in "fiub" else None


def dims_of(given: Any) -> list[int | str]:
    """Sizes as the file declares them; a name or "" where they are open."""
    if not given.type.tensor_type.HasField("shape"):
        return []
    dims = given.type.tensor_type.shape.dim
    return [int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else str(d.dim_param) for d in dims]
