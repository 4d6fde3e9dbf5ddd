"""Commands that look at what was done: runs, show, report."""

from __future__ import annotations

from typing import Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, StorageOption
from distml.cli.output import begin, result, table

Run = Annotated[str, typer.Argument(help="a run's id", metavar="RUN")]


def register(app: typer.Typer) -> None:
    app.command()(runs)
    app.command()(show)
    app.command()(report)


def runs(storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """All runs, oldest first."""
    begin(json)
    from distml.lifecycle.run import STAGES
    from distml.lifecycle.runs import list_runs
    from distml.storage import Storage

    home = Storage(storage)
    records = list_runs(home)
    document = [
        {key: record.get(key) for key in ("run", "name", "state", "started_at", "seconds")} for record in records
    ]
    rows = [
        [
            record["run"],
            record["state"],
            record["started_at"],
            ", ".join(stage for stage in STAGES if stage in record["stages"]),
        ]
        for record in records
    ]
    head = ["run", "state", "started", "stages"]
    result(document, table(head, rows) if rows else f"no runs in {home.root}")


def show(run: Run, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """One run: its config, stages and result."""
    begin(json)
    import yaml

    from distml.lifecycle.runs import read_run
    from distml.storage import Storage

    record = read_run(Storage(storage), run)
    result(record, yaml.safe_dump(record, sort_keys=False, allow_unicode=True).rstrip())


def report(run: Run, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """The path of a run's HTML report."""
    begin(json)
    from distml.errors import NotFoundError
    from distml.lifecycle.runs import read_run
    from distml.storage import Storage

    home = Storage(storage)
    read_run(home, run)
    key = f"runs/{run}/report.html"
    if not home.exists(key):
        raise NotFoundError("a run has a report once it was evaluated", received=run)
    result({"run": run, "report": home.uri(key)}, home.uri(key))
