"""Owns the SOURCE options that every command with a FILE takes, and opening whatever FILE is."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from nn3d.extract.options import PASSED_OVER, SourceOptions
from nn3d.run.run import Run

F = TypeVar("F", bound=Callable[..., Any])


class _Size(click.ParamType[tuple[int, int]]):
    """HxW."""

    name = "HxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """`224x224` → (224, 224); one number stands for both."""
        match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", str(value).strip().lower())
        if not match or not int(match[1]) or (match[2] and not int(match[2])):
            self.fail(f"expected HxW such as 224x224, got {value!r}", param, ctx)
        return int(match[1]), int(match[2] or match[1])


class _Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas."""

    name = "NUMBER,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """`0.485,0.456,0.406` → three numbers."""
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"expected numbers such as 0.5 or 0.485,0.456,0.406, got {value!r}", param, ctx)


_OPTIONS = (
    click.option("--model", metavar="PKG.MOD:FACTORY", help="Or torchvision:NAME, timm:NAME, hf:FOLDER."),
    click.option(
        "--input", "input_", metavar="PATH|random[:3,224,224]",
        help="A picture, a folder, .npy, .npz, IDX. With a run that is shown: one picture, which it computes anew.",
    ),
    click.option("--samples", type=click.IntRange(min=1), metavar="N", help="How many samples to record."),
    click.option("--resize", type=_Size(), metavar="HxW", help="Size of the pictures."),
    click.option("--mean", type=_Numbers(), metavar="M", help="Subtracted from pictures (0 … 1), by channel."),
    click.option("--std", type=_Numbers(), metavar="S", help="Divides pictures after the mean."),
    click.option("--gray", is_flag=True, help="Read pictures in grey."),
    click.option("--classes", type=click.Path(path_type=Path), metavar="FILE", help="Class names, one a line."),
    click.option(
        "--events", type=click.Path(path_type=Path), metavar="LOGDIR",
        help="TensorBoard's event files of the same training: their scalars join the metrics, by step.",
    ),
    click.option(
        "--layout", type=click.Choice(["io", "oi"]),
        help="How weights of .npz and .npy lie: (…, in, out) or (out, in, …); by their names without it.",
    ),
    click.option("--trust", is_flag=True, help="Run the code inside a pickled module."),
    click.option("--no-cache", is_flag=True, help="Extract a folder of checkpoints anew, and keep nothing of it."),
)  # fmt: skip


def source_options(command: F) -> F:
    """Add the SOURCE options; the command gets them as one `SourceOptions` named `source`."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        names = ("model", "samples", "resize", "gray", "classes", "trust", "events")
        given = {name: kwargs.pop(name) for name in names}
        mean, std, text = kwargs.pop("mean"), kwargs.pop("std"), kwargs.pop("input_")
        is_cached, layout = not kwargs.pop("no_cache"), kwargs.pop("layout") or ""
        source = SourceOptions(
            input=text, mean=mean or (), std=std or (), cache=is_cached, layout=layout, **given
        )  # fmt: skip
        return command(*args, source=source, **kwargs)

    found: Any = wrapped
    for option in reversed(_OPTIONS):
        found = option(found)
    return found  # type: ignore[no-any-return]


def open_any(path: str | Path, source: SourceOptions) -> Run:
    """A run from any file: as it lies on disk when it is one, else extracted; checkpoints are told as they come."""
    from nn3d.extract.remote import fetched
    from nn3d.extract.sources import open_source

    path = fetched(Path(path), partial(click.echo, err=True))
    with counting() as progress:
        run = open_source(path, source, progress)
    if source.events is not None:
        from nn3d.extract.events import join_events

        join_events(run, source.events)
    for line in run.left_out:
        if line.startswith(PASSED_OVER):
            click.echo(line, err=True)
    return run


@contextmanager
def counting() -> Iterator[Callable[[int, int], None]]:
    """What shows how many epochs of how many are extracted, on a terminal."""
    with ExitStack() as stack:
        bar: Any = None

        def progress(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                hidden = not sys.stderr.isatty()
                made: Any = click.progressbar(length=total, label="epochs", file=sys.stderr, hidden=hidden)
                bar = stack.enter_context(made)
            bar.update(done - bar.pos)

        yield progress


__all__ = ["SourceOptions", "counting", "open_any", "source_options"]
