"""One small real file of each format: SAMPLES[key](folder) writes it there and gives its path.

A function that needs a library which is not installed skips the test that asked (`pytest.importorskip`). The files are
what the matrix of docs/formats.md is made from, and what mutations begin with: keep them small (a few kB), and make
them with the format's own library wherever there is one.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.extract.options import SourceOptions
from nn3d.run.writer import write_packed
from tests.extract.formats import events_file, gguf_file
from tests.run.small import small_run
from tests.runs import SIETZEN

Sample = Callable[[Path], Path]
TENSORFLOW = Path(__file__).parents[2] / "data" / "formats" / "tensorflow"

# What a sample is opened with, where its file alone does not show all that the format gives.
_NET = SourceOptions(model="tests.extract.formats.samples:net", input="random:1,8,8")
_TRUST = SourceOptions(trust=True, input="random:1,8,8")
OPTIONS: dict[str, SourceOptions] = {
    "torch": _NET, "safetensors": _NET, "safetensors-index": _NET, "dcp": _NET, "pickled-module": _TRUST,
}  # fmt: skip


def run(folder: Path) -> Path:
    """A packed run of two epochs."""
    write_packed(small_run(), folder / "run.npz")
    return folder / "run.npz"


def sietzen(folder: Path) -> Path:
    """Two epochs and two samples of the files that come with nn-visualizer."""
    out = folder / "sietzen.zip"
    with zipfile.ZipFile(SIETZEN) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as part:
        part.writestr("jsons/model_structure.json", whole.read("jsons/model_structure.json"))
        for epoch in ("000", "001"):
            weights, activations = (f"jsons/model_{kind}_epoch{epoch}.json" for kind in ("weights", "activations"))
            part.writestr(weights, whole.read(weights))
            *layers, truth = json.loads(whole.read(activations))
            few = [[name, [2, *shape[1:]], values[:2]] for name, shape, values in layers]
            part.writestr(activations, json.dumps([*few, [names[:2] for names in truth]]))
    return out


def _state(seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of a small convolutional network."""
    rng = np.random.default_rng(seed)
    shapes = {
        "conv1.weight": (4, 1, 3, 3), "conv1.bias": (4,), "conv2.weight": (6, 4, 3, 3), "conv2.bias": (6,),
        "fc.weight": (5, 6), "fc.bias": (5,),
    }  # fmt: skip
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def net() -> Any:
    """The torch module of these weights."""
    from torch import nn

    parts = {"conv1": nn.Conv2d(1, 4, 3), "relu1": nn.ReLU(), "conv2": nn.Conv2d(4, 6, 3), "relu2": nn.ReLU()}
    parts |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(6, 5)}
    return nn.Sequential(OrderedDict(parts))


def torch_state(folder: Path) -> Path:
    """A training checkpoint as torch.save writes it."""
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(array) for name, array in _state().items()}
    torch.save({"state_dict": state, "epoch": 3, "loss": 0.5}, folder / "model.pt")
    return folder / "model.pt"


def torch_folder(folder: Path) -> Path:
    """Two checkpoints, an epoch each."""
    torch = pytest.importorskip("torch")
    home = folder / "checkpoints"
    home.mkdir()
    for epoch in range(2):
        state = {name: torch.from_numpy(array) for name, array in _state(epoch).items()}
        torch.save({"state_dict": state, "epoch": epoch}, home / f"epoch_{epoch}.pt")
    return home


def dcp(folder: Path) -> Path:
    """Weights as torch.distributed.checkpoint writes them: a folder of metadata and pieces."""
    torch, library = pytest.importorskip("torch"), pytest.importorskip("torch.distributed.checkpoint")
    state = {name: torch.from_numpy(array) for name, array in _state().items()}
    library.save({"model": state, "step": 40}, checkpoint_id=folder / "step-40", no_dist=True)
    return folder / "step-40"


def safetensors(folder: Path) -> Path:
    """Weights as the safetensors package writes them."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    save_file(_state(), folder / "model.safetensors", metadata={"format": "np"})
    return folder / "model.safetensors"


def safetensors_index(folder: Path) -> Path:
    """The same in two files and an index, as large models come."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    state = _state()
    places: dict[str, str] = {}
    for i, names in enumerate((list(state)[:3], list(state)[3:])):
        file = f"model-{i + 1:05}-of-00002.safetensors"
        save_file({name: state[name] for name in names}, folder / file)
        places |= dict.fromkeys(names, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


def onnx(folder: Path) -> Path:
    """Convolution, pool and linear layer, with the number of samples left open."""
    library = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make, state = library.helper, _state()
    nodes = [
        make.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["a"], "/conv1/Conv", kernel_shape=[3, 3]),
        make.make_node("Relu", ["a"], ["b"], "/relu1/Relu"),
        make.make_node("Conv", ["b", "conv2.weight", "conv2.bias"], ["c"], "/conv2/Conv", pads=[1, 1, 1, 1]),
        make.make_node("GlobalAveragePool", ["c"], ["d"], "/pool/GlobalAveragePool"),
        make.make_node("Flatten", ["d"], ["e"], "/flat/Flatten"),
        make.make_node("Gemm", ["e", "fc.weight", "fc.bias"], ["logits"], "/fc/Gemm", transB=1),
    ]
    graph = make.make_graph(
        nodes, "net", [make.make_tensor_value_info("image", 1, ["N", 1, 8, 8])],
        [make.make_tensor_value_info("logits", 1, ["N", 5])],
        [library.numpy_helper.from_array(array, name) for name, array in state.items()],
    )  # fmt: skip
    library.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), folder / "net.onnx")
    return folder / "net.onnx"


def gguf(folder: Path) -> Path:
    """Weights as llama.cpp keeps them, one of them quantised."""
    rng, width = np.random.default_rng(0), 32
    square = {f"blk.0.attn_{part}": (width, width) for part in ("q", "k", "v", "output")}
    ends = {"token_embd": (8, width), "output": (8, width), "blk.0.attn_norm": (width,), "output_norm": (width,)}
    shapes: dict[str, tuple[int, ...]] = {**square, **ends}
    arrays = {f"{n}.weight": ("F32", rng.normal(size=s).astype(np.float32)) for n, s in shapes.items()}
    arrays["output.weight"] = ("Q8_0", arrays["output.weight"][1])
    return gguf_file.write(folder / "model.gguf", arrays)


def numpy_arrays(folder: Path) -> Path:
    """A perceptron as flax names it."""
    rng = np.random.default_rng(0)
    shapes = {"Dense_0/kernel": (6, 5), "Dense_0/bias": (5,), "Dense_1/kernel": (5, 3), "Dense_1/bias": (3,)}
    np.savez(folder / "params.npz", **{f"params/{n}": rng.normal(size=s) for n, s in shapes.items()})
    return folder / "params.npz"


def numpy_folder(folder: Path) -> Path:
    """The same, an epoch each."""
    home = folder / "epochs"
    home.mkdir()
    for epoch in (2, 10):
        numpy_arrays(home).rename(home / f"epoch_{epoch}.npz")
    return home


def _kept(name: str) -> Sample:
    """A file of tests/data/formats/tensorflow, which make.py there made with TensorFlow and Keras."""

    def sample(folder: Path) -> Path:
        source = TENSORFLOW / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        return folder / name

    return sample


def _hdf5(name: str) -> Sample:
    def sample(folder: Path) -> Path:
        pytest.importorskip("h5py")
        return _kept(name)(folder)

    return sample


def pickled_module(folder: Path) -> Path:
    """A whole module as torch.save pickles it."""
    torch = pytest.importorskip("torch")
    torch.save(net(), folder / "module.pt")
    return folder / "module.pt"


def tensorflow(folder: Path) -> Path:
    """One checkpoint of graph mode: the table, and beside it the shard."""
    for file in (TENSORFLOW / "graph").glob("model.ckpt-10.*"):
        shutil.copy(file, folder)
    return folder / "model.ckpt-10.index"


def torch_export(folder: Path) -> Path:
    """The small network as torch.export.save writes it, with the number of samples left open."""
    torch = pytest.importorskip("torch")
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(net().eval(), (torch.zeros(2, 1, 8, 8),), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "net.pt2")
    return folder / "net.pt2"


def spec(folder: Path) -> Path:
    """A design: sizes and no values."""
    layers = ({"op": "conv2d", "out": 4, "kernel": 3}, {"op": "relu"}, {"op": "flatten"}, {"op": "linear", "out": 3})
    tables = ("\n".join(["[[layer]]", *(f"{k} = {json.dumps(v)}" for k, v in layer.items())]) for layer in layers)
    (folder / "spec.toml").write_text("\n\n".join(["input = [1, 8, 8]", *tables]) + "\n")
    return folder / "spec.toml"


def tensorboard(folder: Path) -> Path:
    """An event file of two steps: a scalar and a histogram each."""
    path = folder / "events.out.tfevents.1.host"
    events = [events_file.VERSION]
    for step in (0, 10):
        events += [events_file.scalar(step, "loss", 1 / (step + 1)),
                   events_file.histogram(step, "fc/weight", [-1, 0, 1 + step], [3, 5])]  # fmt: skip
    path.write_bytes(b"".join(events))
    return path


def tensorboard_folder(folder: Path) -> Path:
    """The same in a folder, as it is usually pointed at."""
    (folder / "logs").mkdir()
    return tensorboard(folder / "logs").parent


def torchscript(folder: Path) -> Path:
    """The small network as torch.jit.trace saves it."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net().eval(), torch.zeros(2, 1, 8, 8)).save(str(folder / "net.pt"))
    return folder / "net.pt"


def huggingface(folder: Path) -> Path:
    """A small GPT-2 as transformers saves it; long, for transformers takes seconds to import."""
    if os.environ.get("NN3D_SOAK", "0") in ("", "0"):
        pytest.skip("long: NN3D_SOAK=1")
    made = pytest.importorskip("transformers")
    sizes = {"vocab_size": 50, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16}
    made.GPT2LMHeadModel(made.GPT2Config(**sizes, bos_token_id=1, eos_token_id=1)).save_pretrained(folder / "tiny-gpt2")
    return folder / "tiny-gpt2"


SAMPLES: dict[str, Sample] = {
    "run": run,
    "sietzen": sietzen,
    "pickled-module": pickled_module,
    "torch": torch_state,
    "checkpoints": torch_folder,
    "dcp": dcp,
    "onnx": onnx,
    "huggingface": huggingface,
    "safetensors": safetensors,
    "safetensors-index": safetensors_index,
    "gguf": gguf,
    "keras": _hdf5("net.keras"),
    "keras-h5": _hdf5("net_keras2.h5"),
    "tensorflow": tensorflow,
    "tensorflow-folder": _kept("graph"),
    "saved-model": _kept("saved_model"),
    "tfjs": _kept("tfjs"),
    "tflite": _kept("net.tflite"),
    "numpy": numpy_arrays,
    "numpy-folder": numpy_folder,
    "spec": spec,
    "tensorboard": tensorboard,
    "tensorboard-folder": tensorboard_folder,
    "torch-export": torch_export,
    "torchscript": torchscript,
}
