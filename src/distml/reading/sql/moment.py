"""One state of a table for as long as it takes to read it in parts, and what tells that state from others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.sql.database import connected

_SNAPSHOTS: ContextVar[dict[str, str] | None] = ContextVar("snapshots", default=None)


def snapshot_of(source: SourceConfig) -> str | None:
    """The snapshot that this thread holds of a source's database, if any."""
    return (_SNAPSHOTS.get() or {}).get(source.uri)


@contextmanager
def one_state(*sources: SourceConfig) -> Iterator[None]:
    """While it lasts, fragments of sources that are queries are of one state of their database.

    PostgreSQL: a snapshot that every connection reads in, from wherever. SQLite: `DataError` at the end where another
    process has changed the file meanwhile. Other databases: each part is read as it is then.
    """
    databases = {source.uri: source for source in sources if source.uri.startswith("sql:")}
    with ExitStack() as stack:
        found = {uri: snapshot for uri, source in databases.items() if (snapshot := stack.enter_context(_hold(source)))}
        token = _SNAPSHOTS.set((_SNAPSHOTS.get() or {}) | found)
        stack.callback(_SNAPSHOTS.reset, token)
        yield


@contextmanager
def _hold(source: SourceConfig) -> Iterator[str | None]:
    with connected(source) as connection:
        if connection.dialect.name == "postgresql":
            # However long the others read: a server may be set up to end who says nothing for a while.
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        elif connection.dialect.name == "sqlite":
            before = _data_version(connection)
            yield None
            if _data_version(connection) != before:
                raise DataError(
                    "a table stays as it is while it is read",
                    received="another process has written to the database meanwhile",
                    where=source.uri,
                    remedy="run it again when nobody writes, or read a copy of the file",
                )
        else:
            yield None


def _data_version(connection: Any) -> int:
    return connection.exec_driver_sql("PRAGMA data_version").scalar_one()
