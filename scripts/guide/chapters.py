"""The chapters of the guide: what a newcomer does in the window, what is to be seen then, and the words about it.

Layers of the bundled LeNet by index: 0 input, 1 conv1, 2 pool1, 3 conv2, 4 pool2, 5 fc1, 6 fc2, 7 fc3.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from walk import Chapter, Move, cell_at, foot_at, keys, point, press_at

from nn3d.app.window import Viewer
from nn3d.stage.state import Thing

CONV1, CONV2 = 1, 3
ROW: Final = 13
CELL: Final = (CONV1, 1, 12, 17)
DIGIT: Final = (
    (0.34, 0.26), (0.44, 0.18), (0.56, 0.18), (0.64, 0.26), (0.62, 0.38), (0.50, 0.46), (0.62, 0.52), (0.67, 0.64),
    (0.60, 0.76), (0.48, 0.80), (0.36, 0.74),
)  # fmt: skip


def rest(viewer: Viewer) -> list[str]:
    """The pointer where nothing is."""
    return point(226.0, 582.0)


def is_here(viewer: Viewer) -> bool:
    """The demo is on the screen."""
    return not viewer.is_empty and len(viewer.frame.marks) > 20 and not viewer.frame.missing


def is_collapsed(viewer: Viewer) -> bool:
    """Every layer is a block."""
    return not any(view.opening for view in viewer.state.layers)


def is_still(viewer: Viewer) -> bool:
    """The camera has arrived."""
    return viewer.state.flight is None


def is_cell(viewer: Viewer) -> bool:
    """A cell is pinned."""
    return viewer.state.selection is not None and viewer.state.selection.row >= 0


def at_cell(viewer: Viewer) -> list[str]:
    """The pointer over one cell of conv1."""
    return [*point(*cell_at(viewer, *CELL))]


def stroke(viewer: Viewer) -> list[str]:
    """A digit on the sheet of the pad."""
    box = viewer.layout.boxes["pad"]
    side = box.w - 24.0
    places = [(box.x + 12.0 + x * side, box.y + 40.0 + y * side) for x, y in DIGIT]
    words = [*point(*places[0]), "sleep", "0.1", "mousedown", "1"]
    for (x0, y0), (x1, y1) in pairwise(places):
        for k in range(1, 7):
            x, y = x0 + (x1 - x0) * k / 6, y0 + (y1 - y0) * k / 6
            words += ["mousemove", str(round(x)), str(round(y)), "sleep", "0.01"]
    return [*words, "mouseup", "1"]


def tour_button(viewer: Viewer) -> list[str]:
    """Take the tour."""
    box = viewer.layout.boxes["guide"]
    return press_at(box.x1 - 90.0, box.y + box.h / 2.0)


CHAPTERS: Final = (
    Chapter(
        "01-empty", "Start",
        "`nn3d view` opens an empty window. Drop a run or a checkpoint on it, choose one with **Open a file**, or "
        "begin with **Open the demo**: LeNet-5, which reads handwritten digits.",
        (Move(lambda _: point(720, 360)),),
    ),
    Chapter(
        "02-demo", "The demo",
        "A picture goes in on the left, ten bars come out on the right. Every plate shows the values of a layer for "
        "this one sample, every strand a product of a value and a weight: orange speaks for, blue against. The key in "
        "the corner says which number each shade is; the line at the foot says how much of all there is is drawn.",
        (Move(lambda _: press_at(720, 433), is_here), Move(rest)),
    ),
    Chapter(
        "03-open", "Open a layer",
        "Double-click the name of a layer, or its plate, and it collapses to a block; again, and its maps come out one "
        "after the other while the neighbours make room. Here `C` has collapsed every layer, and a double click has "
        "opened *conv1*.",
        (Move(keys("c"), is_collapsed),
         Move(lambda v: press_at(*foot_at(v, CONV1), times=2), lambda v: v.state.layers[CONV1].opening == 1.0),
         Move(rest)),
    ),
    Chapter(
        "04-play", "Play the epochs",
        "`Space` plays the training from the first epoch to the last; `←` `→` go one by one, and the timeline can be "
        "dragged. Values, strands and bars move together. `G` has opened every layer again.",
        (Move(keys("Escape", "g"), lambda v: all(w.opening == 1.0 for w in v.state.layers)),
         Move(keys("Home"), lambda v: v.state.time.epoch == 0.0),
         Move(keys("space"), lambda v: v.state.time.epoch >= 2.4)),
        is_rest=False,
    ),
    Chapter(
        "05-hover", "Point at a cell",
        "The pointer over a cell names it, with its index and value, and frames what it was made from, back through "
        "the layers. Strands that end there stay bright.",
        (Move(keys("space"), lambda v: not v.state.time.is_playing),
         Move(keys("End"), lambda v: v.state.time.epoch == v.state.n_epochs - 1),
         Move(at_cell, lambda v: v.state.hover is not None and v.state.hover.layer == CONV1)),
    ),
    Chapter(
        "06-sum", "Read its sum",
        "A click pins the cell and shows its arithmetic: the patch, the kernel, their products, and the sum with the "
        "bias, which equals the stored value within the tolerance given. The inspector lists the largest products.",
        (Move(lambda v: press_at(*cell_at(v, *CELL)), is_cell),),
    ),
    Chapter(
        "07-slide", "Slide the kernel",
        "`K` lets the kernel slide from cell to cell, and each sum is made anew; `K` again pauses, `,` and `.` go a "
        "cell back and on, `<` and `>` set the pace, `Shift K` ends it.",
        (Move(keys("k"), lambda v: v.state.slide is not None),
         Move(keys("greater", "greater", "greater", "greater"), lambda v: v.state.slide.at >= ROW * 28 + 11),
         Move(rest),
         Move(keys("k"), lambda v: v.state.slide is not None and not v.state.slide.is_playing)),
    ),
    Chapter(
        "08-find", "Find a layer",
        "`Ctrl F` finds layers by name, kind or shape; what is chosen lights up in the picture, and `Enter` flies "
        "there.",
        (Move(keys("shift+k", "Escape"), lambda v: v.state.slide is None),
         Move(keys("f"), is_still),
         Move(rest),
         Move(keys("ctrl+f"), lambda v: v.state.search.kind == "layers"),
         Move(lambda _: ["type", "--delay", "60", "conv 5x5"], lambda v: v.state.search.text == "conv 5x5"),
         Move(keys("Down"), lambda v: v.state.hover is not None)),
    ),
    Chapter(
        "09-commands", "Every command",
        "`Ctrl P` lists everything the window can do, with its keys: type a word or two, choose, `Enter`.",
        (Move(keys("Escape"), lambda v: not v.state.search.kind),
         Move(keys("ctrl+p"), lambda v: v.state.search.kind == "all"),
         Move(lambda _: ["type", "--delay", "60", "colour"], lambda v: v.state.search.text == "colour")),
    ),
    Chapter(
        "10-bookmark", "Keep a view",
        "`Ctrl 1` keeps the view under a digit, `1` comes back to it, also the next time this run is opened. `Ctrl Z` "
        "undoes any change of the view. Here: kept near *conv2* with all layers collapsed, left for the open network, "
        "and come back.",
        (Move(keys("Escape"), lambda v: not v.state.search.kind),
         Move(keys("c"), is_collapsed),
         Move(lambda v: press_at(*foot_at(v, CONV2)), lambda v: v.state.selection == Thing(CONV2)),
         Move(keys("shift+f"), lambda v: is_still(v) and not v.state.camera.fit),
         Move(keys("ctrl+1"), lambda v: len(v.state.bookmarks) == 1),
         Move(keys("Escape", "g", "f"), lambda v: is_still(v) and v.state.camera.fit),
         Move(rest),
         Move(keys("1"), lambda v: is_still(v) and not v.state.camera.fit and is_collapsed(v))),
    ),
    Chapter(
        "11-draw", "Draw a digit",
        "`D` opens the pad. Each stroke is a new input: every layer is computed anew with the weights of the epoch on "
        "screen, and a wave carries the values from plate to plate until the bars rise.",
        (Move(keys("Escape", "g", "f"), lambda v: is_still(v) and v.state.camera.fit),
         Move(keys("d"), lambda v: v.state.panels.pad and "pad" in v.layout.boxes),
         Move(stroke, lambda v: bool(v.state.own) and v.state.wave is None),
         Move(rest)),
    ),
    Chapter(
        "12-save", "Save a picture",
        "`P` saves the picture as a PNG without the cards, with its title, in the folder that nn3d was started from.",
        (Move(keys("d"), lambda v: not v.state.panels.pad),
         Move(keys("t", "p"), lambda v: v.state.theme == "light" and "Saved" in v._surface._toast.message)),
    ),
    Chapter(
        "13-tour", "Take the tour",
        "**Take the tour** explains in twelve steps what a convolution is; `PgDn` and `PgUp` go on and back.",
        (Move(keys("t"), lambda v: v.state.theme == "dark"),
         Move(tour_button, lambda v: v.state.caption != ""),
         Move(keys("Next", "Next", "Next"), lambda v: v.state.selection is not None and is_still(v)),
         Move(rest)),
    ),
)  # fmt: skip

SECOND: Final = (
    Chapter(
        "14-again", "Open a view again",
        "The picture knows its view: `nn3d view lenet-mnist.npz --state picture.png` opens it just as it was saved, "
        "with the digit that was drawn.",
        (Move(rest),),
    ),
)  # fmt: skip
