"""What the user looks at, as plain values: one frozen ViewState, changed only by nn3d.stage.commands.apply.

Lengths on screen are logical px, top left origin; angles are radians; times are seconds; world units are `u`.
Epoch, sample, layer and tile numbers are indices from 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from nn3d.run.own import OwnInput

ARRANGEMENTS = ("line", "circle", "grid")
LEVELS = ("trunk", "maps", "kernels", "all")
MODES = ("weight", "contribution", "gradient")
PRINTS = ("colour", "grey")
EXACT_PASSES = 32
SELECTIONS = ("off", "sampled", "top", "exact", "all")
ORDERS = ("index", "flow")
THEMES = ("dark", "light")
SCOPES = ("map", "layer", "network")
RAMPS = ("jade", "viridis", "inferno", "magma", "cividis")
AXES = ("epoch", "step", "time")
SIGNALS = ("values", "zeros", "saturated", "ratio", "gradient")
SEARCHES = ("", "layers", "all")

YAW_RAD = math.radians(53.0)
PITCH_RAD = math.radians(13.0)
FOV_RAD = math.radians(15.0)
LONG_YAW_RAD = math.radians(60.0)
LONG_FOV_RAD = math.radians(13.0)


def smooth(progress: float) -> float:
    """Ease in and out, 3p² − 2p³, clamped to 0 … 1; the same polynomial as the shaders use."""
    p = min(1.0, max(0.0, progress))
    return p * p * (3.0 - 2.0 * p)


@dataclass(frozen=True, slots=True)
class LayerView:
    """How one layer stands.

    opening : linear progress, 0 collapsed to 1 open, on its way to `is_open`; tiles ease and stagger along it.
    arrangement : where the open tiles go; `weights_from` (line, circle, grid) is where they come from and `blend`
        the linear progress between.
    stage : which of its recorded stages the layer shows (nn3d.stage.stages), −1 for the last.
    """

    is_open: bool = True
    opening: float = 1.0
    arrangement: str = "grid"
    weights_from: tuple[float, float, float] = (0.0, 0.0, 1.0)
    blend: float = 1.0
    stage: int = -1

    @property
    def weights(self) -> tuple[float, float, float]:
        """Share of (line, circle, grid) in the open position; they sum to 1."""
        v = smooth(self.blend)
        goal = tuple(1.0 if name == self.arrangement else 0.0 for name in ARRANGEMENTS)
        a, b, c = (f * (1.0 - v) + g * v for f, g in zip(self.weights_from, goal, strict=True))
        return a, b, c


@dataclass(frozen=True, slots=True)
class Camera:
    """An orbit camera. With `fit`, compose ignores target and distance and frames the network in the free rectangle."""

    yaw_rad: float = YAW_RAD
    pitch_rad: float = PITCH_RAD
    fov_rad: float = FOV_RAD
    target: tuple[float, float, float] = (0.0, 0.0, 0.0)
    distance: float = 100.0
    fit: bool = True


@dataclass(frozen=True, slots=True)
class Flight:
    """The camera on its way from `start` to ViewState.camera; `progress` is linear, 0 … 1."""

    start: Camera
    progress: float = 0.0
    duration_secs: float = 0.7


@dataclass(frozen=True, slots=True)
class Thing:
    """Something one can point at. tile, row, col are −1 when the whole layer or the whole tile is meant."""

    layer: int
    tile: int = -1
    row: int = -1
    col: int = -1


@dataclass(frozen=True, slots=True)
class Focus:
    """The tile that stands out; `share` is the linear progress of dimming all else, 0 … 1."""

    thing: Thing | None = None
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Edges:
    """Which strands are drawn. `strength`: 0 straight … 1 bundled, on its way to `strength_target`.

    level_from, level_blend : the level before, and the linear progress 0 … 1 to `level`.
    passes : of selection "exact", how many of EXACT_PASSES shares of all edges have been added up.
    print : "grey" dashes the negative strands, so that signs survive a printer without colours.
    """

    level: str = "kernels"
    mode: str = "contribution"
    selection: str = "sampled"
    strength: float = 1.0
    strength_target: float = 1.0
    level_from: str = "kernels"
    level_blend: float = 1.0
    passes: int = 0
    print: str = "colour"


@dataclass(frozen=True, slots=True)
class Budget:
    """What the machine is asked to draw: strands a link at most, and curve samples a strand (8 … 44).

    shade : whether structure and strands take ambient shade; seams : whether a pixel between two small tiles shows its
    part of each (both not while something moves). cubes : cells that may rise as cubes. memory_mb : MiB of values and
    strands that may be held at once.
    """

    strands: int = 900
    samples: int = 44
    shade: bool = True
    seams: bool = True
    cubes: int = 24_000
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True)
class Time:
    """Where in training: `epoch` is a fractional index on its way to `target`; playing moves the target.

    loop : first and last epoch index between which looping plays; None for all.
    """

    epoch: float = 0.0
    target: float = 0.0
    is_playing: bool = False
    is_looping: bool = False
    epochs_per_sec: float = 1.0
    loop: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """What the timeline draws. metrics : names, in order; () the first accuracy and the first loss.

    axis : what its width counts, of AXES. is_linear : losses on a linear scale, too. smoothing : weight of what came
    before, 0 … 0.99.
    """

    metrics: tuple[str, ...] = ()
    axis: str = "epoch"
    is_linear: bool = False
    smoothing: float = 0.0


@dataclass(frozen=True, slots=True)
class Live:
    """A run that is followed while it is recorded. is_held : the playhead stays where it is when epochs come."""

    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """What is subtracted from everything: epoch index `epoch` of the run on screen, or of the other one beside it."""

    epoch: int = 0
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where the picture may go: rectangle (x0, y0, x1, y1) that the camera fits, and corners of title, key and HUD.

    None hides a part. `key`: right end and top of the colour key. `hud`: x0, x1 and y of the strands line. `room`:
    where the card of a cell may lie, x0, y0, x1, y1; None anywhere.
    """

    free: tuple[float, float, float, float] = (64.0, 120.0, 1462.0, 775.0)
    title: tuple[float, float] | None = (48.0, 38.0)
    key: tuple[float, float] | None = (1552.0, 40.0)
    hud: tuple[float, float, float] | None = (48.0, 1552.0, 862.0)
    room: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class FoldEnd:
    """A choice of open groups (group indices, ascending), and its share in a picture between several."""

    opened: tuple[int, ...] = ()
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Fold:
    """Which groups of the module tree are open (group indices, ascending), and the way from one choice to the next.

    progress : linear, 0 as `before` to 1 as `after`; the picture eases it. At rest both are the same.
    start : where the way began in the midst of another one, instead of `before`; the shares add up to 1.
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    progress: float = 1.0
    start: tuple[FoldEnd, ...] = ()


@dataclass(frozen=True, slots=True)
class Wave:
    """A new input on its way through the layers: `progress` is linear, 0 … 1 (nn3d.stage.own).

    What it has not reached shows recorded sample `sample`, or where that is −1 the input of one's own `own`.
    is_held : it waits at the input, while one draws; waits : until the new values are known.
    """

    sample: int = -1
    own: OwnInput | None = None
    progress: float = 0.0
    is_held: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Writing:
    """A text of one's own that is being written. caret, mark : of nn3d.stage.field. is_sent : Enter was pressed."""

    text: str = ""
    caret: int = 0
    mark: int = 0
    is_sent: bool = False


@dataclass(frozen=True, slots=True)
class Panels:
    """Which cards of the window are open. Offscreen pictures ignore them.

    inspector_w : width of the inspector, 300 … 560 logical px. tensor : id of the parameter that it shows as a picture,
    −1 for the layer's own weight. pad : the card of inputs of one's own.
    """

    tree: bool = True
    inspector: bool = True
    help: bool = False
    picture_only: bool = False
    inspector_w: float = 324.0
    tensor: int = -1
    pad: bool = False


@dataclass(frozen=True, slots=True)
class Apart:
    """A choice of what is shown, and its share in a picture between several.

    around, reach : items with what lies so many links back and on; () all. hidden : items that are not shown.
    """

    around: tuple[int, ...] = ()
    reach: int = 0
    hidden: tuple[int, ...] = ()
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A view under a digit. view : a string of nn3d.stage.viewstring."""

    digit: int
    view: str


@dataclass(frozen=True, slots=True)
class Search:
    """The search dialog. kind : "" closed, "layers", or "all" with parameters and commands.

    text : what is typed; caret, mark : of nn3d.stage.field. row : number of the chosen line.
    """

    kind: str = ""
    text: str = ""
    caret: int = 0
    mark: int = 0
    row: int = 0


@dataclass(frozen=True, slots=True)
class Lens:
    """What is shown of a pointed-at cell. depth : layers back whose cells it was made from are framed.

    path : layers back and onward that its strongest contributions are followed, 0 not at all.
    """

    depth: int = 4
    path: int = 0


@dataclass(frozen=True, slots=True)
class Slide:
    """The kernel on its way over one tile, cell by cell in C order; the selection is the cell that it is at.

    thing : layer and tile. rows, cols : of the tile. at : number of the cell, whose whole part counts.
    """

    thing: Thing
    rows: int
    cols: int
    at: float = 0.0
    is_playing: bool = True
    cells_per_sec: float = 4.0


@dataclass(frozen=True, slots=True)
class ViewState:
    """The whole view. Same state and same run: same picture.

    group_depths : of each group of the module tree, 0 for the outermost.
    caption : words about the picture, of a tour's step.
    also : items selected beside `selection`, in order.
    reach : links back and on from the selection that alone are shown, 0 all. hidden : items that are not shown.
    apart : what of this the picture shows now, on its way; () all (nn3d.stage.apart).
    came : what was selected before, so that going back and on again takes another branch.
    order : of the tiles in their layers, "index" or "flow"; order_blend : linear progress on the way to it.
    own : inputs of one's own, samples after the recorded ones. wave : one of them on its way through the layers.
    writing : a text that has the keyboard.
    signal : what tiles show, their values or a signal of training (nn3d.stage.signals); values while one compares.
    live : how the run is followed while it grows; None where it is not.
    compare : what the picture is compared with; None: values are shown as they are. compare_again : what it was last.
    compare_sides : whether both sides stand small above their difference (nn3d.stage.sides).
    """

    n_epochs: int
    n_samples: int
    layers: tuple[LayerView, ...]
    size_px: tuple[int, int] = (1600, 900)
    scale: float = 1.0
    theme: str = "dark"
    scope: str = "layer"
    ramp: str = "jade"
    signal: str = "values"
    order: str = "index"
    order_blend: float = 1.0
    time: Time = field(default_factory=Time)
    chart: Chart = field(default_factory=Chart)
    live: Live | None = None
    compare: Compare | None = None
    compare_again: Compare = field(default_factory=Compare)
    compare_sides: bool = False
    sample: int = 0
    camera: Camera = field(default_factory=Camera)
    flight: Flight | None = None
    side: float = 1.0
    facing: float = 1.0
    group_depths: tuple[int, ...] = ()
    fold: Fold = field(default_factory=Fold)
    edges: Edges = field(default_factory=Edges)
    budget: Budget = field(default_factory=Budget)
    anchors: Anchors = field(default_factory=Anchors)
    panels: Panels = field(default_factory=Panels)
    search: Search = field(default_factory=Search)
    bookmarks: tuple[Bookmark, ...] = ()
    selection: Thing | None = None
    hover: Thing | None = None
    came: Thing | None = None
    also: tuple[int, ...] = ()
    reach: int = 0
    hidden: tuple[int, ...] = ()
    apart: tuple[Apart, ...] = ()
    focus: Focus = field(default_factory=Focus)
    own: tuple[OwnInput, ...] = ()
    wave: Wave | None = None
    writing: Writing | None = None
    lens: Lens = field(default_factory=Lens)
    slide: Slide | None = None
    caption: str = ""

    @property
    def n_recorded(self) -> int:
        """Samples of the run; those of one's own are counted after them in `n_samples`."""
        return self.n_samples - len(self.own)


@lru_cache(maxsize=64)
def default_anchors(size_px: tuple[int, int]) -> Anchors:
    """Anchors of a picture without a window: 4 % left, 9 % right, 13 % top, 14 % bottom."""
    w, h = float(size_px[0]), float(size_px[1])
    k = max(min(1.0, w / 1600.0), min(w / 1600.0, h / 900.0))
    high = max(min(1.0, h / 900.0), k)
    edge = 48.0 * k
    top = max(120.0 * high, 108.0 if w < 1100 else 96.0)
    bottom = h - max(125.0 * high, 96.0)
    return Anchors(
        free=(0.04 * w, top, w - 0.0863 * w, bottom),
        title=(edge, 38.0 * high),
        key=(w - edge, 40.0 * high),
        hud=(edge, w - edge, h - 38.0 * max(1.0, k)),
    )


def type_scale(state: ViewState) -> float:
    """Size of the picture's type: 1 at 1600 × 900, not under 0.8; above 1 only where no window sets the anchors."""
    w, h = state.size_px
    if w < 1600 or h < 900:
        return min(1.0, max(0.8, w / 1600.0))
    return min(w / 1600.0, h / 900.0) if state.anchors == default_anchors(state.size_px) else 1.0
