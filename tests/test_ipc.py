"""Tables as bytes and back."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from distml.ipc import from_ipc, to_ipc

TABLE = pa.table({"x": [1, None, 3], "word": pa.array(["a", "b", "a"]).dictionary_encode()})


@pytest.mark.parametrize("table", [TABLE, TABLE.slice(1, 1), TABLE.slice(0, 0), pa.table({})])
def test_a_table_comes_back(table):
    assert from_ipc(to_ipc(table)).equals(table)


def test_batches_are_as_small_as_asked_for():
    with pa.ipc.open_file(io.BytesIO(to_ipc(TABLE, max_rows=2))) as file:
        assert [file.get_batch(i).num_rows for i in range(file.num_record_batches)] == [2, 1]
