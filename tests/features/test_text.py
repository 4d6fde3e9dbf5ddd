import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from distml.features import TextTransform
from distml.features.text import weigh

TEXTS = st.lists(st.none() | st.text("abAB éß.!- 1\t", max_size=20), min_size=1, max_size=8)


def weights(texts, **settings) -> list[np.ndarray]:
    """Each row's weights in order, with so many buckets that no two n-grams share one."""
    grams, rows = TextTransform(column="t", **settings).n_grams(pa.array(texts, pa.string()))
    rows, _, found = weigh(grams, rows, len(texts), 2**40)
    return [np.sort(found[rows == row]) for row in range(len(texts))]


@given(texts=TEXTS)
@pytest.mark.parametrize(("shortest", "longest"), [(1, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("tokens", ["words", "chars"])
def test_weights_are_those_of_counted_n_grams(texts, tokens, shortest, longest):
    """What scikit-learn counts, weighted 1 + log(count) and scaled to length 1."""
    lowered = [" ".join((text or "").lower().split()) for text in texts]
    if tokens == "words":
        counter = CountVectorizer(ngram_range=(shortest, longest), token_pattern=r"[^\W_]+", vocabulary=None)
        shown = lowered
    else:
        counter = CountVectorizer(ngram_range=(shortest, longest), analyzer="char")
        shown = [f" {text} " if text else "" for text in lowered]
    try:
        counts = counter.fit_transform(shown).toarray()
    except ValueError:  # nothing to count
        counts = np.zeros((len(texts), 1))
    wanted = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0.0)
    lengths = np.sqrt((wanted**2).sum(axis=1, keepdims=True))
    wanted = wanted / np.where(lengths > 0, lengths, 1)
    found = weights(texts, tokens=tokens, shortest=shortest, longest=longest)
    for row, numbers in zip(found, wanted, strict=True):
        np.testing.assert_allclose(row, np.sort(numbers[numbers > 0]))


@given(texts=TEXTS, at=st.integers(0, 8))
@pytest.mark.parametrize("tokens", ["words", "chars"])
def test_any_block_of_rows_is_encoded_alike(texts, at, tokens):
    transform = TextTransform(column="t", tokens=tokens, num_buckets=16, indicator=True)
    column = pa.array(texts, pa.string())
    parts = [transform.transform(column[:at]), transform.transform(column[at:])]
    assert np.concatenate(parts).tobytes() == transform.transform(column).tobytes()
    assert transform.transform(column.dictionary_encode()).tobytes() == transform.transform(column).tobytes()


def test_words_are_the_same_whatever_their_case_and_punctuation():
    found = TextTransform(column="t").transform(pa.array(["Good day, Rome!", "  good DAY  rome"]))
    assert found[0].tobytes() == found[1].tobytes()


def test_the_order_of_words_counts_in_pairs_only():
    texts = pa.array(["man bites dog", "dog bites man"])
    alone = TextTransform(column="t", longest=1).transform(texts)
    pairs = TextTransform(column="t", longest=2).transform(texts)
    assert alone[0].tobytes() == alone[1].tobytes()
    assert pairs[0].tobytes() != pairs[1].tobytes()


def test_missing_and_empty_texts():
    transform = TextTransform(column="t", num_buckets=4, indicator=True)
    found = transform.transform(pa.array([None, "", "..."]))
    assert found.tolist() == [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert transform.names == ("t#0", "t#1", "t#2", "t#3", "t_missing")


def test_no_rows():
    assert TextTransform(column="t", num_buckets=4).transform(pa.array([], pa.string())).shape == (0, 4)


def test_buckets_are_pinned():
    """A model that was packed with one version is served with another."""
    found = TextTransform(column="t", longest=1, num_buckets=1024).transform(pa.array(["the quick brown fox"]))
    assert np.flatnonzero(found[0]).tolist() == [71, 356, 573, 823]
