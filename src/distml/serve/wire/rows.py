"""What every format ends in: records, columns or a table of a body as `Rows`, counted and held to the schema."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from distml.errors import DataError
from distml.records import absent_columns, check_columns, extra_columns, table_from_columns
from distml.schema import Schema
from distml.serve.wire.body import repeated_column
from distml.serve.wire.format import Rows
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, problem_of
from distml.serve.wire.tables import typed

MAX_IGNORED = 10_000  # columns of one request


def check_count(num_rows: int, limits: Limits) -> None:
    """Raises `Problem` 422 for no row, 413 for too many."""
    if num_rows == 0:
        raise Problem(422, "invalid-body", "a request has at least one row, received none")
    if num_rows > limits.max_rows:
        raise Problem(413, "too-many-rows", f"a request has at most {limits.max_rows} rows, received {num_rows}")


def rows_of_records(records: list[Any], schema: Schema, limits: Limits) -> Rows:
    """Rows given as JSON objects; their values are looked at where they are predicted."""
    check_count(len(records), limits)
    if set(map(type, records)) != {dict}:
        row = next(i for i, record in enumerate(records) if type(record) is not dict)
        received = type(records[row]).__name__
        raise Problem(
            422, "invalid-row", f"row {row}: a row is an object of column to value, received {received}",
            row=row, received=received, allowed="an object of column to value",
        )  # fmt: skip
    return Rows(
        records=records, ignored=_few(extra_columns(records, schema)), absent=absent_columns(records, schema)
    )  # fmt: skip


def rows_of_columns(
    columns: Mapping[str, Sequence[Any]],
    num_rows: int,
    schema: Schema,
    limits: Limits,
    told: Mapping[str, Any] | None = None,
) -> Rows:
    """Rows given as JSON values by column, `num_rows` of each."""
    check_count(num_rows, limits)
    try:
        table = table_from_columns(columns, num_rows, schema)
    except DataError as error:
        raise problem_of(error) from None
    return counted(table, columns, schema, told)


def rows_of_table(table: Any, schema: Schema) -> Rows:
    """Rows given as a pyarrow table of whatever types."""
    names = table.column_names
    check_names(names)
    try:
        check_columns(names, schema)
        given = typed(table, schema)
    except DataError as error:
        raise problem_of(error) from None
    return counted(given, names, schema)


def check_names(names: Sequence[str]) -> None:
    """Raises `Problem` 422 for a column that is there more than once."""
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise repeated_column(repeated)


def counted(table: Any, names: Collection[str], schema: Schema, told: Mapping[str, Any] | None = None) -> Rows:
    """A table as rows. names: the columns that were given, of which the schema may read some or want more."""
    n, inputs = table.num_rows, schema.input_names
    return Rows(
        table=table,
        told=told or {},
        ignored=_few({name: n for name in names if name not in inputs}),
        absent={name: n for name in schema.optional_names if name not in names},
    )


def _few(ignored: dict[str, int]) -> dict[str, int]:
    """Columns that no model reads, each of which is counted. Raises `Problem` 422 for too many."""
    if len(ignored) > MAX_IGNORED:
        rule = f"a request has at most {MAX_IGNORED:,} columns that the model doesn't read"
        raise Problem(422, "too-many-columns", f"{rule}, received {len(ignored):,}", allowed=rule)
    return ignored
