"""What the window shows of files: drop card, recent files, the one that is being read, the one that did not open."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Final

from imgui_bundle import imgui

from nn3d import __version__
from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.following import secs_text
from nn3d.app.panels.notes import toast_panel
from nn3d.app.style import DIALOG_ROUNDING
from nn3d.app.ui import Ui
from nn3d.app.visit import Visit, day_words
from nn3d.stage.commands import SetTheme
from nn3d.stage.controls import Act, tip
from nn3d.stage.controls.requests import AskFile, CancelOpening, CopyText, ForgetFiles, ForgiveError, OpenDemo, OpenFile
from nn3d.stage.state import ViewState

WIDTH: Final = 560.0
DROP_H: Final = 236.0
DASH, GAP = 9.0, 6.0
HEAD, ROW, FOOT = 44.0, 36.0, 10.0
MOST_ROWS: Final = 5
LOADING: Final = (440.0, 112.0)
FORMATS: Final = "A run (.npz or folder), a checkpoint (.pt, .pth, .ckpt), or nn-visualizer's JSON"
PROMISE: Final = "Nothing leaves this machine. Files are read, never run, unless you pass --trust."


def welcome_panels(ui: Ui, state: ViewState, visit: Visit) -> list[Act]:
    """The window before there is a run: drop card (or what went wrong), recent files, name, theme."""
    w, h = ui.size
    recents = visit.settings.recents[:MOST_ROWS]
    list_h = HEAD + ROW * len(recents) + FOOT if recents else 0.0
    width = min(WIDTH, w - 24.0)
    total = DROP_H + (18.0 + list_h if recents else 0.0)
    x, y = round((w - width) / 2), round(max(64.0, 0.42 * (h - total) + 20.0))
    acts = _name_card(ui) + _theme_card(ui, state)
    box = Box(x, y, width, DROP_H)
    if not visit.is_expecting:
        acts += error_card(ui, visit, box) if visit.error else _drop_card(ui, box)
    if recents and y + total < h - 50.0 and not visit.is_expecting:
        acts += _recents_card(ui, visit, Box(x, box.y1 + 18.0, width, list_h))
    ui.text(w / 2, h - 24, PROMISE if w > 620 else "Nothing leaves this machine.", 11.5, token="text2", align="c")
    return acts


def visit_cards(ui: Ui, visit: Visit, now: float, state: ViewState, *, is_empty: bool, toast: str) -> list[Act]:
    """Over everything: the card of a file on its way, of one that did not open, and the toast of an empty window."""
    acts: list[Act] = []
    opening = visit.opening(now)
    if opening is not None:
        acts += waiting_card(ui, *opening) if visit.is_expecting else opening_card(ui, *opening)
    elif visit.is_waiting:
        ui.wake_secs = 0.1
    if visit.error and not is_empty:
        ui.scrim(is_new=not ui.memory.get("error is up", False))
        acts += error_dialog(ui, visit)
    ui.memory["error is up"] = bool(visit.error)
    if is_empty and toast:
        toast_panel(ui, toast, ui.size, state.size_px[1] - 48.0)
    return acts


def opening_card(ui: Ui, path: Path, secs: float) -> list[Act]:
    """A file on its way: its name, what goes on, and a way out. A run tells no share of the way, so the bar walks."""
    width, height = min(LOADING[0], ui.size[0] - 24.0), LOADING[1]
    box = Box(round((ui.size[0] - width) / 2), round(0.38 * ui.size[1]), width, height)
    acts: list[Act] = []
    with ui.card("opening", box, rounding=DIALOG_ROUNDING):
        title = ui.type.fit(f"Opening {path.name}", width - 130, 14, "semibold")
        ui.text(box.x + 24, box.y + 32, title, 14, "semibold")
        ui.text(box.x + 24, box.y + 56, f"Reading the file, {secs:.0f} s", 12, token="text2")
        if _button(ui, "cancel opening", Box(box.x1 - 96, box.y + 18, 74, 30), "Cancel"):
            acts.append(CancelOpening())
        rail = Box(box.x + 24, box.y1 - 28, width - 48, 4)
        ui.fill(rail, "act", 2)
        part, at = 0.24 * rail.w, 0.5 - 0.5 * math.cos(2.2 * secs)
        ui.fill(Box(rail.x + (rail.w - part) * at, rail.y, part, rail.h), "accent", 2)
    ui.wake_secs = 0.03
    return acts


def waiting_card(ui: Ui, path: Path, secs: float) -> list[Act]:
    """A folder that does not hold a run yet: what is waited for, for how long, and a way out."""
    width = min(LOADING[0], ui.size[0] - 24.0)
    box = Box(round((ui.size[0] - width) / 2), round(0.38 * ui.size[1]), width, 84.0)
    acts: list[Act] = []
    with ui.card("opening", box, rounding=DIALOG_ROUNDING):
        title = ui.type.fit(f"Waiting for a run in {path.name}", width - 140, 14, "semibold")
        ui.text(box.x + 24, box.y + 32, title, 14, "semibold")
        ui.text(box.x + 24, box.y + 56, f"It opens with its first epoch · {secs_text(secs)} so far", 12, token="text2")
        if _button(ui, "cancel opening", Box(box.x1 - 96, box.y + 18, 74, 30), "Cancel"):
            acts.append(CancelOpening())
    ui.wake_secs = 1.0
    return acts


def error_dialog(ui: Ui, visit: Visit) -> list[Act]:
    """The error card over a run that stays open."""
    width = min(WIDTH, ui.size[0] - 24.0)
    return error_card(ui, visit, Box(round((ui.size[0] - width) / 2), round(0.26 * ui.size[1]), width, DROP_H))


def error_card(ui: Ui, visit: Visit, box: Box) -> list[Act]:
    """What was expected, what came, what to do; in the drop card's place."""
    acts: list[Act] = []
    name = visit.failed.name if visit.failed is not None else "The file"
    lines = ui.type.wrap(visit.error, box.w - 64.0, 12.5)
    if len(lines) > 5:
        lines = [*lines[:4], ui.type.fit(" ".join(lines[4:]), box.w - 64.0, 12.5)]
    with ui.card("error", box, rounding=DIALOG_ROUNDING):
        ui.icon(box.x + 38, box.y + 40, "file-x", 22, "accent")
        title = ui.type.fit(f"{name} did not open", box.w - 110, 18, "display")
        ui.text(box.x + 62, box.y + 40, title, 18, "display")
        for k, line in enumerate(lines):
            ui.text(box.x + 32, box.y + 80 + 20 * k, line, 12.5, token="text2")
        y = box.y1 - 54
        if _button(ui, "copy error", Box(box.x + 32, y, 118, 34), "Copy details", "copy"):
            acts.append(CopyText(f"nn3d {__version__}: {visit.failed}: {visit.error}", "Copied the details"))
        if _button(ui, "other file", Box(box.x + 162, y, 150, 34), "Open another file", "folder-open"):
            acts += [ForgiveError(), AskFile()]
        if _button(ui, "forgive", Box(box.x1 - 118, y, 86, 34), "Close", is_filled=True):
            acts.append(ForgiveError())
    return acts


def _drop_card(ui: Ui, box: Box) -> list[Act]:
    acts: list[Act] = []
    middle = box.x + box.w / 2
    with ui.card("drop", box, rounding=16.0):
        _dashes(ui, Box(box.x + 14, box.y + 14, box.w - 28, box.h - 28))
        ui.icon(middle, box.y + 58, "upload", 28, "accent")
        ui.text(middle, box.y + 98, "Drop a network here", 20, "display", align="c")
        ui.text(middle, box.y + 124, ui.type.fit(FORMATS, box.w - 60, 12), 12, token="text2", align="c")
        y = box.y + 158
        if _button(ui, "open file", Box(middle - 155, y, 150, 36), "Open a file", "folder-open"):
            acts.append(AskFile())
        if _button(ui, "open demo", Box(middle + 5, y, 150, 36), "Open the demo", "play", is_filled=True):
            acts.append(OpenDemo())
    return acts


def _recents_card(ui: Ui, visit: Visit, box: Box) -> list[Act]:
    acts: list[Act] = []
    today = datetime.now()
    with ui.card("recent", box, rounding=DIALOG_ROUNDING):
        ui.text(box.x + 18, box.y + 22, "Recent", 12, "medium", "text2")
        if ui.hit("forget", Box(box.x1 - 60, box.y + 10, 50, 24), "Forget these files").clicked:
            acts.append(ForgetFiles())
        ui.text(box.x1 - 18, box.y + 22, "Clear", 11, token="text2", align="r")
        for k, recent in enumerate(visit.settings.recents[:MOST_ROWS]):
            row = Box(box.x + 8, box.y + HEAD - 4 + ROW * k, box.w - 16, ROW - 2)
            path = Path(recent.path)
            is_here = visit.exists(path)
            if widgets.row_hit(ui, f"recent{k}", row, is_on=False).clicked and is_here:
                acts.append(OpenFile(recent.path))
            y, ink = row.y + row.h / 2, "text" if is_here else "text3"
            ui.icon(row.x + 18, y, "file", 15, "text2" if is_here else "text3")
            x = row.x + 38
            name = ui.type.fit(path.name, 230, 12.5, "medium")
            x += ui.text(x, y, name, 12.5, "medium", ink) + 10
            words = recent.words if is_here else "moved or deleted"
            right = row.x1 - 92
            ui.text(right, y, words, 11, token="text2" if is_here else "text3", align="r")
            room = right - ui.type.width(words, 11) - 16 - x
            if room > 40:
                ui.text(x, y, ui.type.fit(_folder(path), room, 11), 11, token="text3")
            ui.text(row.x1 - 10, y, day_words(recent.opened, today), 11, token="text2", align="r")
    return acts


def _folder(path: Path) -> str:
    """The folder, with the home folder as ~."""
    try:
        return str(Path("~") / path.parent.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path.parent)


def _name_card(ui: Ui) -> list[Act]:
    width = 30.0 + ui.type.width("nn3d", 13, "semibold") + 8 + ui.type.width(__version__, 11)
    with ui.card("name", Box(12, 12, width, 40)):
        x = 12 + 15.0
        x += ui.text(x, 32, "nn3d", 13, "semibold") + 8
        ui.text(x, 32, __version__, 11, token="text2")
    return []


def _theme_card(ui: Ui, state: ViewState) -> list[Act]:
    is_dark = state.theme == "dark"
    box = Box(ui.size[0] - 52, 12, 40, 40)
    with ui.card("theme card", box):
        icon = "sun" if is_dark else "moon"
        if widgets.icon_button(ui, "theme", box.x + 6, box.y + 6, icon, tip=tip("dark or light")):
            return [SetTheme("light" if is_dark else "dark")]
    return []


def _button(ui: Ui, name: str, box: Box, words: str, icon: str = "", *, is_filled: bool = False) -> bool:
    hit = ui.hit(name, box)
    ground = "accent" if is_filled else "act" if hit.hovered else "hover"
    ui.fill(box, ground, 6, 0.88 if is_filled and hit.hovered else 1.0)
    ink = "ink" if is_filled else "text"
    width = ui.type.width(words, 12.5, "medium") + (22 if icon else 0)
    x = box.x + (box.w - width) / 2
    if icon:
        ui.icon(x + 8, box.y + box.h / 2, icon, 14, ink)
        x += 22
    ui.text(x, box.y + box.h / 2, words, 12.5, "medium", ink)
    return hit.clicked


def _dashes(ui: Ui, box: Box) -> None:
    """A dashed outline with rounded corners."""
    r = 10.0
    for x0, y0, x1, y1 in (
        (box.x + r, box.y, box.x1 - r, box.y), (box.x + r, box.y1, box.x1 - r, box.y1),
        (box.x, box.y + r, box.x, box.y1 - r), (box.x1, box.y + r, box.x1, box.y1 - r),
    ):  # fmt: skip
        length = math.hypot(x1 - x0, y1 - y0)
        n = max(1, round((length + GAP) / (DASH + GAP)))
        dash = (length + GAP) / n - GAP
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        for k in range(n):
            a = k * (dash + GAP)
            ui.line(x0 + dx * a, y0 + dy * a, x0 + dx * (a + dash), y0 + dy * (a + dash), "text3", 1.4)
    for cx, cy, start in ((box.x + r, box.y + r, 1.0), (box.x1 - r, box.y + r, 1.5), (box.x1 - r, box.y1 - r, 0.0),
                          (box.x + r, box.y1 - r, 0.5)):  # fmt: skip
        ui.list.path_arc_to(imgui.ImVec2(cx, cy), r, start * math.pi, (start + 0.5) * math.pi, 12)
        ui.list.path_stroke(ui.colour("text3"), 1.4)
