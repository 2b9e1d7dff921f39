"""nn3d extract: checkpoints, a live model or an export → a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from nn3d.cli.sources import SourceOptions, counting, source_options
from nn3d.extract.options import PASSED_OVER
from nn3d.run.model import Epoch


@click.command(
    epilog="Example: nn3d extract ckpts/*.pt --model net:LeNet --input digits/ -o run.npz",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path), metavar="RUN.npz|RUN/|RUN.json",
    help="What to write: one file, a folder, or readable JSON of a small run.",
)  # fmt: skip
@click.option(
    "--emit", type=click.Path(path_type=Path, dir_okay=False), metavar="MODEL.py",
    help="Write the torch module that a design (spec.toml) describes; -o is not needed then.",
)  # fmt: skip
@source_options
@click.option(
    "--encoding", type=click.Choice(["f32", "f16", "u8"]), default=None,
    help="Of activations; by default f16 up to 256 MB, u8 above. Weights are float32 with f32, else float16.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N",
    help="Processes that extract several checkpoints, threads that compute one; all cores by default.",
)  # fmt: skip
@click.option(
    "--engine", default="local", show_default=True, metavar="local|dask:ADDRESS",
    help="What extracts several checkpoints: processes here, or the workers of a dask cluster (docs/distributed.md).",
)  # fmt: skip
def command(
    files: tuple[Path, ...], out: Path | None, emit: Path | None, source: SourceOptions, encoding: str | None,
    jobs: int | None, engine: str,
) -> None:
    """Make a run from checkpoints, a live model or an export.

    FILES are checkpoints (one epoch each, in natural order), a folder of them, or Sietzen's JSON. Without FILES the
    model is recorded as its factory makes it. Of several checkpoints, those that cannot be read are passed over with a
    line each; RUN/ that was made of some before goes on: only what is new or has changed is read.
    """
    from nn3d.extract.output import to_disk
    from nn3d.extract.remote import fetched
    from nn3d.extract.sources import limit_threads, record, several_checkpoints

    files = tuple(fetched(file, partial(click.echo, err=True)) for file in files)
    if emit is not None:
        _emit(files, emit)
    if out is None:
        if emit is None:
            raise click.UsageError("Missing option '-o' / '--output'.")
        return
    several = several_checkpoints(files, source)
    if several:
        _extract_several(several, out, source, encoding, jobs, engine)
        return
    if engine != "local":
        raise click.UsageError("--engine: expected several checkpoints, or a folder of them.")
    if jobs is not None:
        limit_threads(jobs)
    recording = record(files, source)
    for note in (*recording.graph.notes, *recording.left_out):
        click.echo(f"note: {note}", err=True)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=recording.expected, label="epochs", file=sys.stderr, hidden=hidden) as bar:

        def advance(epoch: Epoch) -> None:
            bar.update(1)

        n = to_disk(recording, out, encoding=encoding, progress=advance)
    click.echo(f"{out}: {n} {'epoch' if n == 1 else 'epochs'}, {len(recording.samples)} samples")


def _emit(files: Sequence[Path], emit: Path) -> None:
    """Write a design as Python."""
    from nn3d.extract.formats.spec import module_of

    if len(files) != 1:
        raise click.UsageError(f"--emit: expected one design, got {len(files)} files.")
    text = module_of(files[0])
    emit.write_text(text, encoding="utf-8")
    name = next(line for line in text.splitlines() if line.startswith("class ")).split()[1].partition("(")[0]
    click.echo(f"{emit}: torch module {name}; try nn3d view --model {emit.stem}:{name}")


def _extract_several(
    files: Sequence[Path], out: Path, source: SourceOptions, encoding: str | None, jobs: int | None, engine: str
) -> None:
    """One epoch a checkpoint, in parallel; lines about those that were passed over come last."""
    from nn3d.extract.checkpoints.opening import write_checkpoints
    from nn3d.run.reader import open_run

    with counting() as progress:
        passed = write_checkpoints(out, files, source, encoding=encoding, jobs=jobs, engine=engine, progress=progress)
    for line in passed:
        click.echo(PASSED_OVER + line, err=True)
    with open_run(out) as run:
        n, n_samples = len(run.epochs), len(run.samples)
    click.echo(f"{out}: {n} {'epoch' if n == 1 else 'epochs'}, {n_samples} samples")
