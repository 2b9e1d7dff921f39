"""ONNX: what onnx and onnxruntime have of a file, a run has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.analysis.explain import check_cells
from nn3d.analysis.forward.engine import NumpyEngine
from nn3d.errors import SourceError
from nn3d.extract.formats.onnx import FORMAT
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.readers.onnx.sniff import is_onnx
from nn3d.run.run import Run
from tests.conftest import SOAK

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
helper, array_proto = onnx.helper, onnx.numpy_helper.from_array
FLOAT = onnx.TensorProto.FLOAT
RNG = np.random.default_rng(0)


def weights(*shape: int) -> Any:
    return (0.3 * RNG.normal(size=shape)).astype(np.float32)


def node(op: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), outputs.split(), name, **attributes)


def model(
    nodes: Sequence[Any], shape: Sequence[Any], held: dict[str, Any], out: str = "y", *, opset: int = 17, **more: Any
) -> Any:
    tensors = [array_proto(np.asarray(a), n) if isinstance(a, np.ndarray) else a for n, a in held.items()]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", more.pop("elem", FLOAT), shape)],
        [onnx.ValueInfoProto(name=n) for n in out.split()], tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *more.pop("domains", [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def opened(made: Any, folder: Path, **options: Any) -> Run:
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return in_memory(FORMAT.record(path, SourceOptions(**options)))


def by_name(run: Run) -> dict[str, Any]:
    return {n.name: n for n in run.graph.nodes}


def own_run(made: Any, feeds: dict[str, Any], names: Sequence[str]) -> list[Any]:
    """What onnxruntime itself makes of the file, unoptimised."""
    made = onnx.ModelProto.FromString(made.SerializeToString())
    del made.graph.output[:]
    made.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(list(names), feeds))


def assert_explained(run: Run) -> None:
    """Cells of every computed value are what their terms add up to, and the numpy engine gives all of them."""
    rng = np.random.default_rng(1)
    for found in run.graph.nodes:
        for output, info in enumerate(found.outputs):
            if found.op not in ("input", "parameter", "constant") and run.has_values(found.id, output, 0):
                cells = np.stack([rng.integers(0, n, 12) for n in info.shape], 1)
                errors = check_cells(run, found.name, cells, alone=True, output=output)
                assert errors.is_known.all(), (found.name, found.op, errors.reason, errors.abs_error)
    assert NumpyEngine(run).reason == ""


def zoo() -> Any:
    """Windows of all kinds, a residual sum, a norm, and the usual end."""
    rng = np.random.default_rng(5)

    def weights(*shape: int) -> Any:
        return (0.3 * rng.normal(size=shape)).astype(np.float32)

    held = {
        "conv1.weight": weights(4, 2, 3, 3), "conv1.bias": weights(4), "conv2.weight": weights(4, 2, 3, 3),
        "bn.weight": weights(4), "bn.bias": weights(4), "bn.mean": weights(4), "bn.var": weights(4) ** 2 + 0.5,
        "up.weight": weights(4, 3, 2, 2), "fc.weight": weights(6, 12), "fc.bias": weights(6), "scale": weights(3, 1, 1),
        "proj": weights(6, 5), "shape": np.array([0, -1]),
    }  # fmt: skip
    nodes = [
        node("Conv", "x conv1.weight conv1.bias", "a", "/conv1/Conv",
             strides=[2, 1], pads=[0, 2, 2, 1], dilations=[1, 2]),
        node("Relu", "a", "b", "/act/Relu"),
        node("Conv", "b conv2.weight", "c", "/block/conv2/Conv", auto_pad="SAME_LOWER", group=2),
        node("BatchNormalization", "c bn.weight bn.bias bn.mean bn.var", "d", "/block/bn/BatchNormalization"),
        node("Add", "d b", "e", "/block/Add"),
        node("MaxPool", "e", "f", "/pool/MaxPool", kernel_shape=[2, 3], strides=[2, 2], pads=[0, 1, 1, 0]),
        node("AveragePool", "f", "g", "/mean/AveragePool", kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        node("ConvTranspose", "g up.weight", "h", "/up/ConvTranspose", strides=[2, 2], pads=[1, 0, 0, 1]),
        node("Mul", "h scale", "i", "/Mul"),
        node("MaxPool", "i", "j", "/last/MaxPool", kernel_shape=[3, 3], strides=[3, 4], ceil_mode=1),
        node("Reshape", "j shape", "k", "/Reshape"),
        node("Slice", "k zero twelve one", "l", "/Slice"),
        node("Gemm", "l fc.weight fc.bias", "m", "/fc/Gemm", transB=1),
        node("LeakyRelu", "m", "n", "/LeakyRelu", alpha=0.2),
        node("MatMul", "n proj", "o", "/proj/MatMul"),
        node("Softmax", "o", "y", "/Softmax"),
    ]
    held |= {"zero": np.array([0]), "twelve": np.array([12]), "one": np.array([1])}
    return model(nodes, ["N", 2, 13, 9], held)


def test_every_value_is_onnxruntimes_own(tmp_path: Path) -> None:
    run = opened(zoo(), tmp_path, samples=3)
    fed = np.stack([run.values(0, 0, 0, s) for s in range(3)])
    nodes = [n for n in run.graph.nodes if n.op != "input"]
    made = own_run(zoo(), {"x": fed}, [n.output[0] for n in zoo().graph.node])
    assert len(nodes) == len(made) == 16
    for found, expected in zip(nodes, made, strict=True):
        np.testing.assert_array_equal(np.stack([run.values(found.id, 0, 0, s) for s in range(3)]), expected)


def test_cells_add_up_and_the_numpy_engine_gives_every_value(tmp_path: Path) -> None:
    assert_explained(opened(zoo(), tmp_path, samples=2))


def test_every_node_and_initializer_is_accounted_for(tmp_path: Path) -> None:
    made = zoo()
    made.graph.node.insert(0, helper.make_node("ConstantOfShape", ["five"], ["unused"]))
    made.graph.initializer.append(array_proto(np.array([5]), "five"))
    run = opened(made, tmp_path)
    for line, count in zip(run.graph.notes, (len(made.graph.node), len(made.graph.initializer)), strict=False):
        total, parts = line.rsplit(": ", 1)[-1].split(" = ")
        assert int(total.split()[0]) == count == sum(map(int, re.findall(r"(?:^|\+ )(\d+)", parts)))
    assert len([n for n in run.graph.nodes if n.op != "input"]) == len(made.graph.node) - 1
    kept = {p.name for p in run.graph.parameters}
    assert kept == {t.name for t in made.graph.initializer} - {"shape", "zero", "twelve", "one", "five"}


def test_names_and_modules_are_the_files(tmp_path: Path) -> None:
    run = opened(zoo(), tmp_path)
    names = by_name(run)
    assert names["block.conv2"].module == "block.conv2"
    assert names["block.Add"].module == "block"
    assert {m.path for m in run.graph.modules} >= {"", "conv1", "block", "block.conv2", "block.bn", "fc"}
    plain = zoo()
    for i, one in enumerate(plain.graph.node):
        one.name = f"n{i}"
    renamed = by_name(opened(plain, tmp_path))
    assert {"conv1", "conv2", "bn", "fc", "proj"} <= set(renamed)


def test_what_torchs_exporter_wrote_beside_nodes_is_their_module(tmp_path: Path) -> None:
    """As torch.onnx.export(dynamo=True) has it; the first is a norm that was folded into its convolution."""
    nodes = [
        node("Conv", "x block.0.conv.weight", "a", "node_Conv_12"), node("Relu", "a", "b", "node_relu"),
        node("Add", "b b", "y", "node_add_7"),
    ]  # fmt: skip
    scopes = ["['', 'block', 'block.0', 'block.0.bn', 'op']", "['', 'block', 'block.0', 'relu']", "['', 'add']"]
    classes = [
        "['Net', 'nn.Sequential', 'my.Block', 'nn.BatchNorm2d', 'aten']", "['Net', 'nn.Sequential', 'my.Block', 'a']"
    ]  # fmt: skip
    for one, scope, kind in zip(nodes, scopes, [*classes, "['Net', 'aten.add']"], strict=True):
        for key, value in (("name_scopes", scope), ("class_hierarchy", kind)):
            one.metadata_props.add(key=f"pkg.torch.onnx.{key}", value=value)
    run = opened(model(nodes, ["N", 1, 4, 4], {"block.0.conv.weight": weights(2, 1, 3, 3)}), tmp_path)
    assert [(n.name, n.module) for n in run.graph.nodes[1:]] == [
        ("block.0.conv", "block.0.conv"), ("block.0.relu", "block.0"), ("add", "")
    ]  # fmt: skip
    told = {("", "Net"), ("block", "Sequential"), ("block.0", "Block")}
    assert {(m.path, m.type) for m in run.graph.modules} >= told


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 15, 18, 21])
def test_opsets_mean_the_same(opset: int, tmp_path: Path) -> None:
    """Axes and bounds moved from attributes to inputs, and softmax changed what it runs over."""
    held: dict[str, Any] = {"w": weights(3, 2, 1, 1)}
    clip = node("Clip", "a", "b", min=0.0, max=0.5)
    mean = node("ReduceMean", "b", "c", axes=[2, 3], keepdims=0)
    squeeze = node("Unsqueeze", "c", "d", axes=[2])
    if opset >= 11:
        clip, held = node("Clip", "a low high", "b"), held | {"low": np.float32(0), "high": np.float32(0.5)}
        held |= {n: array_proto(np.asarray(held[n]), n) for n in ("low", "high")}
    if opset >= 13:
        squeeze, held = node("Unsqueeze", "c axis", "d"), held | {"axis": np.array([2])}
    if opset >= 18:
        mean, held = node("ReduceMean", "b space", "c", keepdims=0), held | {"space": np.array([2, 3])}
    nodes = [node("Conv", "x w", "a"), clip, mean, squeeze, node("Softmax", "d", "y", axis=1)]
    run = opened(model(nodes, ["N", 2, 5, 5], held, opset=opset), tmp_path, samples=2)
    assert [n.op for n in run.graph.nodes] == ["input", "conv2d", "clamp", "mean", "unsqueeze", "softmax"]
    assert_explained(run)


def test_a_file_that_fixes_one_sample_runs_them_one_by_one(tmp_path: Path) -> None:
    """The reshape names the one sample, so that another number cannot be tried."""
    nodes = [
        node("Conv", "x w", "a"), node("Reshape", "a shape", "b"), node("Gemm", "b fc", "c", transB=1),
        node("Reshape", "c flat", "y"),
    ]  # fmt: skip
    held = {"w": weights(2, 1, 3, 3), "fc": weights(3, 8), "shape": np.array([1, 8]), "flat": np.array([3])}
    made = model(nodes, [1, 1, 4, 4], held)
    run = opened(made, tmp_path, samples=3)
    assert [n.outputs[0].shape for n in run.graph.nodes][1:] == [(2, 2, 2), (8,), (3,), (3,)]
    for sample in range(3):
        (expected,) = own_run(made, {"x": run.values(0, 0, 0, sample)[None]}, ["y"])
        np.testing.assert_array_equal(run.values(4, 0, 0, sample), expected)
    assert any("one by one" in note for note in run.graph.notes)


def test_a_file_that_fixes_several_samples_is_understood_by_moving_them(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x shape", "a"), node("Transpose", "a", "y", perm=[1, 0, 2])]
    run = opened(model(nodes, [3, 4], {"shape": np.array([3, 2, 2])}), tmp_path)
    assert [n.outputs[0].shape for n in run.graph.nodes] == [(4,), (2, 2), (2, 2)]
    assert len(run.samples) == 3


def test_values_beside_the_file_are_read_from_its_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones(8, np.float32).tobytes())
    made = model([node("Gemm", "x w", "y", "fc", transB=1)], ["N", 4], {"w": weights(2, 4)})
    kept = onnx.numpy_helper.to_array(made.graph.initializer[0])
    onnx.save(made, home / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    path = home / "m.onnx"
    for most in (1 << 30, 0):  # taken in with the graph, and left where they are
        monkeypatch.setattr("nn3d.extract.readers.onnx.file.MOST_TAKEN_IN_BYTES", most)
        with_data = in_memory(FORMAT.record(path, SourceOptions()))
        np.testing.assert_array_equal(with_data.weights("w"), kept)
        np.testing.assert_allclose(with_data.values(1, 0, 0, 0), kept @ with_data.values(0, 0, 0, 0), rtol=1e-5)
    (home / "link.bin").symlink_to(secret)
    outside = onnx.load(path, load_external_data=False)
    for place in ("../secret.bin", str(secret), "link.bin", ""):
        outside.graph.initializer[0].external_data[0].value = place
        path.write_bytes(outside.SerializeToString())
        with pytest.raises(SourceError, match="own folder"):
            FORMAT.record(path, SourceOptions())
    outside.graph.initializer[0].external_data[0].value = "w.bin"
    outside.graph.initializer[0].dims[:] = [1 << 30, 1 << 20]
    path.write_bytes(outside.SerializeToString())
    with pytest.raises(SourceError, match="do not belong together"):
        FORMAT.record(path, SourceOptions())


@pytest.mark.parametrize("kind", ["FLOAT16", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "DOUBLE", "INT4", "UINT8"])
def test_small_and_large_element_types_are_exact(kind: str, tmp_path: Path) -> None:
    numbers = [[0, 1, 2, 3], [7, 6, 5, 4]] if "INT" in kind else [[0, 1, -2, 0.5], [3, -0.25, 4, 6]]
    values = np.array(numbers)
    tensor = helper.make_tensor("w", getattr(onnx.TensorProto, kind), [2, 4], values.ravel().tolist())
    nodes = [node("Cast", "w", "as_float", to=FLOAT), node("Gemm", "x as_float", "y", "fc", transB=1)]
    run = opened(model(nodes, ["N", 4], {"w": tensor}, opset=21), tmp_path)
    np.testing.assert_array_equal(run.weights("w"), values.astype(np.float32))
    assert kind.lower().replace("double", "float64") in next(p for p in run.graph.parameters if p.name == "w").dtype


def test_quantised_weights_are_shown_as_what_they_stand_for(tmp_path: Path) -> None:
    whole = RNG.integers(-100, 100, (3, 2, 3, 3)).astype(np.int8)
    scales, zeros = np.array([0.1, 0.2, 0.4], np.float32), np.zeros(3, np.int8)
    real = whole.astype(np.float32) * scales.reshape(3, 1, 1, 1)
    nodes = [node("DequantizeLinear", "q s z", "w", axis=0), node("Conv", "x w", "y", "conv")]
    run = opened(model(nodes, ["N", 2, 5, 5], {"q": whole, "s": scales, "z": zeros}), tmp_path)
    np.testing.assert_allclose(run.weights("q"), real, rtol=1e-6)
    assert run.graph.parameters[0].dtype == "int8, dequantised"
    assert_explained(run)
    held = {"q": whole, "s": scales, "z": zeros, "xs": np.float32(0.01), "xz": np.uint8(3), "ys": np.float32(0.1)}
    tensors = {n: array_proto(np.asarray(a), n) for n, a in held.items()}
    nodes = [
        node("QuantizeLinear", "x xs xz", "xq"), node("QLinearConv", "xq xs xz q s z ys xz", "yq", "qconv"),
        node("DequantizeLinear", "yq ys xz", "y"),
    ]  # fmt: skip
    run = opened(model(nodes, ["N", 2, 5, 5], tensors), tmp_path)
    np.testing.assert_allclose(run.weights("q"), real, rtol=1e-6)
    assert "whole numbers" in check_cells(run, "qconv", np.zeros((1, 3), np.int64), alone=True).reason


def test_function_bodies_are_written_out_with_their_constants(tmp_path: Path) -> None:
    body = [
        helper.make_node("Constant", [], ["k"], value=array_proto(weights(4, 4), "inner")),
        node("MatMul", "a k", "b"), node("Relu", "b", "c"),
    ]  # fmt: skip
    own = helper.make_function("my", "Block", ["a"], ["c"], body, [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("Block", [n], [m], f"block{i}", domain="my") for i, (n, m) in enumerate(("xa", "ay"))]
    made = model(nodes, ["N", 4], {}, functions=[own], domains=[helper.make_opsetid("my", 1)])
    run = opened(made, tmp_path)
    assert [n.op for n in run.graph.nodes] == ["input", "linear", "relu", "linear", "relu"]
    assert len(run.graph.parameters) == 2
    assert any("2 of them calls" in note for note in run.graph.notes)
    assert_explained(run)


def test_tables_of_words_are_counted_and_not_drawn(tmp_path: Path) -> None:
    """A classifier as scikit-learn's exporter writes it: label, probabilities, and a dictionary of them."""
    nodes = [
        helper.make_node(
            "LinearClassifier", ["x"], ["label", "p"], "classifier", domain="ai.onnx.ml", coefficients=[0.1] * 12,
            intercepts=[0.0, 0.1, 0.2], classlabels_ints=[0, 1, 2], post_transform="SOFTMAX",
        ),
        helper.make_node("ZipMap", ["p"], ["y"], "zip", domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
    ]  # fmt: skip
    made = model(nodes, ["N", 4], {}, "label y", domains=[helper.make_opsetid("ai.onnx.ml", 2)])
    run = opened(made, tmp_path, samples=2)
    assert [n.name for n in run.graph.nodes] == ["x", "classifier"]
    assert run.graph.outputs == (("label", 1, 0), ("y", 1, 1))
    assert "2 nodes = 1 operations + 0 that make constants + 0 of arithmetic on shapes + 1 that make no" in (
        run.graph.notes[0]
    )


def test_subgraphs_are_nodes_and_what_is_inside_is_said(tmp_path: Path) -> None:
    yes = helper.make_graph([node("Relu", "a", "t")], "yes", [], [helper.make_tensor_value_info("t", FLOAT, None)])
    no = helper.make_graph(
        [node("Neg", "a", "u"), node("Relu", "u", "e")], "no", [], [helper.make_tensor_value_info("e", FLOAT, None)]
    )
    nodes = [
        node("Gemm", "x w", "a", "fc", transB=1), node("ReduceSum", "a", "s", keepdims=0),
        node("Greater", "s zero", "c"),
        node("If", "c", "y", "choice", then_branch=yes, else_branch=no),
    ]  # fmt: skip
    held = {"w": weights(3, 4), "zero": array_proto(np.asarray(np.float32(0)), "zero")}
    path = tmp_path / "if.onnx"
    path.write_bytes(model(nodes, ["N", 4], held).SerializeToString())
    recording = FORMAT.record(path, SourceOptions())
    run = in_memory(recording)
    found = by_name(run)["choice"]
    assert found.op == "other:If"
    assert {run.node(s.node).name for s in found.inputs} >= {"fc"}
    assert run.has_values(found.id, 0, 0)
    assert "3 operations" in recording.left_out[0]


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_recurrent_weights_are_in_torchs_order(op: str, tmp_path: Path) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    held = {"W": weights(1, gates * 5, 3), "R": weights(1, gates * 5, 5), "B": weights(1, 2 * gates * 5)}
    more = {"linear_before_reset": 1} if op == "GRU" else {}
    nodes = [node(op, "x W R B", "y", "cell", hidden_size=5, **more)]
    run = opened(model(nodes, [6, "batch", 3], held), tmp_path, samples=2)
    cell = by_name(run)["cell"]
    assert cell.op == op.lower()
    assert cell.outputs[0].shape == (6, 1, 5)
    names = {"LSTM": ["", "gates", "c", "h"], "GRU": ["", "gates", "h"], "RNN": ["", "h"]}[op]
    assert [(o.name, o.recomputed) for o in cell.outputs] == [(name, bool(name)) for name in names]
    assert_explained(run)
    held = {name: np.concatenate([array, weights(*array.shape)]) for name, array in held.items()}
    nodes = [node(op, "x W R B", "y h", "cell", hidden_size=5, direction="bidirectional", **more)]
    both = opened(model(nodes, [6, "batch", 3], held, "y h"), tmp_path, samples=2)
    assert len(by_name(both)["cell"].outputs) == 2 + 2 * (len(names) - 1)
    assert_explained(both)


def test_a_model_that_nothing_runs_keeps_graph_and_weights(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a", "conv"), helper.make_node("Warp", ["a"], ["y"], "warp", domain="strange"),
    ]  # fmt: skip
    path = tmp_path / "strange.onnx"
    made = model(nodes, [1, 1, 4, 4], {"w": weights(2, 1, 3, 3)}, domains=[helper.make_opsetid("strange", 1)])
    path.write_bytes(made.SerializeToString())
    recording = FORMAT.record(path, SourceOptions())
    run = in_memory(recording)
    assert [n.op for n in run.graph.nodes] == ["input", "conv2d", "other:Warp"]
    assert by_name(run)["conv"].outputs[0].shape == (2, 2, 2)
    assert "onnxruntime does not run it" in recording.left_out[0]
    np.testing.assert_array_equal(run.weights("w"), onnx.numpy_helper.to_array(made.graph.initializer[0]))


def test_pictures_are_fed_as_the_file_wants_them(tmp_path: Path) -> None:
    pictures = RNG.integers(0, 255, (2, 6, 6, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", pictures)
    nodes = [node("Transpose", "x", "a", perm=[0, 3, 1, 2]), node("Conv", "a w", "y", "conv")]
    made = model(nodes, ["N", 6, 6, 3], {"w": weights(2, 3, 3, 3)})
    run = opened(made, tmp_path, input=str(tmp_path / "x.npy"))
    np.testing.assert_allclose(run.values(1, 0, 0, 1), pictures[1].transpose(2, 0, 1) / 255, rtol=1e-6)
    with pytest.raises(SourceError, match="expected 6×6×3"):
        opened(made, tmp_path, input="random:3,8,8")


@pytest.mark.parametrize("data", [b"", b"\x08\x08\x12", b"\x08\x08:\x04\x0a\x02\xff\xff", b"no model at all"])
def test_what_is_no_model_is_refused_in_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(SourceError) as caught:
        FORMAT.record(path, SourceOptions())
    assert "\n" not in str(caught.value)


def test_only_models_are_taken_for_models(tmp_path: Path) -> None:
    whole = zoo().SerializeToString()
    assert is_onnx(whole[:4096], len(whole))
    others = (b"", b"\x08\x01\x12\x04\xff\xfe\xfd\xfc", b"\x0a\x02ab", whole[:1])
    assert not any(is_onnx(data, len(data)) for data in others)


@pytest.mark.soak
def test_the_nine_light_networks_open_and_run() -> None:
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    files = sorted(folder.glob("light_*.onnx"))
    assert len(files) == 9
    for path in files if SOAK else [p for p in files if "squeezenet" in p.name or "shufflenet" in p.name]:
        graph = onnx.load(path).graph
        recording = FORMAT.record(path, SourceOptions())
        still = sum(n.op_type in ("ConstantOfShape", "Unsqueeze") for n in graph.node)
        weights_turned = sum(n.op_type == "Reshape" and n.input[0].endswith("_w_0") for n in graph.node)
        made = [n for n in recording.graph.nodes if n.op != "input"]
        assert len(made) == len(graph.node) - still - weights_turned, path.name
        (moment,) = recording.moments
        assert len(moment.activations) >= len(made)
        assert all(np.isfinite(a).all() for a in moment.activations.values()), path.name
