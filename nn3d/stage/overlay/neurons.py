"""Numbers on tiles of one cell that are large enough on screen; names and biases of a small network. Logical px."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import Colour, Mark, Palette, Text, TileLayer, View
from nn3d.stage.overlay.facts import Facts, pill
from nn3d.stage.reference import opened, tile_places
from nn3d.stage.small import Neurons
from nn3d.stage.stubs import stub_places
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]

LEAST_PX = 18.0
SIZES_PX = (9.0, 16.0)
SMALLEST_PX = 8.5
MAX_NUMBERS = 600
DARK_INK, LIGHT_INK = (0x0A, 0x0E, 0x12), (0xFF, 0xFF, 0xFF)


def neuron_marks(f: Facts, tiles: tuple[TileLayer, ...], view: View, neurons: Neurons | None, mix: float) -> list[Mark]:
    """All of it: values on faces, and in a small network names above the tiles and biases below."""
    wide = [at for at, t in enumerate(tiles) if _is_of_numbers(t) and (f.plan.tallest or _may_be_read(t, view))]
    boxes = [_Faces(t, view, f.state.size_px) for t in tiles] if wide else []
    marks: list[Mark] = []
    for at in wide:
        t = tiles[at]
        hidden = [b for k, b in enumerate(boxes) if k != at and b.nearness > boxes[at].nearness]
        is_free = _uncovered(boxes[at], hidden, f.state.size_px)
        if f.plan.tallest:
            names = _names(f, t, boxes[at], is_free)
            marks += [*names, *_biases(f, t, view, neurons, mix, is_named=bool(names))]
        marks += _values(f, t, boxes[at], is_free, mix)
    return marks


def _is_of_numbers(t: TileLayer) -> bool:
    return t.cells == (1, 1) and t.values is not None and t.opening > 0.5 and (t.bright >= 0.5 or t.lit is not None)


def _may_be_read(t: TileLayer, view: View) -> bool:
    """Whether a face of the plate could be wide enough for a number: at a cost that does not grow with its tiles."""
    h, w = t.block_half
    corners = np.array([(t.x, t.y + a * h, b * w, 1.0) for a in (-1, 1) for b in (-1, 1)])
    corners[:, :3] = corners[:, :3] @ view.world_from_bench.T
    nearest = float((corners @ view.clip_from_world[3]).min())
    return 2.0 * t.open_half[1] >= LEAST_PX * view.px_per_unit * max(nearest, 0.0)


class _Faces:
    """The faces of a plate's tiles on screen: middles (K, 2), full widths and heights (K,) px, and the plate's box."""

    def __init__(self, t: TileLayer, view: View, size: tuple[int, int]) -> None:
        centres, halves = tile_places(t)
        eye = np.linalg.solve(view.world_from_bench, view.eye_world)
        front = math.copysign(t.thickness[0], float(eye[0]) - t.x)
        centres = centres + np.array([front, 0.0, 0.0])
        low = view.project(centres - np.column_stack([0 * halves[:, 0], halves]), size)
        high = view.project(centres + np.column_stack([0 * halves[:, 0], halves]), size)
        up = view.project(centres + np.column_stack([0 * halves[:, 0], halves[:, 0], 0 * halves[:, 0]]), size)
        down = view.project(centres - np.column_stack([0 * halves[:, 0], halves[:, 0], 0 * halves[:, 0]]), size)
        turn = np.column_stack([0 * halves[:, 0], halves[:, 0], -halves[:, 1]])
        self.peak = np.minimum(view.project(centres + turn, size)[:, 1], high[:, 1])
        self.middle = (up + down) / 2.0
        self.top, self.bottom = up, down
        self.width = np.abs(high[:, 0] - low[:, 0])
        self.height = np.abs(down[:, 1] - up[:, 1])
        self.cover = _block(t, view, front, size)
        self.nearness = -float(np.linalg.norm(eye - np.array([t.x, t.y, 0.0])))


def _block(t: TileLayer, view: View, front: float, size: tuple[int, int]) -> F64 | None:
    """(4, 2) px of the corners of a plate's front, in turn; None where a part of it lies behind the eye."""
    signs = np.array([(-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, -1.0)])
    face = signs * np.array(t.block_half) + np.array([t.y, 0.0])
    corners = np.column_stack([np.full(4, t.x + front), face])
    ahead = (corners @ view.world_from_bench.T - view.eye_world) @ np.cross(view.up_world, view.right_world)
    return view.project(corners, size) if (ahead > view.near * 0.5).all() else None


def _uncovered(faces: _Faces, nearer: list[_Faces], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(K,) whether a face's middle is on the picture and under no plate that stands nearer."""
    x, y = faces.middle.T
    out = (x > 0) & (x < size[0]) & (y > 0) & (y < size[1])
    for other in nearer:
        if other.cover is not None:
            edge = np.roll(other.cover, -1, 0) - other.cover
            aside = edge[:, 0] * (y[:, None] - other.cover[:, 1]) - edge[:, 1] * (x[:, None] - other.cover[:, 0])
            out &= ~((aside > 0).all(1) | (aside < 0).all(1))
    return np.asarray(out)


def _values(f: Facts, t: TileLayer, faces: _Faces, is_free: NDArray[np.bool_], mix: float) -> list[Mark]:
    """The stored value on each face that is wide enough for it, in the ink that can be read there."""
    assert t.values is not None
    fits = is_free & (np.minimum(faces.width, 1.3 * faces.height) >= LEAST_PX)
    which = np.flatnonzero(fits)
    if not which.size or which.size > MAX_NUMBERS:
        return []
    pair = [v.cells.reshape(-1).astype(np.float64) for v in t.values]
    if pair[0].size != len(t.table):
        return []
    value = pair[0] if mix == 0.0 else pair[0] * (1.0 - mix) + pair[1] * mix
    most = min(SIZES_PX[1] * max(1.0, f.k), max(SIZES_PX[0], 0.34 * float(np.median(faces.width[which]))))
    inks = face_inks(f.palette, t, value, mix)
    words: dict[int, tuple[str, float]] = {}
    for is_short in (False, True):  # one precision for all tiles of a layer
        words = {k: _fitted(float(value[k]), faces, k, most, is_short=is_short) for k in which.tolist()}
        if all(size >= SMALLEST_PX for _, size in words.values()):
            break
    return [
        Text(float(faces.middle[k, 0]), float(faces.middle[k, 1]), said, size, "semibold", inks[k], "mm")
        for k, (said, size) in words.items()
        if size >= SMALLEST_PX
    ]


def _fitted(v: float, faces: _Faces, k: int, most: float, *, is_short: bool) -> tuple[str, float]:
    """A value in words and the type size that fits face k, px."""
    said = short_text(v) if is_short else value_text(v)
    room = min(most, 0.96 * float(faces.width[k]) / text_width(said, 1.0, "semibold"), 0.8 * float(faces.height[k]))
    return said, math.floor(2.0 * room) / 2.0


def short_text(v: float) -> str:
    """A value with one decimal, for narrow tiles, where it has any left: "−7.3"."""
    return f"{v:.1f}".replace("-", "−") if 0.095 <= abs(v) < 99.95 else value_text(v)


def value_text(v: float) -> str:
    """A value in at most five characters or so: "0.55", "−12.3", "1.2e5", "NaN", "∞"."""
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "∞" if v > 0 else "−∞"
    size = abs(v)
    if size >= 9999.5 or 0.0 < size < 0.0005:
        mantissa, power = f"{v:.0e}".split("e")
        said = f"{mantissa}e{int(power)}"
    else:
        said = f"{v:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
        said = said if float(said) or v == 0.0 else f"{v:.3f}"
    return said.replace("-", "−")


def face_inks(palette: Palette, t: TileLayer, value: F64, mix: float) -> list[Colour]:
    """An ink for each face: dark or light, whichever has more contrast with the face's colour."""
    gain = t.gain[0] * (1.0 - mix) + t.gain[1] * mix
    offset = t.offset[0] * (1.0 - mix) + t.offset[1] * mix
    shown = np.nan_to_num((value - offset) * gain, nan=0.0, posinf=1.0, neginf=-1.0)
    level = np.clip(np.abs(shown), 0.0, 1.0) ** t.power
    ramp = palette.ramps.get(t.lut, palette.ramps["seq"]).astype(np.float64)
    place = 0.5 + 0.5 * np.sign(shown) * level if t.lut == "div" else np.where(shown > 0, level, 0.0)
    face = ramp[np.round(place * (len(ramp) - 1)).astype(int)]
    face = np.where(np.isfinite(value)[:, None], face, np.array(palette.nonfinite[:3]))
    dark, light = (np.array(c) / 255.0 for c in (DARK_INK, LIGHT_INK))
    inks = [(*(float(c) for c in ink), 1.0) for ink in (dark, light)]
    use_dark = contrast(face, dark) >= contrast(face, light)
    return [inks[0] if d else inks[1] for d in use_dark]  # type: ignore[misc]


def contrast(a: F64, b: F64) -> F64:
    """Contrast of colours (n, 3) sRGB, 1 … 21: WCAG 2."""
    la, lb = _luminance(a), _luminance(b)
    return np.asarray((np.maximum(la, lb) + 0.05) / (np.minimum(la, lb) + 0.05))


def _luminance(srgb: F64) -> F64:
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _names(f: Facts, t: TileLayer, faces: _Faces, is_free: NDArray[np.bool_]) -> list[Mark]:
    """Names above the neurons, fc1.3, or numbers alone where there is less room; classes have theirs at the bars."""
    row = next((p for p in f.plan.layers if p.layer.index == t.layer), None)
    if row is None or row.is_classes or t.weights[2] < 0.5:
        return []
    free = np.diff(np.sort(faces.middle[:, 1])).min() - faces.height.max() if len(t.table) > 1 else 40.0
    size = 11.0 * f.k
    if free < size:
        return []
    is_short = free < 2.6 * size
    highest = int(faces.middle[:, 1].argmin())
    marks: list[Mark] = []
    for k in np.flatnonzero(is_free).tolist():
        has_number = is_short and k != highest
        x, y = faces.top[k]
        x += 0.5 * faces.width[k] if has_number else 0.0
        known = row.input.names[k : k + 1] if row.input is not None else ()
        said, anchor = (f"{k}", "r") if has_number else ((known or (f"{row.layer.name}.{k}",))[0], "m")
        clear = min(float(y), max(float(faces.peak[k]), float(y) - free + 1.3 * size))
        marks += pill(f, float(x), clear - 0.75 * size, said, size, ("medium", f.ink("text2")), anchor)
    return marks


def _biases(
    f: Facts, t: TileLayer, view: View, neurons: Neurons | None, mix: float, *, is_named: bool
) -> list[Mark]:
    """The value of each bias, beside its stub; with the neuron's number where that has no room of its own."""
    bias = None if neurons is None else neurons.biases.get(t.layer)
    if bias is None or t.weights[2] < 0.5 or float(opened(t, np.array([len(t.table) - 1]))[0]) < 0.9:
        return []
    _, feet = stub_places(t, f.state.side)
    px = view.project(feet + np.array([0.0, 0.15, 0.0]), f.state.size_px)
    at_left = float(px[0, 0]) <= float(view.project(tile_places(t)[0][:1], f.state.size_px)[0, 0])
    pitch = float(np.diff(np.sort(px[:, 1])).min()) if len(px) > 1 else 99.0
    size = 10.0 * f.k
    if pitch < 2.4 * size:
        return []
    value = bias[:, 0] * (1.0 - mix) + bias[:, 1] * mix
    marks: list[Mark] = []
    is_class = any(p.is_classes for p in f.plan.layers if p.layer.index == t.layer)
    for k, ((x, y), b) in enumerate(zip(px, value.tolist(), strict=True)):
        said = ("" if is_named or is_class else f"{k}   ") + "b " + ("+" if b >= 0 else "") + value_text(b)
        x += -6.0 * f.k if at_left else 6.0 * f.k
        marks += pill(f, float(x), float(y), said, size, ("regular", f.ink("text3")), "r" if at_left else "l")
    return marks
