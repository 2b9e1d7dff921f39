"""What clusters keep of each fully connected link of a run: the rows of `nn3d info --clusters`."""

from __future__ import annotations

from nn3d.analysis.amounts import Moment
from nn3d.analysis.clusters import n_clusters
from nn3d.analysis.fidelity import fidelity
from nn3d.run.model import JSON
from nn3d.run.run import Run


def kept(run: Run, epoch: int, sample: int) -> list[dict[str, JSON]]:
    """One row a linear link: its layers, numbers of clusters, R² of the contributions and of shuffled weights."""
    rows: list[dict[str, JSON]] = []
    for layer in run.layers:
        for link in layer.links:
            mode = "contribution" if run.has_values(link.node, link.output, epoch) else "weight"
            found = fidelity(run, layer.index, link, Moment(epoch, sample, mode))
            if found is None:
                continue
            source = run.layers[link.source]
            rows.append(
                {
                    "layer": layer.name,
                    "from": source.name,
                    "clusters": [n_clusters(source.shape[0]), n_clusters(layer.shape[0])],
                    "of": mode,
                    "r2": round(found.share, 4),
                    "r2_shuffled": round(found.shuffled, 4),
                }
            )
    return rows


def text(rows: list[dict[str, JSON]]) -> str:
    """The rows for people."""
    lines = ["", "clusters: R² of the picture with one rope a pair, beside the same of shuffled weights"]
    lines += [
        f"  {r['from']} → {r['layer']}: {r['clusters'][0]} × {r['clusters'][1]} clusters, {r['of']}, "
        f"R² {r['r2']:.2f}, shuffled {r['r2_shuffled']:.2f}"
        for r in rows
    ]
    return "\n".join(lines if rows else [*lines, "  no fully connected link that is small enough"])
