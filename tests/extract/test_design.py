"""A design is a network without values: its shapes are torch's, its faults are named with their line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.app.edited import Edited
from nn3d.cli.main import cli
from nn3d.errors import SourceError
from nn3d.extract.design.building import graph_of, work_out
from nn3d.extract.design.emitting import module_text
from nn3d.extract.design.joints import RULES
from nn3d.extract.design.reading import looks_like_one, read_design
from nn3d.extract.formats.registry import format_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.run.model import Graph
from nn3d.run.run import Run
from nn3d.stage.commands import Select, SetLevel, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing

RESIDUAL: list[dict[str, Any]] = [
    {"name": "stem", "op": "conv2d", "out": 8, "kernel": 3, "stride": 2, "padding": 1, "bias": False},
    {"name": "stem_bn", "op": "batch_norm"},
    {"name": "act", "op": "relu"},
    {"name": "block.conv", "op": "conv2d", "out": 8, "kernel": [3, 1], "padding": "same", "groups": 2},
    {"name": "block.gn", "op": "group_norm", "groups": 4},
    {"name": "sum", "op": "add", "inputs": ["act", "block.gn"]},
    {"name": "down", "op": "avg_pool2d", "kernel": 3, "stride": 2, "padding": 1},
    {"name": "up", "op": "conv_transpose2d", "out": 5, "kernel": 2, "stride": 2, "inputs": "down"},
    {"name": "wide", "op": "interpolate", "scale": 2, "inputs": "down"},
    {"name": "both", "op": "concat", "inputs": ["up", "wide", "sum"]},
    {"name": "layers.0.mix", "op": "conv2d", "out": 4, "kernel": 1, "dilation": 2},
    {"name": "small", "op": "adaptive_avg_pool2d", "size": [2, 3]},
    {"name": "turned", "op": "permute", "order": [1, 2, 0]},
    {"name": "rows", "op": "reshape", "shape": [6, -1]},
    {"name": "ln", "op": "layer_norm"},
    {"name": "lstm", "op": "lstm", "hidden": 7, "bidirectional": True},
    {"name": "last", "op": "mean", "axis": 0},
    {"name": "head", "op": "linear", "out": 3},
    {"name": "p", "op": "softmax"},
]


def designed(path: Path, layers: object, shape: object = (3, 16, 16)) -> Path:
    path.write_text(json.dumps({"input": shape, "layers": layers}))
    return path


def summary(graph: Graph) -> list[tuple[str, tuple[int, ...], list[int], dict[str, tuple[int, ...]]]]:
    """Operation, shape, what it reads and its weights, of each node in order."""
    shapes = {p.id: p.shape for p in graph.parameters}
    place = {n.id: k for k, n in enumerate(graph.nodes)}
    return [
        (n.op, n.outputs[0].shape, [place[s.node] for s in n.inputs],
         {role: shapes[p] for role, p in n.parameters.items() if not role.startswith("num_")})
        for n in graph.nodes
    ]  # fmt: skip


def module_of(text: str) -> Any:
    names: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(text, "emitted.py", "exec"), names)
    return next(v for k, v in names.items() if isinstance(v, type) and v.__module__ == "emitted")()


def test_the_emitted_module_traces_to_the_design(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from nn3d.extract.trace import capture

    worked = work_out(read_design(designed(tmp_path / "net.json", RESIDUAL)))
    graph, text = graph_of(worked), module_text(worked)
    with capture(module_of(text).eval(), torch.zeros(2, 3, 16, 16)) as traced:
        found, expected = summary(traced.graph), summary(graph)
        for mine, theirs in zip(expected, found, strict=True):
            assert mine[:3] == theirs[:3]
            assert mine[3].items() >= theirs[3].items() or not theirs[3], mine
        assert [n.name for n in traced.graph.nodes if n.parameters] == [n.name for n in graph.nodes if n.parameters]
        assert {p.name: p.shape for p in graph.parameters} == {
            p.name: p.shape for p in traced.graph.parameters if "num_batches" not in p.name
        }


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_shapes_are_torchs_whatever_the_sizes(data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    rank, layers = data.draw(st.integers(1, 3)), []
    for k in range(data.draw(st.integers(1, 4))):
        op = data.draw(st.sampled_from(("conv", "conv_transpose", "max_pool", "avg_pool"))) + f"{rank}d"
        sizes = {"kernel": data.draw(st.integers(1, 4)), "stride": data.draw(st.integers(1, 3))}
        sizes["padding"] = data.draw(st.integers(0, sizes["kernel"] // 2))
        if op.startswith("conv"):
            sizes["out"] = data.draw(st.sampled_from((2, 4)))
        if op == f"conv{rank}d":
            sizes |= {"dilation": data.draw(st.integers(1, 2)), "groups": data.draw(st.sampled_from((1, 2)))}
        layers.append({"name": f"l{k}", "op": op, **sizes})
    shape = [2, *(data.draw(st.integers(4, 9)) for _ in range(rank))]
    from nn3d.extract.design.reading import Design, DesignInput
    from nn3d.extract.design.sizes import DesignLayer

    given_layers = tuple(
        DesignLayer(str(la["name"]), str(la["op"]), {k: v for k, v in la.items() if k not in ("name", "op")})
        for la in layers
    )
    design = Design("x", "x", (DesignInput("input", tuple(shape)),), given_layers)
    try:
        worked = work_out(design)
    except SourceError:
        with pytest.raises(RuntimeError):
            _run(torch, layers, shape)
        return
    assert worked.built[-1].shape == tuple(_run(torch, layers, shape).shape[1:])
    assert module_of(module_text(worked))(torch.zeros(1, *shape)).shape[1:] == worked.built[-1].shape


def _run(torch: Any, layers: list[dict[str, Any]], shape: list[int]) -> Any:
    """The same by torch's own functions, on nothing but sizes."""
    x = torch.zeros(1, *shape)
    for la in layers:
        more = {k: la[k] for k in ("stride", "padding", "dilation", "groups") if k in la}
        space = (la["kernel"],) * (x.ndim - 2)
        if la["op"].startswith("conv_t"):
            w = torch.zeros(x.shape[1], la["out"], *space)
        else:
            w = torch.zeros(la.get("out", 1), x.shape[1] // la.get("groups", 1), *space)
        function = getattr(torch.nn.functional, la["op"])
        x = function(x, w, **more) if la["op"].startswith("conv") else function(x, la["kernel"], **more)
        if not x.numel():
            raise RuntimeError("empty")
    return x


TOML = """name = "net"
input = [1, 8, 8]

[[layer]]
name = "conv"
op = "conv2d"
out = 4
kernel = 3

[[layer]]
name = "fc"
op = "linear"
out = 2
"""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("kernel = 3", "kernel = 9", r"layer 'conv' \(line 4\): expected a map as large as its kernel, 9×9, got 8×8"),
        ("kernel = 3", "kernal = 3", r"layer 'conv' \(line 4\): expected kernel of conv2d, got none"),
        ("kernel = 3", "kernel = 3\ncolour = 1", r"\(line 4\): expected sizes of conv2d .*got 'colour'"),
        ('op = "linear"', 'op = "linear"', r"layer 'fc' \(line 10\): expected features, got maps 4×6×6. Put a flatten"),
        ('op = "linear"\nout = 2', 'op = "magic"', r"layer 'fc' \(line 10\): expected one of .*got 'magic'"),
        ('name = "fc"', 'name = "conv"', r"layer 'conv' \(line 10\): expected a name of its own"),
        ('name = "fc"', 'name = "fc"\ninputs = ["later"]', r"10\): expected inputs that stand above it, got 'later'"),
        ("input = [1, 8, 8]", "", "expected the shape of the input"),
        ("input = [1, 8, 8]", "input = [1, -8]", "expected a shape such as"),
        ("out = 4", "out = 99999999999", "expected out to be a whole number from 1 on"),
        ("out = 4", "out = = 4", r"expected TOML, got: .*line 7"),
        ("out = 4", "out = " + "[" * 3000, "expected TOML, got"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_layer_and_line(old: str, new: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(TOML.replace(old, new))
    with pytest.raises(SourceError, match=why) as caught:
        graph_of(work_out(read_design(path)))
    assert "\n" not in str(caught.value)


def test_lines_of_json_are_named_as_well(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text('{"input": [4],\n "layers": [\n  {"op": "relu"},\n\n  {"op": "linear", "out": 0}\n]}')
    with pytest.raises(SourceError, match=r"layer 'linear1' \(line 5\): expected out"):
        work_out(read_design(path))


def test_names_of_a_design_never_become_code(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    canary = tmp_path / "canary"
    bad = f"x'); open({str(canary)!r}, 'w'); ('"
    names = {bad: "linear", "class": "relu", 'a"""b\n': "tanh"}
    layers = [{"name": name, "op": op, **({"out": 2} if op == "linear" else {})} for name, op in names.items()]
    path = tmp_path / "x"
    path.write_text(json.dumps({"name": bad, "input": {"name": "import os", "shape": [3]}, "layers": layers}))
    module_of(module_text(work_out(read_design(path))))
    assert not canary.exists()


def test_a_design_is_drawn_without_values_and_it_is_said(tmp_path: Path) -> None:
    with open_source(designed(tmp_path / "x", RESIDUAL), SourceOptions()) as run:
        resident = Resident(run)
        state = initial_state(run, resident)
        frame = compose(run, state, resident=resident)
        assert any(getattr(mark, "text", "").startswith("no values: ") for mark in frame.marks)
        for level in ("maps", "kernels", "all"):
            shown = apply(state, SetLevel(level))
            shown = apply(shown, Select(Thing(1, 0, 0, 0)))
            assert compose(run, shown, resident=resident).tiles


def until(is_so: Callable[[], bool], secs: float = 10.0) -> float:
    begin = time.monotonic()
    while not is_so():
        assert time.monotonic() - begin < secs
        time.sleep(0.01)
    return time.monotonic() - begin


def test_a_saved_change_is_shown_and_a_broken_one_is_told(tmp_path: Path) -> None:
    path, good = tmp_path / "spec.toml", TOML.replace('name = "fc"\nop = "linear"\nout = 2', 'op = "relu"')
    path.write_text(good)

    def opened(path: Path) -> Run:
        return open_source(path, SourceOptions())

    with opened(path) as run:
        watch = Edited(run, path, opened, lambda: None)
        try:
            path.write_text(good.replace("kernel = 3", "kernel = 99"))
            until(lambda: bool(watch.pulse.trouble))
            assert "layer 'conv' (line 4)" in watch.pulse.words(time.monotonic())
            assert not watch.has_news
            path.write_text(good.replace("out = 4", "out = 5"))
            took = until(lambda: watch.has_news)
            successor = watch.take().successor
            assert successor is not None
            assert successor.layer("conv").shape == (5, 6, 6)
            successor.close()
            assert took < 5.0  # one second on a machine that is not busy
        finally:
            watch.close()


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_text(TOML)
    known = format_of(tmp_path / "x.bin")
    assert known is not None
    assert known.key == "spec"
    for other in (b'{"class_name": "Sequential", "layers": [{"op": "x"}]}', b"[tool.ruff]\nop = 1\n", b'{"a": 1}'):
        assert not looks_like_one(other)


def test_the_command_line_emits_a_module(tmp_path: Path) -> None:
    path = designed(tmp_path / "x", RESIDUAL)
    done = CliRunner().invoke(cli, ["extract", str(path), "--emit", str(tmp_path / "net.py")])
    assert done.exit_code == 0, done.output
    assert "class" in (tmp_path / "net.py").read_text()
    assert set(RULES) >= {la["op"] for la in RESIDUAL}
