"""Commands that carry a table through the lifecycle: run, validate, prepare, tune, train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distml.cli.options import Config, Engine, Json, Overrides
from distml.cli.output import Lines, begin, result, say, table

if TYPE_CHECKING:
    from distml.lifecycle.result import RunResult
    from distml.lifecycle.run import Stage


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(validate)
    app.command()(prepare)
    app.command()(tune)
    app.command()(train)
    app.command()(evaluate)


def run(
    config: Config,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    deploy: Annotated[bool, typer.Option("--deploy", help="serve the version if it is promoted, until Ctrl-C")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="with --deploy: serve in the background")] = False,
    engine: Engine = "ray",
    json: Json = False,
) -> None:
    """The whole lifecycle: prepare, tune, train, evaluate, register, gate; with --deploy roll out."""
    begin(json)
    outcome = _run(config, overrides, engine, "gate", deploy=deploy and not detach)
    assert outcome.verdict is not None
    if deploy and detach and outcome.verdict.promoted and outcome.version is not None:
        from distml.cli.live import detached

        outcome.endpoint = detached(outcome.version, outcome.storage)
        _print(outcome)
    if not outcome.verdict.promoted:
        raise typer.Exit(3)


def validate(config: Config, overrides: Overrides = [], json: Json = False) -> None:  # noqa: B006
    """Config and data, no training: every finding with its column, count and example rows."""
    begin(json)
    import tempfile
    from dataclasses import asdict

    from distml.config import load_config
    from distml.data import LocalEngine
    from distml.lifecycle.prepare import prepare as prepare_table
    from distml.lifecycle.run import check_choices, check_config
    from distml.storage import Storage

    loaded = load_config(config, overrides)
    check_config(loaded)
    with tempfile.TemporaryDirectory(prefix="distml-") as folder:
        prepared = prepare_table(loaded, Storage(folder), LocalEngine())
    check_choices(loaded, prepared)
    document = {
        "name": loaded.name,
        "task": prepared.target.task,
        "rows": prepared.num_rows,
        "columns": [asdict(column) for column in prepared.schema.columns],
        "findings": [asdict(finding) for finding in prepared.findings],
    }
    rows = [[f.rule, f.column or "", f.table or "", f"{f.count:,}", f.action, _examples(f)] for f in prepared.findings]
    counts = ", ".join(f"{count:,} {split}" for split, count in prepared.num_rows.items())
    text = f"{loaded.name}: {prepared.target.task} target {prepared.schema.target.name!r}; {counts} rows\n\n"
    head = ["rule", "column", "table", "rows", "done", "examples (row: value)"]
    result(document, text + (table(head, rows) if rows else "nothing to remark"))


def _examples(finding: Any) -> str:
    return ", ".join(f"{row}: {value}" for row, value in finding.examples[:2])


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


def _run(config: Path, overrides: list[str], engine: str, until: Stage, *, deploy: bool = False) -> RunResult:
    """Runs on a local cluster or in this process; with `deploy` serves what was promoted until Ctrl-C."""
    import contextlib

    from distml.config import load_config
    from distml.errors import ConfigError
    from distml.lifecycle.deploy import check_port
    from distml.lifecycle.on_ray import Signals, local_cluster
    from distml.lifecycle.run import preflight

    loaded = load_config(config, overrides)
    if engine not in ("ray", "local"):
        raise ConfigError("an engine is ray or local", received=engine, where="--engine")
    if engine == "local" and deploy:
        raise ConfigError("--deploy needs Ray", received="--engine local", remedy="leave --engine out")
    preflight(loaded)  # before a cluster is started for a config that will be refused
    if deploy:
        check_port(loaded)
    signals = Signals()
    signals.install()
    try:
        with local_cluster(signals) if engine == "ray" else contextlib.nullcontext() as state:
            outcome = _stages(loaded, engine, until, state)
            promoted = outcome.verdict is not None and outcome.verdict.promoted
            if deploy and promoted and outcome.version is not None and state is not None:
                from distml.cli.live import hold

                hold(loaded, outcome.storage, outcome.version, state, lambda url: _announce(outcome, url))
            else:
                _print(outcome)
            return outcome
    except KeyboardInterrupt:
        say("distml: interrupted; the same command goes on from the stages that are finished")
        raise


def _stages(config: Any, engine: str, until: Stage, scratch: Path | None) -> RunResult:
    from distml.lifecycle.run import Resources, cluster_resources
    from distml.lifecycle.run import run as run_stages

    reporter = Lines()
    resources = cluster_resources(config, reporter, scratch) if engine == "ray" else Resources(reporter=reporter)
    return run_stages(config, resources, until=until)


def _announce(outcome: RunResult, url: str) -> None:
    outcome.endpoint = url
    _print(outcome)


def _print(outcome: RunResult) -> None:
    result(outcome.to_dict(), _summary(outcome))
    if outcome.endpoint is not None:
        from distml.cli.live import curl

        assert outcome.version is not None
        say(f"\nServed at {outcome.endpoint} (docs at {outcome.endpoint}/docs). Try:\n")
        say(curl(outcome.endpoint, outcome.version, outcome.storage))


def _summary(outcome: RunResult) -> str:
    """The result for people: metrics beside the baselines, the verdict, and where things are."""
    from distml.evaluation.page import figure

    parts = [f"run {outcome.run}"]
    document = outcome.to_dict()
    if outcome.evaluated is not None:
        names = list(outcome.evaluated.metrics)
        rows = [["test", *(figure(outcome.evaluated.metrics[name]) for name in names)]]
        rows += [
            [f"  {key}", *(figure(item[name]) for name in names)] for key, item in outcome.evaluated.baselines.items()
        ]
        parts.append(table([document["best"]["family"], *names], rows))
    elif outcome.searched is not None:
        parts.append(f"best: {document['best']}")
    elif outcome.prepared is not None:
        parts.append(", ".join(f"{count:,} {split} rows" for split, count in outcome.prepared.num_rows.items()))
    if outcome.verdict is not None and outcome.version is not None:
        state = "promoted" if outcome.verdict.promoted else "not promoted"
        reasons = "\n".join(f"  {reason}" for reason in outcome.verdict.reasons)
        parts.append(f"{outcome.version.label} {state}:\n{reasons}")
    for name in ("report", "package"):
        if document[name] is not None:
            parts.append(f"{name}: {document[name]}")
    return "\n\n".join(parts)
