"""The card of a comparison: what is subtracted from what, other epochs of A, and back to values as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.ui import Ui
from nn3d.run.run import Run
from nn3d.stage.commands import SetCompare, SetSides
from nn3d.stage.comparing import name_of, partner_of
from nn3d.stage.controls import Act
from nn3d.stage.state import ViewState

ROOM: Final = 216.0
NARROWEST: Final = 366.0
SIDES: Final = "columns-2"


@dataclass(frozen=True, slots=True)
class Words:
    """What is compared: A and B, for people; and the epochs of A around the one at hand, None where there is none."""

    a: str
    b: str
    back: int | None
    on: int | None


def compare_words(run: Run, state: ViewState) -> Words | None:
    """What the card says; None where nothing is compared."""
    other = partner_of(run, state)
    if other is None or state.compare is None:
        return None
    at, now = min(state.compare.epoch, len(other.epochs) - 1), min(round(state.time.epoch), len(run.epochs) - 1)
    names = ("", "") if other is run else (f"{name_of(other)} ", f"{name_of(run)} ")
    a, b = f"{names[0]}epoch {other.epochs[at].id}", f"{names[1]}epoch {run.epochs[now].id}"
    return Words(a, b, at - 1 if at > 0 else None, at + 1 if at + 1 < len(other.epochs) else None)


def compare_width(ui: Ui, run: Run, state: ViewState) -> float:
    """Width that the card asks for; 0 where nothing is compared."""
    words = compare_words(run, state)
    if words is None:
        return 0.0
    return max(NARROWEST, round(ui.type.width(f"{words.b} − {words.a}", 13, "medium")) + ROOM)


def compare_panel(ui: Ui, run: Run, state: ViewState, box: Box) -> list[Act]:
    """Draw the card."""
    words, acts, y = compare_words(run, state), list[Act](), box.y + box.h / 2
    if words is None or state.compare is None:
        return acts
    is_other = state.compare.is_other
    with ui.card("compare", box):
        x = box.x + 14
        x += ui.text(x, y, "B − A", 13, "semibold", "accent") + 12
        room = box.x1 - 138 - x
        ui.text(x, y, ui.type.fit(f"{words.b} − {words.a}", room, 13, "medium"), 13, "medium")
        buttons = (
            ("a back", "chevron-left", words.back, "A: one epoch earlier"),
            ("a on", "chevron-right", words.on, "A: one epoch later"),
        )
        for k, (name, icon, goal, said) in enumerate(buttons):
            pressed = widgets.icon_button(ui, name, box.x1 - 130 + 30 * k, box.y + 6, icon, tip=said)
            if pressed and goal is not None:
                acts.append(SetCompare(goal, is_other))
        on = state.compare_sides
        said = "The difference alone" if on else "A and B above their difference"
        if widgets.icon_button(ui, "sides", box.x1 - 66, box.y + 6, SIDES, tip=said, is_on=on):
            acts.append(SetSides(not on))
        if widgets.icon_button(ui, "no compare", box.x1 - 36, box.y + 6, "x", tip="Values as they are  (B)"):
            acts.append(SetCompare(None))
    return acts
