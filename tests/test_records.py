import sys
from datetime import UTC, date, datetime

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import DataError
from distml.records import (
    absent_columns,
    extra_columns,
    records_from_table,
    row_json_schema,
    table_from_columns,
    table_from_records,
)
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
    number = {"type": ["number", "null"], "minimum": -sys.float_info.max, "maximum": sys.float_info.max}
    words = ["string", "number", "boolean", "null"]
    assert row_json_schema(SCHEMA.with_optional({"at"})) == {
        "type": "object",
        "properties": {
            "size": number,
            "color": {"type": words},
            "flag": {"type": words, "enum": [True, False, "true", "false", 1, 0, None]},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "secret": number,
        },
        "required": ["size", "color", "flag", "secret"],
    }


# Columns that a request may leave out


OPTIONAL = SCHEMA.with_optional({"size", "color", "y"})


def test_optional_columns_may_be_left_out_and_are_null():
    table = table_from_records([ROW, {name: ROW[name] for name in ("flag", "at", "secret")}], OPTIONAL)
    assert table.column("size").to_pylist() == [1.5, None]
    assert table.column("color").to_pylist() == ["red", None]
    assert table.schema == table_from_records([ROW], SCHEMA).schema


def test_a_column_that_is_not_optional_may_not():
    with pytest.raises(DataError, match="every column that the model was fitted on") as caught:
        table_from_records([{"flag": True, "at": None}], OPTIONAL)
    assert caught.value.where == "row 0, column secret"


@pytest.mark.parametrize(
    ("rows", "extra"),
    [
        ([{"flag": 1, "at": 2, "secret": 3, "more": 4}], {"more": 1}),  # as many keys as the schema has, but for one
        ([{"flag": 1, "at": 2, "secret": 3}], {}),
        ([ROW | {"more": 1}, ROW], {"more": 1}),
    ],
)
def test_extra_columns_are_found_among_optional_ones(rows, extra):
    assert extra_columns(rows, OPTIONAL) == extra


def test_optional_columns_that_are_left_out_are_counted_by_row():
    rows = [ROW, {"flag": 1, "at": 2, "secret": 3}, {"flag": 1, "at": 2, "secret": 3, "size": None}]
    assert absent_columns(rows, OPTIONAL) == {"size": 1, "color": 2}
    assert absent_columns(rows, SCHEMA) == {}


def test_optional_columns_are_kept_with_the_schema():
    assert Schema.from_dict(OPTIONAL.to_dict()) == OPTIONAL
    older = {
        "columns": [{k: v for k, v in column.items() if k != "optional"} for column in SCHEMA.to_dict()["columns"]]
    }
    assert Schema.from_dict(older) == SCHEMA


# Columns


def test_columns_are_read_as_records_are():
    rows = [ROW, {**ROW, "size": None, "flag": "no"}]
    columns = {name: [row[name] for row in rows] for name in ROW} | {"more": [1, 2]}
    assert table_from_columns(columns, 2, SCHEMA) == table_from_records(rows, SCHEMA)


def test_optional_columns_of_columns_are_null():
    columns = {name: [value] * 2 for name, value in ROW.items() if name not in ("size", "color")}
    table = table_from_columns(columns, 2, OPTIONAL)
    assert table.column("size").to_pylist() == table.column("color").to_pylist() == [None, None]
    assert table.schema == table_from_records([ROW], SCHEMA).schema


def test_a_wrong_value_of_a_column_has_its_row():
    with pytest.raises(DataError) as caught:
        table_from_columns({name: [value, value] for name, value in ROW.items()} | {"size": [1, "x"]}, 2, SCHEMA)
    assert (caught.value.where, caught.value.received) == ("row 1, column size", "'x'")


def test_an_absent_column_of_columns_is_named():
    with pytest.raises(DataError) as caught:
        table_from_columns({name: [value] for name, value in ROW.items() if name != "at"}, 1, SCHEMA)
    assert caught.value.where == "column at"
