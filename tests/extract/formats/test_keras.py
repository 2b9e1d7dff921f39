"""Keras: .keras and .h5 of Keras 2 and 3, read without Keras, give what Keras itself computes."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.analysis.explain.explaining import explain
from nn3d.errors import SourceError
from nn3d.extract.formats import keras as keras_format
from nn3d.extract.formats import keras_h5
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.readers.keras.config import read_model
from nn3d.extract.readers.keras.names import parts_of
from nn3d.extract.recording import Recording
from nn3d.run.run import Run
from tests.extract.formats.samples import TENSORFLOW

h5py = pytest.importorskip("h5py")
RESULTS = json.loads((TENSORFLOW / "results.json").read_text())


def read(path: Path, options: SourceOptions | None = None) -> Recording:
    """A file by the format that its content says, in this process."""
    chosen = keras_format if zipfile.is_zipfile(path) else keras_h5
    return chosen.FORMAT.record(path, options or SourceOptions())


def opened(path: Path, options: SourceOptions | None = None) -> Run:
    return in_memory(read(path, options))


@pytest.fixture(scope="module")
def ones(tmp_path_factory: pytest.TempPathFactory) -> SourceOptions:
    path = tmp_path_factory.mktemp("ones") / "ones.npy"
    np.save(path, np.ones((1, 2, 8, 8), np.float32))
    return SourceOptions(input=str(path))


def values(run: Run, name: str) -> Any:
    node = next(n for n in run.graph.nodes if n.name == name)
    return run.values(node.id, 0, 0, 0)


@pytest.mark.parametrize(("file", "key"), [("net.keras", "keras"), ("net_keras2.h5", "keras2")])
def test_the_output_is_what_keras_computed_when_the_file_was_made(file: str, key: str, ones: SourceOptions) -> None:
    run = opened(TENSORFLOW / file, ones)
    assert np.allclose(values(run, "out.softmax"), RESULTS[key], rtol=1e-4, atol=1e-7)
    assert [layer.name for layer in run.layers] == ["picture", "conv", "deep", "add", "pool", "out"]
    assert run.graph.kind == "file"
    assert not run.left_out


def test_what_keras_2_did_otherwise_gives_what_it_computed(tmp_path: Path) -> None:
    np.save(tmp_path / "steps.npy", np.ones((1, 6, 4), np.float32))
    run = opened(TENSORFLOW / "older_keras2.h5", SourceOptions(input=str(tmp_path / "steps.npy")))
    _, node, output = run.graph.outputs[0]
    assert np.allclose(run.values(node, output, 0, 0), RESULTS["older"], atol=1e-6)
    assert [n.name for n in run.graph.nodes if n.op == "conv1d"] == ["inner.conv1d", "inner.conv1d_2"]
    assert len({n.parameters["weight"] for n in run.graph.nodes if n.op == "conv1d"}) == 1
    assert not run.left_out


def test_columns_of_a_linear_layer_after_maps_are_permuted_once() -> None:
    run = opened(TENSORFLOW / "net.keras")
    weight = next(p for p in run.graph.parameters if p.name == "out/kernel")
    with zipfile.ZipFile(TENSORFLOW / "net.keras") as archive:
        stored = h5py.File(io.BytesIO(archive.read("model.weights.h5")))["layers/dense/vars/0"][()]
    rows = stored.reshape(4, 4, 4, 5)
    assert np.array_equal(run.parameter(weight.id, 0).reshape(5, 4, 4, 4), rows.transpose(3, 2, 0, 1))
    assert "H,W,C" in weight.source_layout


def test_masks_are_said_where_words_are_masked_and_left_away_where_none_is(tmp_path: Path) -> None:
    words = {"class_name": "InputLayer", "config": {"name": "words", "batch_shape": [None, 4], "dtype": "int32"}}
    table = {"class_name": "Embedding", "config": {"name": "table", "input_dim": 9, "output_dim": 2, "mask_zero": True}}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": [words, table]}}
        file.attrs["model_config"] = json.dumps(config)
        home = file.create_group("model_weights")
        home.attrs["layer_names"] = [b"table"]
        home.create_group("table").attrs["weight_names"] = [b"table/embeddings:0"]
        home["table/table/embeddings:0"] = np.arange(18, dtype=np.float32).reshape(9, 2)
    for word, is_known in ((0, False), (3, True)):
        np.save(tmp_path / "words.npy", np.array([[1, 2, word, 4]]))
        run = opened(tmp_path / "m.h5", SourceOptions(input=str(tmp_path / "words.npy")))
        assert run.has_values(1, 0, 0) is is_known
        assert bool(run.left_out) is not is_known


@pytest.mark.parametrize("name", ["conv", "deep", "pool", "out"])
def test_cells_are_explained_by_what_they_were_computed_from(name: str, ones: SourceOptions) -> None:
    run = opened(TENSORFLOW / "net.keras", ones)
    node = next(n for n in run.graph.nodes if n.name == name)
    cell = tuple(n // 2 for n in node.outputs[0].shape)
    found = explain(run, name, cell, alone=True)
    assert found.known, found.reason
    assert found.abs_error <= 1e-5 * max(1.0, abs(found.computed))


def test_weights_alone_are_wired_by_their_names(tmp_path: Path) -> None:
    with h5py.File(TENSORFLOW / "net_keras2.h5") as whole, h5py.File(tmp_path / "w.h5", "w") as part:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", part)
        part.attrs["layer_names"] = whole["model_weights"].attrs["layer_names"]
    found = read(tmp_path / "w.h5")
    assert found.graph.kind == "inferred"
    assert {p.name for p in found.graph.parameters} >= {"conv.weight", "norm.running_var", "out.weight"}


def test_tensors_are_found_by_their_groups_where_no_list_names_them(tmp_path: Path) -> None:
    with h5py.File(TENSORFLOW / "net_keras2.h5") as whole, h5py.File(tmp_path / "w.h5", "w") as part:
        part.attrs["model_config"] = np.bytes_(whole.attrs["model_config"])
        whole.copy("model_weights", part)
        del part["model_weights"].attrs["layer_names"]
    found, wanted = (next(iter(read(p))) for p in (tmp_path / "w.h5", TENSORFLOW / "net_keras2.h5"))
    assert all(np.array_equal(found.parameters[p], values) for p, values in wanted.parameters.items())


def _rewritten(tmp_path: Path, config: Any) -> Path:
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(TENSORFLOW / "net.keras") as source, zipfile.ZipFile(path, "w") as out:
        for name in source.namelist():
            out.writestr(name, json.dumps(config) if name == "config.json" else source.read(name))
    return path


def _config() -> Any:
    with zipfile.ZipFile(TENSORFLOW / "net.keras") as archive:
        return json.loads(archive.read("config.json"))


def test_a_lambda_is_a_box_and_what_follows_has_no_values(tmp_path: Path) -> None:
    config = _config()
    pool = next(layer for layer in config["config"]["layers"] if layer["name"] == "pool")
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAAA", "defaults": None, "closure": None}}
    pool["class_name"], pool["config"] = "Lambda", {"name": "pool", "function": code}
    run = opened(_rewritten(tmp_path, config))
    node = next(n for n in run.graph.nodes if n.name == "pool")
    assert node.op == "other:Lambda"
    assert node.outputs[0].shape == (4, 4, 4)
    assert any("pool" in line and "Lambda" in line for line in run.left_out)
    assert run.has_values(next(n.id for n in run.graph.nodes if n.name == "add"), 0, 0)
    assert not run.has_values(node.id, 0, 0)


@pytest.mark.parametrize("kind", ["external link", "soft link", "external storage", "virtual", "claims"])
def test_hdf5_that_leads_outside_or_claims_too_much_is_refused(tmp_path: Path, kind: str) -> None:
    other, path = tmp_path / "other.h5", tmp_path / "x.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(4, np.float32)
    (tmp_path / "raw").write_bytes(bytes(16))
    with h5py.File(path, "w") as file:
        group = file.create_group("conv")
        if kind == "external link":
            group["kernel"] = h5py.ExternalLink("other.h5", "/secret")
        elif kind == "soft link":
            group["kernel"] = h5py.SoftLink("/conv")
        elif kind == "external storage":
            group.create_dataset("kernel", (4,), "f4", external=[(str(tmp_path / "raw"), 0, 16)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource(str(other), "secret", (4,))
            group.create_virtual_dataset("kernel", layout)
        else:
            group.create_dataset("kernel", (1 << 40,), "f4", chunks=(1024,), compression="gzip")
    with pytest.raises(SourceError, match="expected") as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        [], {"class_name": "Functional"}, {"class_name": "Sequential", "config": {"layers": [3]}},
        {"class_name": "Functional", "config": {"name": "x", "layers": [
            {"class_name": "Dense", "name": "a", "config": {}, "inbound_nodes": [[["b", 0, 0, {}]]]},
            {"class_name": "Dense", "name": "b", "config": {}, "inbound_nodes": [[["a", 0, 0, {}]]]},
        ], "input_layers": [["a", 0, 0]], "output_layers": [["b", 0, 0]]}},
        {"class_name": "MyModel", "config": {}},
    ],
)  # fmt: skip
def test_json_that_is_no_model_ends_in_one_line(tmp_path: Path, config: Any) -> None:
    with pytest.raises(SourceError, match="expected"):
        read(_rewritten(tmp_path, config))


def test_what_a_model_claims_is_bounded(tmp_path: Path) -> None:
    config = _config()
    for layer in config["config"]["layers"][1:]:
        if layer["name"] == "pool":
            layer["class_name"], layer["config"] = "UpSampling2D", {"name": "pool", "size": [4000, 4000]}
    found = read(_rewritten(tmp_path, config))
    assert any("more than is computed" in line for line in found.left_out)
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 1 << 20, 1 << 20, 2]
    with pytest.raises(SourceError, match="at most"):
        read(_rewritten(tmp_path, config))


def test_models_that_call_each_other_twice_are_bounded(tmp_path: Path) -> None:
    def around(inner: Any, depth: int) -> Any:
        """A model that calls another one twice, one after the other."""
        start = {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_shape": [None, 3]},
                 "inbound_nodes": []}  # fmt: skip
        if inner is None:
            layers, end = [start], ["x", 0, 0]
        else:
            calls = [[["x", 0, 0, {}]], [["in", 0, 0, {}]]]
            layers, end = [start, {**inner, "name": "in", "inbound_nodes": calls}], ["in", 1, 0]
        config = {"name": f"m{depth}", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [end]}
        return {"class_name": "Functional", "config": config}

    model: Any = None
    for depth in range(30):
        model = around(model, depth)
    with pytest.raises(SourceError, match="nested"):
        read(_rewritten(tmp_path, model))


def test_nested_models_too_deep_are_refused() -> None:
    inner: Any = {"class_name": "Dense", "config": {"name": "d", "units": 1}}
    for depth in range(70):
        inner = {"class_name": "Sequential", "config": {"name": f"s{depth}", "layers": [inner]}}
    with pytest.raises(SourceError, match="deep"):
        read_model(inner, "x.keras")

def test_names_of_layers_tell_the_parts_that_they_stand_in() -> None:
    names = ["conv2_block1_1_conv", "conv2_block1_1_bn", "conv2_block1_out", "conv2d_1", "conv2d_2", "conv2d_3"]
    found = parts_of([*names, "block_3_expand", "block_3_expand_BN", "block_3_project", "pool1_pad"])
    assert found["conv2_block1_1_bn"] == ("conv2", "block1")
    assert found["block_3_project"] == ("block_3",)
    assert not {"conv2d_1", "pool1_pad"} & set(found)


# Against Keras itself


@contextmanager
def _keras() -> Iterator[Any]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip(f"keras runs on {keras.backend.backend()}")
    yield keras
    keras.backend.clear_session()


def _drawn(model: Any) -> None:
    """Weights that tell axes and roles apart."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            fan = max(1, int(np.prod(weight.shape[:-1])))
            drawn = rng.normal(0, 1, weight.shape) / fan**0.5
            drawn = np.abs(drawn) + 0.5 if "variance" in weight.path else drawn
            weight.assign(drawn.astype("float32"))


def _last(array: Any, axes: tuple[str, ...]) -> Any:
    """Channels last, as Keras has them."""
    return np.moveaxis(array, 1, -1) if axes[:1] == ("C",) and len(axes) > 1 else array


def _differences(keras: Any, model: Any, path: Path) -> dict[str, float]:
    """Largest difference of each operation's output from Keras's, over its largest value."""
    model.save(path)
    found = read(path)
    moment = next(iter(found))
    nodes = found.graph.nodes
    assert sum(int(np.prod(p.shape)) for p in found.graph.parameters) == sum(
        int(np.prod(w.shape)) for w in model.weights if "seed" not in w.path
    )
    inputs = [
        _last(moment.activations[n.id, 0], n.outputs[0].axes) for n in nodes if n.op == "input"
    ]  # fmt: skip
    operations = [o for o in model.operations if type(o).__name__ != "InputLayer"]
    outputs = [o.output[0] if isinstance(o.output, list | tuple) else o.output for o in operations]
    given = keras.Model(model.inputs, outputs).predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    worst = {}
    for operation, wanted in zip(operations, given, strict=True):
        name = operation.name
        own = [n for n in nodes if n.name == name or n.name.startswith(f"{name}.")]
        node = [n for n in own if not n.name.endswith((".permute", ".maps", ".cells"))][-1]
        got = _last(moment.activations[node.id, 0], node.outputs[0].axes)
        if node.op == "flatten" and got.shape == wanted.shape:
            got, wanted = np.sort(got), np.sort(wanted)
        worst[name] = float(np.abs(got - wanted).max() / max(1e-6, float(np.abs(wanted).max())))
    return worst


def _maps(keras: Any) -> Any:
    layers = keras.layers
    x = picture = keras.Input((17, 15, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(5, padding="same", depth_multiplier=2)(x)
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    x = layers.AveragePooling2D(2, 2, padding="same")(layers.MaxPooling2D(3, 2, padding="same")(x))
    x = layers.Cropping2D(((0, 1), (1, 0)))(layers.ZeroPadding2D(((1, 2), (0, 3)))(x))
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="elu")(layers.UpSampling2D(2)(x))
    x = layers.Conv2DTranspose(6, 2, strides=3)(x)
    x = layers.GroupNormalization(4)(layers.SeparableConv2D(8, 3, dilation_rate=2, activation="gelu")(x))
    gate = layers.Dense(8, activation="sigmoid")(layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x)))
    x = layers.LayerNormalization()(layers.Multiply()([x, gate])) * 0.5 + x
    inner = keras.Sequential([keras.Input((27, 39, 8)), layers.Conv2D(8, 1), layers.ReLU(6.0)], name="inner")
    x = layers.Add()([inner(x), inner(inner(x)), x]) if x.shape[1:3] == (27, 39) else x
    cells = layers.Flatten()(layers.MaxPooling2D(6)(x))
    one = layers.Softmax()(layers.Dense(5)(cells))
    two = layers.PReLU()(layers.Dense(3)(layers.Concatenate()([cells, one])))
    return keras.Model(picture, [one, two])


def _steps(keras: Any) -> Any:
    layers = keras.layers
    x = words = keras.Input((12,))
    x = layers.Embedding(20, 8)(x)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), merge_mode="sum")(x)
    x = layers.Bidirectional(layers.GRU(5, return_sequences=True))(layers.TimeDistributed(layers.Dense(7))(x))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, value_dim=3)(x, x))
    x = layers.BatchNormalization()(layers.Conv1D(8, 3, padding="causal", dilation_rate=2)(x))
    x = layers.LSTM(6, return_sequences=True, go_backwards=True)(layers.MaxPooling1D(2)(x))
    ends = [layers.Bidirectional(layers.SimpleRNN(3))(x), layers.GRU(4)(x), layers.Flatten()(x[:, 1:3])]
    return keras.Model(words, layers.Dense(2)(layers.Concatenate()(ends)))


@pytest.mark.parametrize("make", [_maps, _steps], ids=["maps", "steps"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_every_layer_gives_what_keras_gives(make: Any, ending: str, tmp_path: Path) -> None:
    if not os.environ.get("NN3D_SOAK"):
        pytest.skip("imports keras; runs with NN3D_SOAK=1")
    with _keras() as keras:
        model = make(keras)
        _drawn(model)
        assert max(_differences(keras, model, tmp_path / f"net.{ending}").values()) < 3e-5


@pytest.mark.soak
@pytest.mark.parametrize("name", ["MobileNetV2", "DenseNet121"])
def test_applications_of_keras_give_what_keras_gives(name: str, tmp_path: Path) -> None:
    if not os.environ.get("NN3D_SOAK"):
        pytest.skip("runs whole networks; NN3D_SOAK=1")
    with _keras() as keras:
        model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3))
        _drawn(model)
        assert max(_differences(keras, model, tmp_path / "net.keras").values()) < 1e-3
