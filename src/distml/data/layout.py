"""The columns that the files of one table share, read from footers and headers before any row is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from distml.config.source import SourceConfig
from distml.data.files import Fragment
from distml.data.source import open_filesystem, read_fragment, read_head
from distml.data.text import read_names
from distml.errors import DataError

_NUM_THREADS = 16  # what is waited for is mostly an object store


def read_layout(fragments: Sequence[Fragment], source: SourceConfig) -> Any:
    """The pyarrow schema of a table: the first file's columns, each of a type that holds every file's values.

    Raises `DataError` naming file and column where a file has one twice, one more or fewer than the first file, or
    one of a type that doesn't go with the other files'.
    """
    listed = fragments[:1] if fragments[0].format == "sql" else fragments  # a query's parts are of the same columns
    files = list({fragment.path: fragment for fragment in reversed(listed)}.values())[::-1]
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        schemas = list(pool.map(partial(_schema_of, source=source), files))
    layout = schemas[0]
    for file, schema in zip(files, schemas, strict=True):
        _check_names(schema.names, layout.names, file.path, files[0].path)
        layout = _widened(layout, schema, file.path)
    return layout


def in_layout(table: Any, layout: Any) -> Any:
    """A raw pyarrow table with the columns of a layout, in its order and of its types.

    Raises `DataError` for a value that the type can't hold exactly.
    """
    import pyarrow as pa

    columns = []
    for field in layout:
        try:
            columns.append(table.column(field.name).cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                "the files of a table write a column's values alike",
                received=str(error).splitlines()[0],
                where=f"column {field.name}, {field.type} in another file",
                remedy="write the column as one type in all files",
            ) from None
    return pa.Table.from_arrays(columns, schema=layout)


def _schema_of(fragment: Fragment, source: SourceConfig) -> Any:
    """A file's columns as a pyarrow schema; codes are what they stand for, as each file has codes of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if fragment.format == "parquet":
        try:
            with open_filesystem(source).open_input_file(fragment.path) as stream:
                schema = pq.read_schema(stream)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError("a Parquet file is whole", received=str(error), where=fragment.path) from error
    elif fragment.format == "sql":
        schema = read_head(source, 10_000).schema
    elif fragment.format == "csv":
        schema = pa.schema([(name, pa.string()) for name in read_names(fragment, source)])
    else:
        schema = next(iter(read_fragment(fragment, source))).schema
    return pa.schema([field.with_type(_plain(field.type)) for field in schema])


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if pa.types.is_string_view(kind) else kind


def _check_names(names: Sequence[str], first: Sequence[str], path: str, first_path: str) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError("a table's column names differ", received=f"{repeated[0]} more than once", where=path)
    for there, here, owner, where in ((first, names, first_path, path), (names, first, path, first_path)):
        for name in there:
            if name not in here:
                raise DataError(
                    "the files of a table have the same columns",
                    received=f"no column {name}, which {owner} has",
                    where=where,
                    remedy="add it, or give tables of different columns one by one",
                )


def _widened(layout: Any, schema: Any, path: str) -> Any:
    """The layout with types that hold a file's values too."""
    import pyarrow as pa

    fields = []
    for field in layout:
        try:
            pair = [pa.schema([field]), pa.schema([schema.field(field.name)])]
            fields += list(pa.unify_schemas(pair, promote_options="permissive"))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise DataError(
                "the files of a table write a column's values alike",
                received=f"{schema.field(field.name).type}, in files before it {field.type}",
                where=f"{path}, column {field.name}",
                remedy="write the column as one type in all files",
            ) from None
    return pa.schema(fields)
