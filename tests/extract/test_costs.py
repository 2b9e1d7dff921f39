"""What `nn3d info --ops` counts, against torchinfo, whose convention is another one."""

from __future__ import annotations

import warnings
from collections import Counter
from math import prod
from pathlib import Path

import pytest

from nn3d.extract.trace import capture
from nn3d.run.costs import costs_of
from nn3d.run.model import Graph, Node
from nn3d.run.ops import op_of
from tests import networks

torchinfo = pytest.importorskip("torchinfo")
PAGE = Path(__file__).parents[2] / "docs" / "ops.md"
NETWORKS = ("lenet", "vgg", "resnet", "densenet", "googlenet", "unet", "lstm", "lstm_both", "vit", "gpt")


def _as_torchinfo_counts(graph: Graph, node: Node, n_samples: int) -> float:
    """Parameters, biases among them, times the positions of a convolution's output or the steps of an LSTM.

    Linear layers, norms and embeddings count once a sample, whatever the number of tokens; what is computed once for
    all samples (an embedding of positions) counts its rows; the weights inside of nn.MultiheadAttention do not count.
    """
    if node.name.endswith(("in_proj", "out_proj")):
        return 0
    sizes = {p.id: prod(p.shape) for p in graph.parameters if p.kind == "parameter"}
    n, output = sum(sizes.get(p, 0) for p in node.parameters.values()), node.outputs[0]
    if not output.per_sample:
        return n * output.shape[0] / n_samples
    family = op_of(node.op).family
    return n * (prod(output.shape[1:]) if family == "conv" else output.shape[0] if family == "recurrent" else 1)


Compared = tuple[str, Graph, int, int, float, float]


@pytest.fixture(scope="module", params=NETWORKS)
def compared(request: pytest.FixtureRequest) -> Compared:
    model, inputs = networks.SMALL[request.param]()
    n = inputs.shape[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = torchinfo.summary(model, input_data=inputs, verbose=0)
    graph = capture(model, inputs).graph
    return request.param, graph, n, found.total_params, found.total_mult_adds / n, found.total_output_bytes / 2 / n


def test_parameters_and_multiply_adds_are_torchinfos_once_its_convention_is_taken(compared: Compared) -> None:
    _, graph, n, params, macs, _ = compared
    uses = Counter(p for node in graph.nodes for p in set(node.parameters.values()))
    tied = sum(prod(p.shape) * (uses[p.id] - 1) for p in graph.parameters if uses[p.id] > 1)
    assert sum(cost.n_params for cost in costs_of(graph)) + tied == params
    assert sum(_as_torchinfo_counts(graph, node, n) for node in _weighted(graph)) == pytest.approx(macs, rel=0.01)


def test_memory_of_layers_with_parameters_is_torchinfos(compared: Compared) -> None:
    name, graph, _, _, _, n_bytes = compared
    if name in ("lstm", "lstm_both", "vit", "gpt"):
        pytest.skip("torchinfo counts one of an LSTM's outputs, none of attention, and positions by the sample")
    costs = {cost.node: cost.n_bytes for cost in costs_of(graph)}
    assert sum(costs[node.id] for node in _weighted(graph)) == pytest.approx(n_bytes, rel=0.01)


def test_the_table_of_the_docs_is_what_was_counted(compared: Compared) -> None:
    name, graph, n, params, macs, _ = compared
    costs = costs_of(graph)
    ours, theirs = sum(c.macs for c in costs), sum(_as_torchinfo_counts(graph, node, n) for node in _weighted(graph))
    numbers = (sum(c.n_params for c in costs), params, ours, round(macs))
    row = (name, *(f"{number:,}" for number in numbers), f"{theirs / macs:.4f}")
    assert "| " + " | ".join(row) + " |" in PAGE.read_text(encoding="utf-8").splitlines()


def _weighted(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.parameters and node.op not in ("parameter", "constant")]
