"""A user's function over columns: what it is given, what it may give, and that rows are independent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from distml import code
from distml.derive.own import call, check_rowwise, reload_functions
from distml.errors import CodeError, PackageError
from distml.schema import Column, Schema
from own_code import HELPERS, SOURCE

CLEANED = pa.table(
    {
        "a": pa.array([1.0, None, 3.0, 8.0]),
        "b": pa.array([2.0, 1.0, 0.0, 4.0]),
        "s": pa.array(["x", None, "y", "x"]),
        "t": pa.array(["true", None, "false", "true"]),
        "d": pa.array([datetime(2024, 1, day) for day in (1, 2, 3, 4)], pa.timestamp("us")),
    }
)
KINDS = {"a": "numeric", "b": "numeric", "s": "categorical", "t": "boolean", "d": "datetime"}
COLUMNS = tuple(Column(name=name, kind=kind, dtype="string") for name, kind in KINDS.items())


def column_of(own_package: str, function: str, *uses: str, kind: str = "numeric", private: bool = False) -> Column:
    code.allow([own_package])
    ref = code.load(f"{own_package}.features:{function}")[1]
    return Column(name="new", kind=kind, dtype="number", derived=ref.dotted, uses=uses, code=ref, private=private)


def made(column: Column, cleaned: pa.Table = CLEANED) -> Any:
    used = [Column(name=name, kind=KINDS[name], dtype="string") for name in column.uses]
    return call(column, used, [cleaned.column(name).combine_chunks() for name in column.uses], cleaned.num_rows)


@pytest.mark.parametrize(
    ("function", "uses", "kind", "wanted"),
    [
        ("score", ("a", "b"), "numeric", [1.5, None, 1.5, 6.0]),
        ("upper", ("s",), "categorical", ["X", None, "Y", "X"]),
        ("both", ("t",), "boolean", ["false", None, "true", "false"]),
        ("next_day", ("d",), "datetime", [datetime(2024, 1, day) for day in (2, 3, 4, 5)]),
        ("as_numpy", ("a",), "numeric", [1.0, None, 3**0.5, 8**0.5]),
    ],
)
def test_a_function_is_given_arrays_and_gives_one(own_package, function, uses, kind, wanted):
    column = column_of(own_package, function, *uses, kind=kind)
    result = made(column)
    assert result.type == column.arrow_type
    assert result.to_pylist() == wanted
    assert made(column, CLEANED.slice(0, 0)).to_pylist() == []


def test_coded_texts_come_as_texts(own_package):
    coded = CLEANED.set_column(2, "s", CLEANED.column("s").combine_chunks().dictionary_encode())
    assert made(column_of(own_package, "upper", "s", kind="categorical"), coded).to_pylist() == ["X", None, "Y", "X"]


@pytest.mark.parametrize(
    ("function", "uses", "kind", "told"),
    [
        ("short", ("a",), "numeric", ["one value for each row", "received 3 for 4"]),
        ("table", ("a",), "numeric", ["gives a pyarrow or numpy array", "received dict"]),
        ("upper", ("s",), "numeric", ["a numeric column is made of numbers", "received string"]),
        ("score", ("a", "b"), "categorical", ["made of texts", "received double"]),
        ("score", ("a", "b"), "boolean", ["made of truth values"]),
    ],
)
def test_what_is_no_column_is_refused(own_package, function, uses, kind, told):
    with pytest.raises(CodeError) as caught:
        made(column_of(own_package, function, *uses, kind=kind))
    for part in [*told, f"column new, made by {own_package}.features:{function}"]:
        assert part in str(caught.value)


def test_an_error_of_the_function_is_one_paragraph_with_its_line(own_package):
    with pytest.raises(CodeError) as caught:
        made(column_of(own_package, "picky", "a"), CLEANED.set_column(0, "a", pa.array([1e7, 2.0, 3.0, 4.0])))
    text = str(caught.value)
    assert "\n" not in text
    assert "ValueError: too large for me at " in text
    line = next(i for i, line in enumerate(SOURCE.splitlines(), 1) if "raise ValueError" in line)
    assert f"features.py, line {line};" in text
    assert f"column new, made by {own_package}.features:picky" in text


@pytest.mark.parametrize("function", ["score", "ratio"])
def test_a_function_of_each_row_passes(own_package, function):
    check_rowwise(Schema((*COLUMNS, column_of(own_package, function, "a", "b"))), CLEANED)


@pytest.mark.parametrize("private", [False, True])
def test_a_function_of_other_rows_is_refused(own_package, private):
    with pytest.raises(CodeError, match="doesn't depend on other rows") as caught:
        check_rowwise(Schema((*COLUMNS, column_of(own_package, "centred", "a", private=private))), CLEANED)
    assert ("(private)" in str(caught.value)) is private
    assert "row 0 among 2 rows" in str(caught.value)


def test_a_function_that_takes_no_missing_value_is_refused(own_package):
    with pytest.raises(CodeError, match=r"NoneType.*a missing value comes as null"):
        check_rowwise(Schema((*COLUMNS, column_of(own_package, "unready", "b"))), CLEANED)


def test_the_source_that_fitted_is_the_one_that_serves(own_package, rewrite_own):
    schema = Schema((*COLUMNS, column_of(own_package, "score", "a", "b")))
    reload_functions(schema)
    rewrite_own(helpers=HELPERS.replace("2.0", "4.0"))
    with pytest.raises(PackageError, match=r"is what it was then.*features\.functions\.new"):
        reload_functions(schema)
