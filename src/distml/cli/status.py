"""The command `status`: versions, champion, what is served where, and what was decided."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, StorageOption
from distml.cli.output import begin, moment, result, table
from distml.cli.service_view import rollout_line, service_lines
from distml.wording import numbered


def register(app: typer.Typer) -> None:
    app.command()(status)


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
    rollout = about["rollout"]
    lines = [
        f"{about['name']}: {numbered(about['versions'], 'version')} ({about['pruned']} pruned), "
        f"champion {_cell(about['champion'])}, before it {_cell(about['previous'])}",
        f"served: {_cell(about['served'])} {_where(about)}".rstrip(),
        *([rollout_line(rollout)] if rollout and (rollout["before"] or not rollout["is_over"]) else []),
        *(f"  {line}" for line in (service_lines(about["service"]) if about["service"] else [])),
        "",
        *(_decision_text(decision) for decision in about["audit"]),
    ]
    return "\n".join(lines)


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
