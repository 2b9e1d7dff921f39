"""A Frame: everything the renderer needs for one picture, as plain numpy; no GL, nothing it could compute itself.

Spaces: the bench, in units `u` with x = depth of the network, y up, z toward the default camera, and the world that
the camera sees, where plates may have turned and leaned (nn3d.stage.stance); tile-local (u, v) run 0 … 1
from a tile's left and top edge as the reader sees it (u along +z on the −x face); px are logical, top left origin.
Arrays are read-only and C-contiguous. `key`s are hashable and name the content of large arrays, so that the renderer
uploads only what changed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.tables import STRAND, TILE
from nn3d.run.groups import Groups
from nn3d.stage.atlas import Atlas
from nn3d.stage.explained import Explained
from nn3d.stage.holding import Wanted
from nn3d.stage.state import ViewState

__all__ = [
    "BOX", "PART", "SHADOW", "STRAND", "TILE", "Cells", "Colour", "Frame", "Gains", "Inset",
    "Line", "Lit", "Mark", "Palette",
    "Rect", "StrandLayer", "Text", "TileLayer", "Values", "View",
]  # fmt: skip

F32 = NDArray[np.float32]
Colour = tuple[float, float, float, float]

# A box of structure: centre, half size, sRGB colour, and how much fog it takes. ground 0: it belongs to the plates and
# has its place on the bench (bars, brackets); 1: it stands on the floor, in the world (rail, posts).
BOX = np.dtype([("centre", "f4", 3), ("half", "f4", 3), ("colour", "f4", 3), ("fog", "f4"), ("ground", "f4")])

# Added to the item of a further plate of a layer (TileLayer.layer), above all numbers of items.
PART = 1 << 20

# A contact shadow on the floor: centre (x, z), half size (x, z), softness, strength.
SHADOW = np.dtype([("centre", "f4", 2), ("half", "f4", 2), ("soft", "f4"), ("strength", "f4")])


@dataclass(frozen=True, slots=True)
class Values:
    """Cell values of a layer's tiles at one epoch.

    cells : (K, R, C) float32, or (3, R, C) pictures in their own colours when the layer's lut is "rgb".
    key : names the content. atlas : the same as texels for the GPU; None: it is made while uploading.
    """

    key: Hashable
    cells: F32
    atlas: Atlas | None = None


@dataclass(frozen=True, slots=True)
class Gains:
    """Gains of single tiles, at the two epochs that are mixed: (K, 2) float32, by which the layer's gain is multiplied.

    key : names the content.
    """

    key: Hashable
    values: F32


@dataclass(frozen=True, slots=True)
class Lit:
    """Cells of a plate that keep all of their light.

    first, end : of the tiles from one to before the other. r0, r1, c0, c1 : of their rows and columns likewise.
    done : (tile, n) of a tile whose first n cells alone are shown, in C order, the others as empty; (−1, 0) none.
    """

    first: int
    end: int
    r0: int
    r1: int
    c0: int
    c1: int
    done: tuple[int, int] = (-1, 0)


@dataclass(frozen=True, slots=True)
class TileLayer:
    """One layer's plate of K tiles.

    table : (K,) TILE. open_half, mosaic_half : (half height, half width) of a tile open and in the mosaic.
    x, y : where the layer stands on the axis and in height. weights, opening : of LayerView.
    thickness : half thickness of an open tile and of the collapsed block.
    block_half : (half height, half width) of the collapsed block.
    values : at the two epochs that are mixed by Frame.epoch_mix; None while missing (plates are drawn empty).
    lut : "seq", "div", "grey" or "rgb"; shown value = lut((|v|·gain)^power, with its sign for "div").
    gain, offset : at the two epochs: t = (v − offset)·gain. gains : more of it for single tiles, or None.
    cubes : (m,) int32 tiles whose cells rise as cubes, ascending; None: none do.
    mix : where it is not None, the two `values` are of two samples, and are mixed by this instead of Frame.epoch_mix.
    bright : 0 … 1, how much of its colour the layer keeps (hover dims); lit : cells that keep all of it.
    scale : of the places in `table`: below 1 while
    the plate grows out of a closed group; the half sizes are already scaled.
    layer : the item (nn3d.run.groups): a layer of the run, or its number of layers + a group; PART + item for a further
    plate of a layer, which is picked as the layer.
    """

    layer: int
    key: Hashable
    table: NDArray[np.void]
    cells: tuple[int, int]
    x: float
    y: float
    open_half: tuple[float, float]
    mosaic_half: tuple[float, float]
    thickness: tuple[float, float]
    block_half: tuple[float, float]
    weights: tuple[float, float, float]
    opening: float
    values: tuple[Values, Values] | None
    lut: str
    power: float
    gain: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)
    gains: Gains | None = None
    cubes: NDArray[np.int32] | None = None
    bright: float = 1.0
    scale: float = 1.0
    lit: Lit | None = None
    mix: float | None = None


WHOLE_TILE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class StrandLayer:
    """All strands of one link between two layers: one draw call.

    source, target : indices into Frame.tiles. strands : (m,) STRAND, the first `n_trunk` of them are the rope of the
    collapsed pair (`trunk_per_sign` strands a sign). key : names strands and cluster tables.
    source_clusters, target_clusters : (n,) TILE centroids. radii : of the largest cluster, source and target, in u.
    path : "route" (weights), "direct" (1:1 links), "arc" (skips), "stave" (rows, edge to edge), "loop" (recurrence)
    or "wire" (weights of a small network, edge to edge). colour : "sign", "neutral" or "identity".
    hw : half width of the thickest strand, in u. rope : radius R0 of the whole trunk, and half the distance of its two
    signs. apex : height of an arc above the axis. gutter, source_gutter : free height under a
    row of the target's and of the source's grid.
    turn : share of its way over which a rope changes lane. leave : how far above its source's middle it starts, u.
    level, parameter, weight_index, weight, source_cell, target_cell : what the single strands stand for, one entry a
    strand after the rope: level of detail, parameter id, flat C-order number in it, its value, cells (−1 whole tile).
    shape_key : names what of `strands` stays from epoch to epoch: all but amount and area. grow : share of their area
    that all strands have while the level changes. is_drawn : (m,) single strands that this moment shows; None all.
    crowd : how many single strands lie one over the other in the gutter: from about 10 on they are a tone; −1 they
    never touch.
    batches : where each batch of edges that add up starts among the single strands, with the end; () opaque strands.
    lit : source tile (−2 every strand), target tile (−1 none) and whether the rope stands out while the rest dims; None
    nothing does.
    lit_uv : left, top, right, bottom of the part of the source tile whose strands stand out.
    counts : single strands drawn, of how many edges, and their share of Σ|amount|, at the first epoch.
    rope_share : 0 single strands … 1 the rope alone; in between one grows while the other shrinks.
    """

    source: int
    target: int
    key: Hashable
    strands: NDArray[np.void]
    n_trunk: int
    trunk_per_sign: int
    source_clusters: NDArray[np.void]
    target_clusters: NDArray[np.void]
    radii: tuple[float, float]
    path: str
    colour: str
    hw: float
    rope: tuple[float, float]
    rope_share: float
    apex: float = 0.0
    gutter: float = 0.5
    source_gutter: float = 0.5
    turn: tuple[float, float] = (0.05, 0.80)
    leave: float = 0.0
    is_dashed: bool = False
    bright: float = 1.0
    shape_key: Hashable = None
    grow: float = 1.0
    crowd: float = 0.0
    is_drawn: NDArray[np.bool_] | None = None
    batches: tuple[int, ...] = ()
    lit: tuple[int, int, bool] | None = None
    lit_uv: tuple[float, float, float, float] = WHOLE_TILE
    counts: tuple[int, int, float] = (0, 0, 0.0)
    level: str = "trunk"
    parameter: int | None = None
    weight_index: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    weight: F32 = field(default_factory=lambda: np.zeros(0, np.float32))
    source_cell: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    target_cell: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class View:
    """The resolved camera: row-major float64 matrices that act on column vectors (clip = clip_from_world @ p).

    world_from_bench : (3, 3), how plates turn and lean to the reader (nn3d.stage.stance); the identity from the front.
    """

    clip_from_world: NDArray[np.float64]
    eye_world: NDArray[np.float64]
    right_world: NDArray[np.float64]
    up_world: NDArray[np.float64]
    distance: float
    near: float
    far: float
    px_per_unit: float
    world_from_bench: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    def project(self, points: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.float64]:
        """Logical px (n, 2) of points (n, 3) of the bench: of plates, strands, bars."""
        return self.project_world(np.atleast_2d(np.asarray(points, np.float64)) @ self.world_from_bench.T, size_px)

    def project_world(self, points: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.float64]:
        """Logical px (n, 2) of world points (n, 3): of the floor and what stands on it."""
        p = np.atleast_2d(np.asarray(points, np.float64))
        q = np.c_[p, np.ones(len(p))] @ self.clip_from_world.T
        r = q[:, :2] / q[:, 3:]
        return np.column_stack([(r[:, 0] + 1.0) / 2.0 * size_px[0], (1.0 - r[:, 1]) / 2.0 * size_px[1]])


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text.

    (x, y) in px is the anchor's place; anchor as in Pillow: l m r, then a (ascender) m (middle) s (baseline)
    b (descender). size_px is CSS px. weight: regular, medium, semibold, display.
    """

    x: float
    y: float
    text: str
    size_px: float
    weight: str
    colour: Colour
    anchor: str = "la"


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle with rounded corners, px; `right` colours its right end when given (a gradient in x)."""

    x0: float
    y0: float
    x1: float
    y1: float
    colour: Colour
    radius: float = 0.0
    right: Colour | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A straight antialiased line, px."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Cells:
    """A picture of (R, C) coloured cells of width × height px from (x, y) on; `gap` px of each are left free.

    colours : (R, C, 4) float32, and `key` names them.
    """

    x: float
    y: float
    width: float
    height: float
    gap: float
    key: Hashable
    colours: F32 = field(compare=False)


Mark = Text | Rect | Line | Cells


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of a theme for the shaders, sRGB 0 … 1, and the ramps as (256, 3) float32."""

    name: str
    background: tuple[Colour, Colour]
    floor: Colour
    shadow: Colour
    shadow_strength: float
    rim: Colour
    side: Colour
    fog: Colour
    halo: Colour
    positive: Colour
    negative: Colour
    neutral: Colour
    identity: Colour
    accent: Colour
    nonfinite: Colour
    is_light: bool
    grid: float
    ramps: dict[str, F32]


@dataclass(frozen=True, slots=True)
class Inset:
    """A picture inside a picture, of the size of its own state; x, y : px of its left upper corner."""

    frame: Frame
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. `state` is what it was composed from; `missing` what is still to be read, most urgent first.

    boxes : (b,) BOX. shadows : (s,) SHADOW on the floor at `floor_y` within `floor_rect` (x, half, z, half).
    marks : the picture's text, key, bars and cards in drawing order. epoch_mix : 0 … 1 between the two epochs.
    stats : figures for `render --stats`. groups : the module tree. stands : for each item (layers, then groups) which
    of `tiles` stands for it: its own plate, or that of the closed group around it; () where each layer has its own.
    links : (source, target) items of what is visible, main ones first. names : of all items.
    handles : (item, px box) of pills and brackets, where a pointer finds a group.
    card : px box of the card of the pointed-at cell or selected layer, None where there is none.
    explained : the arithmetic of that cell, None while it is not in memory.
    insets : small pictures over this one, under its marks.
    wanted : all that the picture is made of. left_out : what of it memory has no room for; the picture says so.
    stand_ins : of missing ones that are shown as they were at another epoch, that epoch's index; the title says so.
    """

    state: ViewState
    view: View
    palette: Palette
    tiles: tuple[TileLayer, ...]
    strands: tuple[StrandLayer, ...]
    boxes: NDArray[np.void]
    shadows: NDArray[np.void]
    floor_y: float
    floor_rect: tuple[float, float, float, float]
    marks: tuple[Mark, ...]
    epoch_mix: float
    missing: tuple[Hashable, ...]
    stats: dict[str, float]
    groups: Groups | None = None
    stands: tuple[int, ...] = ()
    handles: tuple[tuple[int, tuple[float, float, float, float]], ...] = ()
    links: tuple[tuple[int, int], ...] = ()
    names: tuple[str, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)
    left_out: tuple[Hashable, ...] = ()
    card: tuple[float, float, float, float] | None = None
    explained: Explained | None = None
    insets: tuple[Inset, ...] = ()
    stand_ins: Mapping[Hashable, int] = field(default_factory=dict)

    def is_card(self, x_px: float, y_px: float) -> bool:
        """Whether a point lies on the card of the cell or the selected layer."""
        return self.card is not None and self.card[0] <= x_px <= self.card[2] and self.card[1] <= y_px <= self.card[3]

    def mix_of(self, tile: TileLayer) -> float:
        """How far a plate is on its way from the first of its values to the second."""
        return self.epoch_mix if tile.mix is None else tile.mix
