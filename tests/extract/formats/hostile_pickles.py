"""Files in which a pickle hides that would run a command, in each place where a pickle can hide."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.extract.options import SourceOptions
from tests.extract.formats import samples

CANARY = "canary"
Made = tuple[Path, SourceOptions]
Case = Callable[[Path], Made]
_PLAIN = SourceOptions()


class Evil:
    """Whoever unpickles it makes the canary."""

    def __init__(self, folder: Path) -> None:
        self.command = f"touch '{folder / CANARY}'"

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def _torch() -> Any:
    return pytest.importorskip("torch")


def _saved(folder: Path, content: Any, name: str = "model.pt", **how: Any) -> Made:
    _torch().save(content, folder / name, **how)
    return folder / name, _PLAIN


def _state() -> dict[str, Any]:
    torch = _torch()
    return {name: torch.from_numpy(array) for name, array in samples._state().items()}


def state_dict(folder: Path) -> Made:
    return _saved(folder, {"state_dict": {**_state(), "fc.extra": Evil(folder)}})


def optimizer(folder: Path) -> Made:
    return _saved(folder, {"state_dict": _state(), "optimizer": {"state": {0: {"momentum": Evil(folder)}}}})


def legacy(folder: Path) -> Made:
    content = {"state_dict": _state(), "x": Evil(folder)}
    return _saved(folder, content, _use_new_zipfile_serialization=False)


def legacy_header(folder: Path) -> Made:
    """The first pickle of torch's old format is the magic number; here it is not."""
    path, options = _saved(folder, _state(), _use_new_zipfile_serialization=False)
    path.write_bytes(pickle.dumps(Evil(folder), 2) + path.read_bytes())
    return path, options


def legacy_after_magic(folder: Path) -> Made:
    """The magic number is right, the pickle of the version is not."""
    path, options = _saved(folder, _state(), _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    path.write_bytes(data[:14] + pickle.dumps(Evil(folder), 2) + data[14:])
    return path, options


def whole_module(folder: Path) -> Made:
    net = samples.net()
    net.extra = Evil(folder)
    return _saved(folder, net)


def nested_zip(folder: Path) -> Made:
    """Two members that end with data.pkl: one harmless, one not."""
    path, options = _saved(folder, _state())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", pickle.dumps(Evil(folder)))
    return path, options


def folder_of_checkpoints(folder: Path) -> Made:
    home = folder / "all"
    home.mkdir()
    for epoch in range(2):
        _torch().save({"state_dict": _state(), "x": Evil(folder)}, home / f"epoch_{epoch}.pt")
    return home, SourceOptions(cache=False)


def hugging_face(folder: Path) -> Made:
    home = folder / "hf"
    home.mkdir()
    (home / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    _torch().save({**_state(), "x": Evil(folder)}, home / "pytorch_model.bin")
    return home, _PLAIN


def hugging_face_code(folder: Path) -> Made:
    """A configuration that names code of its own."""
    home = folder / "hf"
    home.mkdir()
    (home / "config.json").write_text(
        '{"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Net"}}'
    )
    code = f"import os\nos.system({Evil(folder).command!r})\nclass Config: pass\nclass Net: pass\n"
    (home / "evil.py").write_text(code)
    samples.safetensors(home)
    return home, SourceOptions(model=f"hf:{home}")


def plain_pickle(folder: Path) -> Made:
    (folder / "model.pkl").write_bytes(pickle.dumps({"coef_": np.ones(3), "x": Evil(folder)}, 4))
    return folder / "model.pkl", _PLAIN


def joblib_like(folder: Path) -> Made:
    """As joblib writes: the bytes of an array between the opcodes of a pickle."""
    data = pickle.dumps(Evil(folder), 4)
    (folder / "model.joblib").write_bytes(data[:-1] + b"\x00" * 64 + data[-1:])
    return folder / "model.joblib", _PLAIN


def _objects(folder: Path) -> np.ndarray:
    made = np.empty(2, object)
    made[:] = [Evil(folder), 1]
    return made


def npy(folder: Path) -> Made:
    np.save(folder / "weights.npy", _objects(folder), allow_pickle=True)
    return folder / "weights.npy", _PLAIN


def npz(folder: Path) -> Made:
    np.savez(folder / "weights.npz", **{"fc/kernel": np.ones((3, 4), np.float32), "fc/bias": _objects(folder)})
    return folder / "weights.npz", _PLAIN


def npy_input(folder: Path) -> Made:
    path, _ = npy(folder)
    return samples.torch_state(folder), SourceOptions(model="tests.extract.formats.samples:net", input=str(path))


def npz_input(folder: Path) -> Made:
    np.savez(folder / "x.npz", x=_objects(folder))
    model = "tests.extract.formats.samples:net"
    return samples.torch_state(folder), SourceOptions(model=model, input=str(folder / "x.npz"))


def run_member(folder: Path) -> Made:
    """A run of which one member is an array of objects."""
    path = samples.run(folder)
    stream = io.BytesIO()
    np.save(stream, _objects(folder), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("e000000/w/9.npy", stream.getvalue())
    return path, _PLAIN


def distributed(folder: Path) -> Made:
    """torch.distributed.checkpoint keeps a pickle in .metadata."""
    home = folder / "dcp"
    home.mkdir()
    (home / ".metadata").write_bytes(pickle.dumps(Evil(folder), 4))
    (home / "__0_0.distcp").write_bytes(bytes(64))
    return home, _PLAIN


def torchscript(folder: Path) -> Made:
    """An archive of TorchScript whose pickles name os.system."""
    with zipfile.ZipFile(folder / "script.pt", "w") as archive:
        archive.writestr("script/version", "3\n")
        archive.writestr("script/code/__torch__.py", "class Net(Module):\n  pass\n")
        archive.writestr("script/constants.pkl", pickle.dumps(Evil(folder), 2))
        archive.writestr("script/data.pkl", pickle.dumps(Evil(folder), 2))
    return folder / "script.pt", _PLAIN


def exported(folder: Path) -> Made:
    """A torch.export archive whose weights and constants are pickles that name os.system."""
    with zipfile.ZipFile(folder / "model.pt2", "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/archive_version", "0")
        archive.writestr("model/models/model.json", '{"graph_module": {"graph": {"nodes": []}}}')
        archive.writestr("model/data/weights/model.pt", pickle.dumps(Evil(folder), 2))
        archive.writestr("model/data/constants/model.pt", pickle.dumps(Evil(folder), 2))
        archive.writestr("model/data/sample_inputs/model.pt", pickle.dumps(Evil(folder), 2))
    return folder / "model.pt2", _PLAIN


def exported_before(folder: Path) -> Made:
    """The layout of torch.export before 2.8."""
    with zipfile.ZipFile(folder / "model.pt2", "w") as archive:
        archive.writestr("version", "8.1")
        archive.writestr("serialized_exported_program.json", '{"graph_module": {"graph": {"nodes": []}}}')
        for name in ("serialized_state_dict", "serialized_constants", "serialized_example_inputs"):
            archive.writestr(f"{name}.pt", pickle.dumps(Evil(folder), 2))
    return folder / "model.pt2", _PLAIN


def keras_pickle(folder: Path) -> Made:
    """A folder of MXNet, Paddle and scikit-learn fame: pickles named like weights."""
    (folder / "model.pdparams").write_bytes(struct.pack("<B", 0x80) + pickle.dumps(Evil(folder), 2)[1:])
    return folder / "model.pdparams", _PLAIN


CASES: dict[str, Case] = {
    function.__name__: function
    for function in (
        state_dict, optimizer, legacy, legacy_header, legacy_after_magic, whole_module, nested_zip,
        folder_of_checkpoints, hugging_face, hugging_face_code, plain_pickle, joblib_like, npy, npz, npy_input,
        npz_input, run_member, distributed, torchscript, exported, exported_before, keras_pickle,
    )
}  # fmt: skip
