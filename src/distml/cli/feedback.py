"""The command `feedback`: labels that come later, in bulk."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Reference, StorageOption
from distml.cli.output import begin, result
from distml.wording import numbered

if TYPE_CHECKING:
    from distml.lifecycle.feedback import KeptLabels

Source = Annotated[
    str,
    typer.Option(
        "--in", help="file, glob or folder with the columns request_id, label and, by need, row", metavar="URI"
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(feedback)


def feedback(
    reference: Reference, source: Source, storage: StorageOption = DEFAULT_STORAGE, json: Json = False
) -> None:
    """Keeps labels that became known later in the model's inference log, as its service does at /feedback."""
    begin(json)
    from distml.config import SourceConfig
    from distml.lifecycle.feedback import keep_feedback
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    version = resolve(StoreRegistry(home), reference)
    kept = keep_feedback(home, version, SourceConfig(uri=source))
    result({"name": version.name, **asdict(kept)}, _text(version.name, kept))


def _text(name: str, kept: KeptLabels) -> str:
    text = f"{numbered(kept.num_labels, 'label')} of {name} kept"
    return text + (f"; {numbered(kept.num_missing, 'row')} without one left out" if kept.num_missing else "")
