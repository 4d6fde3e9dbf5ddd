import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distml.config import SourceConfig
from distml.errors import DataError
from distml.reading.source import list_fragments, read_fragment, read_head
from distml.reading.sql import count_rows, one_state

TYPES = """
CREATE TABLE t (i integer, big bigint, f double precision, d numeric(10, 2), b boolean, s text, e date, z timestamp,
                empty text)
"""
FILLED = """
INSERT INTO t VALUES (1, 9007199254740993, 0.1, 1.50, true, 'ü', '2024-01-02', '2024-01-02 03:04:05', NULL),
                     (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
"""


def source_of(uri: str, query: str = "SELECT * FROM t", **values) -> SourceConfig:
    return SourceConfig(uri=uri, query=query, **values)


def parts_of(source: SourceConfig) -> list[list[dict]]:
    """The rows of each part."""
    return [
        [row for block in read_fragment(fragment, source) for row in block.to_pylist()]
        for fragment in list_fragments(source)
    ]


def rows_of(source: SourceConfig) -> list[dict]:
    return [row for part in parts_of(source) for row in part]


# Values


def test_types(database):
    uri = database(TYPES, FILLED)
    (table,) = read_fragment(list_fragments(source_of(uri))[0], source_of(uri))
    first, second = table.to_pylist()
    assert {first[name] for name in ("i", "big")} == {1, 9007199254740993}
    assert (first["f"], first["d"], first["s"], first["empty"]) == (0.1, 1.5, "ü", None)
    assert bool(first["b"]) is True
    assert [str(first[name]) for name in ("e", "z")] == ["2024-01-02", "2024-01-02 03:04:05"]
    assert set(second.values()) == {None}


def test_types_that_only_postgresql_has(postgres):
    query = """
    SELECT cast(1 as smallint) AS small, cast(0.5 as real) AS half, cast('a' as char(3)) AS padded,
           timestamptz '2024-01-02 03:00:00+02' AS stamp, uuid '00000000-0000-0000-0000-000000000001' AS id,
           cast('{"a": [1, null]}' as jsonb) AS document, array[1, 2] AS list, cast('x' as bytea) AS bytes,
           time '01:02' AS clock, 'NaN'::float8 AS nan, 'NaN'::numeric AS missing
    """
    (row,) = rows_of(source_of(postgres.uri, query))
    assert row["stamp"].isoformat() == "2024-01-02T01:00:00+00:00"
    assert (row["small"], row["half"], row["padded"]) == (1, 0.5, "a  ")
    assert (row["id"], row["document"]) == ("00000000-0000-0000-0000-000000000001", '{"a": [1, null]}')
    assert (row["list"], row["bytes"], str(row["clock"])) == ("[1, 2]", b"x", "01:02:00")
    assert row["nan"] != row["nan"] and row["missing"] is None


def test_a_type_that_is_none_is_refused(postgres):
    with pytest.raises(DataError, match=r"received Range; in column r.* cast it to text in the query"):
        rows_of(source_of(postgres.uri, "SELECT int4range(1, 5) AS r"))


def test_sqlite_takes_anything_anywhere(sqlite):
    uri = sqlite("CREATE TABLE t (a integer)", "INSERT INTO t VALUES (1), ('x'), (2.5), (NULL)")
    assert [row["a"] for row in rows_of(source_of(uri))] == ["1", "x", "2.5", None]


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("SELECT 1 AS a;", {"a": 1}),
        ("SELECT 1 AS a -- a remark", {"a": 1}),
        ("\n SELECT ':x' AS a, '%s %(y)s %' AS b ;\n", {"a": ":x", "b": "%s %(y)s %"}),
        ("SELECT '12:30' AS \"A b\"", {"A b": "12:30"}),
        ("WITH w AS (SELECT 1 AS a) SELECT * FROM w ORDER BY a LIMIT 5", {"a": 1}),
        ("SELECT '\\:' AS a", {"a": "\\:"}),
    ],
)
@pytest.mark.parametrize("partition", [False, True])
def test_a_query_is_carried_out_as_it_is_written(database, query, row, partition):
    told = {"column": next(iter(row)), "num": 2} if partition else None
    assert rows_of(source_of(database(), query, partition=told)) == [row]


def test_casts_of_postgresql(postgres):
    assert rows_of(source_of(postgres.uri, "SELECT '5'::int AS a, 'x'::text AS b")) == [{"a": 5, "b": "x"}]


def test_blocks_are_bounded(database):
    uri = database("CREATE TABLE t (a integer, s text)", _counted(60_000, "'" + 500 * "x" + "'"))
    sizes = [
        (block.num_rows, block.nbytes) for block in read_fragment(list_fragments(source_of(uri))[0], source_of(uri))
    ]
    assert sum(rows for rows, _ in sizes) == 60_000 and len(sizes) > 2
    assert max(size for _, size in sizes) < 24 << 20


def _counted(num: int, text: str = "'x'") -> str:
    """Fills t with 0 … num - 1 and a text."""
    return (
        f"INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {num}) "
        f"SELECT i, {text} FROM n"
    )


def test_the_head_and_the_count(database):
    uri = database("CREATE TABLE t (a integer, s text)", _counted(5000, "CASE WHEN i > 4000 THEN 'late' END"))
    head = read_head(source_of(uri, partition={"column": "a", "num": 3}), 1500)
    assert (head.num_rows, head.column("s").null_count) == (1500, 1500)
    assert head.schema.types == [pa.int64(), pa.string()]  # though its texts come later
    assert count_rows(source_of(uri)) == 5000


def test_parts_are_of_one_type(database):
    uri = database("CREATE TABLE t (a integer, s text)", _counted(30_000, "CASE WHEN i > 25000 THEN 'late' END"))
    source = source_of(
        uri, "SELECT a, s, CASE WHEN a < 20000 THEN 0.5 END AS f FROM t", partition={"column": "a", "num": 3}
    )
    blocks = [block for fragment in list_fragments(source) for block in read_fragment(fragment, source)]
    assert {tuple(block.schema.types) for block in blocks} == {(pa.int64(), pa.string(), pa.float64())}


# Parts


COLUMNS = {
    "integer": "(1), (1), (2), (3), (NULL), (-7), (100000)",
    "double precision": "(0.5), (NULL), (-1e300), (0.1), (0.1), (3)",
    "numeric(20, 5)": "(0.5), (NULL), (123456789012345.12345), (0.1), (0.1)",
    "text": "('a'), (''), ('b'), (NULL), ('Ä'), ('it''s'), ('b'), ('%')",
    "timestamp": "('2024-01-01 10:00:00'), ('2024-01-02 00:00:00'), (NULL), ('1999-12-31 23:59:59.123456')",
    "date": "('2024-01-01'), ('2024-01-02'), (NULL), (NULL), ('0001-01-01')",
}


@pytest.mark.parametrize("num", [1, 2, 3, 50])
@pytest.mark.parametrize("kind", COLUMNS)
def test_parts_have_every_row_once(database, kind, num):
    uri = database(f"CREATE TABLE t (k {kind})", f"INSERT INTO t VALUES {COLUMNS[kind]}")
    whole = Counter(str(row["k"]) for row in rows_of(source_of(uri)))
    parts = parts_of(source_of(uri, partition={"column": "k", "num": num}))
    assert Counter(str(row["k"]) for part in parts for row in part) == whole
    assert num == 1 or len(parts) > 1


@pytest.mark.parametrize("values", ["(NULL), (NULL)", "(5), (5), (5)"])
def test_a_column_that_divides_nothing(database, values):
    uri = database("CREATE TABLE t (k integer)", f"INSERT INTO t VALUES {values}")
    assert len(rows_of(source_of(uri, partition={"column": "k", "num": 4}))) == values.count("(")


def test_parts_have_about_as_many_rows_each(database):
    uri = database("CREATE TABLE t (k integer, s text)", _counted(4000), "UPDATE t SET k = k * k WHERE k > 1000")
    sizes = [len(part) for part in parts_of(source_of(uri, partition={"column": "k", "num": 8}))]
    assert sizes == [500] * 8


def test_nan_is_in_one_part(postgres):
    postgres.execute("DROP TABLE IF EXISTS t", "CREATE TABLE t (k float8)")
    postgres.execute("INSERT INTO t VALUES ('NaN'), (1), (2), ('infinity'), ('-infinity'), (NULL), ('NaN')")
    parts = parts_of(source_of(postgres.uri, partition={"column": "k", "num": 4}))
    assert sorted(str(row["k"]) for part in parts for row in part) == sorted(
        ["nan", "nan", "1.0", "2.0", "inf", "-inf", "None"]
    )


NUMBERS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.sampled_from([0, 0.5]))
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.one_of(st.lists(NUMBERS), st.lists(TEXTS), st.lists(st.one_of(NUMBERS, TEXTS))), num=st.integers(1, 9))
def test_whatever_the_values_no_part_loses_or_repeats_a_row(tmp_path, values, num):
    path = tmp_path / "rows.db"
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute("CREATE TABLE t (n integer, k)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", enumerate(values))
    connection.commit()
    connection.close()
    parts = parts_of(source_of(f"sql:sqlite:///{path}", partition={"column": "k", "num": num}))
    assert sorted(row["n"] for part in parts for row in part) == list(range(len(values)))


def test_a_part_says_which_rows_it_has(database):
    uri = database("CREATE TABLE t (k integer, s text)", _counted(30))
    paths = [fragment.path for fragment in list_fragments(source_of(uri, partition={"column": "k", "num": 3}))]
    assert [path.removeprefix(uri) for path in paths] == [
        ", rows with k below 10", ", rows with k from 10 below 20", ", rows with k from 20",
    ]  # fmt: skip


def test_nothing_at_all(database):
    uri = database("CREATE TABLE t (k integer, s text)")
    for partition in (None, {"column": "k", "num": 3}):
        source = source_of(uri, partition=partition)
        (block,) = read_fragment(list_fragments(source)[0], source)
        assert (block.num_rows, block.column_names) == (0, ["k", "s"])
        assert read_head(source, 10).column_names == ["k", "s"]


# One state


def test_parts_are_of_one_state_of_postgresql(postgres):
    postgres.execute("DROP TABLE IF EXISTS t", "CREATE TABLE t (k integer, s text)", _counted(100))
    source = source_of(postgres.uri, partition={"column": "k", "num": 4})
    with one_state(source):
        fragments = list_fragments(source)
        postgres.execute("INSERT INTO t VALUES (5, 'new')", "DELETE FROM t WHERE k > 90", "UPDATE t SET s = 'y'")
        with ThreadPoolExecutor() as pool:  # as workers do, which know the fragment alone
            blocks = pool.map(lambda fragment: list(read_fragment(fragment, source)), fragments)
            rows = [row for part in blocks for block in part for row in block.to_pylist()]
    assert sorted(row["k"] for row in rows) == list(range(100))
    assert {row["s"] for row in rows} == {"x"}
    assert len(rows_of(source)) == 92


def test_rows_that_move_between_parts_meanwhile_are_read_once(postgres):
    postgres.execute("DROP TABLE IF EXISTS t", "CREATE TABLE t (k integer, n integer)", _counted(2000, "i"))
    source = source_of(postgres.uri, partition={"column": "k", "num": 6})
    is_over = threading.Event()

    def move() -> None:
        while not is_over.is_set():
            postgres.execute("UPDATE t SET k = (k + 777) % 2000")

    with ThreadPoolExecutor() as pool:
        moving = pool.submit(move)
        try:
            for _ in range(3):
                with one_state(source):
                    rows = rows_of(source)
                assert sorted(row["n"] for row in rows) == list(range(2000))
                assert sorted(row["k"] for row in rows) == list(range(2000))
        finally:
            is_over.set()
            moving.result()


def test_a_snapshot_that_is_over_is_said(postgres):
    with one_state(source_of(postgres.uri, "SELECT 1 AS a")):
        fragments = list_fragments(source_of(postgres.uri, "SELECT 1 AS a"))
    with pytest.raises(
        DataError, match=r"all parts of a query are read in one snapshot of one server; received .*snapshot"
    ):
        list(read_fragment(fragments[0], source_of(postgres.uri, "SELECT 1 AS a")))


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_sqlite_file_that_is_written_to_meanwhile_is_refused(sqlite, mode):
    uri = sqlite(f"PRAGMA journal_mode = {mode}", "CREATE TABLE t (k integer)", "INSERT INTO t VALUES (1)")
    with (
        pytest.raises(DataError, match="another process has written to the database meanwhile"),
        one_state(source_of(uri)),
    ):
        sqlite("INSERT INTO t VALUES (2)")
    with one_state(source_of(uri)):
        assert len(rows_of(source_of(uri))) == 2


def test_files_hold_nothing(tmp_path):
    with one_state(SourceConfig(uri=str(tmp_path / "rows.csv"))):
        pass


def test_reading_changes_nothing(database):
    uri = database("CREATE TABLE t (k integer)", "INSERT INTO t VALUES (1)")
    for statement in ("DELETE FROM t RETURNING k", "INSERT INTO t VALUES (2) RETURNING k"):
        with pytest.raises(DataError, match="a query is one that its database carries out"):
            rows_of(source_of(uri, statement))
    assert rows_of(source_of(uri)) == [{"k": 1}]
