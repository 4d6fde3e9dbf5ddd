"""Commands about registered versions: promote, rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Name, StorageOption
from distml.cli.output import begin, result, say

if TYPE_CHECKING:
    from distml.lifecycle.versions import Moved
    from distml.storage import Storage

Reason = Annotated[str | None, typer.Option("--reason", help="why, for the audit log", metavar="TEXT")]


def register(app: typer.Typer) -> None:
    app.command()(promote)
    app.command()(rollback)


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
    """Ends a rollout that is under way; else the champion before is champion again, and serves where the model does."""
    begin(json)
    from distml.lifecycle.versions import rollback as go_back
    from distml.storage import Storage

    home = Storage(storage)
    _show(home, go_back(home, name, reason=reason))


def _show(storage: Storage, moved: Moved) -> None:
    from distml.lifecycle.mirror import mirror_champion

    unmirrored = mirror_champion(storage, moved.version)
    if unmirrored is not None:
        say(f"distml: champion in storage; its alias in MLflow was not moved: {unmirrored}")
    document = {
        "name": moved.version.name,
        "version": moved.version.number,
        "before": moved.before.number if moved.before else None,
        "endpoint": moved.endpoint,
        "mirrored": unmirrored is None,
        **({"ended": moved.ended} if moved.ended is not None else {}),
    }
    ended = f"; the rollout of {moved.version.name}/{moved.ended} is ended" if moved.ended is not None else ""
    before = f", after {moved.before.label}" if moved.before else ""
    served = f"served at {moved.endpoint}" if moved.endpoint else "not served"
    result(document, f"{moved.version.label} is champion{before}; {served}{ended}")
