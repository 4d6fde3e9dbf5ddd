"""A small table of every type in both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

Ask = Callable[..., dict]


@pytest.fixture
def sqlite(tmp_path: Path):
    """Makes a database file by statements and gives its URI."""
    path = tmp_path / "rows.db"

    def make(*statements: str) -> str:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return f"sql:sqlite:///{path}"

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def database(request):
    """Carries out statements in a database and gives its URI: every test with it is done in both."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite")
    server = request.getfixturevalue("postgres")

    def make(*statements: str) -> str:
        server.execute("DROP TABLE IF EXISTS t", *statements)
        return server.uri

    return make
