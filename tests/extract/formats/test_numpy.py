"""Arrays of anyone's: their names say what they are, their axes are turned to (out, in), and nothing is unpickled."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nn3d.errors import Nn3dError, SourceError
from nn3d.extract.formats.registry import format_of
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.readers.arrays.names import canonical, meanings
from nn3d.extract.sources import open_source, record
from nn3d.run.reader import open_run
from nn3d.run.run import Run

RNG = np.random.default_rng(0)


def some(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def save(path: Path, arrays: Mapping[str, Any], *, packed: bool = False) -> None:
    write: Any = np.savez_compressed if packed else np.savez
    write(path, **arrays)


def opened(path: Path, arrays: Mapping[str, np.ndarray], layout: str = "", *, packed: bool = False) -> Run:
    save(path, arrays, packed=packed)
    return open_source(path, SourceOptions(layout=layout))


def chain(run: Run) -> list[tuple[str, str]]:
    """Nodes with parameters in order, each with its operation."""
    return [(n.name, n.op) for n in run.graph.nodes if n.parameters]


NAMES = {
    "flax": ["params/Dense_0/kernel", "params/Dense_0/bias", "params/Dense_1/kernel", "params/Dense_1/bias"],
    "flax paths": ["['params']['a']['kernel']", "['params']['a']['bias']", "['params']['b']['kernel']",
                   "['params']['b']['bias']"],
    "keras": ["dense/kernel:0", "dense/bias:0", "dense_1/kernel:0", "dense_1/bias:0"],
    "haiku": ["mlp/linear_0/w", "mlp/linear_0/b", "mlp/linear_1/w", "mlp/linear_1/b"],
    "sklearn": ["coefs_0", "intercepts_0", "coefs_1", "intercepts_1"],
    "textbook": ["W1", "b1", "W2", "b2"],
    "list": ["arr_0", "arr_1", "arr_2", "arr_3"],
}  # fmt: skip


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("packed", [False, True], ids=["stored", "deflated"])
def test_every_convention_is_a_chain_of_two_layers_out_by_in(names: list[str], packed: bool, tmp_path: Path) -> None:
    arrays = dict(zip(names, (some(7, 5), some(5), some(5, 3), some(3)), strict=True))
    with opened(tmp_path / "x.npz", arrays, packed=packed) as run:
        assert [op for _, op in chain(run)] == ["linear", "linear"]
        assert set(run.parameters) == set(names)
        for name, array in arrays.items():
            assert np.array_equal(run.weights(name), array.T), name
        (first, second) = (n for n in run.graph.nodes if n.op == "linear")
        assert second.inputs[0].node == first.id
        assert set(first.parameters) == set(second.parameters) == {"weight", "bias"}
        assert {p.source_layout for p in run.graph.parameters if len(p.shape) == 2} == {"IO"}


def test_kernels_of_convolutions_are_turned_and_it_is_said(tmp_path: Path) -> None:
    arrays = {"params/Conv_0/kernel": some(3, 5, 2, 4), "params/Conv_0/bias": some(4),
              "params/BatchNorm_0/scale": some(4), "params/BatchNorm_0/bias": some(4),
              "batch_stats/BatchNorm_0/mean": some(4), "batch_stats/BatchNorm_0/var": some(4) ** 2}  # fmt: skip
    arrays |= {"params/Dense_0/kernel": some(36, 2)}
    with opened(tmp_path / "x.npz", arrays) as run:
        assert any("(y, x, channel)" in note for note in run.notes)
        weight = run.weights("params/Conv_0/kernel")
        assert np.array_equal(weight, arrays["params/Conv_0/kernel"].transpose(3, 2, 0, 1))
        assert weight.flags.c_contiguous
        assert run.parameter_info(run.parameter_id("params/Conv_0/kernel")).source_layout == "HWIO"
        assert "HWIO: 1 tensors turned to (out, in, …)" in run.notes
        norm = next(n for n in run.graph.nodes if n.op == "batch_norm")
        assert set(norm.parameters) == {"weight", "bias", "running_mean", "running_var"}


def test_a_named_option_says_how_weights_lie(tmp_path: Path) -> None:
    square = some(4, 4)
    arrays = {"fc.weight": square}
    assert np.array_equal(opened(tmp_path / "x.npz", arrays).weights("fc.weight"), square)
    assert np.array_equal(opened(tmp_path / "x.npz", arrays, "io").weights("fc.weight"), square.T)
    assert np.array_equal(opened(tmp_path / "x.npz", {"fc/kernel": square}, "oi").weights("fc/kernel"), square)


def test_files_and_prefixes_are_epochs_and_single_numbers_are_metrics(tmp_path: Path) -> None:
    paths = []
    for epoch in (2, 10, 1):
        paths.append(tmp_path / f"epoch_{epoch}.npz")
        save(paths[-1], {"fc/kernel": np.full((3, 2), epoch), "loss": 1 / epoch, "global_step": 100 * epoch})
    whole = {f"epoch_{e}/{n}": a for e in (1, 2, 10) for n, a in
             {"fc/kernel": np.full((3, 2), e), "loss": np.array(1 / e), "global_step": np.array(100 * e)}.items()}
    save(tmp_path.parent / f"{tmp_path.name}.npz", whole)
    runs = [in_memory(record(paths, SourceOptions())), open_source(tmp_path, SourceOptions()),
            open_source(tmp_path.parent / f"{tmp_path.name}.npz", SourceOptions())]  # fmt: skip
    for run in runs:
        assert [(e.id, e.step, e.metrics["loss"]) for e in run.epochs] == [(1, 100, 1), (2, 200, 0.5), (10, 1000, 0.1)]
        assert [run.weights("fc/kernel", e)[0, 0] for e in range(3)] == [1, 2, 10]


def test_epochs_of_other_shapes_are_refused_with_the_name(tmp_path: Path) -> None:
    for k in range(2):
        save(tmp_path / f"{k}.npz", {"fc.weight": some(2 + k, 3)})
    with pytest.raises(SourceError, match=r"1\.npz: fc\.weight: expected \(2, 3\) as in the first, got \(3, 3\)"):
        open_source(tmp_path, SourceOptions())


def test_one_array_is_one_layer(tmp_path: Path) -> None:
    array = some(6, 4).astype(np.float64)
    np.save(tmp_path / "filters.npy", np.asfortranarray(array))
    with open_source(tmp_path / "filters.npy", SourceOptions()) as run:
        assert np.array_equal(run.weights("filters"), array.astype(np.float32))
        assert "float64: 1 tensor, rounded to float32" in run.notes


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_pickled_objects_are_refused_and_never_run(ending: str, tmp_path: Path) -> None:
    canary, odd = tmp_path / "canary", np.array([None], dtype=object)
    odd[0] = Hostile(canary)
    path = tmp_path / f"x.{ending}"
    np.save(path, odd, allow_pickle=True) if ending == "npy" else np.savez(path, a=odd)
    with pytest.raises(Nn3dError, match="float, integer or bool"):
        open_source(path, SourceOptions())
    assert not canary.exists()
    assert pickle.dumps(odd)  # it would have run


def test_headers_that_lie_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", some(2, 2))
    good = (tmp_path / "a.npy").read_bytes()
    for bad in (good.replace(b"(2, 2)", b"(9, 9)"), good[:-1], good[:40], good.replace(b"(2, 2)", b"(1 if)")):
        (tmp_path / "b.npy").write_bytes(bad)
        with pytest.raises(Nn3dError) as caught:
            open_source(tmp_path / "b.npy", SourceOptions())
        assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("abWeight/._0123:[]'kernlbias", min_size=1, max_size=20), min_size=1, max_size=6, unique=True),
       st.data(), st.sampled_from(["", "io", "oi"]))  # fmt: skip
def test_whatever_the_names_every_array_has_a_meaning_of_its_own(
    names: list[str], data: st.DataObject, layout: str
) -> None:
    shapes = {n: tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))) for n in names}
    meant = meanings(shapes, layout)
    assert set(meant) == set(names)
    assert len({m.name for m in meant.values()}) == len(names)
    for name, shape in shapes.items():
        turned = canonical(np.zeros(shape), meant[name].layout)
        assert turned.size == np.zeros(shape).size


def test_it_is_known_by_its_content(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=some(2))
    (tmp_path / "x.npz").rename(tmp_path / "x.png")
    known = format_of(tmp_path / "x.png")
    assert known is not None
    assert known.key == "numpy"


@pytest.mark.soak
def test_the_docs_way_from_scikit_learn_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soaking: Callable[[int, int], int]
) -> None:
    if not soaking(0, 1):
        pytest.skip("long: NN3D_SOAK=1")
    pytest.importorskip("sklearn.neural_network", reason="needs scikit-learn", exc_type=ImportError)
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        exec(compile(code, "docs/formats.md", "exec"), {})
    with open_run("mlp.npz") as run:
        assert [layer.kind for layer in run.layers] == ["Input", "Linear · ReLU", "Linear · ReLU", "Linear"]
        x = run.activations("input")
        z = x @ run.weights("fc0.weight").T + run.weights("fc0.bias")
        assert np.allclose(run.activations("fc0"), np.maximum(z, 0), atol=1e-5)
