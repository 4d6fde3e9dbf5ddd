"""Commands that look after storage, and what waits in it for others: gc, track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Run, StorageOption
from distml.cli.output import begin, result, say, table

if TYPE_CHECKING:
    from distml.lifecycle.retention import Collection


def register(app: typer.Typer) -> None:
    app.command()(gc)
    app.command()(track)


def gc(
    keep_runs: Annotated[int, typer.Option("--keep-runs", min=0, help="newest runs kept of each model")] = 10,
    keep_versions: Annotated[int, typer.Option("--keep-versions", min=0, help="newest versions kept of each")] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be deleted, and delete nothing")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Deletes old runs, versions and stages that nothing kept needs; never what a champion or a service needs.

    Closes in the tracker what runs left open whose process is gone, and sends it what waits for it.
    """
    begin(json)
    from distml.errors import DistmlError
    from distml.lifecycle.claims import Retention
    from distml.lifecycle.reap import lost_runs, reap, send_rest, unsent_runs
    from distml.lifecycle.retention import collect, plan
    from distml.lifecycle.who import this_user
    from distml.storage import Storage

    home = Storage(storage)
    retention = Retention(runs=keep_runs, versions=keep_versions)
    lost = lost_runs(home)
    for note in [] if dry_run else [reap(home, run) for run in lost]:
        if note is not None:
            say(f"distml: {note}")
    for run in [] if dry_run else set(unsent_runs(home)) - set(lost):
        try:
            notes = send_rest(home, run)
        except DistmlError as error:
            notes = [str(error)]
        for note in notes:
            say(f"distml: run {run}: {note}")
    gone = plan(home, retention)
    if not dry_run:
        gone = collect(home, gone, retention, by=f"gc ({this_user()})")
    told = f"\n{len(lost)} runs whose process is gone: {', '.join(lost)}" if lost else ""
    result({"dry_run": dry_run, "lost_runs": lost, **gone.to_dict()}, _text(gone, dry_run) + told)


def track(run: Run, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """Sends to MLflow what of a run waits in storage because the tracking server was away."""
    begin(json)
    from distml.lifecycle.reap import send_rest, unsent_runs
    from distml.storage import Storage

    home = Storage(storage)
    had_some = run in unsent_runs(home)
    notes = send_rest(home, run)
    for note in notes:
        say(f"distml: {note}")
    is_sent = run not in unsent_runs(home)
    told = "sent" if is_sent else "not all of it could be sent"
    result({"run": run, "sent": is_sent, "notes": notes}, told if had_some else "nothing waits")
    if not is_sent:
        raise typer.Exit(1)


def _text(gone: Collection, dry_run: bool) -> str:
    from distml.sizes import size

    if not gone.items and not gone.versions:
        return "nothing to delete"
    verb = "would be " if dry_run else ""
    kinds = {kind: told for kind, told in gone.to_dict()["kinds"].items() if told["num"]}
    rows = [[kind, f"{told['num']:,}", size(told["num_bytes"])] for kind, told in kinds.items()]
    lines = [f"{size(item.num_bytes):>9}  {item.key}" for item in gone.items]
    pruned = ", ".join(version.label for version in gone.versions)
    return "\n".join(
        [
            *lines,
            *([f"{'':>9}  without a package from now on: {pruned}"] if pruned else []),
            "",
            table(["deleted" if not dry_run else "to delete", "number", "size"], rows),
            f"\n{size(gone.num_bytes)} {verb}freed",
        ]
    )
