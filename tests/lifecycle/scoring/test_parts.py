import csv
import datetime
import io

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from distml.errors import DataError
from distml.lifecycle.scoring.parts import as_texts, check_types, join_parts, open_part
from distml.storage import Storage

SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.string())])


@pytest.fixture(params=["local", "remote"])
def storage(request, tmp_path) -> Storage:
    storage = Storage(tmp_path if request.param == "local" else "mock:///bucket")
    storage.make_folder()
    return storage


def write(storage, key, kind, *tables):
    with storage.open_output(key) as stream, open_part(stream, kind, SCHEMA) as part:
        for table in tables:
            part.write_table(table)


def table(*rows):
    return pa.Table.from_pylist([{"a": a, "b": b} for a, b in rows], SCHEMA)


PARTS = [[table((1, "x"), (None, 'q"r')), table((2, "line\nbreak"))], [table()], [table((3, ""), (4, None))]]


@pytest.mark.parametrize("num_parts", [1, 2, 3])
def test_joined_parquet_has_the_rows_in_order(storage, num_parts):
    for i, blocks in enumerate(PARTS[:num_parts]):
        write(storage, str(i), "parquet", *blocks)
    join_parts(storage, [str(i) for i in range(num_parts)], "whole", "parquet", SCHEMA)
    with storage.open_input("whole") as stream:
        assert pq.read_table(stream).equals(pa.concat_tables([t for blocks in PARTS[:num_parts] for t in blocks]))


@pytest.mark.parametrize("num_parts", [1, 2, 3])
def test_joined_csv_has_one_header_and_the_rows_in_order(storage, num_parts):
    for i, blocks in enumerate(PARTS[:num_parts]):
        write(storage, str(i), "csv", *blocks)
    join_parts(storage, [str(i) for i in range(num_parts)], "whole", "csv", SCHEMA)
    read = list(csv.reader(io.StringIO(storage.read_bytes("whole").decode(), newline="")))
    wanted = [["1", "x"], ["", 'q"r'], ["2", "line\nbreak"], ["3", ""], ["4", ""]]
    assert read == [["a", "b"], *wanted[: [3, 3, 5][num_parts - 1]]]


def test_numbers_come_back_from_csv_to_the_last_bit(storage):
    values = np.random.default_rng(0).normal(size=5000) * 10.0 ** np.arange(-250, 250).repeat(10)
    schema = pa.schema([("x", pa.float64())])
    with storage.open_output("part") as stream, open_part(stream, "csv", schema) as part:
        part.write_table(pa.table({"x": values}))
    assert [float(line) for line in storage.read_bytes("part").split()] == values.tolist()


ODD = {
    "list": [[1, 2], None],
    "struct": [{"a": datetime.date(2020, 1, 2)}, None],
    "bytes": [b"\xff", None],
    "pair": pa.array([b"ab", None], pa.binary(2)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_csv_can_not_hold_is_refused_by_name(name):
    schema = pa.table({"ok": [1, 2], name: ODD[name]}).schema
    check_types("parquet", schema)
    with pytest.raises(DataError, match=f"column {name}"):
        check_types("csv", schema)


def test_what_parquet_can_not_hold_is_refused_by_name():
    with pytest.raises(DataError, match="column span"):
        check_types("parquet", pa.schema([("span", pa.month_day_nano_interval())]))


def test_odd_values_are_told_as_texts():
    plain = pa.table({"n": [1.5, None], "t": ["a", None], "d": [datetime.date(2020, 1, 2), None]})
    assert as_texts(plain).equals(plain)
    told = as_texts(pa.table(ODD))
    check_types("csv", told.schema)
    assert told.to_pylist() == [
        {"list": "[1, 2]", "struct": "{'a': datetime.date(2020, 1, 2)}", "bytes": "b'\\xff'", "pair": "b'ab'"},
        dict.fromkeys(ODD),
    ]
