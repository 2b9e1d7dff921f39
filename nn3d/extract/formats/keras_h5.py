"""Owns HDF5 as Keras wrote it before .keras, and still does: whole models (Keras 1, 2 and 3), and weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.formats.keras import parse_json
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers import hdf5
from nn3d.extract.readers.keras.build import Entry
from nn3d.extract.readers.keras.config import read_model
from nn3d.extract.readers.keras.record import KerasFile, major, record
from nn3d.extract.readers.keras.weights import WeightFile
from nn3d.extract.readers.named_tensors import infer_named
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import Epoch


def _sniff(head: Head) -> bool:
    return head.start[:8] == hdf5.SIGNATURE


def _record(path: Path, options: SourceOptions) -> Recording:
    with hdf5.opened(path) as h5:
        entries = hdf5.tensors(h5, path)
        text = hdf5.text_attribute(h5, "model_config", path)
        home = h5.get("model_weights", h5)
        version = hdf5.text_attribute(h5, "keras_version", path) or hdf5.text_attribute(home, "keras_version", path)
        if text is None:
            return _weights_alone(path, _named(h5, entries), options, is_ordered="layers" not in h5)
        data = parse_json(text.encode(), f"{path}: model_config")
        groups = _groups(h5, entries)
        file = KerasFile(
            str(path), path.stem, path.name, major(version, 2), data, read_model(data, str(path)),
            WeightFile(groups=groups),
        )  # fmt: skip
        return record(file, options)


def _weights_alone(
    path: Path, entries: Mapping[str, Entry], options: SourceOptions, *, is_ordered: bool
) -> Recording:
    """An inferred graph of a file that names tensors and nothing else."""
    named = infer_named(entries, is_ordered=is_ordered)
    if named is None:
        raise SourceError(f"{path}: expected a Keras model or its weights, got HDF5 without them. Save it as .keras.")
    arrays = {p: convert(entries[name].read()) for p, (name, convert) in named.places.items()}
    left_out = ("activations: there are weights alone. Save the whole model as .keras.", *named.left_out)
    moment = Moment(Epoch(0), {}, arrays)
    return Recording(path.stem, path.name, named.graph, (), (moment,), options.class_names(), left_out)


def _groups(h5: Any, entries: Mapping[str, Entry]) -> dict[str, list[Entry]]:
    """Layer → its tensors, in the order and with the names that the file lists, or as they lie in its groups."""
    home = "model_weights/" if "model_weights" in h5 else ""
    group = h5["model_weights"] if home else h5
    found: dict[str, list[Entry]] = {}
    for layer in hdf5.names_attribute(group, "layer_names"):
        if layer not in group:
            raise SourceError(f"{h5.filename}: expected a group of {layer[:80]}, got none. Save the model again.")
        inside = [k.removeprefix(f"{home}{layer}/") for k in entries if k.startswith(f"{home}{layer}/")]
        names = hdf5.names_attribute(group[layer], "weight_names") or sorted(inside)
        places = [(name, f"{home}{layer}/{name}") for name in names]
        found[layer] = [replace(entries[place], name=name) for name, place in places if place in entries]
    if not found:
        for path, entry in entries.items():
            layer, _, name = path.removeprefix(home).partition("/")
            if name and path.startswith(home):
                found.setdefault(layer, []).append(replace(entry, name=name))
    return found


def _named(h5: Any, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Weights alone: "layer.role" → tensor."""
    kept = {k: e for k, e in entries.items() if not k.startswith(("optimizer", "_optimizer"))}
    titles = hdf5.layer_titles(h5, kept)
    found: dict[str, Entry] = {}
    groups = _groups(h5, entries) if "layer_names" in h5.attrs or "layer_names0" in h5.attrs else {}
    for layer, group in groups.items():
        for entry in group:
            found[f"{layer}.{entry.name.rpartition('/')[2].partition(':')[0]}"] = entry
    if groups:
        return found
    for path, entry in kept.items():
        home, _, number = path.rpartition("/vars/")
        if home:
            siblings = [kept[k] for k in kept if k.startswith(f"{home}/vars/")]
            role = _role(int(number) if number.isdecimal() else 0, siblings, home.rpartition("/")[2])
            found[f"{titles.get(home, home.removeprefix('layers/'))}/{role}"] = entry
        else:
            found[path] = entry
    return found


def _role(number: int, siblings: list[Entry], kind: str) -> str:
    """What a numbered tensor of Keras 3 seems to be, by its group's name and the shapes of its layer's tensors."""
    ranks = [len(e.shape) for e in siblings]
    roles: tuple[str, ...] = ("kernel", "bias") if ranks[0] > 1 else ("gamma", "beta")
    if kind.startswith("separable"):
        roles = ("depthwise/depthwise_kernel", "pointwise/kernel", "pointwise/bias")
    elif kind.startswith(("depthwise", "embedding")):
        roles = ("depthwise_kernel", "bias") if kind.startswith("d") else ("embeddings",)
    elif ranks == [1, 1, 1, 1]:
        roles = ("gamma", "beta", "moving_mean", "moving_variance")
    elif ranks[:2] == [2, 2] and len(ranks) in (2, 3):
        roles = ("kernel", "recurrent_kernel", "bias")
    return roles[number] if number < len(roles) else f"var{number}"


FORMAT = Format(
    "keras-h5", "Keras HDF5", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), extra=hdf5.EXTRA,
    is_isolated=True, libraries=("h5py",),
)  # fmt: skip
