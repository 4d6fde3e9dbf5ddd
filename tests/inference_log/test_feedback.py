from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import StorageError
from distml.inference_log import FEEDBACK, Segments, SegmentWriter, feedback_table, read_feedback
from distml.storage import Storage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def segment(told, at=NOON, replica="r"):
    """A table of (request, row, label)."""
    return feedback_table(
        request_ids=[request for request, _, _ in told],
        rows=[row for _, row, _ in told],
        labels=[label for _, _, label in told],
        versions=[3] * len(told),
        received_at=[at] * len(told),
        replica=replica,
    )


def written(storage, *tables):
    writer = SegmentWriter(Segments(storage=storage, name="shop", kind=FEEDBACK), "r")
    for table in tables:
        writer.write(table)


def labels(table):
    return {(row["request_id"], row["row"]): row["label"] for row in table.to_pylist()}


def test_a_table_has_every_column_with_its_type():
    table = feedback_table(
        request_ids=["a"], rows=[0], labels=["yes"], versions=[None], received_at=[NOON], replica="node-7"
    )
    assert table.to_pylist() == [
        {"request_id": "a", "row": 0, "label": "yes", "version": None, "received_at": NOON, "replica": "node-7"}
    ]
    assert segment([("a", 0, 2.5)])["label"].type == pa.float64()


def test_nothing_is_there_before_the_first_label(tmp_path):
    table = read_feedback(Storage(tmp_path), "shop")
    assert (table.num_rows, table.column_names) == (0, segment([("a", 0, "x")]).column_names)


def test_the_last_label_of_a_row_counts(tmp_path):
    storage = Storage(tmp_path)
    late = segment([("a", 0, "late"), ("b", 1, "b1")], NOON + timedelta(seconds=5))
    early = segment([("a", 0, "early"), ("a", 1, "a1"), ("a", 1, "a1 again")], NOON)
    written(storage, late, early)  # of several replicas the one that is later may come first
    assert labels(read_feedback(storage, "shop")) == {("a", 0): "late", ("a", 1): "a1 again", ("b", 1): "b1"}


def test_since_is_a_moment(tmp_path):
    storage = Storage(tmp_path)
    written(storage, segment([("a", 0, 1.0)], NOON), segment([("b", 0, 2.0)], NOON + timedelta(microseconds=1)))
    assert labels(read_feedback(storage, "shop", since=NOON)) == {("a", 0): 1.0, ("b", 0): 2.0}
    assert labels(read_feedback(storage, "shop", since=NOON + timedelta(microseconds=1))) == {("b", 0): 2.0}


def test_numbers_beside_texts_are_texts(tmp_path):
    storage = Storage(tmp_path)
    written(storage, segment([("a", 0, 3.0)]), segment([("b", 0, "three")]), segment([("c", 0, 2.5)]))
    assert labels(read_feedback(storage, "shop")) == {("a", 0): "3", ("b", 0): "three", ("c", 0): "2.5"}


def test_a_damaged_segment_is_not_passed_over(tmp_path):
    storage = Storage(tmp_path)
    written(storage, segment([("a", 0, "yes")]))
    storage.write_bytes(f"log/shop/feedback/{NOON:%Y-%m-%d}/x.parquet", b"")
    with pytest.raises(StorageError, match=r"x\.parquet"):
        read_feedback(storage, "shop")


told = st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.text(max_size=3), st.integers(0, 3))


@given(st.lists(st.lists(told, min_size=1, max_size=6), max_size=4))
def test_what_is_read_is_what_a_mapping_would_hold(tmp_path_factory, batches):
    storage = Storage(tmp_path_factory.mktemp("log"))
    wanted = {}
    for batch in batches:
        table = pa.concat_tables(
            [segment([(request, row, label)], NOON + timedelta(seconds=at)) for request, row, label, at in batch]
        )
        written(storage, table)
    in_order = sorted((told for batch in batches for told in batch), key=lambda told: told[3])
    for request, row, label, _ in in_order:
        wanted[request, row] = label
    assert labels(read_feedback(storage, "shop")) == wanted
