"""The samples: a thumb each, with the predicted class in its corner; wrong ones wear a badge."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts
from nn3d.app.own_input import canvas_of
from nn3d.app.tints import input_texels, picture_of, thumb_texels
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetPanels, SetSample
from nn3d.stage.controls import Act, tip
from nn3d.stage.state import ViewState

THUMB: Final = 34.0
GAP: Final = 4.0
TOP: Final = 38.0


def samples_panel(ui: Ui, state: ViewState, facts: Facts, box: Box) -> list[Act]:
    """Draw the thumbs in view; more than two rows scroll, and follow the chosen sample."""
    with ui.card("samples", box):
        if not facts.run.samples:
            ui.icon(box.x + 20, box.y + min(box.h, 48) / 2, "image", 14, "text3")
            ui.text(box.x + 36, box.y + min(box.h, 48) / 2, "Samples need a model", 12, token="text2")
            return []
        _head(ui, state, facts, box)
        columns = max(1, int((box.w - 24 + GAP) // (THUMB + GAP)))
        total = state.n_samples + 1
        rows = -(-total // columns)
        body = Box(box.x + 8, box.y + TOP - 4, box.w - 12, box.h - TOP + 4 - 8)
        content = rows * (THUMB + GAP) + 4
        acts: list[Act] = []
        with ui.scroll("thumbs", body, content) as offset:
            _follow(ui, state.sample // columns * (THUMB + GAP), offset, body.h)
            first = int(offset // (THUMB + GAP)) * columns
            last = min(total, first + (int(body.h // (THUMB + GAP)) + 2) * columns)
            for k in range(first, last):
                place = Box(
                    box.x + 12 + (k % columns) * (THUMB + GAP),
                    body.y + 4 - offset + (k // columns) * (THUMB + GAP), THUMB, THUMB,
                )  # fmt: skip
                if k == state.n_samples:
                    acts += _plus(ui, state, place)
                elif k >= state.n_recorded:
                    acts += _own_thumb(ui, state, facts, k - state.n_recorded, place)
                else:
                    acts += _thumb(ui, state, facts, k, place)
        return acts


def _head(ui: Ui, state: ViewState, facts: Facts, box: Box) -> None:
    ui.text(box.x + 12, box.y + 20, "Samples", 12, "medium")
    now = round(state.time.epoch)
    labels = [s.label for s in facts.run.samples]
    predicted = facts.predictions(now)
    known = [i for i, label in enumerate(labels) if label is not None]
    if predicted is None or not known:
        return
    told = [i for i in known if predicted[i] >= 0]
    right = sum(int(predicted[i] == labels[i]) for i in told)
    hint = f"{right} of {len(known)} right at epoch {facts.run.epochs[now].id}" if told else "no prediction"
    if box.w < 300:
        hint = f"{right} of {len(known)} right" if told else hint
    is_odd = not told and bool(facts.health.n_odd(now))
    hint = f"{hint}: not finite" if is_odd else hint
    ui.text(box.x1 - 12, box.y + 20, hint, 11, token="nonfinite" if is_odd else "text2", align="r")


def _follow(ui: Ui, row_y: float, offset: float, height: float) -> None:
    """Scroll to the row of the chosen sample when another one was chosen."""
    if ui.memory.get("sample row") == row_y:
        return
    ui.memory["sample row"] = row_y
    if row_y < offset or row_y + THUMB + GAP > offset + height:
        widgets.scroll_to(max(0.0, row_y - (height - THUMB) / 2))


def _thumb(ui: Ui, state: ViewState, facts: Facts, k: int, place: Box) -> list[Act]:
    sample = facts.run.samples[k]
    hit = ui.hit(f"sample{k}", place, _words(facts, state, k))
    picture = facts.input(k)
    if picture is None:
        ui.fill(place, "well", 4)
    else:
        ui.thumb(("sample", k, state.theme), lambda: input_texels(picture, state.theme), place, 4.0)
    ui.outline(place, "line", 4)
    predicted = facts.predictions(round(state.time.epoch))
    if predicted is not None and predicted[k] >= 0:
        is_wrong = sample.label is not None and int(predicted[k]) != sample.label
        _badge(ui, _class_text(facts, int(predicted[k])), place, is_wrong=is_wrong)
    if k == state.sample:
        ui.outline(Box(place.x - 2, place.y - 2, place.w + 4, place.h + 4), "accent", 6, 2)
    return [SetSample(k)] if hit.clicked and k != state.sample else []


def _own_thumb(ui: Ui, state: ViewState, facts: Facts, which: int, place: Box) -> list[Act]:
    """An input of one's own: its picture or numbers, or a letter where it is text."""
    own, k = state.own[which], state.n_recorded + which
    is_under_way = k == state.sample and state.wave is not None
    predicted = -1 if is_under_way else facts.own_class(state, which)
    said = "" if predicted < 0 else f", predicted {_name(facts, predicted)}"
    hit = ui.hit(f"own{which}", place, f"{own.name}{said}: {own.note}")
    kind, key = own.arrays[0].kind, ("own", own.arrays[0], state.theme)
    if kind == "picture":
        ui.thumb(key, lambda: thumb_texels(canvas_of(own), state.theme), place, 4.0)
    elif kind == "array":
        ui.thumb(key, lambda: input_texels(picture_of(canvas_of(own)), state.theme), place, 4.0)
    else:
        ui.fill(place, "well", 4)
        ui.icon(place.x + place.w / 2, place.y + place.h / 2, "type", 15)
    ui.outline(place, "line", 4)
    if predicted >= 0:
        _badge(ui, _class_text(facts, predicted), place, is_wrong=False)
    if k == state.sample:
        ui.outline(Box(place.x - 2, place.y - 2, place.w + 4, place.h + 4), "accent", 6, 2)
    return [SetSample(k)] if hit.clicked and k != state.sample else []


def _plus(ui: Ui, state: ViewState, place: Box) -> list[Act]:
    """Opens the pad on an empty sheet: away from an input of one's own, back to the last recorded sample."""
    hit = ui.hit("own plus", place, tip("own picture, drawing or text"))
    ui.fill(place, "act" if hit.hovered else "hover", 4)
    ui.icon(place.x + place.w / 2, place.y + place.h / 2, "plus", 16, "text2")
    if not hit.clicked:
        return []
    acts: list[Act] = [SetPanels(replace(state.panels, pad=True))]
    return [*acts, SetSample(state.n_recorded - 1)] if state.sample >= state.n_recorded else acts


def _class_text(facts: Facts, index: int) -> str:
    """The class's own name where it is a letter or digit or two, else its number."""
    classes = facts.run.classes
    name = classes[index] if classes and index < len(classes) else ""
    return name if 0 < len(name) <= 2 else f"{index}"


def _badge(ui: Ui, text: str, place: Box, *, is_wrong: bool) -> None:
    width = max(13.0, ui.type.width(text, 10, "semibold") + 7) + (11 if is_wrong else 0)
    box = Box(place.x1 - width, place.y1 - 14, width, 14)
    middle = box.y + 7
    if is_wrong:
        ui.fill(box, "accent", 4)
        ui.icon(box.x + 7, middle, "x", 10, "ink")
        ui.text(box.x1 - 3.5, middle, text, 10, "semibold", "ink", "r")
    else:
        ui.fill(box, "panel", 4, 0.88)
        ui.text(box.x + width / 2, middle, text, 10, "medium", "text2", "c")


def _name(facts: Facts, index: int) -> str:
    classes = facts.run.classes
    return classes[index] if classes and index < len(classes) else f"{index}"


def _words(facts: Facts, state: ViewState, k: int) -> str:
    sample = facts.run.samples[k]
    predicted = facts.predictions(round(state.time.epoch))
    parts = [sample.name]
    if predicted is not None and predicted[k] >= 0:
        parts.append(f"predicted {_name(facts, int(predicted[k]))}")
    if sample.label is not None:
        parts.append(f"truth {_name(facts, sample.label)}")
    return ", ".join(parts)
