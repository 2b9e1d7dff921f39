"""Laws of groups: any choice of open groups is a graph without circles, and repeats are what their hash says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.run.grouping import groups_of
from nn3d.run.groups import Groups
from nn3d.run.model import Graph, Layer, LayerLink, Module, Node, Output

Spec = tuple[str, tuple[int, ...]]


def network(*specs: Spec, ops: Sequence[str] = (), types: dict[str, str] | None = None) -> tuple[list[Layer], Graph]:
    """Layers of (module, sources); `ops` by layer, relu else."""
    layers, nodes = [], []
    for i, (module, sources) in enumerate(specs):
        op = ops[i] if i < len(ops) else "tanh"
        links = tuple(LayerLink(s, s, 0, "input", "map", i) for s in sources)
        name = f"{module}.x" if module else f"top{i}"
        layers.append(
            Layer(i, name, op, op, module, (i,), i, 0, (4, 8, 8), ("C", "H", "W"), links, (), None, 0, 0)
        )
        nodes.append(Node(i, op, name, module, outputs=(Output((4, 8, 8), ("C", "H", "W")),)))
    modules = tuple(Module(path, kind) for path, kind in (types or {}).items())
    return layers, Graph("traced", tuple(nodes), (), modules)


def chain_of(*modules: str) -> list[Spec]:
    return [(module, (i - 1,) if i else ()) for i, module in enumerate(modules)]


def is_acyclic(layers: Sequence[Layer], groups: Groups, opened: frozenset[int]) -> bool:
    at = {i: groups.shown_as(i, opened) for i in range(len(layers))}
    edges = {(at[k.source], at[x.index]) for x in layers for k in x.links if at[k.source] != at[x.index]}
    left = set(at.values())
    while left:
        free = {i for i in left if not any(t == i and s in left for s, t in edges)}
        if not free:
            return False
        left -= free
    return True


@st.composite
def any_network(draw: st.DrawFn) -> tuple[list[Layer], Graph]:
    n = draw(st.integers(2, 30))
    parts = st.lists(st.sampled_from("abc"), max_size=3).map(".".join)
    specs = [
        (draw(parts), tuple(sorted(draw(st.sets(st.integers(max(0, i - 6), i - 1), max_size=2)))) if i else ())
        for i in range(n)
    ]
    return network(*specs)


@given(any_network(), st.integers(0, 2**32 - 1))
def test_any_choice_of_open_groups_leaves_no_circle(case: tuple[list[Layer], Graph], seed: int) -> None:
    layers, graph = case
    groups = groups_of(layers, graph)
    opened = frozenset(g.index for g in groups.all if random.Random(seed + g.index).random() < 0.5)
    for choice in (frozenset(), opened, frozenset(range(len(groups.all)))):
        assert is_acyclic(layers, groups, choice)


@given(any_network())
def test_every_layer_is_reached_by_opening_and_stands_in_one_place(case: tuple[list[Layer], Graph]) -> None:
    layers, graph = case
    groups = groups_of(layers, graph)
    assert groups.visible(frozenset(range(len(groups.all)))) == tuple(range(len(layers)))
    assert {groups.shown_as(i, frozenset()) for i in range(len(layers))} == set(groups.visible(frozenset()))
    for g in groups.all:
        held = [groups.of_item(item) for item in g.children]
        inside = [i for item, h in zip(g.children, held, strict=True) for i in ((item,) if h is None else h.layers)]
        assert sorted(inside) == list(g.layers)
        assert len(g.layers) > 1
        assert g.parent < g.index


def blocks(n: int, *, odd: int = -1) -> tuple[list[Layer], Graph]:
    """An input, n blocks of two layers under "body" (block `odd` does something else), and a head."""
    modules = ["", *(f"body.{k}.{part}" for k in range(n) for part in "ab"), "head"]
    ops = ["input", *("relu" if k == odd and part == "b" else "tanh" for k in range(n) for part in "ab")]
    types = {"body": "Sequential", **{f"body.{k}": "Block" for k in range(n)}}
    return network(*chain_of(*modules), ops=ops, types=types)


def test_equal_blocks_have_equal_hashes_and_others_do_not() -> None:
    groups = groups_of(*blocks(4, odd=1))
    of = {g.name: g for g in groups.all}
    assert of["body.0"].digest == of["body.2"].digest == of["body.3"].digest
    assert of["body.1"].digest != of["body.0"].digest
    assert (of["body"].count, of["body"].kind, of["body"].equal) == (4, "Block", (2, 3))


def test_many_equal_blocks_stand_as_the_first_and_the_rest() -> None:
    groups = groups_of(*blocks(9))
    body = next(g for g in groups.all if g.name == "body")
    first, rest = (groups.of_item(i) for i in body.children)
    assert first is not None
    assert rest is not None
    assert (first.name, rest.name, rest.count) == ("body.0", "body.1 – 8", 8)
    assert len(groups.parts(body.index)) == 9


def test_a_run_is_named_by_what_differs() -> None:
    modules = ["", *(f"inception{name}.{k}" for name in ("4a", "4b", "4c") for k in range(6)), "head"]
    types = {f"inception{name}": "Inception" for name in ("4a", "4b", "4c")}
    layers, graph = network(*chain_of(*modules), types=types)
    assert groups_of(layers, graph).all[0].name == "inception4a – 4c"


def test_a_small_network_has_no_inferred_groups() -> None:
    assert all(g.path for g in groups_of(*blocks(6)).all)


def test_a_module_that_something_leaves_and_enters_again_is_taken_apart() -> None:
    layers, graph = network(*chain_of("", "down.0.a", "down.0.b", "", "down.1.a", "down.1.b"))
    assert [g.name for g in groups_of(layers, graph).all] == ["down.0", "down.1"]


def test_a_shared_module_called_twice_is_two_groups() -> None:
    calls = ((0, "a"), (1, "b"), (0, "a"), (3, "b"))
    layers, graph = network(("", ()), *((f"encoder.{part}", (source,)) for source, part in calls), ("", (2, 4)))
    weighted = {1: 7, 2: 8, 3: 7, 4: 8}
    layers = [replace(k, weight=weighted.get(k.index)) for k in layers]
    assert [(g.name, g.layers) for g in groups_of(layers, graph).all] == [("encoder", (1, 2)), ("encoder #2", (3, 4))]


def test_a_long_flat_chain_is_grouped_by_resolution_and_says_that_it_is_inferred() -> None:
    layers, graph = network(*chain_of("", *(f"features.{k}" for k in range(18))))
    sizes = [32, *(32 >> (k // 6) for k in range(18))]
    layers = [replace(k, shape=(4, n, n)) for k, n in zip(layers, sizes, strict=True)]
    found = [g for g in groups_of(layers, graph).all if g.note]
    assert [g.name for g in found] == ["32×32 stage", "16×16 stage", "8×8 stage"]
    assert all(g.path == "" for g in found)


@pytest.mark.parametrize(("n_modules", "is_grouped"), [(6, False), (36, True)])
def test_more_modules_than_can_stand_side_by_side_are_grouped_by_resolution_too(
    n_modules: int, is_grouped: bool
) -> None:
    modules = [f"dense{k}.{part}" for k in range(n_modules) for part in ("ab", "abc")[k % 2]]
    layers, graph = network(*chain_of("", *modules))
    sizes = [32, *(32 >> (3 * k // len(modules)) for k in range(len(modules)))]
    layers = [replace(k, shape=(4 + k.index, n, n)) for k, n in zip(layers, sizes, strict=True)]
    found = [g.name for g in groups_of(layers, graph).all if g.name.endswith("stage")]
    assert found == (["32×32 stage", "16×16 stage", "8×8 stage"] if is_grouped else [])


def test_short_names_leave_out_the_group_around() -> None:
    groups = groups_of(*blocks(3))
    assert groups.short[1:3] == ("a", "b")
    assert groups.short[0] == "top0"
