import io

import orjson
import pandas as pd
import pyarrow as pa
import pytest

from distml.clean import RowCleaner
from distml.schema import Column, Schema
from distml.serve.wire import Limits, Problem, Rows, find, problem_of_finding

SCHEMA = Schema(
    (
        Column(name="size", kind="numeric", dtype="number"),
        Column(name="colour", kind="categorical", dtype="string"),
        Column(name="secret", kind="numeric", dtype="number", private=True),
    )
).with_optional({"secret"})
ROWS = [{"size": 1.5, "colour": "red", "secret": 1}, {"size": None, "colour": None, "secret": None}]
JSON, CSV = "application/json", "text/csv"


def read(body, kind=JSON, schema=SCHEMA) -> Rows:
    headers = {"content-type": kind}
    body = body if isinstance(body, bytes) else orjson.dumps(body)
    return find("POST", "/invocations", headers).read(body, headers, schema, Limits())


def refused(body, kind=JSON) -> Problem:
    with pytest.raises(Problem) as caught:
        read(body, kind)
    return caught.value


@pytest.mark.parametrize("form", ["dataframe_records", "instances", "inputs"])
def test_rows_are_records(form):
    assert read({form: ROWS}).records == ROWS


def test_what_pandas_splits_and_what_is_columns_are_tables():
    frame = pd.DataFrame(ROWS).astype({"secret": "Int64"})
    split = orjson.loads(frame.to_json(orient="split"))
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    for body in ({"dataframe_split": split}, {"inputs": columns}):
        assert read(body).table.to_pydict() == {"size": [1.5, None], "colour": ["red", None], "secret": [1.0, None]}


def test_a_lone_value_is_a_column_of_one():
    assert read({"inputs": {"size": 1, "colour": "red"}}).table.to_pylist() == [
        {"size": 1.0, "colour": "red", "secret": None}
    ]


def test_params_are_ignored_and_counted():
    assert read({"inputs": ROWS, "params": {"temperature": 1}}).ignored == {"params": 2}
    assert read({"inputs": ROWS, "params": None}).ignored == {}


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (
            {"dataframe_split": {"columns": ["size", "colour"], "data": [[1, "red"], [1]]}},
            {"row": 1, "received": "1 values"},
        ),
        (
            {"dataframe_split": {"columns": ["size", "colour"], "data": [[1, "red"], 3]}},
            {"row": 1, "received": "a number"},
        ),
        ({"dataframe_split": {"columns": ["size", "size"], "data": [[1, 2]]}}, {"column": "size"}),
        (
            {"dataframe_split": {"columns": ["size", "colour"], "data": [[1, "red"], ["x", "red"]]}},
            {"row": 1, "column": "size"},
        ),
        ({"inputs": {"size": [1, 2], "colour": ["red"]}}, {"column": "colour", "received": "1 values"}),
        ({"inputs": {"size": [1]}}, {"column": "colour"}),
        ({"instances": [ROWS[0], [1, 2]]}, {"row": 1, "received": "list"}),
        ({"rows": ROWS}, {"received": "rows"}),
        ({"inputs": 3}, {"received": "a number"}),
    ],
)
def test_what_is_wrong_is_named(body, members):
    problem = refused(body)
    assert problem.status == 422
    assert members.items() <= problem.members.items()


def test_private_values_are_not_quoted():
    for body in (
        {"inputs": {"size": [1], "colour": ["a"], "secret": ["4111"]}},
        {"dataframe_split": {"columns": ["size", "colour", "secret"], "data": [[1, "a", "4111"]]}},
        {"dataframe_split": {"columns": ["size", "colour", "secret"], "data": [[1, "a", "4111", 4111]]}},
    ):
        assert b"4111" not in refused(body).reply("id-1").body
    for body in (b"size,colour,secret\n1,a,4111,4111\n", b'size,colour,secret\n1,a,"4111\n', b"size,colour,4111\n"):
        problem = refused(body, CSV)
        assert problem.status in (400, 422)
        assert b"4111" not in problem.reply("id-1").body


# CSV


def cleaned(body: bytes, schema: Schema = SCHEMA, **settings):
    return RowCleaner(schema=schema, **settings).apply(read(body, CSV, schema).table)


def test_csv_is_read_as_cleaning_reads_a_file():
    body = '\ufeffsize,colour,more\r\n 1.5 , red,x\r\n?,?,y\r\n1e3,"a,\n""b""",z\r\n'.encode()
    table = cleaned(body, missing=("", "?")).table
    assert table.to_pydict() == {
        "size": [1.5, None, 1000.0], "colour": ["red", None, 'a,\n"b"'], "secret": [None] * 3
    }  # fmt: skip
    assert read(body, CSV).ignored == {"more": 3}


def test_what_pandas_writes_is_read():
    sink = io.StringIO()
    pd.DataFrame(ROWS).to_csv(sink)
    assert cleaned(sink.getvalue().encode()).table.to_pydict() == {
        "size": [1.5, None], "colour": ["red", None], "secret": [1.0, None]
    }  # fmt: skip
    assert read(sink.getvalue().encode(), CSV).ignored == {"": 2}


def test_a_text_that_is_no_number_is_found_by_cleaning():
    (finding,) = cleaned(b"size,colour\n1,red\nlarge,red\n").findings
    assert problem_of_finding(finding).members == {
        "row": 1, "column": "size", "received": "'large'", "allowed": "a numeric column holds numbers", "rows": 1
    }  # fmt: skip


def test_categories_that_look_like_numbers_stay_as_written():
    assert cleaned(b"size,colour\n1,007\n1,1e5\n").table.column("colour").to_pylist() == ["007", "1e5"]


@pytest.mark.parametrize(
    ("body", "row", "received"),
    [(b"size,colour\n1,a\n2\n", 1, "1 values"), (b'size,colour\n"1\n",a\n2,b,c\n3\n', 1, "3 values")],
)
def test_a_row_of_other_length_is_named(body, row, received):
    problem = refused(body, CSV)
    assert (problem.status, problem.members["row"], problem.members["received"]) == (422, row, received)


def test_an_image_in_csv_is_base64():
    schema = Schema((Column(name="photo", kind="image", dtype="image", shape=(2, 2, 1)),))
    table = read(b'photo,n\naGVsbG8=,1\n"",2\n', CSV, schema).table
    assert table == pa.table({"photo": pa.array([b"hello", None], pa.large_binary())})
