"""Commands about the run config itself: schema, render."""

from __future__ import annotations

import typer

from distml.cli.options import Config, Json, Overrides
from distml.cli.output import begin, result


def register(app: typer.Typer) -> None:
    app.command()(schema)
    app.command()(render)


def schema() -> None:
    """The JSON schema of a run config, for editors."""
    begin(True)
    from distml.config import RunConfig

    result(RunConfig.model_json_schema(by_alias=True), "")


def render(config: Config, overrides: Overrides = [], json: Json = False) -> None:  # noqa: B006
    """The config with every default written out."""
    begin(json)
    import yaml

    from distml.config import load_config

    document = load_config(config, overrides).to_dict()
    result(document, yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip())
