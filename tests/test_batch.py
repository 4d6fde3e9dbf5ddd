import numpy as np
import pytest

from distml.batch import FeatureBatch


def batch(n: int = 4, *, full: bool = True, num_numeric: int = 2, num_categorical: int = 1) -> FeatureBatch:
    rng = np.random.default_rng(n)
    optional = {
        "tensors": {"image": rng.integers(0, 256, (n, 1, 2, 2), dtype=np.uint8)},
        "target": rng.integers(0, 2, n),
        "weight": rng.random(n, np.float32),
        "rows": rng.integers(2**63, 2**64 - 1, n, np.uint64),
    }
    return FeatureBatch(
        numeric=rng.normal(size=(n, num_numeric)).astype(np.float32),
        categorical=rng.integers(0, 5, (n, num_categorical)),
        **(optional if full else {}),
    )


def assert_same(a: FeatureBatch, b: FeatureBatch) -> None:
    assert list(a.arrays()) == list(b.arrays())
    for name, array in a.arrays().items():
        other = b.arrays()[name]
        assert (array.dtype, array.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(array, other)


BATCHES = {
    "full": batch(),
    "bare": batch(full=False),
    "no rows": batch(0),
    "no numbers": batch(num_numeric=0),
    "no categories": batch(full=False, num_categorical=0),
}


def test_arrays_leave_out_what_is_absent():
    assert list(batch(full=False).arrays()) == ["numeric", "categorical"]
    assert list(batch().arrays()) == ["numeric", "categorical", "target", "weight", "rows", "tensor.image"]


@pytest.mark.parametrize("value", BATCHES.values(), ids=BATCHES)
def test_comes_back_from_arrays_and_bytes(value):
    assert_same(FeatureBatch.from_arrays(value.arrays()), value)
    assert_same(FeatureBatch.from_bytes(value.to_bytes()), value)


def test_strides_do_not_matter_to_bytes():
    value = batch(6)
    assert_same(FeatureBatch.from_bytes(value.take(slice(None, None, -2)).to_bytes()), value.take([5, 3, 1]))


def test_missing_numbers_survive_bytes():
    value = FeatureBatch(numeric=np.array([[np.nan]], np.float32), categorical=np.empty((1, 0), np.int64))
    assert np.isnan(FeatureBatch.from_bytes(value.to_bytes()).numeric).all()


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        ([2, 0], [2, 0]),
        (np.array([True, False, False, True]), [0, 3]),
        (slice(1, 3), [1, 2]),
        ([], []),
        ([1, 1], [1, 1]),
    ],
)
def test_take(index, rows):
    value = batch()
    taken = value.take(np.array(index, int) if isinstance(index, list) else index)
    assert len(taken) == len(rows)
    for name, array in taken.arrays().items():
        np.testing.assert_array_equal(array, value.arrays()[name][rows])


def test_concat_is_in_order():
    value = batch(5)
    assert_same(FeatureBatch.concat([value.take(slice(0, 2)), value.take(slice(2, 2)), value.take(slice(2, 5))]), value)
    assert FeatureBatch.concat([value]) is value


def test_nothing_to_concatenate_is_a_mistake():
    with pytest.raises(AssertionError):
        FeatureBatch.concat([])


def test_arrays_are_of_one_length():
    with pytest.raises(AssertionError, match="different length"):
        FeatureBatch(numeric=np.empty((2, 1), np.float32), categorical=np.empty((3, 1), np.int64))
    with pytest.raises(AssertionError, match="different length"):
        FeatureBatch(numeric=np.empty((2, 1)), categorical=np.empty((2, 0)), tensors={"image": np.empty((1, 2))})
