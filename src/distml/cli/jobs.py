"""What the scripts in jobs/ call: a command by name, its config by `--config`."""

from __future__ import annotations

import sys

from distml.cli.app import main


def run_command(name: str) -> None:
    """Runs a command with this process's arguments and exits with its code. `--config FILE` is the command's CONFIG."""
    arguments = list(sys.argv[1:])
    if "--config" in arguments:
        at = arguments.index("--config")
        arguments = arguments[at + 1 : at + 2] + arguments[:at] + arguments[at + 2 :]
    sys.argv = ["distml", name, *arguments]
    main()
