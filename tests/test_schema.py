from datetime import date, datetime, time
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.schema import Column, Schema, infer_schema
from tables import data_config, raw_table

NAN = float("nan")


def inferred(values: pa.Array, **config) -> Column:
    table = pa.table({"x": values, "y": pa.array(["a"] * len(values))})
    return infer_schema(table, data_config(**config))["x"]


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        (pa.array(["1", "-2", None]), "numeric", "integer"),
        (pa.array(["1", "2.5"]), "numeric", "number"),
        (pa.array(["1.0", "2.0"]), "numeric", "number"),
        (pa.array(["1e5", "nan", "inf"]), "numeric", "number"),
        (pa.array(["99999999999999999999"]), "numeric", "number"),
        (pa.array(["true", "False", None]), "boolean", "boolean"),
        (pa.array(["true", "yes"]), "categorical", "string"),
        (pa.array(["2020-01-01", "2020-01-02 03:04:05"]), "datetime", "datetime"),
        (pa.array(["2020-01-01T00:00:00Z", "2020-01-02 03:04:05+02:00"]), "datetime", "datetime"),
        (pa.array(["2020-01-01T00:00:00Z", "2020-01-02 03:04:05"]), "categorical", "string"),
        (pa.array(["2020-01-01", "soon"]), "categorical", "string"),
        (pa.array(["0x1F", "0x20"]), "categorical", "string"),
        (pa.array(["a", "1"]), "categorical", "string"),
        (pa.array(["a", "true"], pa.large_string()), "categorical", "string"),
        (pa.array(["TRUE", "false"], pa.large_string()), "boolean", "boolean"),
        (pa.array([None, None], pa.string()), "categorical", "string"),
        (pa.nulls(2), "categorical", "string"),
        (pa.array([1, 2]), "numeric", "integer"),
        (pa.array([1.0, None]), "numeric", "integer"),
        (pa.array([1.0, NAN]), "numeric", "integer"),
        (pa.array([1.5, NAN]), "numeric", "number"),
        (pa.array([NAN, None]), "numeric", "number"),
        (pa.array([float("inf"), 0.5]), "numeric", "number"),
        (pa.array([Decimal("1.00"), Decimal("2.00")]), "numeric", "integer"),
        (pa.array([True, None]), "boolean", "boolean"),
        (pa.array([date(2020, 1, 1)]), "datetime", "datetime"),
        (pa.array([datetime(2020, 1, 1)], pa.timestamp("ns", tz="UTC")), "datetime", "datetime"),
        (pa.array([1, 2]).dictionary_encode(), "categorical", "string"),
    ],
)
def test_kinds_are_the_narrowest_that_fit(values, kind, dtype):
    column = inferred(values)
    assert (column.kind, column.dtype) == (kind, dtype)


@pytest.mark.parametrize("kind", ["numeric", "categorical", "boolean", "datetime"])
def test_a_declared_kind_wins(kind):
    column = inferred(pa.array(["1"]), kinds={"x": kind})
    assert (column.kind, column.dtype) == (kind, "integer")


UNREADABLE = [
    pa.array([[1]]),
    pa.array([{"a": 1}]),
    pa.array([[[1.0]]], pa.list_(pa.list_(pa.float64()))),
    pa.array([time(1)]),
    pa.array([1], pa.duration("s")),
]


@pytest.mark.parametrize("values", UNREADABLE, ids=lambda values: str(values.type))
def test_a_type_that_no_model_takes_is_refused_unless_excluded(values):
    with pytest.raises(DataError, match="numbers, texts, truth values, dates or images") as caught:
        inferred(values)
    assert caught.value.received == str(values.type)
    assert caught.value.where == "memory, column x"
    assert inferred(values, exclude=["x"]).role == "excluded"


def test_roles():
    schema = infer_schema(
        raw_table(),
        data_config(
            roles={"id": "count", "time": "at", "group": ["flag", "color"], "weight": "value"},
            exclude="size",
            private=["color", "count"],
        ),
    )
    found = {column.name: (column.role, column.kind) for column in schema.columns}
    assert found == {
        "size": ("excluded", "numeric"),
        "count": ("id", "categorical"),
        "color": ("feature", "categorical"),
        "flag": ("feature", "boolean"),
        "at": ("time", "datetime"),
        "y": ("target", "categorical"),
        "value": ("weight", "numeric"),
    }
    assert [column.name for column in schema.columns if column.group] == ["color", "flag"]
    assert [column.name for column in schema.columns if column.private] == ["count", "color"]
    assert [column.name for column in schema.features] == ["color", "flag"]
    assert [column.name for column in schema.kept] == ["count", "color", "flag", "at", "y", "value"]
    assert schema.target.name == "y"
    assert "size" in schema
    assert "nothing" not in schema
    with pytest.raises(KeyError):
        schema["nothing"]


@pytest.mark.parametrize(
    ("values", "task", "kind"),
    [
        (["a", "b"], "auto", "categorical"),
        ([True, False], "auto", "categorical"),
        (["true", "false"], "auto", "categorical"),
        (list(range(20)), "auto", "categorical"),
        ([*range(20), None], "auto", "categorical"),
        (list(range(21)), "auto", "numeric"),
        ([0.0, 1.0, NAN], "auto", "categorical"),
        ([0.5, 1.0], "auto", "numeric"),
        (list(range(21)), "multiclass", "categorical"),
        ([0.5, 1.0], "binary", "categorical"),
        ([0, 1], "regression", "numeric"),
    ],
)
def test_the_target_is_of_the_task(values, task, kind):
    table = pa.table({"y": values, "x": list(range(len(values)))})
    assert infer_schema(table, data_config(task=task)).target.kind == kind


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="at least one row") as caught:
        infer_schema(pa.table({"a": []}), data_config())
    assert (caught.value.received, caught.value.where) == ("0 rows", "memory")


@pytest.mark.parametrize(
    ("config", "place", "received", "remedy"),
    [
        ({"target": "z"}, "data.target", "z", "its columns: size, count, color, flag, at, y, value"),
        ({"target": "valeu"}, "data.target", "valeu", "did you mean 'value'?"),
        ({"roles": {"id": ["count", "sise"]}}, "data.roles", "sise", "did you mean 'size'?"),
        ({"roles": {"weight": "wait"}}, "data.roles", "wait", "did you mean 'at'?"),
        ({"exclude": "colour"}, "data.exclude", "colour", "did you mean 'color'?"),
        ({"kinds": {"flags": "numeric"}}, "data.kinds", "flags", "did you mean 'flag'?"),
        ({"private": "siz"}, "data.private", "siz", "did you mean 'size'?"),
    ],
)
def test_a_column_that_is_not_there_is_refused(config, place, received, remedy):
    with pytest.raises(DataError) as caught:
        infer_schema(raw_table(), data_config(**config))
    error = caught.value
    assert (error.rule, error.received, error.where) == (f"{place} names a column of the table", received, "memory")
    assert error.remedy == remedy


def test_a_name_that_repeats_is_refused():
    table = pa.table([[1], [2], [3], ["a"]], ["x", "b", "x", "y"])
    with pytest.raises(DataError, match="column names differ") as caught:
        infer_schema(table, data_config())
    assert caught.value.received == "x more than once"


def test_a_name_that_preparation_needs_is_refused_unless_it_is_left_out():
    table = pa.table([[1], [2], ["a"]], ["x", "__row__", "y"])
    with pytest.raises(DataError, match="columns that preparation adds") as caught:
        infer_schema(table, data_config())
    assert caught.value.received == "a column __row__"
    assert [column.name for column in infer_schema(table, data_config(exclude="__row__")).kept] == ["x", "y"]


def test_round_trips_through_json():
    schema = infer_schema(raw_table(), data_config(roles={"group": "color"}, private="size"))
    assert Schema.from_dict(orjson.loads(orjson.dumps(schema.to_dict()))) == schema


@pytest.mark.parametrize(
    ("kind", "arrow"),
    [
        ("numeric", pa.float64()),
        ("datetime", pa.timestamp("us")),
        ("categorical", pa.string()),
        ("boolean", pa.string()),
    ],
)
def test_arrow_type(kind, arrow):
    assert Column(name="x", kind=kind, dtype="string").arrow_type == arrow


@pytest.mark.parametrize(
    ("columns", "remedy"),
    [
        (["x", "Target"], "did you mean 'Target'?"),
        (["x;target"], "set data.source.delimiter: ';', by which its only column 'x;target' falls into several"),
        (["x\tlabel"], "set data.source.delimiter: '\\t', by which its only column 'x\\tlabel' falls into several"),
        (["a", "b;c"], "its columns: a, b;c"),
    ],
)
def test_a_target_that_is_not_there_comes_with_what_may_be_meant(columns, remedy):
    table = pa.table({name: ["1"] for name in columns})
    with pytest.raises(DataError) as caught:
        infer_schema(table, data_config(target="target"))
    assert caught.value.remedy == remedy
