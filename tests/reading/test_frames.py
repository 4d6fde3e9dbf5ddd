from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.reading.frames import as_table

NAN = float("nan")
MIDNIGHT_IN_TOKYO = datetime(2024, 1, 1, 15, tzinfo=UTC)


def refused(data) -> str:
    with pytest.raises(DataError) as caught:
        as_table(data)
    assert "Remedy: " in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pd.Series([1, 2]), pa.int64(), [1, 2]),
        (pd.Series([1.5, NAN]), pa.float64(), [1.5, None]),
        (pd.Series([1, None], dtype="Int64"), pa.int64(), [1, None]),
        (pd.Series([True, None], dtype="boolean"), pa.bool_(), [True, None]),
        (pd.Series([1, None], dtype="float32"), pa.float32(), [1.0, None]),
        (pd.Series([1, 2.5, None], dtype=object), pa.float64(), [1.0, 2.5, None]),
        (pd.Series(["a", None]), pa.large_string(), ["a", None]),
        (pd.Series(["a", NAN, None, pd.NA], dtype=object), pa.string(), ["a", None, None, None]),
        (pd.Series([None, None], dtype=object), pa.null(), [None, None]),
        (pd.Series(["b", "a", None], dtype="category"), None, ["b", "a", None]),
        (pd.Series(pd.to_datetime(["2024-01-02 03:04", None])), pa.timestamp("us"), [datetime(2024, 1, 2, 3, 4), None]),
        (pd.Series(pd.to_datetime(["2024-01-02"]).tz_localize("Asia/Tokyo")), None, [MIDNIGHT_IN_TOKYO]),
        (pd.Series([date(2024, 1, 2), None]), pa.date32(), [date(2024, 1, 2), None]),
        (pd.Series([Decimal("1.5"), None]), pa.decimal128(2, 1), [Decimal("1.5"), None]),
        (pd.Series([b"\x00", None]), pa.binary(), [b"\x00", None]),
        (pd.Series(pd.arrays.SparseArray([1.0, 0.0])), pa.float64(), [1.0, 0.0]),
        (pd.Series([[1], [2, 3]]), pa.list_(pa.int64()), [[1], [2, 3]]),
    ],
)  # fmt: skip
def test_a_column_of_pandas(values, kind, expected):
    column = as_table(pd.DataFrame({"x": values})).column("x")
    assert column.to_pylist() == expected
    assert kind is None or column.type == kind


def test_categories_stay_categories():
    column = as_table(pd.DataFrame({"x": pd.Series([3, 1, None], dtype="category")})).column("x")
    assert pa.types.is_dictionary(column.type) and column.to_pylist() == [3, 1, None]


def test_arrays_of_one_shape_are_a_tensor():
    column = as_table(pd.DataFrame({"x": [np.full((2, 3), i, np.uint8) for i in range(4)]})).column("x")
    assert column.type == pa.fixed_shape_tensor(pa.uint8(), (2, 3))
    assert np.array_equal(column.combine_chunks().to_numpy_ndarray()[:, 0, 0], np.arange(4))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, "a", 2], "received int in row 0, str in row 1 .*in column x.*astype"),
        ([True, 2], "bool in row 0, int in row 1 "),
        ([1 + 2j], "complex"),
        ([object()], "object in row 0"),
        ([np.zeros((2, 2)), np.zeros((3, 2))], "ndarray in row 0"),
        ([np.zeros((2, 2)), None], "ndarray in row 0, NoneType in row 1"),
        (pd.period_range("2024-01", periods=2, freq="M"), "pandas.period"),
        (pd.interval_range(0, 2), "pandas.interval"),
    ],
)
def test_a_column_that_is_none_is_refused_by_name(values, said):
    with pytest.raises(DataError, match=said) as caught:
        as_table(pd.DataFrame({"y": range(len(values)), "x": pd.Series(values)}))
    assert "column x" in str(caught.value)


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (None, ["x"]),
        ([5, 7, 9], ["x"]),
        (pd.Index(["a", "b", "c"], name="who"), ["who", "x"]),
        (pd.Index([1, 2, 3], name="id"), ["id", "x"]),
        (pd.MultiIndex.from_tuples([(1, 2), (1, 3), (2, 2)], names=["i", "j"]), ["i", "j", "x"]),
    ],
)
def test_an_index_is_a_column_if_it_has_a_name(index, names):
    assert as_table(pd.DataFrame({"x": [1, 2, 3]}, index=index)).column_names == names


@pytest.mark.parametrize("index", [["a", "b"], pd.MultiIndex.from_tuples([(1, 2), (1, 3)]), [0.5, 1.5]])
def test_an_index_that_says_something_without_a_name_is_refused(index):
    assert "has a name, and becomes a column" in refused(pd.DataFrame({"x": [1, 2]}, index=index))


def test_names_that_repeat_or_are_no_texts_are_refused():
    assert "received x more than once" in refused(pd.DataFrame([[1, 2]], columns=["x", "x"]))
    assert "received x more than once" in refused(pa.table([[1], [2]], ["x", "x"]))
    assert "received 0, 1; in data" in refused(pd.DataFrame([[1, 2]]))
    assert "named by texts" in refused(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])))


def test_categories_that_no_file_holds_are_refused():
    bands = pd.cut(pd.Series([1.0, 2.0, 9.0]), 2)
    assert "astype(str), or leave it out" in refused(pd.DataFrame({"band": bands}))
    table = as_table(pd.DataFrame({"band": bands.astype(str).astype("category")}))
    assert table.column("band").to_pylist() == bands.astype(str).tolist()


@pytest.mark.parametrize("data", [[1, 2], {"x": [1]}, np.zeros((2, 2)), pd.Series([1]), "rows.csv"])
def test_what_is_no_table_is_refused(data):
    assert "a pandas DataFrame, a pyarrow Table or a Ray Dataset" in refused(data)


def test_arrow_stays_as_it_is():
    table = pa.table({"x": pa.array(["a"]).dictionary_encode(), "z": pa.array([1], pa.int8())})
    assert as_table(table).equals(table)
    assert as_table(table.to_batches()[0]).equals(table)
