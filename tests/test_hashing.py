from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.hashing import hash_column, mix, row_hashes

NAN = float("nan")
TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=30)


def alike(a: pa.Array, b: pa.Array) -> bool:
    return hash_column(a).tolist() == hash_column(b).tolist()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (pa.array([3, None]), pa.array([3.0, None])),
        (pa.array([3], pa.int8()), pa.array([3], pa.uint64())),
        (pa.array([0.5], pa.float32()), pa.array([0.5], pa.float64())),
        (pa.array([0.0]), pa.array([-0.0])),
        (pa.array([1.5, NAN]), pa.array([1.5, None])),
        (pa.array([True, False]), pa.array([1, 0])),
        (pa.array([2**53 + 2, 2**60]), pa.array([2.0**53 + 2, 2.0**60])),
        (pa.array([-(2**60)]), pa.array([-(2.0**60)])),
        (pa.array(["a", "b", None]), pa.array(["a", "b", None]).dictionary_encode()),
        (pa.array(["a"]), pa.array(["a"], pa.large_string())),
        (pa.array(["a"]), pa.array(["a"], pa.string_view())),
        (pa.array([3, 4, 3]), pa.array([3, 4, 3]).dictionary_encode()),
        (pa.array([date(2020, 1, 2)]), pa.array([datetime(2020, 1, 2)])),
        (pa.array([datetime(2020, 1, 2)], pa.timestamp("s")), pa.array([datetime(2020, 1, 2)], pa.timestamp("ns"))),
        (pa.array([datetime(2020, 1, 2)]), pa.array([datetime(2020, 1, 2, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))),
        (pa.nulls(2), pa.array([None, None], pa.string())),
        (pa.nulls(2), pa.array([None, NAN])),
    ],
)
def test_equal_values_hash_alike_whatever_their_type(a, b):
    assert alike(a, b)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, None],
        [2**53, 2**53 + 1, 2**62, 2**62 + 1, -(2**62) - 1],
        [0.1, 0.1 + 2**-55, 1e300, float("inf"), -float("inf")],
        ["", "a", "A", "a ", "1", None],
        [b"a", b"\xff", b"\xfe"],
        [[1], [1, 2], [], None],
        [{"a": 1}, {"a": 2}],
        [Decimal("1.00"), Decimal("1.01")],
        [datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 0, 0, 1)],
    ],
    ids=lambda values: type(values[0]).__name__,
)
def test_different_values_differ(values):
    hashes = hash_column(pa.array(values))
    assert len(set(hashes.tolist())) == len(values)


@pytest.mark.parametrize("kind", [pa.null(), pa.string(), pa.float64(), pa.list_(pa.int64()), pa.binary()], ids=str)
def test_nothing_has_no_hashes(kind):
    assert len(hash_column(pa.array([], kind))) == 0
    assert len(hash_column(pa.chunked_array([], kind))) == 0


@given(TEXTS, st.integers(0, 30), st.integers(0, 30))
def test_chunks_and_codes_do_not_matter(texts, i, j):
    whole = pa.array(texts, pa.string())
    i, j = sorted((min(i, len(texts)), min(j, len(texts))))
    chunks = [whole.slice(0, i), whole.slice(i, j - i), whole.slice(j)]
    wanted = hash_column(whole).tolist()
    assert hash_column(pa.chunked_array(chunks, pa.string())).tolist() == wanted
    coded = pa.chunked_array([chunk.dictionary_encode() for chunk in chunks])
    assert hash_column(coded).tolist() == wanted


@given(st.lists(st.floats(), max_size=20), st.integers(0, 20))
def test_a_slice_hashes_as_its_values_do(numbers, start):
    whole = pa.array(numbers, pa.float64())
    assert hash_column(whole.slice(start)).tolist() == hash_column(whole)[start:].tolist()


def test_columns_may_come_in_any_order():
    a = pa.table({"x": [1, 2], "y": ["a", "b"], "z": [0.5, None]})
    assert row_hashes(a).tolist() == row_hashes(a.select(["z", "x", "y"])).tolist()


@pytest.mark.parametrize(
    "other",
    [
        {"x": [1], "z": ["a"]},
        {"x": ["a"], "y": [1]},
        {"x": [1], "y": ["b"]},
        {"x": [1], "y": [None]},
        {"x": [1]},
        {"x": [1], "y": ["a"], "z": [None]},
    ],
)
def test_names_and_places_matter(other):
    assert row_hashes(pa.table({"x": [1], "y": ["a"]}))[0] != row_hashes(pa.table(other))[0]


def test_values_do_not_cancel_across_columns():
    swapped = row_hashes(pa.table({"x": [1, 2], "y": [2, 1]}))
    alike = row_hashes(pa.table({"x": [1, 2], "y": [1, 2]}))
    assert len({*swapped, *alike}) == 4


def test_a_row_hash_does_not_depend_on_other_rows():
    table = pa.table({"x": list(range(50)), "y": [str(i % 7) for i in range(50)]})
    whole = row_hashes(table)
    assert [row_hashes(table.slice(i, 1))[0] for i in range(50)] == whole.tolist()


def test_a_million_rows_do_not_collide():
    n = 1_000_000
    table = pa.table({"x": np.arange(n), "y": np.arange(n) % 3, "z": np.arange(n) / 7})
    hashes = row_hashes(table)
    assert len(np.unique(hashes)) == n
    assert abs(np.mean(hashes < np.uint64(2**63)) - 0.5) < 0.003  # six standard deviations


def test_a_hundred_thousand_texts_do_not_collide():
    assert len(np.unique(hash_column(pa.array([f"row {i}" for i in range(100_000)])))) == 100_000


def test_mix_is_a_bijection_that_avalanches():
    counter = np.arange(1 << 16, dtype=np.uint64)
    assert len(np.unique(mix(counter))) == len(counter)
    flipped = np.bitwise_count(mix(counter) ^ mix(counter ^ np.uint64(1)))
    assert 31.8 < flipped.mean() < 32.2


def test_hashes_stay_what_they_were():
    table = pa.table({"x": [1.0, None], "y": ["a", "b"], "t": [datetime(2020, 1, 1), None]})
    assert row_hashes(table).tolist() == [15838599004930444886, 11624973626680422805]


TENSORS = st.integers(1, 20).flatmap(
    lambda width: st.lists(st.one_of(st.none(), st.binary(min_size=width, max_size=width)), min_size=1, max_size=20)
)


def tensors(values: list[bytes | None]) -> pa.Array:
    width = len(next((value for value in values if value is not None), b"x"))
    lists = [None if value is None else list(value) for value in values]
    kind = pa.fixed_shape_tensor(pa.uint8(), (1, width))
    return pa.ExtensionArray.from_storage(kind, pa.array(lists, kind.storage_type))


@given(values=TENSORS, start=st.integers(0, 20))
def test_tensors_hash_by_their_content(values, start):
    column = tensors(values)
    hashes = hash_column(column)
    assert hash_column(column[start:]).tolist() == hashes[start:].tolist()
    assert hash_column(pa.chunked_array([column[:start], column[start:]])).tolist() == hashes.tolist()
    by_value = dict(zip(values, hashes.tolist(), strict=True))
    assert [by_value[value] for value in values] == hashes.tolist()
    assert len(set(by_value.values())) == len(by_value)


def test_tensors_are_told_apart_by_place_and_width():
    values = [[0] * 9, [0] * 8 + [1], [1] + [0] * 8, [0] * 7 + [1, 0]]
    assert len(set(hash_column(tensors([bytes(value) for value in values])).tolist())) == 4
    assert hash_column(tensors([bytes(8)]))[0] != hash_column(tensors([bytes(9)]))[0]


def test_a_hundred_thousand_images_do_not_collide():
    pixels = np.random.default_rng(0).integers(0, 2, (100_000, 64), np.uint8)
    pixels[50_000:] = pixels[:50_000]
    pixels[50_000:, 5] ^= 1
    flat = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), 64)
    column = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), (8, 8)), flat)
    assert len(np.unique(hash_column(column))) == len(np.unique(pixels, axis=0))


def test_what_only_excluded_columns_hold_has_hashes_too():
    spans = pa.array([(1, 2, 3), (1, 2, 4), None, (1, 2, 3)], pa.month_day_nano_interval())
    first, second, missing, again = hash_column(spans).tolist()
    assert first == again and len({first, second, missing}) == 3
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"])
    assert hash_column(runs).tolist() == hash_column(pa.array(["a", "a", "b"])).tolist()
