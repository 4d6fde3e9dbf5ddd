"""Parts of a table: written block by block, and joined to one file without being read into memory.

CSV parts have no header line, so that joining them is copying bytes.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import Any, Literal

from distml.errors import DataError
from distml.storage import Storage

Format = Literal["parquet", "csv"]
_COPY_BYTES = 8 << 20


def open_part(stream: Any, kind: Format, schema: Any) -> Any:
    """A context that writes pyarrow tables of a schema to a stream, each as it comes: `write_table`."""
    import pyarrow.csv
    import pyarrow.parquet

    if kind == "csv":
        options = pyarrow.csv.WriteOptions(include_header=False)
        return pyarrow.csv.CSVWriter(stream, schema, write_options=options)
    return pyarrow.parquet.ParquetWriter(stream, schema)


def join_parts(storage: Storage, keys: Sequence[str], target: str, kind: Format, schema: Any) -> None:
    """Writes a file with the rows of parts in their order; no more of them is in memory than a row group."""
    if kind == "parquet" and len(keys) == 1:
        storage.rename(keys[0], target)
        return
    with storage.open_output(target) as sink:
        if kind == "csv":
            _join_texts(storage, keys, sink, schema)
        else:
            _join_row_groups(storage, keys, sink, schema)


def _join_texts(storage: Storage, keys: Sequence[str], sink: Any, schema: Any) -> None:
    import pyarrow.csv

    pyarrow.csv.write_csv(schema.empty_table(), sink)  # the header line
    for key in keys:
        with storage.open_input(key) as stream:
            shutil.copyfileobj(stream, sink, _COPY_BYTES)


def _join_row_groups(storage: Storage, keys: Sequence[str], sink: Any, schema: Any) -> None:
    import pyarrow.parquet

    with open_part(sink, "parquet", schema) as writer:
        for key in keys:
            with storage.open_input(key) as stream:
                file = pyarrow.parquet.ParquetFile(stream)
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group))


def check_types(kind: Format, schema: Any) -> None:
    """Raises `DataError` naming the first column of a type that the format can't hold."""
    for field in schema:
        if not _fits(kind, field.type):
            raise DataError(
                f"a column's values can be written as {kind}",
                received=str(field.type),
                where=f"column {field.name}",
                remedy="leave the column out" if kind == "parquet" else "write to a .parquet file",
            )


def as_texts(table: Any) -> Any:
    """A pyarrow table with nested values and bytes as texts, as Python writes them: what CSV can't hold otherwise."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if not _fits("csv", field.type):
            texts = [None if value is None else repr(value) for value in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
    return table


def _fits(kind: Format, of: Any) -> bool:
    import pyarrow as pa

    if kind == "csv" and (pa.types.is_binary(of) or pa.types.is_large_binary(of) or pa.types.is_fixed_size_binary(of)):
        return False  # pyarrow writes bytes as they are, whatever they are
    try:
        open_part(io.BytesIO(), kind, pa.schema([("column", of)])).close()
    except pa.ArrowException:
        return False
    return True
