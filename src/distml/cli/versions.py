"""Commands about registered versions: status, promote, rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Name, StorageOption
from distml.cli.output import begin, moment, result, say, table

if TYPE_CHECKING:
    from distml.lifecycle.versions import Moved
    from distml.storage import Storage

Reason = Annotated[str | None, typer.Option("--reason", help="why, for the audit log", metavar="TEXT")]


def register(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(promote)
    app.command()(rollback)


def status(
    name: Annotated[str | None, typer.Argument(help="one model in detail", metavar="[NAME]")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Registered models, their champions, what is served where since when, and what was decided last."""
    begin(json)
    from distml.lifecycle.overview import details, overview
    from distml.registry import StoreRegistry
    from distml.storage import Storage

    home = Storage(storage)
    if name is not None:
        about = details(home, name)
        result([about], _details_text(about))
        return
    entries = [overview(home, known) for known in StoreRegistry(home).names()]
    result(entries, _overview_text(entries) if entries else f"no models in {home.root}")


def _overview_text(entries: list[dict[str, Any]]) -> str:
    shown = ("versions", "champion", "previous", "served")
    rows = [[entry["name"], *(_cell(entry[key]) for key in shown), _where(entry)] for entry in entries]
    decided = [f"{entry['name']}: {_decision_text(entry['decision'])}" for entry in entries if entry["decision"]]
    head = ["model", *shown, "where, since"]
    return "\n\n".join(filter(None, [table(head, rows), "\n".join(decided)]))


def _details_text(about: dict[str, Any]) -> str:
    lines = [
        f"{about['name']}: {about['versions']} versions ({about['pruned']} pruned), "
        f"champion {_cell(about['champion'])}, before it {_cell(about['previous'])}",
        f"served: {_cell(about['served'])} {_where(about)}".rstrip(),
        *_service_lines(about["service"]),
        "",
        *(_decision_text(decision) for decision in about["audit"]),
    ]
    return "\n".join(lines)


def _service_lines(service: dict[str, Any] | None) -> list[str]:
    if service is None:
        return []
    lines = [
        f"  replica {replica}: version {_cell(told['serving'])}"
        + (f", refused: {told['error']}" if told["error"] else "")
        for replica, told in service["replicas"].items()
    ]
    for window in service["windows"]:
        state = "last full window" if window["is_full"] else "window filling"
        drifted = ", ".join(window["drifted"]) or "nothing"
        latency = f"p50 {window['latency_ms']['p50']} ms, p99 {window['latency_ms']['p99']} ms"
        lines.append(f"  {state}, version {window['version']}: {window['rows']:,} rows, {latency}; drifted: {drifted}")
    return lines


def _decision_text(decision: dict[str, Any]) -> str:
    """One entry of the audit log.

    >>> _decision_text({"at": "2026-01-02T03:04:05.678+00:00", "action": "promote", "version": 2, "by": "ann@desk",
    ...                 "reasons": ["better"]})
    '2026-01-02T03:04:05Z  promote version 2 by ann@desk: better'
    """
    reasons = f": {'; '.join(decision['reasons'])}" if decision["reasons"] else ""
    by = f" by {decision['by']}" if decision["by"] else ""
    return f"{moment(decision['at'])}  {decision['action']} version {decision['version']}{by}{reasons}"


def _where(entry: dict[str, Any]) -> str:
    return f"{entry['endpoint']}, {moment(entry['since'])}" if entry["endpoint"] else "–"


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)


def promote(
    reference: Annotated[str, typer.Argument(help="NAME/VERSION or NAME@challenger", metavar="NAME/VERSION")],
    reason: Reason = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Makes a version champion, and the one that answers where its model is served."""
    begin(json)
    from distml.lifecycle.versions import promote as make_champion
    from distml.storage import Storage

    home = Storage(storage)
    _show(home, make_champion(home, reference, reason=reason))


def rollback(name: Name, reason: Reason = None, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """Makes the champion before the present one champion again, and serves it where the model is served."""
    begin(json)
    from distml.lifecycle.versions import rollback as go_back
    from distml.storage import Storage

    home = Storage(storage)
    _show(home, go_back(home, name, reason=reason))


def _show(storage: Storage, moved: Moved) -> None:
    from distml.lifecycle.versions import mirror_champion

    unmirrored = mirror_champion(storage, moved.version)
    if unmirrored is not None:
        say(f"distml: champion in storage; its alias in MLflow was not moved: {unmirrored}")
    document = {
        "name": moved.version.name,
        "version": moved.version.number,
        "before": moved.before.number if moved.before else None,
        "endpoint": moved.endpoint,
        "mirrored": unmirrored is None,
    }
    before = f", after {moved.before.label}" if moved.before else ""
    served = f"served at {moved.endpoint}" if moved.endpoint else "not served"
    result(document, f"{moved.version.label} is champion{before}; {served}")
