from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from contracts.format import ANSWERED
from distml.clean import RowCleaner
from distml.images import tensor_array
from distml.postprocess import Prediction
from distml.records import table_from_columns
from distml.schema import Column, Schema
from distml.serve.wire import Limits, Problem, Rows
from distml.serve.wire.arrow import Arrow
from hostility.table import stream_of

SCHEMA = Schema(
    (
        Column(name="size", kind="numeric", dtype="number"),
        Column(name="colour", kind="categorical", dtype="string"),
        Column(name="flag", kind="boolean", dtype="boolean"),
        Column(name="day", kind="datetime", dtype="datetime"),
        Column(name="words", kind="text", dtype="string"),
        Column(name="photo", kind="image", dtype="image", shape=(2, 2, 1)),
    )
).with_optional({"size", "colour", "flag", "day", "words", "photo"})
NOON = datetime(2020, 1, 2, 12)


def read(name, values, limits=None):
    body = stream_of(pa.table({name: values}))
    return Arrow().read(body, {}, SCHEMA, limits or Limits()).table.column(name)


@pytest.mark.parametrize(
    ("column", "values", "wanted"),
    [
        ("size", pa.array([1.5, None]), [1.5, None]),
        ("size", pa.array([1, None], pa.int8()), [1.0, None]),
        ("size", pa.array([2**63 + 1], pa.uint64()), [float(2**63)]),
        ("size", pa.array([0.5], pa.float32()), [0.5]),
        ("size", pa.array([np.float16(0.5)], pa.float16()), [0.5]),
        ("size", pa.array([Decimal("1.25")]), [1.25]),
        ("size", pa.nulls(2), [None, None]),
        ("size", pa.array([1.5, 1.5]).dictionary_encode(), [1.5, 1.5]),
        ("colour", pa.array(["red", None]), ["red", None]),
        ("colour", pa.array(["red", None], pa.large_string()), ["red", None]),
        ("colour", pa.array(["red", None], pa.string_view()), ["red", None]),
        ("colour", pa.array(["red", None, "red"]).dictionary_encode(), ["red", None, "red"]),
        ("colour", pa.array([3, None]), ["3", None]),
        ("colour", pa.array([3.0, 2.5, None]), ["3", "2.5", None]),
        ("colour", pa.array([True, None]), ["true", None]),
        ("colour", pa.nulls(1), [None]),
        ("flag", pa.array([True, False, None]), ["true", "false", None]),
        ("flag", pa.array(["no"]), ["no"]),
        ("words", pa.array(["a b"], pa.large_string()), ["a b"]),
        ("day", pa.array([NOON, None]), [NOON, None]),
        ("day", pa.array([date(2020, 1, 2)]), [date(2020, 1, 2)]),
        ("day", pa.array(["2020-01-02"]), ["2020-01-02"]),
        ("photo", pa.array([b"x"], pa.large_binary()), [b"x"]),
    ],
)
def test_columns_come_as_those_of_json_rows_do(column, values, wanted):
    found = read(column, values)
    assert found.to_pylist() == wanted
    if column in ("size", "colour", "flag", "words"):
        assert found.type == (pa.float64() if column == "size" else pa.string())


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("colour", pa.array([3, 2**60, None])),
        ("colour", pa.array([3.0, 0.1, 1e22, None])),
        ("flag", pa.array([True, False, None])),
        ("size", pa.array([3, 2**53 + 1, None])),
    ],
)
def test_they_are_cleaned_to_what_json_rows_are(column, values):
    schema = Schema((SCHEMA[column],))
    cleaner = RowCleaner(schema=schema)
    of_arrow = cleaner.apply(pa.table({column: read(column, values)})).table
    assert of_arrow == cleaner.apply(table_from_columns({column: values.to_pylist()}, len(values), schema)).table


def test_pixels_stay_as_they_are():
    pixels = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    table = pa.table({"photo": tensor_array(pixels)})
    found = Arrow().read(stream_of(table), {}, SCHEMA, Limits()).table.column("photo")
    assert found == table.column("photo")


def test_times_say_where_they_are_meant():
    stamps = pa.array([NOON.replace(tzinfo=UTC)], pa.timestamp("ns", tz="Europe/Berlin"))
    cleaned = RowCleaner(schema=Schema((SCHEMA["day"],))).apply(pa.table({"day": read("day", stamps)})).table
    assert cleaned.column("day").to_pylist() == [NOON]


def test_numbers_are_not_copied():
    body = stream_of(pa.table({"size": pa.array(np.arange(100.0))}))
    (chunk,) = Arrow().read(body, {}, SCHEMA, Limits()).table.column("size").chunks
    start = pa.py_buffer(body).address
    assert start <= chunk.buffers()[1].address < start + len(body)


@pytest.mark.parametrize(
    ("column", "values", "allowed"),
    [
        ("size", pa.array(["1.5"]), "a numeric column takes integers, floats or decimals"),
        ("size", pa.array([True]), "a numeric column takes integers, floats or decimals"),
        ("size", pa.array([NOON]), "a numeric column takes integers, floats or decimals"),
        ("colour", pa.array([["red"]]), "a categorical column takes texts, codes of texts, numbers or truth values"),
        ("colour", pa.array([b"red"]), "a categorical column takes texts, codes of texts, numbers or truth values"),
        ("flag", pa.array([{"a": 1}]), "a boolean column takes truth values, texts or numbers"),
        ("day", pa.array([1577934245]), "a datetime column takes timestamps, dates or ISO texts"),
        ("photo", pa.array(["x"]), "an image column takes encoded images as binary, or fixed-shape tensors of uint8"),
    ],
)
def test_a_type_that_means_nothing_is_refused_by_column(column, values, allowed):
    with pytest.raises(Problem) as caught:
        read(column, values)
    problem = caught.value
    assert (problem.status, problem.kind) == (422, "invalid-row")
    assert problem.members == {"column": column, "received": str(values.type), "allowed": allowed}


def test_rows_of_many_batches_are_counted_together():
    table = pa.concat_tables([pa.table({"size": [1.5]})] * 4)
    assert Arrow().read(stream_of(table), {}, SCHEMA, Limits(max_rows=4)).num_rows == 4
    with pytest.raises(Problem, match="at most 3 rows"):
        Arrow().read(stream_of(table), {}, SCHEMA, Limits(max_rows=3))


def test_offsets_beyond_their_buffer_are_refused():
    body = bytearray(stream_of(pa.table({"colour": pa.array(["red", "blue"])})))
    place = bytes(body).index(np.array([0, 3, 7], np.int32).tobytes())
    body[place + 4 : place + 8] = np.int32(1 << 30).tobytes()
    with pytest.raises(Problem) as caught:
        Arrow().read(bytes(body), {}, SCHEMA, Limits())
    assert (caught.value.status, caught.value.kind) == (400, "invalid-arrow")


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("values", [pa.array(["red"] * 99), pa.array(["red"] * 99).dictionary_encode()])
def test_packed_buffers_are_refused(compression, values):
    with pytest.raises(Problem) as caught:
        Arrow().read(stream_of(pa.table({"colour": values}), compression=compression), {}, SCHEMA, Limits())
    assert (caught.value.status, caught.value.kind) == (415, "unsupported-encoding")


@pytest.mark.parametrize(
    ("labels", "kind"), [(("no", "yes"), pa.string()), ((False, True), pa.bool_()), ((1, 2), pa.int64())]
)
def test_answers_are_columns(labels, kind):
    values = np.array([labels[1], labels[0]], object)
    prediction = Prediction(values=values, probabilities=np.array([[0.25, 0.75], [0.5, 0.5]]), labels=labels)
    table = pa.ipc.open_stream(Arrow().write(prediction, Rows(records=[]), ANSWERED).body).read_all()
    names = ["true" if label is True else "false" if label is False else str(label) for label in labels]
    assert table.column_names == ["prediction", *(f"probability_{name}" for name in names)]
    assert table.column("prediction").type == kind
    assert table.to_pydict() == dict(zip(table.column_names, [list(values), [0.25, 0.5], [0.75, 0.5]], strict=True))
