"""What a query's rows are known by, so that a stage is done again when they are others.

A count of changes would be cheaper, but a query knows none; so its rows are hashed, whatever their order: by
PostgreSQL itself, elsewhere by reading them once through. `version` spares that where the user knows better.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from distml.config.source import SourceConfig
from distml.hashing import row_hashes
from distml.reading.sql.database import connected
from distml.reading.sql.moment import snapshot_of
from distml.reading.sql.query import list_parts, read_part, wrapped


def content_of(source: SourceConfig) -> list[Any]:
    """JSON-ready: the number of a query's rows and the sum of their hashes, or the version that the config gives."""
    if source.version is not None:
        return [source.version]
    with connected(source, snapshot_of(source)) as connection:
        if connection.dialect.name == "postgresql":
            import sqlalchemy as sa

            hashed = sa.text("count(*), cast(sum(hashtextextended(cast(q as text), 0)) as text)")
            return list(connection.execute(sa.select(hashed).select_from(wrapped(source))).one())
    num_rows = total = 0
    for fragment in list_parts(source.model_copy(update={"partition": None})):
        for table in read_part(fragment, source):
            num_rows += table.num_rows
            total += int(row_hashes(table).sum(dtype=np.uint64))
    return [num_rows, str(total % 2**64)]
