"""The table of gestures: one row a gesture, with its words, its keys and what it does."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from nn3d.stage.bookmarks import DIGITS
from nn3d.stage.commands import SetEpoch
from nn3d.stage.controls import camera, comparing, keeping, microscope, parting, picture, time, walk, window
from nn3d.stage.controls.common import Handler, Row
from nn3d.stage.controls.requests import AskFile, CopyValues, CopyView, GuideBy, RecordFilm

GROUPS: Final = ("Selection", "Camera", "One cell", "Picture", "Time and samples", "Window")


def _row(group: str, words: str, caps: tuple[str, ...], **handlers: Handler) -> Row:
    """Triggers are written with _ for a space ("drag_left") where they are words."""
    return _keys(group, words, caps, {name.replace("_", " "): handler for name, handler in handlers.items()})


def _keys(group: str, words: str, caps: tuple[str, ...], handlers: dict[str, Handler]) -> Row:
    return Row(group, words, caps, MappingProxyType(handlers))


_CHOICE, _CAMERA, _CELL, _PICTURE, _TIME, _WINDOW = GROUPS

TABLE: Final[tuple[Row, ...]] = (
    _row(_CHOICE, "name what is there", ("Hover",), move=picture.hover),
    _row(_CHOICE, "select, pin a cell", ("Click",), click=picture.select),
    _row(_CHOICE, "select it too", ("Shift click",), shift_click=picture.select_also),
    _row(_CHOICE, "open, collapse, fly to a map", ("Double click",), double_click=picture.open_or_fly),
    _keys(_CHOICE, "walk on, back", ("Alt →", "←"), {"Alt Right": walk.along(1), "Alt Left": walk.along(-1)},
          ).named("Walk to the next layer, map or cell", "Walk back to the layer, map or cell before"),
    _keys(_CHOICE, "walk in, out", ("Alt ↓", "↑"), {"Alt Down": walk.inward, "Alt Up": walk.outward},
          ).named("Walk into the group, layer or map", "Walk out of the cell, map or layer"),
    _keys(_CHOICE, "walk to the one beside", ("Alt Shift ↑", "↓"), {
        "Alt Shift Up": walk.across(-1), "Alt Shift Down": walk.across(1),
    }).named("Walk to the branch or row above", "Walk to the branch or row below"),
    _row(_CHOICE, "neighbours alone, wider", ("I", "Shift I"), I=parting.focus, Shift_I=parting.wider,
         ).named("Focus: the selection with its neighbours alone", "Focus one link wider"),
    _row(_CHOICE, "hide what stands nearer", ("H",), H=parting.hide_nearer),
    _row(_CHOICE, "unfold, fold groups", ("U", "Shift U"), U=picture.unfold, Shift_U=picture.fold,
         ).named("Unfold the group, or the next level", "Fold the group, or the deepest level"),
    _row(_CHOICE, "let go, one step back", ("Esc",), Esc=picture.back),
    _row(_CAMERA, "turn", ("Drag",), drag_left=camera.turn),
    _row(_CAMERA, "move", ("Right drag",), drag_right=camera.move, drag_middle=camera.move),
    _row(_CAMERA, "nearer, at the pointer", ("Wheel",), wheel=camera.nearer),
    _keys(_CAMERA, "fly", ("Ctrl ←", "→", "↑", "↓"), {
        "Ctrl Left": camera.fly(0, -1), "Ctrl Right": camera.fly(0, 1),
        "Ctrl Up": camera.fly(1, 0), "Ctrl Down": camera.fly(-1, 0),
    }).named("Fly left", "Fly right", "Fly forward", "Fly back"),
    _row(_CAMERA, "fit everything", ("F",), F=camera.fit),
    _row(_CAMERA, "fit the selection", ("Shift F",), Shift_F=camera.fit_selection),
    _keys(_CAMERA, "go to a bookmark", ("1 … 9",), {f"{d}": keeping.go_to_bookmark(d) for d in DIGITS},
          ).named(*(f"Go to bookmark {d}" for d in DIGITS)),
    _keys(_CAMERA, "set a bookmark", ("Ctrl 1 … 9",), {f"Ctrl {d}": keeping.set_bookmark(d) for d in DIGITS},
          ).named(*(f"Set bookmark {d}" for d in DIGITS)),
    _row(_CELL, "kernel slides or pauses, stop", ("K", "Shift K"), K=microscope.slide, Shift_K=microscope.stop,
         ).named("Slide the kernel over the tile", "Stop the sliding kernel"),
    _keys(_CELL, "one cell back, on", (",", "."), {",": microscope.step(-1), ".": microscope.step(1)},
          ).named("One cell back", "One cell on"),
    _keys(_CELL, "slide slower, faster", ("<", ">"), {"<": microscope.speed(0.5), ">": microscope.speed(2.0)},
          ).named("Slide slower", "Slide faster"),
    _keys(_CELL, "trace fewer, more layers back", ("{", "}"), {
        "{": microscope.depth(-1), "}": microscope.depth(1),
    }).named("Trace fewer layers back", "Trace more layers back"),
    _row(_CELL, "bright path longer, off", ("X", "Shift X"), X=microscope.path, Shift_X=microscope.no_path,
         ).named("Bright path one layer longer", "No bright path"),
    _row(_PICTURE, "collapse, line, circle, grid", ("C", "L", "O", "G"),
         C=picture.collapse, L=picture.arrange("line"), O=picture.arrange("circle"), G=picture.arrange("grid"),
         ).named("Collapse", "Tiles in a line", "Tiles in a circle", "Tiles in a grid"),
    _keys(_PICTURE, "fewer, more edges", ("[", "]"), {"[": picture.level(-1), "]": picture.level(1)},
          ).named("Fewer edges", "More edges"),
    _row(_PICTURE, "tiles by index or by flow", ("R",), R=picture.order),
    _keys(_PICTURE, "strength of the strands", ("−", "+"), {
        "-": picture.strength(-0.1), "+": picture.strength(0.1), "=": picture.strength(0.1),
    }).named("Strands straighter", "Strands bundled more", "Strands bundled more"),
    _row(_PICTURE, "weight, contribution, gradient", ("W",), W=picture.mode),
    _row(_PICTURE, "which edges are drawn", ("E",), E=picture.selection),
    _row(_TIME, "play or pause", ("Space",), Space=time.play),
    _row(_TIME, "one epoch", ("←", "→"), Left=time.epoch(-1), Right=time.epoch(1),
         ).named("One epoch back", "One epoch on"),
    _row(_TIME, "previous, next mark", ("Shift ←", "→"), Shift_Left=time.mark(-1), Shift_Right=time.mark(1),
         ).named("Previous mark of the training", "Next mark of the training"),
    _row(_TIME, "first, last epoch", ("Home", "End"), Home=lambda c: (SetEpoch(0.0),), End=time.last_epoch,
         ).named("First epoch", "Last epoch"),
    _row(_TIME, "previous, next sample", ("↑", "↓"), Up=time.sample(-1), Down=time.sample(1),
         ).named("Previous sample", "Next sample"),
    _row(_TIME, "next wrong sample", ("N",), N=time.next_wrong),
    _row(_TIME, "compare with an epoch, with this one", ("B", "Shift B"),
         B=comparing.toggle, Shift_B=comparing.from_here,
         ).named("Compare, or values as they are", "Compare with the epoch that is shown"),
    _row(_TIME, "own picture, drawing or text", ("D",), D=window.panel(window.pad_turned)),
    _row(_WINDOW, "find a layer", ("Ctrl F",), Ctrl_F=window.search("layers")),
    _row(_WINDOW, "all commands", ("Ctrl P",), Ctrl_P=window.search("all")),
    _row(_WINDOW, "undo, redo", ("Ctrl Z", "Ctrl Shift Z"), Ctrl_Z=keeping.undo,
         Ctrl_Shift_Z=keeping.redo, Ctrl_Y=keeping.redo).named("Undo", "Redo", "Redo"),
    _row(_WINDOW, "picture only, and back", ("Tab",),
         Tab=window.panel(lambda p: replace(p, picture_only=not p.picture_only))),
    _row(_WINDOW, "tree of layers", ("Ctrl B",), Ctrl_B=window.panel(lambda p: replace(p, tree=not p.tree))),
    _row(_WINDOW, "inspector", ("Ctrl I",), Ctrl_I=window.panel(lambda p: replace(p, inspector=not p.inspector))),
    _keys(_WINDOW, "tour: a step back, on", ("PgUp", "PgDn"), {
        "PageUp": window.ask(GuideBy(-1)), "PageDown": window.ask(GuideBy(1)),
    }).named("Tour: a step back", "Tour: a step on"),
    _row(_WINDOW, "open a file", ("Ctrl O",), Ctrl_O=window.ask(AskFile())),
    _row(_WINDOW, "copy what is selected", ("Ctrl C",), Ctrl_C=window.ask(CopyValues())),
    _keys(_WINDOW, "copy the view as a string", ("Ctrl Shift C",), {"Ctrl Shift C": window.ask(CopyView())}),
    _row(_WINDOW, "dark or light", ("T",), T=window.theme),
    _row(_WINDOW, "save a PNG", ("P",), P=window.save),
    _row(_WINDOW, "record a film, stop; of the epochs", ("V", "Shift V"),
         V=window.ask(RecordFilm()), Shift_V=window.ask(RecordFilm(epochs=True)),
         ).named("Record a film, or stop and save it", "Save a film of the epochs"),
    _keys(_WINDOW, "mouse and keys", ("?",), {"?": window.panel(lambda p: replace(p, help=not p.help))}),
)  # fmt: skip
