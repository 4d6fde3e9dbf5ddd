import pytest

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading.source import fingerprint


def source_of(uri: str, query: str = "SELECT * FROM t", **values) -> SourceConfig:
    return SourceConfig(uri=uri, query=query, **values)


MADE = ("CREATE TABLE t (k integer, s text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)")


def test_the_same_rows_are_known_again_in_whatever_order(database):
    first = fingerprint(source_of(database(*MADE)))
    uri = database("DROP TABLE IF EXISTS t", MADE[0], "INSERT INTO t VALUES (3, NULL), (1, 'a'), (2, 'b')")
    assert fingerprint(source_of(uri)) == first


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO t VALUES (1, 'a')",
        "DELETE FROM t WHERE k = 3",
        "UPDATE t SET s = 'c' WHERE k = 2",
        "UPDATE t SET s = '' WHERE k = 3",
        "UPDATE t SET s = CASE k WHEN 1 THEN 'b' WHEN 2 THEN 'a' END",
    ],
)
def test_other_rows_are_told_apart(sqlite, postgres, change):
    for make, uri in ((sqlite, sqlite(*MADE)), (postgres.execute, postgres.uri)):
        if make != sqlite:
            make("DROP TABLE IF EXISTS t", *MADE)
        before = fingerprint(source_of(uri))
        make(change)
        assert fingerprint(source_of(uri)) != before


def test_another_query_is_another_source(database):
    uri = database(*MADE)
    assert fingerprint(source_of(uri)) != fingerprint(source_of(uri, "SELECT k FROM t"))


def test_a_version_spares_the_look(database):
    uri = database()
    known = fingerprint(source_of(uri, version="1"))  # there is no table t
    assert known != fingerprint(source_of(uri, version="2"))
    with pytest.raises(DataError):
        fingerprint(source_of(uri))


def test_no_row_at_all(database):
    uri = database(MADE[0])
    assert fingerprint(source_of(uri)) == fingerprint(source_of(uri))
