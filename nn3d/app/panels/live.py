"""The card of a run that is followed: a dot, full while epochs come; when the last one did; and a way to hold."""

from __future__ import annotations

import time
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.following import Pulse
from nn3d.app.ui import Ui
from nn3d.stage.commands import Follow
from nn3d.stage.controls import Act
from nn3d.stage.state import ViewState

WIDTH: Final = 560.0
BUTTON_W: Final = 108.0
_HEAD: Final = 46.0


def live_panel(ui: Ui, state: ViewState, pulse: Pulse, box: Box) -> list[Act]:
    """Draw the card."""
    now, y = time.monotonic(), box.y + box.h / 2
    acts: list[Act] = []
    with ui.card("live", box):
        _dot(ui, box.x + 22, y, is_full=not (pulse.is_silent(now) or pulse.trouble))
        x = box.x + _HEAD - 6
        x += ui.text(x, y, _title(state), 13, "semibold") + 12
        room = box.x1 - BUTTON_W - 20 - x
        ui.text(x, y, ui.type.fit(pulse.words(now), room, 12), 12, token="text2")
        button = Box(box.x1 - BUTTON_W - 6, box.y + 6, BUTTON_W, box.h - 12)
        is_held = state.live is not None and state.live.is_held
        icon, label = ("play", "Follow") if is_held else ("pause", "Hold here")
        tip = "To the last epoch, and along with those that come" if is_held else "The picture stays, the run goes on"
        if widgets.text_button(ui, "hold", button, icon, label, tip=tip):
            acts.append(Follow(is_held))
    wake = pulse.wake_secs(now)
    ui.wake_secs = wake if ui.wake_secs is None else min(wake, ui.wake_secs)
    return acts


def _title(state: ViewState) -> str:
    return "Held" if state.live is not None and state.live.is_held else "Following"


def _dot(ui: Ui, x: float, y: float, *, is_full: bool) -> None:
    ui.disc(x, y, 7.5, "text3")
    ui.disc(x, y, 6.0, "panel")
    if is_full:
        ui.disc(x, y, 4.5, "accent")
