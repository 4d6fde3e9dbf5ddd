import pytest

from databases import PASSWORD, VARIABLE
from distml.config import SourceConfig, parse_config
from distml.errors import ConfigError, DataError
from distml.reading.source import list_fragments, read_fragment, read_head

pytestmark = pytest.mark.timeout(60)  # a connection that hangs would wait for minutes


def refused(uri: str, query: str = "SELECT * FROM t", **values) -> str:
    """What a person is told, in a paragraph."""
    source = SourceConfig(uri=uri, query=query, **values)
    with pytest.raises((DataError, ConfigError)) as caught:
        list_fragments(source) if source.partition else read_head(source, 10)
    told = str(caught.value)
    assert "\n" not in told and "Remedy: " in told and "sqlalche.me" not in told
    assert PASSWORD not in told and "sql:" in told
    return told


def test_a_wrong_password(postgres, monkeypatch):
    monkeypatch.setenv(VARIABLE, "another-one")
    told = refused(postgres.uri)
    assert "password authentication failed for user" in told and "another-one" not in told
    assert "the variable that holds the password" in told


def test_a_password_that_is_not_set(postgres, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    assert f"set {VARIABLE} in the environment" in refused(postgres.uri)


def test_a_database_that_is_not_there(postgres):
    assert 'database "nowhere" does not exist' in refused(postgres.uri.replace("/postgres", "/nowhere"))


@pytest.mark.parametrize("place", ["127.0.0.1:9", "no-such-host.invalid:5432"])
def test_a_server_that_is_not_there(postgres, place):
    told = refused(f"sql:postgresql+psycopg://ann:${{{VARIABLE}}}@{place}/postgres")
    assert "check host, port, database and user" in told


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM nothing_like_it", "nothing_like_it"),
        ("SELEC * FROM t", "syntax error"),
        ("SELECT 1 AS a, 2 AS a", "names that differ; received a more than once"),
        ("", "a query is one that its database carries out"),
    ],
)
def test_a_query_that_is_none(database, query, said):
    told = refused(database(), query)
    assert said in told and "data.source.query" in told


def test_columns_of_one_name_are_refused_in_parts_too(database):
    assert "received a more than once" in refused(database(), "SELECT 1 AS a, 2 AS a", partition={"column": "a"})


@pytest.mark.parametrize(("column", "hint"), [("K", "did you mean 'k'?"), ("other", "its columns: k, s")])
def test_a_partition_by_no_column(database, column, hint):
    uri = database("CREATE TABLE t (k integer, s text)", "INSERT INTO t VALUES (1, 'x')")
    told = refused(uri, partition={"column": column, "num": 2})
    assert f"received {column}" in told and "data.source.partition.column" in told and hint in told


def test_a_value_that_python_has_no_date_for(postgres):
    assert "year" in refused(postgres.uri, "SELECT timestamp 'infinity' AS z")


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path):
    assert "no file" in refused(f"sql:sqlite:///{tmp_path}/rows.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "rows.db").write_text("a,b\n1,2\n" * 100)
    assert "file is not a database" in refused(f"sql:sqlite:///{tmp_path}/rows.db")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sql:", "SQLAlchemy's URL"),
        ("sql:x", "SQLAlchemy's URL"),
        ("sql:nothing://h/d", "has a dialect for; received nothing"),
        ("sql:sqlite://", "an SQLite database is a file"),
        ("sql:oracle+oracledb://h/d", "oracledb is not installed"),
        ("sql:postgresql+psycopg2://h/d", "psycopg2 is not installed"),
    ],
)
def test_urls_that_name_nothing(uri, said):
    assert said in refused(uri)


CONFIG = "name: a\ndata:\n  target: y\n  source: {uri: %s, query: SELECT 1}\n"


@pytest.mark.parametrize(
    "uri",
    [
        "sql:postgresql+psycopg://ann:hunter2@h/d",
        "sql:postgresql+psycopg://ann:hunt/er2@h/d",
        "sql:postgresql+psycopg://:hunter2@h/d",
        "sql:postgresql+psycopg://ann:x${P}hunter2@h/d",
    ],
)
def test_a_written_password_is_refused_and_not_shown(uri):
    with pytest.raises(ConfigError, match=r"\$\{PASSWORD\}") as caught:
        parse_config(CONFIG % f'"{uri}"', environ={"P": "secret"})
    assert "er2" not in str(caught.value)


@pytest.mark.parametrize("credentials", ["ann@", "", "ann:${P}@", "${U}:${P}@"])
def test_a_variable_stays_one_in_what_is_recorded(credentials):
    config = parse_config(CONFIG % f'"sql:postgresql+psycopg://{credentials}h/d"', environ={"U": "u", "P": "secret"})
    assert config.data.source.uri == f"sql:postgresql+psycopg://{credentials}h/d"
    assert config.to_public_dict() == config.to_dict()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{uri: 'sql:sqlite:///a.db'}", "needs `query`"),
        ("{uri: 'sql:sqlite:///a.db', query: SELECT 1, rename: {a: b}}", "with AS"),
        ("{uri: a.csv, query: SELECT 1}", "`query` belongs to a table in a database"),
        ("{uri: a.csv, partition: {column: a}}", "`partition` belongs to a table in a database"),
    ],
)
def test_keys_that_do_not_go_together(source, said):
    with pytest.raises(ConfigError, match=said):
        parse_config(f"name: a\ndata: {{target: y, source: {source}}}")


def test_a_test_table_has_a_query_of_its_own():
    table = "{uri: 'sql:sqlite:///a.db', query: SELECT 1, missing: ['?'], partition: {column: a}}"
    with pytest.raises(ConfigError, match="needs `query`"):
        parse_config(f"name: a\ndata: {{target: y, source: {table}, test: {{uri: 'sql:sqlite:///a.db'}}}}")
    config = parse_config(f"name: a\ndata: {{target: y, source: {table}, test: {{uri: b.csv}}}}")
    assert config.data.test == SourceConfig(uri="b.csv", missing=("?",))


def test_relative_paths_are_those_of_the_workstation(tmp_path, monkeypatch):
    from distml.config import with_absolute_paths

    monkeypatch.chdir(tmp_path)
    for path in ("a.db", f"/{tmp_path}/a.db".removeprefix("/")):
        config = parse_config(CONFIG % f"sql:sqlite:///{path}")
        assert with_absolute_paths(config).data.source.uri == f"sql:sqlite:///{tmp_path}/a.db"


def test_reading_says_where(database):
    uri = database("CREATE TABLE t (k integer)")
    source = SourceConfig(uri=uri, query="SELECT k / 0 AS a, nothing FROM t")
    with pytest.raises(DataError, match="nothing"):
        list(read_fragment(list_fragments(source)[0], source))
