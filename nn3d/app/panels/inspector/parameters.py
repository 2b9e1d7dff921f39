"""The parameters of a layer: a list of them, and the chosen one as a picture with its scale; files and clipboard."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Final

from nn3d.analysis.tensors import KernelShape, Matrix, Scale, kernel_shape
from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts, count_text, shape_text
from nn3d.app.panels.inspector.kernels import Sheet, draw_sheet, sheet_of
from nn3d.app.panels.inspector.matrix import block_words, draw_matrix, plan_of
from nn3d.app.panels.inspector.page import BUTTONS, CAPTION, HEAD, Page, Part, buttons, caption, head, legend
from nn3d.run.model import Layer, Parameter
from nn3d.run.ops import op_of
from nn3d.stage.commands import SetPanels
from nn3d.stage.controls import Act
from nn3d.stage.controls.requests import CopyValues, SaveTensor

LINE: Final = 22.0
COLOURS: Final = 3


def chosen(page: Page) -> Parameter | None:
    """The parameter that is shown as a picture: the chosen one of this layer, else its weight, else its first."""
    layer, run = page.layer, page.facts.run
    if layer is None or page.is_group or not layer.parameters:
        return None
    wanted = page.state.panels.tensor
    own = wanted if wanted in layer.parameters else layer.weight if layer.weight is not None else layer.parameters[0]
    return run.parameter_info(own)


def parameters_part(page: Page) -> Part | None:
    """The list, where there are several, and the picture."""
    parameter, layer = chosen(page), page.layer
    if parameter is None or layer is None:
        return None
    listed = LINE * len(layer.parameters) + 8 if len(layer.parameters) > 1 else 0.0
    return Part(HEAD + listed + _picture_height(page, parameter) + CAPTION + BUTTONS + 4, _draw)


def _sheet(page: Page, parameter: Parameter) -> tuple[Sheet, bool] | None:
    """How the kernels lie, and whether they are shown in colour; None where the parameter has no kernels."""
    layer, shape = page.layer, kernel_shape(parameter.shape)
    if shape is None or layer is None or not shows_kernels(layer, parameter.id, parameter.shape):
        return None
    is_colour = shows_colour(page.facts, layer, shape)
    return sheet_of(shape, page.w, is_colour=is_colour), is_colour


def shows_kernels(layer: Layer, parameter: int, shape: tuple[int, ...]) -> bool:
    """Whether a parameter is shown kernel by kernel: the weight of a convolution that has more than one cell."""
    return kernel_shape(shape) is not None and parameter == layer.weight and op_of(layer.op).family == "conv"


def shows_colour(facts: Facts, layer: Layer, shape: KernelShape) -> bool:
    """Whether kernels are shown in colour: they read the three channels of a picture."""
    shown = {facts.run.layers[link.source].shown for link in layer.links}
    return shape.n_in == COLOURS and any(i.node in shown and i.kind == "image" for i in facts.run.graph.inputs)


def _picture_height(page: Page, parameter: Parameter) -> float:
    found = _sheet(page, parameter)
    return plan_of(parameter.shape, page.w).size[1] if found is None else found[0].height


def _draw(page: Page, y: float) -> list[Act]:
    parameter, layer = chosen(page), page.layer
    assert parameter is not None
    assert layer is not None
    found = _sheet(page, parameter)
    title = "Filters" if found is not None else "Weights" if parameter.id == layer.weight else _short(page, parameter)
    head(page, y, title, shape_text(parameter.shape))
    y += HEAD
    acts: list[Act] = []
    if len(layer.parameters) > 1:
        acts += _list(page, y, parameter)
        y += LINE * len(layer.parameters) + 8
    if not page.facts.run.has_parameter(parameter.id, page.epoch):
        caption(page, y, "not recorded at this epoch")
        return acts
    height = _picture_height(page, parameter)
    if page.sees(y, height + CAPTION):
        acts += _picture(page, y, parameter, height)
    return acts + _save(page, y + height + CAPTION, parameter)


def _short(page: Page, parameter: Parameter) -> str:
    """A parameter's own word: "weight" of "features.0.weight"."""
    return parameter.name.rpartition(".")[2] or parameter.name


def _list(page: Page, y: float, on: Parameter) -> list[Act]:
    """The layer's parameters with their shapes; a click shows one as a picture."""
    ui, layer, run = page.ui, page.layer, page.facts.run
    assert layer is not None
    infos = [run.parameter_info(p) for p in layer.parameters]
    shorts = [_short(page, info) for info in infos]
    acts: list[Act] = []
    for k, info in enumerate(infos):
        box = Box(page.x - 6, y + k * LINE, page.w + 12, LINE - 2)
        if widgets.row_hit(ui, f"parameter{info.id}", box, is_on=info.id == on.id).clicked:
            acts.append(SetPanels(replace(page.state.panels, tensor=info.id)))
        name = shorts[k] if shorts.count(shorts[k]) == 1 else info.name
        shape = shape_text(info.shape)
        room = page.w - ui.type.width(shape, 12) - 12
        ui.text(page.x, box.y + box.h / 2, ui.type.fit(name, room, 12), 12, token="text" if info is on else "text2")
        ui.text(page.x + page.w, box.y + box.h / 2, shape, 12, "medium" if info is on else "regular", "text2", "r")
    return acts


def _picture(page: Page, y: float, parameter: Parameter, height: float) -> list[Act]:
    found, under = _sheet(page, parameter), y + height
    if found is None:
        matrix = draw_matrix(page, y, plan_of(parameter.shape, page.w), parameter.id)
        if matrix is not None:
            legend(page, under, matrix.full, _matrix_words(matrix, parameter))
        return []
    sheet, is_colour = found
    scale: Scale | None = page.kept("scale", parameter.id, page.facts.ask("scale", parameter.id, page.epoch))
    if scale is None:
        caption(page, y, "…")
        return []
    words = f"99.5 % of {'' if scale.n_values == scale.n_all else '1 M of '}{count_text(scale.n_all)}"
    words = f"each of red, green, blue; {words}" if is_colour else words
    legend(page, under, scale.full, words, key="colour" if is_colour else "signed")
    groups = page.facts.run.node(page.layer.nodes[0]).attributes.get("groups", 1) if page.layer is not None else 1
    return draw_sheet(page, y, sheet, parameter.id, scale.full, int(groups or 1), is_colour=is_colour)


def _matrix_words(matrix: Matrix, parameter: Parameter) -> str:
    means = block_words(matrix)
    return means or f"99.5 % of {count_text(prod(parameter.shape))}"


def _save(page: Page, y: float, parameter: Parameter) -> list[Act]:
    pressed = buttons(page, y, "weights", (
        ("download", ".npy", f"Save {parameter.name} as numbers"),
        ("image", ".png", "Save a picture of it"),
        ("copy", "Copy", f"Copy {parameter.name} as a table"),
    ))  # fmt: skip
    if pressed is None:
        return []
    return [CopyValues(parameter.id) if pressed == "Copy" else SaveTensor(page.item, parameter.id, pressed)]


