import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.features import CategoricalTransform, CountTransform, HashTransform, OneHotTransform
from distml.features.categories import TruthTransform

WORDS = pa.array(["a", "b", None, "z", ""])


def test_categories_are_coded():
    transform = CategoricalTransform(column="c", vocabulary=("b", "a"))
    codes = transform.transform(WORDS)
    assert (codes.tolist(), codes.dtype) == ([[3], [2], [0], [1], [1]], np.int64)
    assert (transform.cardinality, transform.names) == (4, ("c",))


def test_an_empty_vocabulary_knows_missing_and_unknown():
    transform = CategoricalTransform(column="c", vocabulary=())
    assert transform.transform(pa.array(["a", None])).tolist() == [[1], [0]]
    assert transform.cardinality == 2


@given(
    words=st.lists(st.sampled_from(["a", "b", "c", "", None]), max_size=20),
    spare=st.lists(st.sampled_from(["c", "unused"]), max_size=2, unique=True),
    kind=st.sampled_from([pa.string(), pa.large_string()]),
)
@pytest.mark.parametrize(
    "transform",
    [
        CategoricalTransform(column="c", vocabulary=("b", "a")),
        HashTransform(column="c", num_buckets=5),
        OneHotTransform(column="c", vocabulary=("b", "a"), has_missing=True, has_other=True),
        CountTransform(column="c", vocabulary=("b", "a"), counts=(1, 5, 2)),
    ],
    ids=lambda transform: transform.kind,
)
def test_texts_and_dictionary_codes_are_encoded_alike(transform, words, spare, kind):
    plain = pa.array(words, pa.string())
    coded = pa.concat_arrays([pa.array(spare, kind).dictionary_encode(), pa.array(words, kind).dictionary_encode()])
    assert transform.transform(coded[len(spare) :]).tobytes() == transform.transform(plain).tobytes()


def test_a_dictionary_may_hold_null():
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None]))
    assert CategoricalTransform(column="c", vocabulary=("a",)).transform(coded).tolist() == [[2], [0], [0]]


@pytest.mark.parametrize(
    ("has_missing", "has_other", "names", "wanted"),
    [
        (False, False, ["c=b", "c=a"], [[0, 1], [1, 0], [0, 0], [0, 0], [0, 0]]),
        (True, False, ["c=(missing)", "c=b", "c=a"], [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]),
        (False, True, ["c=(other)", "c=b", "c=a"], [[0, 0, 1], [0, 1, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]]),
        (
            True,
            True,
            ["c=(missing)", "c=(other)", "c=b", "c=a"],
            [[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]],
        ),
    ],
)
def test_one_column_for_each_category(has_missing, has_other, names, wanted):
    transform = OneHotTransform(column="c", vocabulary=("b", "a"), has_missing=has_missing, has_other=has_other)
    assert transform.transform(WORDS).tolist() == wanted
    assert (list(transform.names), transform.width) == (names, len(names))


@pytest.mark.parametrize(("indicator", "wanted"), [(False, [[1], [0], [0]]), (True, [[1, 0], [0, 0], [0, 1]])])
def test_truth_values_are_0_and_1(indicator, wanted):
    transform = TruthTransform(column="c", indicator=indicator)
    assert transform.transform(pa.array(["true", "false", None])).tolist() == wanted
    assert transform.width == len(wanted[0])


def test_counts():
    transform = CountTransform(column="c", vocabulary=("b", "a"), counts=(1, 5, 2))
    assert transform.transform(WORDS).tolist() == [[2], [5], [1], [0], [0]]
    scaled = CountTransform(column="c", vocabulary=("b", "a"), counts=(1, 5, 2), center=0.5, scale=2.0)
    np.testing.assert_allclose(scaled.transform(WORDS)[:, 0], (np.log1p([2, 5, 1, 0, 0]) - 0.5) / 2, rtol=1e-6)


def test_buckets_are_a_hash_of_the_value():
    transform = HashTransform(column="c", num_buckets=8)
    values = pa.array([f"w{i}" for i in range(1000)] + [None])
    codes = transform.transform(values)[:, 0]
    assert codes[-1] == 0
    assert set(codes[:-1].tolist()) == set(range(2, 10))
    assert (codes < transform.cardinality).all()
    # Pinned: a model that was packed with one version is served with another.
    assert transform.transform(pa.array(["a", "b", "Rome", ""]))[:, 0].tolist() == [4, 9, 6, 8]
