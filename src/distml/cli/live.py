"""Commands for what is served: monitor, down."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Name, StorageOption
from distml.cli.output import begin, result, say, table


def register(app: typer.Typer) -> None:
    app.command()(monitor)
    app.command()(down)


def monitor(name: Name, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """Live traffic against the package's baseline: requests, latency, errors, drift by column."""
    begin(json)
    from distml.lifecycle.overview import monitor_report
    from distml.storage import Storage

    report = monitor_report(Storage(storage), name)
    result(report, _report_text(report))


def _report_text(report: dict[str, Any]) -> str:
    lines = [f"{report['name']}: {len(report['replicas'])} replicas"]
    for version, total in report["versions"].items():
        errors = ", ".join(f"{count} {kind}" for kind, count in total["errors"].items()) or "no errors"
        lines.append(f"version {version}: {total['requests']:,} requests, {total['rows']:,} rows, {errors}")
    for window in [*report["windows"][-1:], *report["filling"]]:
        state = "last full window" if window["is_full"] else "window filling"
        latency = window["latency_ms"]
        drifted = window["inputs"]["drifted"] + window["predictions"]["drifted"]
        lines += [
            "",
            f"{state}, version {window['version']}: {window['inputs']['rows']:,} rows, p50 {latency['p50']} ms, "
            f"p99 {latency['p99']} ms; drifted: {', '.join(drifted) or 'nothing'}",
            table(
                ["column", "psi", "p-value", ""],
                [
                    [c["column"], f"{c['psi']:.3f}", f"{c['p_value']:.2g}", "drifted" if c["drifted"] else ""]
                    for c in window["inputs"]["columns"] + window["predictions"]["columns"]
                ],
            ),
        ]
    if not report["windows"] and not report["filling"]:
        lines.append("no rows served yet")
    return "\n".join(lines)


def down(
    name: Annotated[str | None, typer.Argument(help="one model; all by default", metavar="[NAME]")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Ends the service of a model, and its cluster where nothing else is served on it; without NAME every one that
    serves from this storage."""
    begin(json)
    from distml.lifecycle.down import end, end_all
    from distml.lifecycle.live import LiveRecord
    from distml.storage import Storage

    home = Storage(storage)
    endings = {name: end(LiveRecord(home, name), say)} if name is not None else end_all(home, say)
    told = {"ended": "is no longer served", "killed": "is no longer served", "gone before": "was not served any more"}
    lines = [f"{known} {told[how]}" for known, how in endings.items()]
    document = [{"name": known, "how": how} for known, how in endings.items()]
    result(document, "\n".join(lines) or f"nothing is served from {home.root}")
