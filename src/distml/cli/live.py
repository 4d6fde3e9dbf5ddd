"""The command `down`: ends what is served."""

from __future__ import annotations

from typing import Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, StorageOption
from distml.cli.output import begin, result, say


def register(app: typer.Typer) -> None:
    app.command()(down)


def down(
    name: Annotated[str | None, typer.Argument(help="one model; all by default", metavar="[NAME]")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Ends the service of a model, and its cluster where nothing else is served on it; without NAME every one that
    serves from this storage."""
    begin(json)
    from distml.lifecycle.serving.down import end, end_all
    from distml.lifecycle.serving.live import LiveRecord
    from distml.storage import Storage

    home = Storage(storage)
    endings = {name: end(LiveRecord(home, name), say)} if name is not None else end_all(home, say)
    told = {"ended": "is no longer served", "killed": "is no longer served", "gone before": "was not served any more"}
    lines = [f"{known} {told[how]}" for known, how in endings.items()]
    document = [{"name": known, "how": how} for known, how in endings.items()]
    result(document, "\n".join(lines) or f"nothing is served from {home.root}")
