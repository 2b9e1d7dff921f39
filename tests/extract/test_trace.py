"""A traced model holds the values that plain hooks see, the edges of its functional graph, and its own weights."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from nn3d.errors import TraceError
from nn3d.extract.trace import capture
from nn3d.run.model import Graph, Node
from nn3d.run.ops import canonical
from nn3d.run.run import Run
from tests import networks

torch.set_num_threads(1)
STATIC = ("lenet", "vgg", "resnet", "densenet", "unet", "shared", "dict_output", "two_inputs")


def run_plain(model: nn.Module, inputs: Any) -> Any:
    with torch.no_grad():
        return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def hooked_outputs(model: nn.Module, inputs: Any) -> dict[str, list[Tensor]]:
    """What plain forward hooks on leaf modules see, copied at once."""
    seen: dict[str, list[Tensor]] = {}
    hooks = []
    for path, module in model.named_modules():
        if not list(module.children()):

            def hook(_: nn.Module, __: Any, out: Any, path: str = path) -> None:
                seen.setdefault(path, []).append((out if isinstance(out, Tensor) else out[0]).clone())

            hooks.append(module.register_forward_hook(hook))
    run_plain(model, inputs)
    for hook in hooks:
        hook.remove()
    return seen


def values(run: Run, node: Node, output: int = 0) -> np.ndarray:
    if not node.outputs[output].per_sample:
        return run.activations(node.name, 0, output)
    return np.stack([run.values(node.id, output, 0, s) for s in range(len(run.samples))])


@pytest.mark.parametrize("name", networks.SMALL)
def test_values_are_those_of_plain_hooks(name: str) -> None:
    model, inputs = networks.SMALL[name]()
    run = capture(model, inputs)
    compared = 0
    for path, tensors in hooked_outputs(model, inputs).items():
        nodes = [n for n in run.graph.nodes if n.module == path and n.op not in ("constant", "parameter")]
        for node, tensor in zip(nodes, tensors, strict=False):
            assert np.allclose(values(run, node), tensor.numpy(), atol=1e-6), node.name
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize("name", networks.SMALL)
def test_the_model_computes_what_it_would_unwatched(name: str) -> None:
    model, inputs = networks.SMALL[name]()
    plain = run_plain(model, inputs)
    run = capture(model, inputs)
    expected = plain["logits"] if isinstance(plain, dict) else plain
    _, node, output = run.graph.outputs[0]
    assert np.allclose(values(run, run.node(node), output), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", networks.SMALL)
def test_weights_are_the_models_own(name: str) -> None:
    model, inputs = networks.SMALL[name]()
    run = capture(model, inputs)
    for parameter_name, tensor in model.named_parameters():
        weight = run.weights(parameter_name)
        plain = tensor.detach().numpy()
        info = run.parameter_info(run.parameter_id(parameter_name))
        assert np.array_equal(weight, plain.swapaxes(0, 1) if info.source_layout == "IOHW" else plain), parameter_name
    assert set(run.parameters) >= {n for n, _ in model.named_parameters()}


def fx_graph(model: nn.Module) -> list[tuple[str, list[int]]]:
    """(canonical operation, places of what it reads) of every call, as torch.fx sees it."""
    traced = fx.symbolic_trace(model)
    modules = dict(traced.named_modules())
    places: dict[fx.Node, int] = {}
    found: list[tuple[str, list[int]]] = []
    for node in traced.graph.nodes:
        if node.op == "output":
            continue
        if node.op == "placeholder":
            name = "input"
        elif node.op == "call_module":
            name = canonical(type(modules[node.target]).__name__)
        elif node.op == "call_method":
            name = canonical(node.target)
        else:
            name = canonical(operator_name(node.target))
        places[node] = len(found)
        found.append((name, sorted(places[a] for a in node.all_input_nodes)))
    return found


def operator_name(target: Callable[..., Any]) -> str:
    return {operator.add: "add", operator.iadd: "add"}.get(target, target.__name__)


def own_graph(graph: Graph) -> list[tuple[str, list[int]]]:
    return [(n.op, sorted({s.node for s in n.inputs})) for n in graph.nodes]


@pytest.mark.parametrize("name", STATIC)
def test_edges_are_those_of_torch_fx(name: str) -> None:
    model, inputs = networks.SMALL[name]()
    assert own_graph(capture(model, inputs).graph) == fx_graph(model)


def edges(graph: Graph) -> list[tuple[str, str]]:
    by_id = {n.id: n.name for n in graph.nodes}
    return [(by_id[s.node], n.name) for n in graph.nodes for s in n.inputs]


def test_edges_of_a_transformer_block_follow_the_residual_stream() -> None:
    model, tokens = networks.SMALL["gpt"]()
    found = set(edges(capture(model, tokens).graph))
    assert {
        ("wte", "add"), ("wpe", "add"), ("add", "h.0.ln_1"), ("h.0.ln_1", "h.0.attn.c_attn"),
        ("h.0.attn.c_attn", "h.0.attn.split"), ("h.0.attn.reshape_4", "h.0.attn.c_proj"),
        ("add", "h.0.add"), ("h.0.attn.c_proj", "h.0.add"), ("h.0.add", "h.0.ln_2"), ("h.0.ln_2", "h.0.mlp.0"),
        ("h.0.mlp.0", "h.0.mlp.1"), ("h.0.mlp.1", "h.0.mlp.2"), ("h.0.add", "h.0.add_2"),
        ("h.0.mlp.2", "h.0.add_2"), ("h.1.add_2", "ln_f"), ("ln_f", "lm_head"),
    } <= found  # fmt: skip


def test_tied_weights_are_one_parameter() -> None:
    model, tokens = networks.SMALL["gpt"]()
    graph = capture(model, tokens).graph
    by_name = {n.name: n for n in graph.nodes}
    assert by_name["wte"].parameters["weight"] == by_name["lm_head"].parameters["weight"]


def test_a_shared_module_is_three_nodes_with_the_same_parameters() -> None:
    model, inputs = networks.SMALL["shared"]()
    nodes = [n for n in capture(model, inputs).graph.nodes if n.op == "linear"]
    assert len(nodes) == 3
    assert len({tuple(sorted(n.parameters.items())) for n in nodes}) == 1
    assert len({n.name for n in nodes}) == 3


def test_a_loop_has_as_many_steps_as_ran() -> None:
    model, _ = networks.SMALL["loop"]()
    for steps in (1, 4):
        graph = capture(model, torch.full((2, 4), steps - 0.5)).graph
        assert [n.op for n in graph.nodes] == ["input", *["linear", "relu"] * steps]
        assert [len(n.inputs) for n in graph.nodes] == [0, *[1] * 2 * steps]


def test_outputs_are_named_as_the_model_names_them() -> None:
    model, inputs = networks.SMALL["dict_output"]()
    run = capture(model, inputs)
    assert [name for name, _, _ in run.graph.outputs] == ["logits", "extra.0", "extra.1"]


def test_inputs_are_named_as_forward_names_them() -> None:
    model, inputs = networks.SMALL["two_inputs"]()
    graph = capture(model, {"left": inputs[0], "right": inputs[1]}).graph
    assert [n.name for n in graph.nodes if n.op == "input"] == ["left", "right"]


class WritesThroughView(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        left = y[:, :2]
        left.mul_(self.b(left))
        return y + 1


def test_a_write_through_a_view_keeps_its_edge() -> None:
    model, x = WritesThroughView(), torch.rand(3, 4)
    run = capture(model, x)
    found = edges(run.graph)
    assert ("mul", "scatter") in found
    assert ("a", "scatter") in found
    assert ("scatter", "add") in found
    by_name = {n.name: n for n in run.graph.nodes}
    plain = run_plain(model, x).numpy()
    assert np.allclose(values(run, by_name["add"]), plain)
    assert np.allclose(values(run, by_name["scatter"]), plain - 1, atol=1e-6)
    assert np.allclose(values(run, by_name["a"]), model.a(x).detach().numpy())


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        z = y.flatten(1)
        F.relu_(y)
        z = z * 2
        y[:, 0] = 1
        return z.sum(1) + y.sum((1, 2, 3))


def test_values_before_an_in_place_write_are_kept() -> None:
    model, x = InPlace(), torch.rand(2, 1, 6, 6) - 0.5
    run = capture(model, x)
    by_name = {n.name: n for n in run.graph.nodes}
    assert np.allclose(values(run, by_name["conv"]), model.conv(x).detach().numpy(), atol=1e-6)
    assert (values(run, by_name["conv"]) < 0).any()
    found = edges(run.graph)
    assert ("relu", "reshape") in found
    assert ("reshape", "mul") in found
    assert ("conv", "relu") in found


def test_attention_weights_are_recomputed_rows_that_sum_to_one() -> None:
    for name in ("vit", "gpt"):
        run = capture(*networks.SMALL[name]())
        nodes = [n for n in run.graph.nodes if n.op == "attention"]
        assert len(nodes) == 2
        for node in nodes:
            output = node.outputs[1]
            assert output.recomputed
            assert output.axes == ("heads", "query", "key")
            weights = values(run, node, 1)
            assert np.allclose(weights.sum(-1), 1, atol=1e-5)
            source = node.inputs[2]
            mixed = weights @ values(run, run.node(source.node), source.output)
            assert np.allclose(mixed, values(run, node), atol=1e-5)


def test_the_heads_of_multihead_attention_are_taken_apart() -> None:
    model, x = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.rand(3, 5, 8)

    class Self(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = model

        def forward(self, x: Tensor) -> Any:
            return self.attn(x, x, x, average_attn_weights=False)

    run = capture(Self(), x)
    out, weights = model(x, x, x, average_attn_weights=False)
    names = {n.name: n for n in run.graph.nodes}
    assert np.allclose(values(run, names["attn.attention"], 1), weights.detach().numpy(), atol=1e-6)
    _, node, output = run.graph.outputs[0]
    assert np.allclose(values(run, run.node(node), output), out.detach().numpy(), atol=1e-6)
    assert names["attn.in_proj"].parameters["weight"] == run.parameter_id("attn.in_proj_weight")


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True, "num_layers": 2}, {"batch_first": True, "bias": False}]
)
def test_states_of_every_step_lead_to_the_recorded_sequence(kind: type[nn.RNNBase], options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = kind(4, 5, **options)
    x = torch.rand(3, 7, 4) if options.get("batch_first") else torch.rand(7, 3, 4)
    run = capture(model, x)
    node = run.graph.nodes[-1]
    assert not run.graph.notes
    sequence = values(run, node)
    assert sequence.shape == (3, 7, 5 * (2 if options.get("bidirectional") else 1))
    last = "l1" if options.get("num_layers") else ""
    outputs = {o.name: i for i, o in enumerate(node.outputs)}
    names = [f"h_{last}", f"h_{last}_reverse"] if last else ["h"]
    hidden = np.concatenate([values(run, node, outputs[n]) for n in names], -1)
    assert np.allclose(hidden, sequence, atol=1e-5)
    assert all(node.outputs[outputs[n]].recomputed for n in names)


def test_lstm_gates_give_the_cell() -> None:
    run = capture(*networks.SMALL["lstm"]())
    node = next(n for n in run.graph.nodes if n.op == "lstm")
    outputs = {o.name: i for i, o in enumerate(node.outputs)}
    i, f, g, o = values(run, node, outputs["gates"]).swapaxes(0, 1)
    c = values(run, node, outputs["c"])
    before = np.concatenate([np.zeros_like(c[:, :1]), c[:, :-1]], 1)
    assert np.allclose(f * before + i * g, c, atol=1e-6)
    assert np.allclose(o * np.tanh(c), values(run, node, outputs["h"]), atol=1e-6)
    assert np.allclose(c[:, -1], values(run, node, outputs["c_n"])[:, 0], atol=1e-6)


def test_samples_are_found_on_whichever_axis_they_are() -> None:
    class Mixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            rows = x.transpose(0, 1) * 2
            windows = x.reshape(-1, 2, 3) + 1
            return rows.sum() + windows.sum((1, 2)).view(len(x), -1)

    x = torch.rand(2, 4, 3)
    run = capture(Mixed(), x)
    by_name = {n.name: n for n in run.graph.nodes}
    assert np.array_equal(values(run, by_name["mul"]), 2 * x.numpy())
    assert by_name["mul"].outputs[0].shape == (4, 3)
    assert np.array_equal(values(run, by_name["add"]), x.numpy().reshape(2, 2, 2, 3) + 1)
    assert not by_name["sum"].outputs[0].per_sample


def test_transposed_convolution_is_stored_out_in() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2))
    run = capture(model, torch.rand(2, 4, 5, 5))
    weight, plain = run.weights("0.weight"), model[0].weight.detach().numpy()
    assert weight.shape == (6, 2, 3, 3)
    assert np.array_equal(weight[4, 1], plain[3, 1])


def test_axes_are_named() -> None:
    axes = {n.name: n.outputs[0].axes for n in capture(*networks.SMALL["vit"]()).graph.nodes}
    assert axes["patch_embed"] == ("C", "H", "W")
    assert axes["transpose"] == ("T", "F")
    assert axes["blocks.0.attn.attention"] == ("heads", "T", "F")
    assert axes["head"] == ("F",)


def test_a_model_that_cannot_run_says_what_it_was_given() -> None:
    with pytest.raises(TraceError, match=r"LeNet: expected it to run on x \(2, 3, 28, 28\)"):
        capture(networks.lenet(), torch.rand(2, 3, 28, 28))
    with pytest.raises(TraceError, match="labels: expected 2"):
        capture(networks.lenet(), torch.rand(2, 1, 28, 28), labels=[1])
