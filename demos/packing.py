"""A recorded folder as one small file: chosen epochs and samples, values in 8 bits, no statistics."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import nn3d
from nn3d.run.encoding import SIDECARS, encode
from nn3d.run.manifest import parse_manifest
from nn3d.run.memory import MemoryStore
from nn3d.run.run import Run
from nn3d.run.writer import listed_keys, whole_manifest, write_packed

_VALUES = re.compile(r"e\d+/g?a/(\d+)\.(\d+)(\..+)?")
# An array itself, its .lo and its .scale have the samples as rows; .nonfinite has not.
_BY_ROW = (None, ".lo", ".scale")


def pack_small(
    folder: Path,
    path: Path,
    *,
    keep: Collection[int] | None = None,
    samples: Sequence[int] | None = None,
    weights: str | None = None,
    shown_only: bool = False,
) -> None:
    """Pack with activations (and their gradients) in 8 bits and without statistics: nn3d computes those when asked.

    keep : ids of the epochs, samples : indices, by default all. weights : "f16" halves them; by default they are as
    they were recorded. shown_only : of each layer only the last stage, as the picture shows it.
    """
    with nn3d.load(folder) as run:
        shown = {(layer.shown, layer.shown_output) for layer in run.layers}
        rows = list(range(len(run.samples))) if samples is None else list(samples)
        arrays = {}
        for key in listed_keys(run):
            found, kind = _VALUES.fullmatch(key), key.split("/")[1]
            if found is not None:
                node, output = int(found[1]), int(found[2])
                if shown_only and (node, output) not in shown:
                    continue
                values = run.store[key]
                values = values[rows] if run.output(node, output).per_sample and found[3] in _BY_ROW else values
                is_done = values.dtype == "u1" or f".{key.rsplit('.', 1)[-1]}" in SIDECARS
                arrays |= {key: values} if is_done else encode(values, "u8").members(key)
            elif key.startswith("in/"):
                arrays[key] = run.store[key][rows]
            elif kind in ("w", "gw") and weights is not None:
                arrays |= encode(run.store[key], weights).members(key)
            elif kind != "s":
                arrays[key] = run.store[key]
        whole = whole_manifest(run)
        whole["epochs"] = [epoch for epoch in whole["epochs"] if keep is None or epoch["id"] in keep]
        whole["samples"] = [whole["samples"][row] for row in rows]
        manifest = parse_manifest(whole | {"encoding": {"activations": "u8"}})
        write_packed(Run(MemoryStore(arrays), manifest), path)
