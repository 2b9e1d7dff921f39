"""All panels of one frame: what they need, where they lie, and what was done to them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from imgui_bundle import imgui

from nn3d.app.cards import RIGHT, Layout, Needs, arrange_cards
from nn3d.app.facts import Facts
from nn3d.app.following import Pulse
from nn3d.app.guide import Guide
from nn3d.app.panels.compare import compare_panel, compare_width
from nn3d.app.panels.guide import guide_panel, guide_width
from nn3d.app.panels.help import help_panel, help_size
from nn3d.app.panels.inspector import inspector_height, inspector_panel
from nn3d.app.panels.live import WIDTH as LIVE_W
from nn3d.app.panels.live import live_panel
from nn3d.app.panels.notes import banner_panel, corner_panels, has_banner, pill_panel, toast_panel
from nn3d.app.panels.pad import pad_height, pad_panel
from nn3d.app.panels.palette import search_dialog
from nn3d.app.panels.samples import samples_panel
from nn3d.app.panels.timeline import timeline_panel
from nn3d.app.panels.toolbar import ACTIONS_W, file_width, toolbar_panel, view_widths
from nn3d.app.panels.tree import tree_height, tree_panel
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetPanels
from nn3d.stage.controls import Act, Context
from nn3d.stage.frame import Frame
from nn3d.stage.meanwhile import epoch_shown
from nn3d.stage.state import ViewState


@dataclass(frozen=True, slots=True)
class Names:
    """What the file card says: the model, and the file it came from."""

    title: str
    subtitle: str = ""


def lay_out(
    ui: Ui, state: ViewState, facts: Facts, names: Names, frame: Frame | None, guide: Guide | None,
    pulse: Pulse | None = None,
) -> Layout:  # fmt: skip
    """Where the cards lie for this state."""
    needs = Needs(
        file_w=file_width(ui, names.title, names.subtitle),
        actions_w=ACTIONS_W,
        view_w=view_widths(ui),
        tree_h=tree_height(ui, state, facts),
        inspector_h=inspector_height(ui, state, facts, frame) if frame and state.panels.inspector else 200.0,
        help=help_size(state.size_px[0]),
        has_epochs=state.n_epochs > 1,
        n_samples=len(facts.run.samples) + len(state.own) + 1,
        has_banner=has_banner(ui, facts),
        guide_w=guide_width(ui, guide) if guide is not None else 0.0,
        live_w=LIVE_W if pulse is not None else 0.0,
        compare_w=compare_width(ui, facts.run, state),
        pad_h=pad_height(ui, facts, RIGHT) if state.panels.pad else 0.0,
    )
    return arrange_cards(state.size_px, state.panels, needs)


def draw_panels(
    ui: Ui, state: ViewState, facts: Facts, names: Names, frame: Frame, layout: Layout, context: Context, toast: str,
    guide: Guide | None, pulse: Pulse | None = None,
) -> list[Act]:  # fmt: skip
    """Draw every open card; returns what was asked of them."""
    facts.begin()
    boxes = layout.boxes
    acts: list[Act] = []
    if state.panels.picture_only:
        acts += corner_panels(ui, state, boxes["left"], boxes["right"])
        acts += pill_panel(ui, state, facts, boxes["pill"])
    else:
        acts += toolbar_panel(ui, state, layout, names.title, names.subtitle)
        acts += timeline_panel(ui, state, facts, boxes["timeline"], epoch_shown(frame.stand_ins))
        acts += samples_panel(ui, state, facts, boxes["samples"])
        if "tree" in boxes:
            acts += tree_panel(ui, state, facts, context, boxes["tree"])
        if "inspector" in boxes:
            acts += inspector_panel(ui, state, facts, frame, context, boxes["inspector"])
        else:
            ui.memory["resizing"] = False
        if "pad" in boxes:
            acts += pad_panel(ui, state, facts, boxes["pad"])
        if "banner" in boxes:
            acts += banner_panel(ui, boxes["banner"])
        if guide is not None and "guide" in boxes:
            acts += guide_panel(ui, guide, boxes["guide"])
        if pulse is not None and "live" in boxes:
            acts += live_panel(ui, state, pulse, boxes["live"])
        if "compare" in boxes:
            acts += compare_panel(ui, facts.run, state, boxes["compare"])
    if toast:
        lowest = boxes["pill"] if state.panels.picture_only else boxes["timeline"]
        key = layout.anchors.key
        toast_panel(ui, toast, ui.size, min(lowest.y, lowest.y if key is None else key[1]))
    if layout.help is not None:
        acts += _help(ui, state, layout)
    ui.memory["help is up"] = layout.help is not None
    if state.search.kind:
        acts += search_dialog(ui, state, facts, context)
    ui.memory["search is up"] = state.search.kind
    return acts


def _help(ui: Ui, state: ViewState, layout: Layout) -> list[Act]:
    """The dialog on a scrim; a click beside it closes it."""
    assert layout.help is not None
    is_new = not ui.memory.get("help is up", False)
    beside = ui.scrim(is_new=is_new)
    if is_new:
        imgui.set_next_window_focus()
    acts = help_panel(ui, state, layout.help)
    if beside and not acts:
        acts.append(SetPanels(replace(state.panels, help=False)))
    return acts
