"""Which links run in rows (streams, copies, reads), and at which heights their strands leave and dock.

Heights are shares of a plate's full height as it is drawn, ½ its top and −½ its bottom, so that a stave follows its
plates while they open and close. An identity or copy is never thick: half widths are fixed, in u.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.tables import STRAND
from nn3d.run.model import Layer, LayerLink

F64 = NDArray[np.float64]

COPIES = frozenset(("add", "sub", "concat", "stack", "identity"))
# Each row of these picks one row of their weight.
LOOKUPS = frozenset(("embedding",))
IDENTITY_HW = 0.09
READ_HW = 0.06
# Of the height of one row: strands of neighbouring tokens never touch.
ROW_SHARE = 0.30
MAX_ROWS = 40
SKIP_STRANDS = 12
PICKED_STRANDS = 8
SKIP_REACH = 0.31
PART_REACH = 0.42
CHANNELS_A_STRAND = 8
MAX_PART_STRANDS = 24


@dataclass(frozen=True, slots=True)
class Stave:
    """Strands of one link in rows.

    source, target : (m,) heights, from the top. is_copy : the values go on unchanged (ivory), else they are read by an
    operation without weights (grey). stands : what one strand stands for, "token", "8 channels".
    picked : (bottom, top) of the rows of the source that go on, where it is not all of it.
    """

    source: F64
    target: F64
    is_copy: bool
    stands: str
    picked: tuple[tuple[float, float], ...] = ()


def n_tokens(shape: tuple[int, ...], axes: tuple[str, ...]) -> int:
    """Rows of a layer drawn as one tile with a row a token or a time step; 0 for any other."""
    if len(shape) == 1:
        return shape[0] if axes == ("T",) else 0
    if len(shape) == 2:
        return 0 if axes[:1] == ("C",) else shape[0]
    if len(shape) == 3 and axes == ("group", "T", "F") and shape[0] == 1:
        return shape[1]
    return shape[0] if len(shape) == 3 and axes[:2] == ("T", "heads") else 0


def stave(
    source: Layer, target: Layer, link: LayerLink, span: tuple[float, float] = (-0.5, 0.5), *, is_skip: bool = False
) -> Stave | None:
    """The stave of a link without weights, or None where values do not go on in rows.

    span : bottom and top of what the link fills of the target's height, the glued part of a concatenation.
    is_skip : it runs straight past other layers, at its own level.
    """
    if link.kind == "weight" and target.op not in LOOKUPS:
        return None
    is_copy = target.op in COPIES and _is_argument(link)
    rows = n_tokens(source.shape, source.axes)
    if rows > 1 and rows == n_tokens(target.shape, target.axes):
        each = -(-rows // MAX_ROWS)
        first = np.arange(0, rows, each)
        at = 0.5 - (first + np.minimum(first + each, rows)) / 2.0 / rows
        return Stave(at, _into(at, span), is_copy, "token" if each == 1 else f"{each} tokens")
    if not is_copy or len(source.shape) < 3 or source.axes[:1] != ("C",):
        return None
    if target.op == "concat" and source.shape[1:] == target.shape[1:]:
        n = SKIP_STRANDS if is_skip else int(np.clip(round(source.shape[0] / CHANNELS_A_STRAND), 3, MAX_PART_STRANDS))
        n = min(n, source.shape[0])
        return Stave(_evenly(n, SKIP_REACH), _into(_evenly(n, PART_REACH), span), True, _channels(source.shape[0], n))
    if source.shape != target.shape:
        return None
    at = _evenly(SKIP_STRANDS, SKIP_REACH)
    return Stave(at, at, True, _channels(source.shape[0], SKIP_STRANDS))


def picked_rows(picked: tuple[tuple[float, float], ...], columns: int) -> Stave:
    """The stave of single rows that go on as one vector: a fan from the end of each to the whole of the target."""
    each = min(PICKED_STRANDS, columns)
    source = np.concatenate([np.full(each, (low + high) / 2.0) for low, high in picked])
    return Stave(source, _evenly(len(source), PART_REACH), True, f"{columns / len(source):.3g} cells", picked)


def _is_argument(link: LayerLink) -> bool:
    return link.argument in ("input", "other") or link.argument.startswith("tensors")


def _evenly(n: int, reach: float) -> F64:
    return np.linspace(reach, -reach, n) if n > 1 else np.zeros(1)


def _into(at: F64, span: tuple[float, float]) -> F64:
    return (span[0] + span[1]) / 2.0 + at * (span[1] - span[0])


def _channels(n: int, strands: int) -> str:
    return "1 channel" if n == strands else f"{n / strands:.3g} channels"


def strand_rows(found: Stave, height: float) -> tuple[NDArray[np.void], float]:
    """STRAND rows of a stave, and their half width in u, given how high the lower of its plates is drawn."""
    out = np.zeros(found.source.size, STRAND)
    out["amount"], out["area"] = 1.0, 1.0
    out["spread"][:, 0], out["spread"][:, 2] = found.source, found.target
    apart = np.abs(np.diff(found.target))
    room = ROW_SHARE * height * float(apart.min()) if apart.size else IDENTITY_HW
    return out, min(IDENTITY_HW if found.is_copy else READ_HW, room)
