"""The command `monitor`: live traffic against what the package was trained on."""

from __future__ import annotations

from typing import Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Name, StorageOption
from distml.cli.output import begin, result, table
from distml.cli.service_view import version_lines, window_line
from distml.wording import numbered


def register(app: typer.Typer) -> None:
    app.command()(monitor)


def monitor(name: Name, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """Live traffic against the package's baseline: requests, faults, latency, what a shadow would have answered, drift
    by column."""
    begin(json)
    from distml.lifecycle.overview import monitor_report
    from distml.storage import Storage

    report = monitor_report(Storage(storage), name)
    result(report, report_text(report))


def report_text(report: dict[str, Any]) -> str:
    lines = [f"{report['name']}: {numbered(len(report['replicas']), 'replica')}"]
    lines += [*version_lines(report["versions"]), *_left_out_lines(report["versions"])]
    windows = [*report["windows"][-1:], *report["filling"]]
    for window in windows:
        lines += ["", window_line(window), _columns_table(window)]
    return "\n".join(lines if windows else [*lines, "no rows served yet"])


def _left_out_lines(versions: dict[str, Any]) -> list[str]:
    """Columns that requests had and the model doesn't, and those that they left out."""
    return [
        f"version {version}: {told} {numbered(count, 'row')}: {column!r}"
        for version, total in versions.items()
        for field, told in (("ignored", "a column that it does not read, in"), ("absent", "a column missing from"))
        for column, count in total[field].items()
    ]


def _columns_table(window: dict[str, Any]) -> str:
    columns = window["inputs"]["columns"] + window["predictions"]["columns"]
    return table(
        ["column", "psi", "p-value", ""],
        [
            [one["column"], f"{one['psi']:.3f}", f"{one['p_value']:.2g}", "drifted" if one["drifted"] else ""]
            for one in columns
        ],
    )
