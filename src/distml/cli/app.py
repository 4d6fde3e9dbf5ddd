"""The command line's frame: its groups of commands, its errors and its exit codes.

Only typer is imported here; each command imports what it calls, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from distml.cli import (
    check,
    compare,
    deploy,
    feedback,
    init,
    lifecycle,
    live,
    look,
    monitor,
    predict,
    settings,
    status,
    store,
    token,
    versions,
)
from distml.cli.code import CODABLE, codable
from distml.cli.output import begin, result
from distml.cli.remote import remotable

app = typer.Typer(
    name="distml",
    help="The whole life of a machine-learning model on one Ray cluster, from one config file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        begin(False)
        result(None, version("distml"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="distml's version, and nothing else", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    pass


for group in (
    init,
    check,
    lifecycle,
    predict,
    deploy,
    live,
    monitor,
    feedback,
    status,
    versions,
    look,
    compare,
    store,
    settings,
    token,
):
    group.register(app)
for known in app.registered_commands:
    if known.callback is not None and known.callback.__name__ in CODABLE:
        known.callback = codable(known.callback)
    if known.callback is not None and known.callback.__name__ not in ("init", "schema", "render"):
        known.callback = remotable(known.callback)


def main() -> None:
    """Runs the command that `sys.argv` names and exits with its code."""
    from distml.cli.output import fail

    try:
        code = app(standalone_mode=False) or 0  # typer answers with the code of a typer.Exit
    except KeyboardInterrupt:
        code = 130
    except typer.Abort:
        code = 1
    except Exception as error:  # noqa: BLE001 - the last resort: nothing leaves a command as a stack trace
        code = fail(error)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed by now. Python's own way out can abort in the C++ threads of the libraries: in pyarrow's
    # when it is busy elsewhere, in Ray's after an interrupted start.
    os._exit(code)
