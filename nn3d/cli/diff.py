"""`nn3d diff`: what changed between two epochs of a run, or between two runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from nn3d.cli.sources import SourceOptions, open_any, source_options
from nn3d.errors import Nn3dError
from nn3d.run.run import Run


def _epochs(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, str] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if len(parts) != 2 or not all(parts):
        raise click.BadParameter(f"expected two epochs such as 0,-1 or id:1,id:10, got {value!r}")
    return parts[0], parts[1]


@click.command("diff", epilog="Example: nn3d diff run.npz --epochs 0,10; nn3d diff before.npz after.npz --json")
@click.argument("a", type=click.Path(path_type=Path), metavar="A")
@click.argument("b", type=click.Path(path_type=Path), metavar="[B]", required=False)
@click.option(
    "--epochs", callback=_epochs, metavar="E,F",
    help="Of A and of B: numbers from 0, -1 the last, id:10, step:500.  [0,-1; of two runs -1,-1]",
)
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, every line in it.")
def command(
    a: Path, b: Path | None, epochs: tuple[str, str] | None, source: SourceOptions, as_json: bool
) -> None:
    """Print what changed from A to B, most changed first: weights, filters, activations, predictions.

    Without B the first epoch of A is compared with its last. Layers belong together by name, then by shape; what has
    no partner is listed. Any file that extract can read will do.
    """
    from nn3d.analysis.comparison import words
    from nn3d.analysis.comparison.difference import Difference
    from nn3d.analysis.comparison.report import difference_report

    with open_any(a, source) as before:
        after = before if b is None else open_any(b, source)
        named = epochs or (("0", "-1") if b is None else ("-1", "-1"))
        first, second = (_index(run, e, path) for run, e, path in ((before, named[0], a), (after, named[1], b or a)))
        found = Difference(after, before, first)
        is_hidden = as_json or not sys.stderr.isatty()
        with click.progressbar(
            length=len(found.layers), label="Comparing layers", file=sys.stderr, hidden=is_hidden
        ) as bar:
            report = difference_report(found, second, done=lambda: bar.update(1))
        if as_json:
            said = json.dumps(words.as_json(found, report, second), ensure_ascii=False, indent=1, allow_nan=False)
        else:
            said = words.text(found, report, second)
    click.echo(said)


def _index(run: Run, epoch: str, path: Path) -> int:
    if not run.epochs:
        raise Nn3dError(f"{path}: should have an epoch to compare, it has none")
    try:
        return run.epoch_index(epoch)
    except Nn3dError as error:
        raise Nn3dError(f"{path}: {error}") from None
