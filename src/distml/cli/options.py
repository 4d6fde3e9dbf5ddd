"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(help="a run config", metavar="CONFIG", show_default=False)]
Overrides = Annotated[
    list[str],
    typer.Option("-s", "--set", help="section.key=value, over the config; again for more", metavar="KEY=VALUE"),
]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
Engine = Annotated[str, typer.Option("--engine", help="ray: a local cluster; local: this process alone")]
Run = Annotated[str, typer.Argument(help="a run's id", metavar="RUN")]
Name = Annotated[str, typer.Argument(help="a model's name", metavar="NAME")]
Reference = Annotated[str, typer.Argument(help="NAME, NAME@champion or NAME/VERSION", metavar="NAME")]
StorageOption = Annotated[
    str, typer.Option("--storage", envvar="DISTML_STORAGE", help="where runs and models are kept")
]
AllowCode = Annotated[
    list[str],
    typer.Option(
        "--allow-code",
        envvar="DISTML_ALLOW_CODE",
        help="a package of your own that a config or model may import functions from; again for more",
        metavar="PACKAGE",
    ),
]
DEFAULT_STORAGE = "./distml-store"
