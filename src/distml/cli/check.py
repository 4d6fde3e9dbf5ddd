"""Commands that look before anything is run: validate, plan, doctor."""

from __future__ import annotations

from typing import Any

import typer

from distml.cli.doctor import doctor
from distml.cli.options import Config, Json, Overrides
from distml.cli.output import begin, result, table
from distml.cli.plan import plan


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command()(plan)
    app.command()(doctor)


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
