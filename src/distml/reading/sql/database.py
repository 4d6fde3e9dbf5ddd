"""Connections to the database of a source, and what it says when it refuses, for people.

The URL is SQLAlchemy's, after `sql:`. A password is a variable's name until the connection is opened, and the
variable holds it as it is: nothing in it need be escaped.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.secrets import with_secrets

CONNECT_TIMEOUT_S = 10
_POSTGRESQL = {"psycopg", "psycopg2"}  # drivers; the extra `sql` brings the first


@contextmanager
def connected(source: SourceConfig, snapshot: str | None = None) -> Iterator[Any]:
    """A SQLAlchemy connection that only reads, in one transaction; in PostgreSQL in the given snapshot, if any.

    Raises `DataError` for a database that isn't there or doesn't let one in, and for what it refuses afterwards.
    """
    import sqlalchemy as sa

    engine = _engine(source)
    try:
        connection = engine.connect()
        if engine.dialect.name == "postgresql":
            # One state of the table from the first statement to the last.
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        elif engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise DataError(
            "a database can be reached and lets its reader in",
            received=_said(error),
            where=source.uri,
            remedy="check host, port, database and user, and the variable that holds the password",
        ) from None
    try:
        with connection:
            if snapshot is not None:
                _enter(snapshot, connection, source)
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise DataError(
            "a query is one that its database carries out",
            received=_said(error),
            where=f"{source.uri}, data.source.query",
            remedy="correct it; in the database's own client it fails alike",
        ) from None


def _enter(snapshot: str, connection: Any, source: SourceConfig) -> None:
    import sqlalchemy as sa

    try:
        connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
    except sa.exc.SQLAlchemyError as error:
        raise DataError(
            "all parts of a query are read in one snapshot of one server",
            received=_said(error),
            where=source.uri,
            remedy="run it again; if it stays, name one server, not a pool of them, and one that lets sessions idle",
        ) from None


def _engine(source: SourceConfig) -> Any:
    import sqlalchemy as sa

    url = _url(source)
    try:
        kind = url.get_backend_name()
        timeout = {"connect_timeout": CONNECT_TIMEOUT_S} if kind in ("postgresql", "mysql", "mariadb") else {}
        timeout = {key: value for key, value in timeout.items() if key not in url.query}
        return sa.create_engine(url, poolclass=sa.pool.NullPool, hide_parameters=True, connect_args=timeout)
    except sa.exc.NoSuchModuleError:
        raise DataError(
            "a database is one that SQLAlchemy has a dialect for",
            received=url.drivername,
            where=source.uri,
            remedy="postgresql+psycopg, sqlite, or one whose package is installed",
        ) from None
    except ModuleNotFoundError as error:
        package = "distml[sql]" if error.name in _POSTGRESQL else str(error.name)
        hint = "; write postgresql+psycopg://" if error.name == "psycopg2" else ""
        raise DataError(
            "a database is read through its driver",
            received=f"{error.name} is not installed",
            where=source.uri,
            remedy=f"pip install '{package}' on every node{hint}",
        ) from None


def _url(source: SourceConfig) -> Any:
    import sqlalchemy as sa

    try:
        filled = with_secrets(source.uri, written=lambda value: urllib.parse.quote(value, safe=""))
        url = sa.make_url(filled.removeprefix("sql:"))
    except (sa.exc.ArgumentError, ValueError):
        raise DataError(
            "a database is named by sql: and SQLAlchemy's URL",
            received=source.uri,
            where="data.source.uri",
            remedy="sql:postgresql+psycopg://user:${PASSWORD}@host:5432/database or sql:sqlite:///path/of/file.db",
        ) from None
    if url.get_backend_name() == "sqlite" and not (url.query.get("uri") or os.path.isfile(url.database or "")):
        # SQLite would make it, and find no table in it.
        raise DataError(
            "an SQLite database is a file",
            received=f"no file {url.database or ''}".rstrip(),
            where=source.uri,
            remedy="check the path: sql:sqlite:///relative/path.db, or four slashes before an absolute one",
        )
    return url


def _said(error: Exception) -> str:
    """What the database said, in a line: without the statement, and without SQLAlchemy's link to its manual."""
    told = str(getattr(error, "orig", None) or error).strip()
    lines = [line.strip() for line in told.splitlines() if line.strip() and not set(line.strip()) <= {"^"}]
    return " ".join(lines)[:500] or type(error).__name__
