"""Batch scoring: a table through a registered version, along the serving path, fragment by fragment.

Everything that can be refused is refused here, before a cluster is started; `distml.lifecycle.scoring` does the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from distml.clean.convert import cast
from distml.config import SourceConfig, parse_config
from distml.config.source import written_like
from distml.data.engine import Engine
from distml.errors import ConfigError, DataError, did_you_mean
from distml.images import is_encoded, is_tensor
from distml.lifecycle.configs import config_of
from distml.lifecycle.scoring import Scored, ScoringJob
from distml.lifecycle.scoring.destination import Destination
from distml.lifecycle.scoring.parts import check_types
from distml.lifecycle.scoring.worker import FILE, REASON, ROW, prediction_fields
from distml.package import MANIFEST, require_code
from distml.reading.files import Fragment
from distml.reading.source import list_fragments, read_layout
from distml.reading.sql import one_state
from distml.reading.text import read_names
from distml.registry import Version
from distml.schema import Schema
from distml.storage import Storage, dump_json


def plan_scoring(
    version: Version, storage: Storage, source: SourceConfig, out: str, *, overwrite: bool = False
) -> ScoringJob:
    """What is to be done to score a source into `out`: a .parquet or .csv file, or a folder of Parquet parts.

    overwrite: earlier predictions there are replaced, when the new ones are whole. Raises `DataError` where the files
    don't share their columns or lack the model's, have columns that scoring adds, or where `out` is no such place or
    is taken.
    """
    import pyarrow as pa

    fragments = list_fragments(source)
    destination = Destination.parse(out)
    destination.check(_paths(fragments, source), overwrite=overwrite)
    manifest = storage.read_json(f"{version.package}/{MANIFEST}")
    schema = require_code(storage, version.package)
    source = without_target(source, fragments[0], schema.target.name)
    layout = read_layout(fragments, source).schema
    where = fragments[0].path if len(fragments) == 1 else source.uri
    _check_columns(layout, schema, where)
    scored = pa.schema([*layout, *prediction_fields(manifest["signature"]["outputs"]["labels"])])
    _check_added([*scored.names[len(layout) :], FILE, ROW, REASON], layout.names, where)
    check_types(destination.kind, scored)
    return ScoringJob(
        version=version, storage=storage, source=source, fragments=fragments, layout=layout, scored=scored,
        destination=destination,
    )  # fmt: skip


def source_of(storage: Storage, version: Version, uri: str, overrides: Sequence[str] = ()) -> SourceConfig:
    """A table that is written as the one that a version was trained on, but for overrides `data.source.key=value`.

    Raises `ConfigError` for an override of anything else.
    """
    for override in overrides:
        if not override.strip().startswith("data.source."):
            raise ConfigError(
                "a table to score is told only how it is read", received=override, where="-s",
                remedy="data.source.key=value",
            )  # fmt: skip
    told = config_of(storage, version).model_dump(mode="json", by_alias=True)
    told["data"]["source"] = written_like(told["data"]["source"], {"uri": uri})
    return parse_config(dump_json(told).decode(), overrides).data.source


def predict_table(
    version: Version, storage: Storage, source: SourceConfig, out: str, engine: Engine, *, overwrite: bool = False
) -> Scored:
    """Scores every row of a source, as `plan_scoring` and `ScoringJob.run` say."""
    with one_state(source):
        return plan_scoring(version, storage, source, out, overwrite=overwrite).run(engine)


def without_target(source: SourceConfig, fragment: Fragment, target: str) -> SourceConfig:
    """The source as a table to score is written: its columns without the target where the lines have one value less.

    Only where the config names the columns; where a header does, it says itself whether the target is there. What is
    renamed to the target needn't be there either.
    """
    kept = {old: new for old, new in source.rename.items() if new != target}
    source = source if kept == source.rename else source.model_copy(update={"rename": kept})
    columns = source.columns or ()
    if fragment.format != "csv" or target not in columns:
        return source
    values = read_names(fragment, source.model_copy(update={"header": True, "columns": None}))
    if len(values) != len(columns) - 1:
        return source
    return source.model_copy(update={"columns": tuple(name for name in columns if name != target)})


def _paths(fragments: Sequence[Fragment], source: SourceConfig) -> list[str]:
    """Where the files that are read lie, as `Storage.uri` writes it."""
    scheme, separator, _ = source.uri.rpartition("://")
    prefix = f"{scheme}://" if separator and scheme != "file" else ""
    return sorted({f"{prefix}{fragment.path}" for fragment in fragments})


def _check_columns(layout: Any, schema: Schema, where: str) -> None:
    """Every column that the model reads is there, of a type that cleaning can make something of."""
    import pyarrow as pa

    for column in schema.inputs:
        if column.name not in layout.names:
            near = did_you_mean(column.name, [name for name in layout.names if name not in schema])
            raise DataError(
                "a table to score has every column that the model was fitted on",
                received=f"no {column.name!r}",
                where=where,
                remedy=f"did you mean {near!r} to be {column.name!r}?" if near else "add it; empty if it is not known",
            )
        kind = layout.field(column.name).type
        is_image = is_encoded(kind) or is_tensor(kind)
        if not is_image if column.kind == "image" else cast(column, pa.array([], kind))[1] is not None:
            raise DataError(
                f"a {column.kind} column has values that can be read as such", received=str(kind),
                where=f"{where}, column {column.name}",
            )  # fmt: skip


def _check_added(added: Sequence[str], names: Collection[str], where: str) -> None:
    for name in added:
        if name in names:
            raise DataError(
                "a table to score has no column that scoring adds",
                received=name,
                where=where,
                remedy="rename it, or leave it out",
            )
