"""A table's first rows as a schema is inferred from them: before there is one, so by what needs none."""

from __future__ import annotations

from typing import Any

from distml.clean.cleaner import RowCleaner
from distml.config.clean import CleanConfig
from distml.config.source import SourceConfig
from distml.schema import Schema

HEAD_ROWS = 50_000  # of a source, from which a run infers its schema


def tidied(table: Any, source: SourceConfig, clean: CleanConfig) -> Any:
    """A raw pyarrow table with texts stripped, missing tokens nulled and values replaced, as every row will be."""
    import pyarrow as pa

    tidier = RowCleaner(schema=Schema(()), missing=source.missing, strip=clean.strip, replace=clean.replace)
    names = table.column_names
    return pa.table([tidier.tidy(*named) for named in zip(names, table.columns, strict=True)], names)
