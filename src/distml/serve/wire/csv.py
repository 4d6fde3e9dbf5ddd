"""CSV on `/invocations`: a header and rows of texts, which cleaning reads as it reads the texts of a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from distml.errors import DataError
from distml.records import check_columns, table_from_columns
from distml.schema import Column, Schema
from distml.serve.wire.format import Rows
from distml.serve.wire.invocations import Invocations
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem, problem_of
from distml.serve.wire.rows import check_count, check_names, counted

CSV = "text/csv"


class Csv(Invocations):
    """A body as `pandas.DataFrame.to_csv` writes it: commas, quotes doubled, UTF-8. An image is base64."""

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        import pyarrow as pa

        table = _table(body, schema)
        names = table.column_names
        check_names(names)
        check_count(table.num_rows, limits)
        try:
            check_columns(names, schema)
            columns = {column.name: _texts(table, column) for column in schema.inputs}
        except DataError as error:
            raise problem_of(error) from None
        return counted(pa.table(columns), names, schema)


def _texts(table: Any, column: Column) -> Any:
    import pyarrow as pa

    if column.name not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    texts = table.column(column.name)
    if column.kind != "image":
        return texts
    images = {column.name: [text or None for text in texts.to_pylist()]}
    return table_from_columns(images, table.num_rows, Schema((column,))).column(column.name)


def _table(body: bytes, schema: Schema) -> Any:
    """The texts of a body by column. Raises `Problem` 400 or 422, which quotes no value, as any may be private."""
    import pyarrow as pa
    from pyarrow import csv

    if body.count(b'"') % 2:
        raise Problem(400, "invalid-csv", "the body is not CSV: its quotes don't pair")
    faults: list[Problem] = []
    # In one block and one thread: rows are numbered, and none is longer than a block.
    read = csv.ReadOptions(use_threads=False, block_size=len(body) + 1)
    parse = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=partial(_note, faults))
    convert = csv.ConvertOptions(column_types={column.name: pa.string() for column in schema.inputs})
    try:
        body.decode()
        table = csv.read_csv(pa.BufferReader(body), read, parse, convert)
    except UnicodeDecodeError as error:
        raise Problem(400, "invalid-csv", f"the body is not UTF-8: byte {error.start} begins no character") from None
    except pa.ArrowInvalid:
        raise Problem(400, "invalid-csv", "the body is not CSV: it has no header with rows below it") from None
    if faults:
        raise faults[0]
    return table


def _note(faults: list[Problem], line: Any) -> str:
    """Notes a row that has more or fewer values than the header; line: pyarrow's InvalidRow."""
    row, told, wanted = line.number - 2, f"{line.actual_columns} values", f"{line.expected_columns} values"
    detail = f"row {row}: a row has as many values as the header, {wanted}, received {told}"
    faults.append(Problem(422, "invalid-row", detail, row=row, received=told, allowed=wanted))
    return "skip"
