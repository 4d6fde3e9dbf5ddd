"""Commands that carry a table through the lifecycle: run, prepare, tune, train, evaluate, resume, retrain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.carry import carry_out
from distml.cli.options import DEFAULT_STORAGE, Config, Engine, Json, Name, Overrides, Run, StorageOption
from distml.cli.output import begin

if TYPE_CHECKING:
    from distml.config import RunConfig
    from distml.lifecycle.result import RunResult
    from distml.lifecycle.stages import Stage

Deploy = Annotated[bool, typer.Option("--deploy", help="serve the version if it is promoted, until Ctrl-C")]


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(prepare)
    app.command()(tune)
    app.command()(train)
    app.command()(evaluate)
    app.command()(resume)
    app.command()(retrain)


def run(
    config: Config,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    deploy: Deploy = False,
    detach: Annotated[bool, typer.Option("--detach", help="with --deploy: serve in the background")] = False,
    engine: Engine = "ray",
    json: Json = False,
) -> None:
    """The whole lifecycle: prepare, tune, train, evaluate, register, gate; with --deploy roll out."""
    begin(json)
    _end(_run(config, overrides, engine, "gate", deploy=deploy, detach=detach))


def resume(
    run: Run,
    storage: StorageOption = DEFAULT_STORAGE,
    deploy: Deploy = False,
    force: Annotated[bool, typer.Option("--force", help="its process was on another machine, and is gone")] = False,
    engine: Engine = "ray",
    json: Json = False,
) -> None:
    """Goes on with a run that was killed, interrupted or failed; finished stages and trials are not repeated."""
    begin(json)
    from distml.lifecycle.run import resume as resume_run
    from distml.lifecycle.runs import RunRecord
    from distml.lifecycle.serving.live import LiveRecord
    from distml.storage import Storage

    home = Storage(storage)
    record = RunRecord.resumable(home, run, force=force)
    live = LiveRecord(home, record.config.name).read() if record.value.get("retrains") else None
    outcome = carry_out(
        record.config, engine, lambda resources: resume_run(home, run, resources, force=force), deploy=deploy, live=live
    )
    _end(outcome)


def retrain(
    name: Name,
    data: Annotated[str | None, typer.Option("--data", help="table; retrain.data.source by default")] = None,
    overrides: Overrides = [],  # noqa: B006
    storage: StorageOption = DEFAULT_STORAGE,
    engine: Engine = "ray",
    json: Json = False,
) -> None:
    """Trains the champion again; what passes the gate replaces it, without losing a request where it is served."""
    begin(json)
    from distml.config import with_overrides
    from distml.lifecycle.retrain import retrain_config
    from distml.lifecycle.run import run as run_stages
    from distml.lifecycle.serving.live import LiveRecord
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    champion = resolve(StoreRegistry(home), f"{name}@champion")
    config = with_overrides(retrain_config(home, champion, data), overrides)
    outcome = carry_out(
        config,
        engine,
        lambda resources: run_stages(config, resources, retrains=champion.label),
        live=LiveRecord(home, name).read(),
    )
    _end(outcome)


def prepare(config: Config, overrides: Overrides = [], engine: Engine = "ray", json: Json = False) -> None:  # noqa: B006
    """The lifecycle up to prepared features."""
    begin(json)
    _run(config, overrides, engine, "prepare")


def tune(config: Config, overrides: Overrides = [], engine: Engine = "ray", json: Json = False) -> None:  # noqa: B006
    """The lifecycle up to the search's best trial."""
    begin(json)
    _run(config, overrides, engine, "tune")


def train(config: Config, overrides: Overrides = [], engine: Engine = "ray", json: Json = False) -> None:  # noqa: B006
    """The lifecycle up to a packed model."""
    begin(json)
    _run(config, overrides, engine, "train")


def evaluate(config: Config, overrides: Overrides = [], engine: Engine = "ray", json: Json = False) -> None:  # noqa: B006
    """The lifecycle up to the report on the test rows."""
    begin(json)
    _run(config, overrides, engine, "evaluate")


def _run(
    path: Path, overrides: list[str], engine: str, until: Stage, *, deploy: bool = False, detach: bool = False
) -> RunResult:
    from distml.config import load_config, with_absolute_paths
    from distml.lifecycle.run import run as run_stages

    config = with_absolute_paths(load_config(path, overrides))
    if engine == "ray" and until == "prepare" and not _needs_cluster(config):
        engine = "local"
    return carry_out(
        config, engine, lambda resources: run_stages(config, resources, until=until), deploy=deploy, detach=detach
    )


def _needs_cluster(config: RunConfig) -> bool:
    """Whether a table is prepared over Ray, so that a cluster is to be started; in a job there is one."""
    from distml.lifecycle.preflight import preflight
    from distml.lifecycle.where import where_to_prepare

    preflight(config)
    return "RAY_ADDRESS" in os.environ or where_to_prepare(config).engine == "ray"


def _end(outcome: RunResult) -> None:
    """Exits with 3 where the gate refused."""
    if outcome.verdict is not None and not outcome.verdict.promoted:
        raise typer.Exit(3)
