"""`nn3d render`: a picture of a run, without a display."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import click

from nn3d.cli.comparing import compared_with
from nn3d.cli.film import FilmOptions, film_options, render_film
from nn3d.cli.own import with_own
from nn3d.cli.sources import SourceOptions, open_any, source_options
from nn3d.cli.states import read_state
from nn3d.cli.viewing import apply_view_options, play, read_script, view_options


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        w, h = (int(v) for v in value.lower().split("x"))
    except ValueError:
        raise click.BadParameter(f"expected WxH such as 1600x900, got {value!r}") from None
    if not (160 <= w <= 16384 and 120 <= h <= 16384):
        raise click.BadParameter(f"expected 160x120 to 16384x16384, got {value}")
    return w, h


@click.command(epilog="Example: nn3d render run.npz -o picture.png --epoch 3 --theme light --size 1920x1080")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.png|.jpg|.mp4|.webm|.gif|frames/"
)
@click.option("--size", callback=_size, metavar="WxH", help="Picture size in px.  [1600x900]")
@click.option("--scale", type=click.FloatRange(0.5, 4.0), help="Device px a px: 2 doubles every side.  [1]")
@click.option("--yaw", type=float, metavar="D", help="Degrees around the network; 53 sees the input sides.")
@click.option("--pitch", type=float, metavar="D", help="Degrees above the floor; from 25 on it swings to the side.")
@click.option("--near", metavar="LAYER[/TILE]", help="The camera near one layer, or close up to one of its tiles.")
@click.option("--hover", metavar="LAYER[/TILE[/ROW,COLUMN]]", help="The pointer over a layer, a tile or a cell.")
@click.option("--select", metavar="LAYER:I,J,…", help="Pin a cell, by tile or by index, and show why this value.")
@click.option("--tour", metavar="FILE[#N]", help="The view at step N, or at the end; a film plays it.")
@click.option(
    "--frames", type=click.IntRange(0, 10000), default=0, metavar="N", help="Time N frames with a turning camera."
)
@click.option("--transparent", is_flag=True, help="No ground: a PNG or .webm that lies on any page.")
@click.option("--stats", type=click.Path(path_type=Path), metavar="STATS.json", help="Write figures: times, counts.")
@click.option("--dump", type=click.Path(path_type=Path), metavar="FRAME.npz", help="Write what is drawn as arrays.")
@film_options
@view_options
@source_options
def command(
    file: Path, output: Path, size: tuple[int, int] | None, scale: float | None, yaw: float | None, pitch: float | None,
    near: str | None, hover: str | None, select: str | None, tour: str | None, frames: int, transparent: bool,
    stats: Path | None, dump: Path | None,
    state: str | None, script: str | None, source: SourceOptions, against: str | None, against_epoch: str | None,
    side_by_side: bool, film: FilmOptions, **view: Any,
) -> None:  # fmt: skip
    """Render FILE to a picture or a film: a run, or anything that extract can read."""
    from nn3d.cli.pointing import pointed, selected
    from nn3d.cli.tours import at_step
    from nn3d.export.cutout import cutout
    from nn3d.export.film import is_film
    from nn3d.export.measure import measured_still
    from nn3d.export.png import check_name, save_picture
    from nn3d.stage.commands import Resize
    from nn3d.stage.compose import initial_state
    from nn3d.stage.own import check_own
    from nn3d.stage.resident import Resident
    from nn3d.stage.viewstring import to_text

    films = is_film(output)
    if not films and check_name(output).suffix.lower() != ".png" and transparent:
        raise click.UsageError(f"--transparent needs a .png, got {output.name}")
    if films and (frames or stats or dump):
        raise click.UsageError(f"--frames, --stats and --dump are of a picture, {output.name} is a film")
    if not films and film.given:
        raise click.UsageError(f"{film.given} is of a film (.mp4, .webm, .gif, a folder), {output.name} is a picture")
    commands = read_script(script) if script is not None else []
    started = time.perf_counter()
    with open_any(file, source) as run:
        open_ms = 1000.0 * (time.perf_counter() - started)
        resident = Resident(run)
        seen = read_state(run, state) if state is not None else initial_state(run, resident)
        seen = with_own(run, seen, source)
        if size is not None or scale is not None:
            seen = play(seen, [Resize(size or seen.size_px, scale or seen.scale)])
        seen = apply_view_options(run, seen, **view)
        seen = compared_with(run, seen, source, against, against_epoch, side_by_side=side_by_side)
        seen = play(selected(run, _turned(seen, yaw, pitch), select), commands)
        if tour is not None and not films:
            seen = at_step(run, seen, resident, tour)
        if near is not None or hover is not None:
            seen = _turned(pointed(run, seen, resident, near=near, hover=hover), yaw, pitch)
        check_own(run, seen)
        if films:
            render_film(run, seen, output, film, tour, transparent=transparent)
            return
        pixels, frame, figures = measured_still(run, seen, resident, open_ms=open_ms, n_frames=frames)
        save_picture(output, cutout(frame) if transparent else pixels, to_text(seen))
        if dump is not None:
            _write_dump(dump, run, frame)
    if stats is not None:
        stats.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    elif frames:
        middle, high = figures["frame_ms_median"], figures["frame_ms_p95"]
        click.echo(f"{frames} frames: median {middle:.1f} ms, 95 % under {high:.1f} ms")


def _turned(state: Any, yaw: float | None, pitch: float | None) -> Any:
    from dataclasses import replace

    from nn3d.stage.commands import Advance, SetCamera
    from nn3d.stage.stance import swung

    if yaw is None and pitch is None:
        return state
    camera = state.camera
    camera = replace(camera, yaw_rad=camera.yaw_rad if yaw is None else math.radians(yaw))
    if pitch is not None:
        camera = replace(camera, pitch_rad=math.radians(min(86.0, max(-86.0, pitch))))
        camera = swung(camera) if yaw is None else camera
    return play(state, [SetCamera(camera), Advance(1.0)])


def _write_dump(path: Path, run: Any, frame: Any) -> None:
    import numpy as np

    from nn3d.errors import ExportError
    from nn3d.stage.dump import dump_arrays

    try:
        arrays: dict[str, Any] = dump_arrays(run, frame)
        np.savez(path, **arrays)
    except OSError as error:
        raise ExportError(f"{path}: cannot write ({error.strerror or error}). Choose another folder.") from error
