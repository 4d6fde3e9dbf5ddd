"""The command `predict`: batch scoring."""

from __future__ import annotations

from typing import Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Engine, Json, Reference, StorageOption
from distml.cli.output import begin, result


def register(app: typer.Typer) -> None:
    app.command()(predict)


def predict(
    reference: Reference,
    source: Annotated[str, typer.Option("--in", help="file, glob or folder", metavar="URI")],
    out: Annotated[str, typer.Option("--out", help="a .parquet or .csv file", metavar="URI")],
    storage: StorageOption = DEFAULT_STORAGE,
    engine: Engine = "local",
    json: Json = False,
) -> None:
    """Scores a table in batch. Rows that the model can't take go to a file beside, with the reason."""
    begin(json)
    import contextlib

    from distml.data import LocalEngine
    from distml.lifecycle.deploy import config_of
    from distml.lifecycle.on_ray import local_cluster
    from distml.lifecycle.predict import predict_table
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    version = resolve(StoreRegistry(home), reference)
    table_in = config_of(home, version).data.source.model_copy(update={"uri": source, "format": "auto"})
    with local_cluster() if engine == "ray" else contextlib.nullcontext():
        if engine == "ray":
            from distml.data.on_ray import RayEngine

            scored = predict_table(version, home, table_in, out, RayEngine())
        else:
            scored = predict_table(version, home, table_in, out, LocalEngine())
    aside = f"; {scored.num_quarantined:,} rows set aside in {scored.quarantine}" if scored.quarantine else ""
    document = {"model": version.label, **scored.to_dict()}
    result(document, f"{scored.num_rows:,} rows scored by {version.label} into {scored.out}{aside}")
