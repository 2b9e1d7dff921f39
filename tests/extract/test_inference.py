"""Wires are inferred from names and shapes alone: measured on real architectures, said with reasons, never invented."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch

from nn3d.extract.infer import canonical_later, infer_graph
from nn3d.extract.inference.draft import CERTAIN, GUESSED, LIKELY
from nn3d.extract.output import in_memory
from nn3d.extract.recording import Moment, Recording
from nn3d.extract.trace import Probe
from nn3d.run.inferred import joints, words
from nn3d.run.lazy import LazyArray
from nn3d.run.model import Epoch, Graph, Node
from tests import networks, wires

torch.set_num_threads(1)
WHOLE = ("lenet", "vgg", "resnet", "densenet", "googlenet", "unet", "lstm", "lstm_both", "vit", "gpt", "two_inputs")


@cache
def true_graph(name: str) -> tuple[torch.nn.Module, Graph]:
    model, inputs = networks.SMALL[name]()
    probe = Probe(model, inputs)
    with torch.no_grad():
        probe.shoot(Epoch(0))
    return model, probe.known_graph


def by_name(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes}


def sources(graph: Graph, name: str) -> list[str]:
    found = by_name(graph)
    names = {node.id: node.name for node in graph.nodes}
    return [names[s.node] for s in found[name].inputs]


def shapes(text: str) -> dict[str, tuple[int, ...]]:
    """ "a.weight 8 3 3 3; b.weight 4 8" → shapes by name."""
    parts = [entry.split() for entry in text.replace("\n", ";").split(";") if entry.split()]
    return {name: tuple(int(n) for n in numbers) for name, *numbers in parts}


@pytest.mark.parametrize("name", WHOLE)
def test_every_wire_of_the_small_networks_is_found_and_none_is_invented(name: str) -> None:
    model, graph = true_graph(name)
    found = wires.scored(graph, infer_graph(wires.stripped(model)), wires.aliases(model))
    assert (found.precision, found.recall) == (1.0, 1.0), found


@pytest.mark.parametrize("name", WHOLE)
def test_they_are_found_in_files_that_keep_names_sorted_too(name: str) -> None:
    model, graph = true_graph(name)
    mixed = dict(sorted(wires.stripped(model).items()))
    found = wires.scored(graph, infer_graph(mixed), wires.aliases(model))
    assert (found.precision, found.recall) == (1.0, 1.0), found


def test_the_measure_sees_a_missing_and_an_invented_wire() -> None:
    model, graph = true_graph("resnet")
    same = wires.aliases(model)
    units = wires.units_of(graph, same)
    true = wires.contracted(graph, units, same)
    assert len(true) > 10
    assert wires.score(true, set(list(true)[1:])).recall < 1.0
    assert wires.score(true, {*true, ("fc.bias", "conv1.weight")}).precision < 1.0
    chain = infer_graph({n: s for n, s in wires.stripped(model).items() if "downsample" not in n})
    assert wires.score(true, wires.contracted(chain, units, same)).recall < 0.9


def test_every_joint_has_a_reason_and_a_certainty_and_what_has_none_is_named() -> None:
    graph = infer_graph(shapes("a.weight 8 3 3 3; b.weight 16 8 3 3; odd.weight 5 7; head.weight 10 256"))
    for node in graph.nodes:
        if node.inputs:
            assert node.attributes["inferred"]
            assert node.attributes["certainty"] in (CERTAIN, LIKELY, GUESSED)
    assert not by_name(graph)["odd"].inputs
    assert any(note.startswith("odd has no joint") for note in graph.notes)
    assert by_name(graph)["b"].attributes["certainty"] == CERTAIN
    assert "1 where shapes agree" in graph.notes[1]


def test_the_title_and_the_inspector_say_what_the_graph_knows_of_its_wires() -> None:
    graph = infer_graph(shapes("z.weight 8 3 3 3; b.weight 16 8 3 3; head.weight 10 256; odd.weight 5 7"))
    counts = "1 where shapes agree, 1 where names and shapes agree, 1 that fit and are not certain; 1 without one"
    assert words(graph) == f"wires inferred, 3 joints: {counts}"
    found = {joint.name: joint for joint in joints(graph)}
    assert found["b"].sources == ("z",)
    assert found["b"].why == "8 outputs = 8 inputs"
    assert found["odd"].sources == ()
    assert found["head"].certainty == GUESSED
    assert [joint.name for joint in joints(graph, [by_name(graph)["b"]])] == ["b"]
    assert words(replace(graph, notes=())) == "wires inferred from order and shapes"


def test_a_shortcut_is_added_and_its_kin_without_one_add_their_input() -> None:
    block = "{0}.conv1.weight 8 {1} 3 3; {0}.bn1.weight 8; {0}.bn1.bias 8; {0}.conv2.weight 8 8 3 3;"
    text = "stem.weight 4 3 3 3;" + block.format("layer.0", 4) + "layer.0.downsample.weight 8 4 1 1;"
    graph = infer_graph(shapes(text + block.format("layer.1", 8) + "fc.weight 10 8; fc.bias 10"))
    assert sources(graph, "layer.0.add") == ["layer.0.conv2", "layer.0.downsample"]
    assert sources(graph, "layer.1.add") == ["layer.1.conv2", "layer.0.add"]
    plain = infer_graph(shapes("stem.weight 8 3 3 3;" + block.format("layer.0", 8) + block.format("layer.1", 8)))
    assert not [n for n in plain.nodes if n.op == "add"]  # nothing says that these add anything


def test_a_final_norm_tells_where_the_norms_of_its_blocks_stand() -> None:
    text = "emb.weight 50 8;"
    for k in range(2):
        text += "".join(f"h.{k}.attn.{p}_proj.weight 8 8;" for p in "qkvo")
        text += f"h.{k}.fc1.weight 32 8; h.{k}.fc2.weight 8 32; h.{k}.norm1.weight 8; h.{k}.norm2.weight 8;"
    after, before = infer_graph(shapes(text + "head.weight 3 8")), infer_graph(shapes(text + "final_norm.weight 8"))
    assert sources(after, "h.0.attn.q_proj") == ["emb"]
    assert sources(after, "h.0.norm1") == ["h.0.add"]
    assert sources(before, "h.0.attn.q_proj") == ["h.0.norm1"]
    assert sources(before, "h.0.add") == ["emb", "h.0.attn.o_proj"]
    assert sources(before, "h.0.attn.attention") == [f"h.0.attn.{p}_proj" for p in "qkv"]


def test_what_a_block_holds_and_nobody_knows_stays_unjoined_and_is_named() -> None:
    text = "emb.weight 50 8;" + "".join(f"h.0.attn.{p}.weight 8 8;" for p in "qkvo")
    text += "h.0.fc1.weight 32 8; h.0.fc2.weight 8 32; h.0.n1.weight 8; h.0.n2.weight 8; h.0.odd.weight 5;"
    graph = infer_graph(shapes(text + "norm.weight 8; head.weight 3 8"))
    assert not by_name(graph)["h.0.odd"].inputs
    assert any(note.startswith("h.0.odd has no joint") for note in graph.notes)
    assert sources(graph, "norm") == ["h.0.add_2"]


def test_keys_and_values_of_a_cross_attention_are_the_encoders() -> None:
    def block(at: str) -> str:
        return "".join(f"{at}.{p}_proj.weight 8 8;" for p in "qkvo") + f"{at}_norm.weight 8;"

    feed = "{0}.fc1.weight 32 8; {0}.fc2.weight 8 32; {0}.fc_norm.weight 8;"
    text = "encoder.emb.weight 50 8;" + block("encoder.h.0.self_attn") + feed.format("encoder.h.0")
    text += "decoder.emb.weight 50 8;" + block("decoder.h.0.self_attn") + block("decoder.h.0.cross_attn")
    graph = infer_graph(shapes(text + feed.format("decoder.h.0")))
    assert sources(graph, "decoder.h.0.cross_attn.k_proj") == ["encoder.h.0.fc_norm"]
    assert sources(graph, "decoder.h.0.cross_attn.q_proj") == ["decoder.h.0.self_attn_norm"]
    assert sources(graph, "decoder.h.0.self_attn.q_proj") == ["decoder.emb"]


def test_two_matrices_of_one_shape_before_a_third_are_a_gate() -> None:
    text = "emb.weight 50 8;" + "".join(f"h.0.attn.{p}.weight 8 8;" for p in "qkvo")
    text += "h.0.gate.weight 32 8; h.0.up.weight 32 8; h.0.down.weight 8 32; h.0.n1.weight 8; h.0.n2.weight 8;"
    graph = infer_graph(shapes(text + "norm.weight 8"))
    assert sources(graph, "h.0.down") == ["h.0.gate.mul"]
    assert sources(graph, "h.0.gate") == sources(graph, "h.0.up") == ["h.0.n2"]


def test_maps_stay_maps_behind_a_prelu_and_may_be_flattened() -> None:
    shapes = {"conv.weight": (64, 3, 3, 3), "conv.bias": (64,), "prelu.weight": (64,), "fc.weight": (10, 576)}
    graph = infer_graph(shapes)
    fc = next(node for node in graph.nodes if node.name == "fc")
    assert [graph.nodes[s.node].name for s in fc.inputs] == ["prelu"]
    assert "576 = 64 channels × 9 positions (flattened)" in fc.attributes["inferred"]


def test_weights_kept_in_out_are_turned_and_only_when_one_looks() -> None:
    graph = infer_graph(shapes("emb.weight 50 8; c.weight 8 24; c.bias 24; d.weight 24 8; d.bias 8"))
    turned = {p.name: p for p in graph.parameters}["c.weight"]
    assert (turned.shape, turned.source_layout) == ((24, 8), "IO")
    reads = []
    later = canonical_later(LazyArray((8, 24), "F32", lambda: reads.append(1) or torch.rand(8, 24).numpy()), turned)
    assert not reads
    assert later.read().shape == later.shape == (24, 8)


def test_any_names_and_shapes_give_a_graph_that_a_run_can_hold() -> None:
    words = ("q", "k", "v", "attn", "norm", "conv1", "bn", "0", "1", "2", "downsample", "se", "fc1", "fc2", "branch1")
    words += ("branch2", "encoder", "decoder", "emb", "up", "layers", "gamma", "cls_token", "fn", "proj", "qkv")
    ends = ("weight", "bias", "running_mean", "in_proj_weight", "weight_ih_l0", "weight_hh_l0", "gamma", "x")
    for seed in range(60):
        rng = random.Random(seed)
        found = {}
        for _ in range(rng.randint(0, 40)):
            name = ".".join(rng.choices(words, k=rng.randint(1, 5))) + "." + rng.choice(ends)
            found[name] = tuple(rng.choices((1, 2, 3, 4, 8, 8, 8, 16), k=rng.randint(0, 5))) or (1,)
        graph = infer_graph(found)
        assert len({node.name for node in graph.nodes}) == len(graph.nodes)
        used = {p for node in graph.nodes for p in node.parameters.values()}
        assert used <= {p.id for p in graph.parameters}
        if seed % 15 == 0 and graph.nodes:
            arrays = {p.id: torch.zeros(p.shape).numpy() for p in graph.parameters}
            run = in_memory(Recording("x", "x", graph, (), (Moment(Epoch(0), {}, arrays),)))
            assert len(run.layers) > 0


def test_deep_and_wide_files_take_no_long_time() -> None:
    infer_graph({".".join("a" * 400) + f".{i}.weight": (3, 3) for i in range(50)})
    wide = {f"l.{i}.weight": (1 + i % 61, 1 + i % 37) for i in range(600)}
    assert len(infer_graph(wide).nodes) >= 600


@pytest.mark.soak
def test_real_architectures_keep_their_score(soaking: Callable[[int, int], int]) -> None:
    if not soaking(0, 1):
        pytest.skip("long: NN3D_SOAK=1")
    from benchmarks.inference import SEEN, line

    found = [line(name).score for name in SEEN if name.startswith(("hf", "own"))]
    scores = [score for score in found if score is not None]
    assert len(scores) >= 10
    assert sum(s.precision for s in scores) / len(scores) >= 0.98
    assert sum(s.recall for s in scores) / len(scores) >= 0.95
