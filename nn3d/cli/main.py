"""The command `nn3d`: finds its commands without importing them, and turns every error into one line and an exit code.

Exit codes: 0 done · 1 the input is at fault · 2 wrong usage · 3 the machine cannot · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from nn3d import __version__
from nn3d.errors import GraphicsError, Nn3dError

INPUT_AT_FAULT, WRONG_USAGE, MACHINE_CANNOT, INTERRUPTED = 1, 2, 3, 130

COMMANDS = {
    "view": "Open a run, a checkpoint or a growing folder in the window.",
    "demo": "Show the bundled runs; without a display, as pictures.",
    "render": "Render a run to a picture, with or without a display.",
    "extract": "Make a run from checkpoints, a live model or an export.",
    "pack": "Pack a run folder into one file.",
    "info": "Print the layers, epochs and metrics of a run.",
    "explain": "Print what one cell is made of, and whether that is the stored value.",
    "diff": "Print what changed between two epochs of a run, or between two runs.",
}

# What the dynamic linker says is missing → the Debian package that brings it.
_PACKAGES = {
    "libEGL": "libegl1",
    "libGL": "libgl1",
    "libOpenGL": "libopengl0",
    "libX11": "libx11-6",
    "libXext": "libxext6",
    "libwayland": "libwayland-client0",
}

_DEBUG = click.Option(["--debug"], is_flag=True, expose_value=False, help="On an error, print the whole traceback.")


class Commands(click.Group):
    """A group whose commands are `nn3d.cli.<name>.command`, imported when used, not when listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, with --debug added, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"nn3d.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        if _DEBUG not in command.params:
            command.params.append(_DEBUG)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: nn3d demo. Each command has its own: nn3d render --help.",
)
@click.version_option(__version__, prog_name="nn3d")
@click.option("--debug", is_flag=True, expose_value=False, help="On an error, print the whole traceback.")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Stand a trained neural network in 3-D: scrub its epochs, open its layers, follow every weight."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; errors become one line on stderr, `nn3d: …`."""
    if "_NN3D_COMPLETE" in os.environ:
        cli.main(prog_name="nn3d")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    code = 0
    try:
        with cli.make_context("nn3d", list(arguments)) as ctx:
            cli.invoke(ctx)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pipe has seen enough (nn3d info run.npz | head); no second error at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("nn3d: interrupted", err=True)
        code = INTERRUPTED
    except Exception as error:
        code, line = explain(error)
        if "--debug" in arguments:
            traceback.print_exc()
        click.echo(f"nn3d: {line}", err=True)
    sys.exit(code)


def explain(error: Exception) -> tuple[int, str]:
    """Exit code and line for an error: what was expected, what came, what to do."""
    match error:
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else "nn3d"
            return WRONG_USAGE, f"{_one_line(error.format_message())} See {where} --help."
        case click.ClickException():
            return INPUT_AT_FAULT, _one_line(error.format_message())
        case GraphicsError():
            return MACHINE_CANNOT, _one_line(str(error))
        case Nn3dError():
            return INPUT_AT_FAULT, _one_line(str(error))
        case ImportError() | OSError() if (package := missing_package(str(error))) is not None:
            return MACHINE_CANNOT, f"a system library is missing ({_one_line(str(error))}): apt-get install {package}"
        case ImportError() if error.name:
            return MACHINE_CANNOT, f"the Python package {error.name!r} cannot be imported: {_one_line(str(error))}"
        case OSError():
            return INPUT_AT_FAULT, _one_line(str(error))
    return INPUT_AT_FAULT, f"{type(error).__name__}: {_one_line(str(error))} (a fault of nn3d; --debug shows where)"


def missing_package(message: str) -> str | None:
    """The Debian package to install when a message names a system library that could not be loaded, else None."""
    return next((package for library, package in _PACKAGES.items() if f"{library}.so" in message), None)


def _one_line(text: str) -> str:
    return " ".join(text.split())
