from datetime import UTC, date, datetime

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import DataError
from distml.records import extra_columns, records_from_table, row_json_schema, table_from_records
from distml.schema import Column, Schema

SCHEMA = Schema(
    (
        Column(name="size", kind="numeric", dtype="number"),
        Column(name="color", kind="categorical", dtype="string"),
        Column(name="flag", kind="boolean", dtype="boolean"),
        Column(name="at", kind="datetime", dtype="datetime"),
        Column(name="key", kind="categorical", dtype="string", role="id"),
        Column(name="y", kind="categorical", dtype="string", role="target"),
        Column(name="secret", kind="numeric", dtype="number", private=True),
    )
)
ROW = {"size": 1.5, "color": "red", "flag": True, "at": "2020-01-02T03:04:05", "secret": 1}
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "size": st.none() | st.floats(allow_nan=False) | st.integers(-(2**53), 2**53),
            "color": st.none() | st.text(st.characters(codec="utf-8")),
            "flag": st.sampled_from([None, "true", "false"]),
            "at": st.none() | st.datetimes().map(datetime.isoformat),
            "secret": st.none() | st.floats(allow_nan=False),
        }
    )
)


def refused(**changes) -> DataError:
    with pytest.raises(DataError) as caught:
        table_from_records([ROW, {**ROW, **changes}], SCHEMA)
    return caught.value


@given(RECORDS)
def test_records_come_back_from_tables(records):
    table = table_from_records(records, SCHEMA)
    assert table.num_rows == len(records)
    assert records_from_table(table) == records
    assert table_from_records(records_from_table(table), SCHEMA).equals(table)


def test_columns_are_of_the_schemas_kinds():
    table = table_from_records([ROW], SCHEMA)
    assert [(field.name, field.type) for field in table.schema] == [
        ("size", pa.float64()),
        ("color", pa.string()),
        ("flag", pa.string()),
        ("at", pa.string()),
        ("secret", pa.float64()),
    ]


def test_no_records_make_an_empty_table():
    table = table_from_records([], SCHEMA)
    assert (table.num_rows, table.num_columns) == (0, 5)
    assert records_from_table(table) == []


def test_only_features_are_read():
    assert table_from_records([{**ROW, "y": [], "key": 3, "more": object()}], SCHEMA).column_names == list(ROW)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (3, 3.0),
        (-0.5, -0.5),
        (2**53 + 1, float(2**53 + 1)),
        (2**60 + 1, float(2**60)),
        (10**300, 1e300),
        (float("inf"), float("inf")),
    ],
)
def test_numbers_are_the_nearest_float(value, wanted):
    assert table_from_records([ROW, {**ROW, "size": value}], SCHEMA).column("size").to_pylist() == [1.5, wanted]


def test_an_integer_beyond_every_float_is_refused():
    error = refused(size=10**400)
    assert error.rule == "a number lies within the range of a 64-bit float"
    assert error.where == "row 1, column size"
    assert error.received.startswith("1000")
    assert len(error.received) == 60


@pytest.mark.parametrize(
    ("value", "wanted"), [("x", "x"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true"), (None, None), ("", "")]
)
@pytest.mark.parametrize("column", ["color", "flag"])
def test_categories_are_texts(column, value, wanted):
    assert table_from_records([{**ROW, column: value}], SCHEMA).column(column).to_pylist() == [wanted]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("size", True, "a numeric column takes a number or null"),
        ("size", "1.5", "a numeric column takes a number or null"),
        ("size", [1], "a numeric column takes a number or null"),
        ("color", ["red"], "a categorical column takes a text, a number, true, false or null"),
        ("color", {}, "a categorical column takes a text, a number, true, false or null"),
        ("flag", [], "a boolean column takes a text, a number, true, false or null"),
        ("at", 1577934245, "a datetime column takes an ISO date or null"),
        ("at", False, "a datetime column takes an ISO date or null"),
        ("at", date(2020, 1, 2), "a datetime column takes an ISO date or null"),
    ],
)
def test_a_wrong_type_is_named_by_row_and_column(column, value, rule):
    error = refused(**{column: value})
    assert (error.rule, error.where, error.received) == (rule, f"row 1, column {column}", repr(value))


def test_the_first_wrong_row_is_named():
    with pytest.raises(DataError) as caught:
        table_from_records([{**ROW, "size": value} for value in (1, None, 2.5, "a", "b")], SCHEMA)
    assert (caught.value.where, caught.value.received) == ("row 3, column size", "'a'")


@pytest.mark.parametrize("value", ["4111", True, 10**400])
def test_private_values_are_not_shown(value):
    error = refused(secret=value)
    assert (error.where, error.received) == ("row 1, column secret", "(private)")


@pytest.mark.parametrize("row", [[1, 2], "a", None, 3])
def test_a_row_is_an_object(row):
    with pytest.raises(DataError, match="a row is an object") as caught:
        table_from_records([ROW, row], SCHEMA)
    assert (caught.value.where, caught.value.received) == ("row 1", repr(row))


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({}, "add it; null if it is not known"),
        ({"colour": "red"}, "did you mean 'colour' to be 'color'?"),
        ({"y": "red"}, "add it; null if it is not known"),
    ],
)
def test_an_absent_column_is_refused(more, remedy):
    row = {name: value for name, value in ROW.items() if name != "color"} | more
    with pytest.raises(DataError, match="every column that the model was fitted on") as caught:
        table_from_records([ROW, row], SCHEMA)
    error = caught.value
    assert (error.received, error.where, error.remedy) == ("no 'color'", "row 1, column color", remedy)


@pytest.mark.parametrize(
    ("rows", "extra"),
    [([ROW], {}), ([{**ROW, "a": 1, "y": 2}, {**ROW, "a": None}, ROW], {"a": 2, "y": 1}), ([], {})],
)
def test_extra_columns(rows, extra):
    assert extra_columns(rows, SCHEMA) == extra


@pytest.mark.parametrize(
    ("values", "records"),
    [
        (pa.array([datetime(2020, 1, 2), None]), [{"x": "2020-01-02T00:00:00"}, {"x": None}]),
        (
            pa.array([datetime(2020, 1, 2, tzinfo=UTC)], pa.timestamp("us", tz="UTC")),
            [{"x": "2020-01-02T00:00:00+00:00"}],
        ),
        (pa.array([1.5, None]), [{"x": 1.5}, {"x": None}]),
        (pa.array(["a"]), [{"x": "a"}]),
    ],
)
def test_records_are_json_ready(values, records):
    found = records_from_table(pa.table({"x": values}))
    assert found == records
    assert orjson.loads(orjson.dumps(found)) == records


def test_row_json_schema():
    words = ["string", "number", "boolean", "null"]
    assert row_json_schema(SCHEMA) == {
        "type": "object",
        "properties": {
            "size": {"type": ["number", "null"]},
            "color": {"type": words},
            "flag": {"type": words},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "secret": {"type": ["number", "null"]},
        },
        "required": ["size", "color", "flag", "at", "secret"],
    }
