"""`nn3d info`: what a file holds."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nn3d.cli.sources import SourceOptions, open_any, source_options
from nn3d.run import summary
from nn3d.run.validate import validate


@click.command("info", epilog="Example: nn3d info run.npz --json")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--ops", is_flag=True, help="List every operation with what it costs: parameters, MACs, memory.")
@click.option("--clusters", "with_clusters", is_flag=True, help="Say what clusters of neurons keep of each link.")
@click.option("--health", "with_health", is_flag=True, help="Signals of training by layer and epoch, and the marks.")
@click.option("--validate", "with_validation", is_flag=True, help="Read and check every array of a run.")
def command(
    file: Path, source: SourceOptions, as_json: bool, ops: bool, with_clusters: bool, with_health: bool,
    with_validation: bool,
) -> None:
    """Print layers, shapes, parameters, MACs, epochs and metrics of a run, or of anything that can become one."""
    run = open_any(file, source)
    n_checked = validate(run) if with_validation else None
    from nn3d.analysis import kept
    from nn3d.analysis.health import words
    from nn3d.cli.health import read_health

    clusters = kept.kept(run, len(run.epochs) - 1, 0) if with_clusters and run.epochs else []
    health = read_health(run) if with_health else None
    if not as_json:
        click.echo(summary.text(run, with_ops=ops))
        if health is not None:
            click.echo("\n" + words.text(run, *health))
        if with_clusters:
            click.echo(kept.text(clusters))
        if n_checked is not None:
            click.echo(f"valid: {n_checked:,} arrays read and checked")
        return
    facts = summary.summary(run)
    facts |= {"ops": summary.node_table(run)} if ops else {}
    facts |= {"clusters": clusters} if with_clusters else {}
    facts |= {"health": words.as_json(*health)} if health is not None else {}
    facts |= {"arrays_checked": n_checked} if n_checked is not None else {}
    click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
