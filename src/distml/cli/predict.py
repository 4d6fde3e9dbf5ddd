"""The command `predict`: batch scoring."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Overrides, Reference, StorageOption
from distml.cli.output import begin, result, say
from distml.wording import numbered

if TYPE_CHECKING:
    from distml.data import Engine
    from distml.lifecycle.scoring import Scored, ScoringJob

_PROGRESS_S = 5.0

Source = Annotated[
    str, typer.Option("--in", help="file, glob or folder; read as the model's data.source is", metavar="URI")
]
Out = Annotated[
    str, typer.Option("--out", help="a .parquet or .csv file, or a folder/ of Parquet parts", metavar="URI")
]
Where = Annotated[
    str,
    typer.Option(
        "--engine", help="local: this process; ray: a pool of workers on a cluster; auto: ray for a large table"
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(predict)


def predict(
    reference: Reference,
    source: Source,
    out: Out,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    storage: StorageOption = DEFAULT_STORAGE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace earlier predictions at --out")] = False,
    engine: Where = "auto",
    json: Json = False,
) -> None:
    """Scores a table in batch, as the service would. Rows that it would refuse go to a file beside, with the reasons.

    -s data.source.key=value where this table is written in another way than the one that the model was trained on.
    """
    begin(json)
    from distml.lifecycle.predict import plan_scoring, source_of
    from distml.reading.sql import one_state
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    version = resolve(StoreRegistry(home), reference)
    table = source_of(home, version, source, overrides)
    try:
        with one_state(table):
            job = plan_scoring(version, home, table, out, overwrite=overwrite)
            with _started(engine, job) as chosen:
                scored = job.run(chosen, _progress(len(job.fragments)))
    except KeyboardInterrupt:
        say("distml: interrupted; nothing is written")
        raise
    result(scored.to_dict(), _text(scored))


@contextlib.contextmanager
def _started(engine: str, job: ScoringJob) -> Iterator[Engine]:
    """The engine of that name, with the cluster that it needs."""
    from distml.cluster.on_ray import Signals, cluster
    from distml.data import LocalEngine
    from distml.errors import ConfigError

    if engine not in ("auto", "local", "ray"):
        raise ConfigError("an engine is auto, local or ray", received=engine, where="--engine")
    signals = Signals()
    signals.install()
    if engine == "local" or (engine == "auto" and not job.is_large):
        yield LocalEngine()
        return
    with cluster(signals):  # which says in the environment what Ray reads when it is imported
        from distml.data.on_ray import RayEngine

        yield RayEngine()


def _progress(num_fragments: int) -> Callable[[int, int], None]:
    """Says every few seconds how far the work has come."""
    told = time.monotonic()

    def progress(num_done: int, num_rows: int) -> None:
        nonlocal told
        if num_done < num_fragments and time.monotonic() - told > _PROGRESS_S:
            told = time.monotonic()
            say(f"{num_done:,} of {num_fragments:,} fragments, {num_rows:,} rows")

    return progress


def _text(scored: Scored) -> str:
    lines = [f"{numbered(scored.num_rows, 'row')} scored by {scored.model} into {scored.out}"]
    if scored.quarantine:
        lines.append(f"{numbered(scored.num_quarantined, 'row')} set aside in {scored.quarantine}:")
        lines += [f"  {count:,}  {reason}" for reason, count in scored.reasons.items()]
    return "\n".join(lines)
