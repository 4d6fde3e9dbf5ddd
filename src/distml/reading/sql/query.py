"""A query's rows: as parts that lose no row and have none twice, each read in blocks of bounded size.

Parts lie between values of the partition column, found by the database itself so that each has about as many rows.
Of every two neighbours one has the rows below the bound and the other those from it on, so that whatever is between
the bounds is in one part; rows without a value are in the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError, did_you_mean
from distml.reading.files import Fragment
from distml.reading.sql.database import connected
from distml.reading.sql.moment import snapshot_of
from distml.reading.sql.values import joined, settled, to_arrow

_HEAD_ROWS = 10_000
_FIRST_ROWS = 1024
_MOST_ROWS = 1 << 16
_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Rows whose value is in [lower, upper); None is no bound, and rows without a value are where `lower` is None."""

    lower: Any = None
    upper: Any = None
    snapshot: str | None = None  # of PostgreSQL
    schema: Any = None  # pyarrow's, of the query's first rows: what a part has no values to tell its types from


def list_parts(source: SourceConfig) -> list[Fragment]:
    """The query's parts, the one where it isn't partitioned. Raises `DataError` as the database refuses."""
    snapshot = snapshot_of(source)
    bounds = [] if source.partition is None else _bounds(source, snapshot)
    schema = read_head(source, _HEAD_ROWS).schema
    slices = [
        Slice(lower=lower, upper=upper, snapshot=snapshot, schema=schema)
        for lower, upper in itertools.pairwise([None, *bounds, None])
    ]
    return [Fragment(index=i, path=_place(source, part), format="sql", detail=part) for i, part in enumerate(slices)]


def read_head(source: SourceConfig, num_rows: int) -> Any:
    """The query's first rows as one raw pyarrow table.

    A column without any value in them has the type of its first value further on, which the database is asked for.
    """
    import pyarrow as pa
    import sqlalchemy as sa

    with connected(source, snapshot_of(source)) as connection:
        result = connection.execution_options(stream_results=True).execute(_selected(source, Slice()))
        names = _distinct(list(result.keys()), source)
        head = joined(list(_first(_blocks(names, result), num_rows)))
        result.close()
        for index, name in enumerate(names):
            if pa.types.is_null(head.column(index).type):
                column = wrapped(source, name).c[name]
                found = connection.execute(sa.select(column).where(column.is_not(None)).limit(1)).all()
                kind = to_arrow([name], found).schema.field(0).type
                head = head.set_column(index, name, head.column(index).cast(kind))
    return head


def _first(blocks: Iterator[Any], num_rows: int) -> Iterator[Any]:
    for block in blocks:
        yield block.slice(0, num_rows)
        num_rows -= block.num_rows
        if num_rows <= 0:
            return


def read_part(fragment: Fragment, source: SourceConfig) -> Iterator[Any]:
    """A part's rows as raw pyarrow tables, at least one. Types: see `values`."""
    part: Slice = fragment.detail
    with connected(source, part.snapshot) as connection:
        result = connection.execution_options(stream_results=True).execute(_selected(source, part))
        names = _distinct(list(result.keys()), source)
        for block in _blocks(names, result):
            yield settled(block, part.schema)


def _blocks(names: list[str], result: Any) -> Iterator[Any]:
    """Blocks of about 16 MiB, judged by the block before."""
    num_rows, is_empty = _FIRST_ROWS, True
    while rows := result.fetchmany(num_rows):
        table = to_arrow(names, rows)
        yield table
        is_empty = False
        num_rows = min(_MOST_ROWS, max(1, _BLOCK_BYTES * table.num_rows // max(1, table.nbytes)), 8 * num_rows)
    if is_empty:
        yield to_arrow(names, [])


def count_rows(source: SourceConfig) -> int:
    """How many rows the query has, which the database counts."""
    import sqlalchemy as sa

    with connected(source, snapshot_of(source)) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(wrapped(source))).scalar_one())


def wrapped(source: SourceConfig, *columns: str) -> Any:
    """The query as SQLAlchemy's subquery, with the columns that are to be named in it."""
    import sqlalchemy as sa

    return _plain(source).columns(*map(sa.column, columns)).subquery("q")


def _plain(source: SourceConfig) -> Any:
    """The query as it is written."""
    import sqlalchemy as sa

    assert source.query is not None
    # A colon begins no parameter here; and a comment in the last line ends with it.
    return sa.text(source.query.strip().rstrip(";").replace(":", "\\:") + "\n")


def _selected(source: SourceConfig, part: Slice) -> Any:
    import sqlalchemy as sa

    if source.partition is None or part.lower is part.upper is None:
        return _plain(source)
    q = wrapped(source, source.partition.column)
    column = q.c[source.partition.column]
    chosen = sa.select(sa.text("*")).select_from(q)
    if part.upper is not None:
        below = column < part.upper
        chosen = chosen.where(below if part.lower is not None else sa.or_(below, column.is_(None)))
    if part.lower is not None:
        chosen = chosen.where(column >= part.lower)
    return chosen


def _bounds(source: SourceConfig, snapshot: str | None) -> list[Any]:
    """The least value of every part but the first, ascending, none of them twice."""
    import sqlalchemy as sa

    assert source.partition is not None
    name, num = source.partition.column, source.partition.num
    with connected(source, snapshot) as connection:
        with connection.execution_options(stream_results=True).execute(_plain(source)) as result:
            # From here: a subquery's columns that share a name are given others by SQLite.
            names = _distinct(list(result.keys()), source)
        if name not in names:
            near = did_you_mean(name, names)
            raise DataError(
                "a query is partitioned by one of its columns",
                received=name,
                where=f"{source.uri}, data.source.partition.column",
                remedy=f"did you mean {near!r}?" if near else f"its columns: {', '.join(names[:40])}",
            )
        q = wrapped(source, name)
        value = q.c[name].label("value")
        tiles = (
            sa.select(value, sa.func.ntile(num).over(order_by=value).label("tile"))
            .where(value.is_not(None))
            .subquery("tiles")
        )
        least = sa.func.min(tiles.c.value).label("least")
        found = [row[0] for row in connection.execute(sa.select(least).group_by(tiles.c.tile).order_by(least))]
    return list(dict.fromkeys(found[1:]))


def _distinct(names: list[str], source: SourceConfig) -> list[str]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            "a query's columns have names that differ",
            received=f"{', '.join(repeated)} more than once",
            where=f"{source.uri}, data.source.query",
            remedy="name each column once, with AS",
        )
    return names


def _place(source: SourceConfig, part: Slice) -> str:
    """What a part is called in findings and errors."""
    if source.partition is None or part.lower is part.upper is None:
        return source.uri
    start = "" if part.lower is None else f" from {part.lower}"
    end = "" if part.upper is None else f" below {part.upper}"
    return f"{source.uri}, rows with {source.partition.column}{start}{end}"
