"""`--tour`: a tour file read against a run, and the view as it stands at one of its steps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from nn3d.cli.viewing import play, read_json
from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage import camera as cameras
from nn3d.stage.complete import compose
from nn3d.stage.framing import framed
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, Thing, ViewState
from nn3d.stage.tour import Tour, entered, from_data, settled


def read_tour(run: Run, text: str) -> Tour:
    """The tour of a JSON file, or of JSON. Raises Nn3dError naming file and step."""
    layers = {layer.name: layer.index for layer in run.layers}
    try:
        return from_data(read_json(text, "--tour"), layers)
    except Nn3dError as error:
        named = str(error) if text.lstrip().startswith("{") else f"{Path(text).name}: {error}"
        raise Nn3dError(named.replace("--tour: ", "")) from None


def at_step(run: Run, state: ViewState, resident: Resident, text: str) -> ViewState:
    """The state at rest after FILE's step N ("tour.json#3"; the last one without a number)."""
    for step in steps_of(run, text).steps:
        state = settled(play(state, entered(step, state, partial(look, run, resident))))
    return state


def steps_of(run: Run, text: str) -> Tour:
    """The tour of FILE up to step N ("tour.json#3"; all of it without a number)."""
    path, mark, number = text.rpartition("#")
    if not mark or not number.isdecimal():
        path, number = text, ""
    tour = read_tour(run, path)
    count = int(number) if number and len(number) < 6 else len(tour.steps)
    if not 1 <= count <= len(tour.steps):
        raise Nn3dError(f"--tour: the tour has steps 1 to {len(tour.steps)}, got {number}")
    return replace(tour, steps=tour.steps[:count])


def look(run: Run, resident: Resident, state: ViewState, thing: Thing | None) -> tuple[Camera, Camera]:
    """What a tour asks for: the camera as it is now, free of fit, and the one that shows the thing."""
    frame = compose(run, state, resident=resident)
    start = cameras.resolve(frame)
    return start, cameras.fit(state.camera) if thing is None else framed(frame, thing)
