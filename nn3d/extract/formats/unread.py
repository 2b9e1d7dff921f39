"""Owns formats that are recognised and not read: what they are, and the way round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.recording import Recording


def _unread(key: str, name: str, sniff: Callable[[Head], bool], route: str) -> Format:
    def record(path: Path, options: SourceOptions) -> Recording:
        raise SourceError(f"{path}: expected a run or something to extract, got {name}. {route}")

    return Format(key, name, sniff, record, gives=())


def _starts(*starts: bytes) -> Callable[[Head], bool]:
    return lambda head: head.start.startswith(starts)


def _tagged(*tags: bytes) -> Callable[[Head], bool]:
    """A flatbuffer's four letters."""
    return lambda head: head.start[4:8] in tags


def _named(*endings: str) -> Callable[[Head], bool]:
    """Files without a mark of their own are known by their name alone."""
    return lambda head: not head.is_folder and head.path.name.lower().endswith(endings)


def _says(*words: bytes) -> Callable[[Head], bool]:
    """A text that has all these words near its start."""
    return lambda head: not head.is_folder and all(word in head.start for word in words)


def _holds(*names: str) -> Callable[[Head], bool]:
    """A folder or zip in which all these names begin a member's."""
    return lambda head: bool(head.names) and all(any(n.startswith(name) for n in head.names) for name in names)


def _any(*sniffs: Callable[[Head], bool]) -> Callable[[Head], bool]:
    return lambda head: any(sniff(head) for sniff in sniffs)


_TORCH = "Record the torch module it came from with --model PKG.MOD:FACTORY."
_ARRAYS = "Hand its arrays to nn3d.from_arrays and save the run."


def _by_onnx(how: str) -> str:
    return f"Make it ONNX with {how} and open that."


# key, name, how it is known, the way round; in the order in which they are asked.
_TABLE = (
    ("huggingface-config", "a Hugging Face folder without safetensors",
     lambda head: head.is_folder and head.member("config.json"), "Save it with save_pretrained."),
    ("executorch", "ExecuTorch", _tagged(b"ET11", b"ET12", b"ET13"),
     "Open the torch.export archive (.pt2) that it was made from."),
    ("mindspore", "MindSpore Lite", _tagged(b"MSL0", b"MSL1", b"MSL2"),
     _by_onnx("mindspore.export(…, file_format='ONNX')")),
    ("rknn", "RKNN", _starts(b"RKNN"), "Open the ONNX or TensorFlow Lite file that it was compiled from."),
    ("kmodel", "a kmodel", _starts(b"LDMK", b"KMDL"),
     "Open the ONNX or TensorFlow Lite file that it was compiled from."),
    ("ncnn", "ncnn", _any(_starts(b"7767517\n", b"7767517\r"), _named(".ncnn.bin")),
     "Open the ONNX or .pt2 file it came from."),
    ("tnn", "TNN", _says(b'"1 ', b"4206624770"), "Open the ONNX file that it was made from."),
    ("openvino", "OpenVINO", _says(b"<net ", b"<layers"), "Open the ONNX file that it was made from."),
    ("mxnet", "MXNet",
     _any(_says(b'"nodes"', b'"op": "null"'), _starts(b"\x12\x01\0\0\0\0\0\0"), _named("-symbol.json")),
     _by_onnx("mxnet.onnx.export_model")),
    ("caffe", "Caffe",
     _any(_says(b"layer {"), _says(b"layers {"), _says(b"layer{"), _named(".caffemodel", ".prototxt")),
     _by_onnx("caffe2onnx")),
    ("darknet", "Darknet", _any(_starts(b"[net]", b"[network]"), _named(".weights")),
     _by_onnx("a darknet2onnx converter")),
    ("coreml", "Core ML", _any(_holds("Manifest.json", "Data/"), _named(".mlmodel")),
     "Open the model it was converted from; coremltools does not convert back."),
    ("ml.net", "ML.NET", _holds("TransformerChain/"), _by_onnx("ConvertToOnnx")),
    ("deeplearning4j", "Deeplearning4j", _holds("configuration.json", "coefficients.bin"), _ARRAYS),
    ("torch7", "Torch 7", _any(_starts(b"4\n1\n", b"\x04\0\0\0\x01\0\0\0"), _named(".t7")), _ARRAYS),
    ("cntk", "CNTK", _any(_starts(b"B\0C\0N\0"), _named(".cntk")),
     _by_onnx("cntk's Function.save(format=ModelFormat.ONNX)")),
    ("paddle", "PaddlePaddle",
     _any(_named(".pdmodel", "__model__"), lambda head: head.is_folder and head.member("__model__")),
     _by_onnx("paddle2onnx")),
    ("caffe2", "Caffe2", _named("predict_net.pb", "init_net.pb", "predict_net.pbtxt"), _TORCH),
    ("tensorflow-graph", "a frozen TensorFlow graph", _named(".pb", ".pbtxt", ".meta"),
     "Make it ONNX with tf2onnx, or open the checkpoint or SavedModel."),
    ("messagepack", "MessagePack of flax", _named(".msgpack"),
     "Save its parameters with np.savez, named like Dense_0/kernel."),
    ("mnn", "MNN", _named(".mnn"), "Open the ONNX file that it was made from."),
    ("uff", "UFF", _named(".uff"), "Open the TensorFlow or ONNX file that it was made from."),
    ("sentis", "Barracuda or Sentis", _named(".nn", ".sentis"), "Open the ONNX file that it was made from."),
    ("tengine", "Tengine", _named(".tmfile"), "Open the ONNX file that it was made from."),
    ("armnn", "Arm NN", _named(".armnn"), "Open the TensorFlow Lite or ONNX file that it was made from."),
    ("bigdl", "BigDL", _named(".bigdl"), _ARRAYS),
    ("vitis", "Vitis AI", _named(".xmodel"), "Open the ONNX file that it was made from."),
    ("onnx-text", "ONNX as text", _named(".onnx.txt", ".onnxtxt", ".textproto"), "Save it as .onnx with onnx.save."),
)  # fmt: skip
FORMATS = tuple(_unread(*entry) for entry in _TABLE)
