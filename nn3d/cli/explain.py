"""`nn3d explain`: what one cell is made of, and whether that is what was stored."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nn3d.cli.own import own_number
from nn3d.cli.sources import SourceOptions, open_any, source_options


def _cell(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"expected numbers from 0 such as 3 or 2,14,9, got {value!r}") from None


@click.command("explain", epilog="Example: nn3d explain run.npz --layer conv2 --cell 3,4,4 --epoch 5 --sample 2")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@source_options
@click.option(
    "--layer", required=True, metavar="L", help="A layer by name or number, or an operation by its full name."
)
@click.option("--cell", required=True, callback=_cell, metavar="I[,J…]", help="Its index: C,Y,X of maps, N of neurons.")
@click.option("--epoch", default="-1", metavar="E", help="Number from 0, -1 the last, id:10 or step:500.  [-1]")
@click.option("--sample", default="0", metavar="S", help="Number from 0, -1 the last, or a name.  [0]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, every product in it.")
def command(
    file: Path, source: SourceOptions, layer: str, cell: tuple[int, ...], epoch: str, sample: str, as_json: bool
) -> None:
    """Print what a cell is made of: the patch it looks at, the kernel, products largest first, bias, sum.

    The sum is compared with the stored value; the tolerance is 1e-4 of the sum of |products| for float32, and for
    float16 or uint8 what their steps allow. What cannot be explained is said, with the reason.
    """
    from nn3d.analysis.explain import explain, patch, words

    run = open_any(file, source)
    e = run.epoch_index(epoch)
    own = own_number(run, source)
    s = own if own is not None else run.sample_index(sample) if run.samples else 0
    found = explain(run, layer, cell, epoch=e, sample=s)
    if as_json:
        click.echo(json.dumps(words.as_json(run, found, epoch=e, sample=s), ensure_ascii=False, indent=1))
    else:
        laid = patch(run, layer, cell, epoch=e, sample=s)
        click.echo(words.text(run, found, laid, epoch=e, sample=s))
