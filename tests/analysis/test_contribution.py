"""Laws of contributions: sums over strands are sums of the network's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.analysis.contribution import contributions, input_sums, sign_sums, trunk_sums, weighted_link, weights
from tests.runs import bundled, conv_run, mlp_run


@given(
    kernel=st.integers(1, 3), padding=st.integers(0, 2), stride=st.integers(1, 3), dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]), seed=st.integers(0, 1000),
)  # fmt: skip
def test_contributions_of_a_convolution_sum_to_its_outputs(
    kernel: int, padding: int, stride: int, dilation: int, groups: int, seed: int
) -> None:
    run = conv_run(channels=(2, 4), kernel=kernel, padding=padding, stride=stride, dilation=dilation, groups=groups,
                   seed=seed)  # fmt: skip
    link = weighted_link(run, 1, run.layers[1].links[0])
    assert link is not None
    c = contributions(weights(run, link, 0), input_sums(run, link, 0, 1), link.groups)
    whole = run.values(run.layers[1].shown, 0, 0, 1)
    np.testing.assert_allclose(c.reshape(4, -1).sum(1), whole.reshape(4, -1).sum(1), rtol=1e-3, atol=1e-3)


@given(seed=st.integers(0, 1000))
def test_contributions_of_a_linear_layer_sum_to_its_neurons(seed: int) -> None:
    run = mlp_run(seed=seed)
    link = weighted_link(run, 1, run.layers[1].links[0])
    assert link is not None
    c = contributions(weights(run, link, 1), input_sums(run, link, 1, 0))
    np.testing.assert_allclose(c.sum(1), run.values(run.layers[1].nodes[0], 0, 1, 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc1", "fc2", "fc3"])
def test_trunk_sums_from_column_sums_equal_the_sums_over_all_edges(layer: str) -> None:
    run = bundled()
    index = run.layer(layer).index
    link = weighted_link(run, index, run.layers[index].links[0])
    assert link is not None
    c = contributions(weights(run, link, 5), input_sums(run, link, 5, 2), link.groups)
    np.testing.assert_allclose(trunk_sums(run, link, 5, 2), sign_sums(c), rtol=2e-3)


def test_a_pool_has_no_weights() -> None:
    run = bundled()
    pool = run.layer("pool1")
    assert weighted_link(run, pool.index, pool.links[0]) is None


@pytest.mark.parametrize(("stride", "padding", "more"), [(2, 0, 0), (1, 1, 0), (3, 1, 2), (2, 1, 1)])
def test_contributions_of_a_transposed_convolution_sum_to_its_output(stride: int, padding: int, more: int) -> None:
    torch = pytest.importorskip("torch")
    from nn3d.extract.trace import capture

    torch.manual_seed(stride)
    layer = torch.nn.ConvTranspose2d(3, 4, 3, stride, padding, more, bias=False)
    run = capture(torch.nn.Sequential(torch.nn.Identity(), layer), torch.randn(1, 3, 5, 6))
    at = next(la for la in run.layers if la.op == "conv_transpose2d")
    link = weighted_link(run, at.index, at.links[0])
    assert link is not None
    c = contributions(weights(run, link, 0), input_sums(run, link, 0, 0))
    out = run.values(at.shown, 0, 0, 0)
    np.testing.assert_allclose(c.reshape(4, -1).sum(1), out.reshape(4, -1).sum(1), rtol=1e-4, atol=1e-4)
