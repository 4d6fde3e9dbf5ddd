import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml import target_counts
from distml.target_counts import TargetCounts, folds_of

WORDS = ["a", "b", "", None]
ROWS = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(-9, 9), st.integers(0, 2)), max_size=30)
KINDS = pytest.mark.parametrize("is_number", [True, False], ids=["numbers", "classes"])


def counted(rows, is_number: bool, coded: bool = False) -> TargetCounts:
    """Counts of (category, target, fold) rows; the labels of a target of classes are its texts."""
    categories = pa.array([row[0] for row in rows], pa.string())
    target = pa.array([float(row[1]) if is_number else str(row[1]) for row in rows])
    target = target.cast(pa.float64() if is_number else pa.string())
    counts = TargetCounts(3)
    folds = np.array([row[2] for row in rows], np.int64)
    counts.update(categories.dictionary_encode() if coded else categories, target, folds)
    return counts


@KINDS
@given(rows=ROWS, at=st.integers(0, 30), other=st.integers(0, 30))
def test_counts_are_the_same_whatever_the_partitioning_and_order(rows, at, other, is_number):
    at, other = sorted((at, other))
    parts = [counted(part, is_number) for part in (rows[other:], rows[:at], rows[at:other])]
    whole = counted(rows, is_number)
    assert parts[0].merge(parts[1]).merge(parts[2]).cells.equals(whole.cells)
    assert parts[0].merge(parts[1].merge(parts[2])).cells.equals(whole.cells)
    step_by_step = counted(rows[:at], is_number)
    step_by_step.update(
        pa.array([row[0] for row in rows[at:]], pa.string()),
        pa.array([float(row[1]) if is_number else str(row[1]) for row in rows[at:]]).cast(
            pa.float64() if is_number else pa.string()
        ),
        np.array([row[2] for row in rows[at:]], np.int64),
    )
    assert step_by_step.cells.equals(whole.cells)
    assert counted(rows, is_number, coded=True).cells.equals(whole.cells)


@KINDS
@given(rows=ROWS, kept=st.lists(st.booleans(), min_size=30, max_size=30))
def test_rows_that_stand_twice_are_taken_out(rows, kept, is_number):
    copies = [row for row, keep in zip(rows, kept, strict=False) if not keep]
    rest = [row for row, keep in zip(rows, kept, strict=False) if keep]
    assert counted(rows, is_number).without(counted(copies, is_number)).cells.equals(counted(rest, is_number).cells)


@given(rows=ROWS)
def test_numbers_by_category_and_fold(rows):
    num_rows, totals = counted(rows, True).by_category(["b", ""], None)
    for code, words in enumerate([[None], ["a"], ["b"], [""]]):
        for fold in range(3):
            values = [row[1] for row in rows if row[0] in words and row[2] == fold]
            assert (num_rows[code, fold], totals[code, fold].tolist()) == (len(values), [sum(values)])


@given(rows=ROWS)
def test_classes_by_category_and_fold(rows):
    labels = ["3", "-1"]
    num_rows, totals = counted(rows, False).by_category(["b", ""], labels)
    for code, words in enumerate([[None], ["a"], ["b"], [""]]):
        for fold in range(3):
            values = [str(row[1]) for row in rows if row[0] in words and row[2] == fold]
            assert num_rows[code, fold] == len(values)
            assert totals[code, fold].tolist() == [values.count(label) for label in labels]


def test_too_many_categories_are_no_counts_whatever_comes_first(monkeypatch):
    monkeypatch.setattr(target_counts, "MAX_CATEGORIES", 3)
    many, few = counted([(word, 1, 0) for word in "abcd"], True), counted([("e", 1, 0)], True)
    assert many.cells is None
    assert many.merge(few).cells is None
    assert few.merge(many).cells is None
    assert counted([(word, 1, 0) for word in "abc"], True).merge(few).cells is None
    assert many.without(few).cells is None
    many.update(pa.array(["a"]), pa.array([1.0]), np.zeros(1, np.int64))
    assert many.cells is None


def test_counts_travel():
    counts = counted([("a", 1, 0), (None, 2, 1)], True)
    assert pickle.loads(pickle.dumps(counts)).cells.equals(counts.cells)


def test_fresh_counts_are_empty():
    counts = counted([("a", 1, 0)], True)
    assert (counts.fresh().num_folds, counts.fresh().cells.num_rows) == (3, 0)


def test_merging_changes_neither():
    a, b = counted([("a", 1, 0)], True), counted([("a", 2, 0)], True)
    a.merge(b)
    assert (a.cells.num_rows, a.cells.column("total").to_pylist()) == (1, [1.0])


@given(rows=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), num_folds=st.integers(2, 20))
def test_a_fold_is_of_the_row_alone(rows, num_folds):
    rows = np.array(rows, np.uint64)
    folds = folds_of(rows, num_folds, seed=3)
    assert ((folds >= 0) & (folds < num_folds)).all()
    assert folds_of(rows[-1:], num_folds, seed=3)[0] == folds[-1]


def test_folds_are_even_and_up_to_the_seed():
    rows = np.arange(10_000, dtype=np.uint64)
    folds = folds_of(rows, 5, seed=0)
    assert np.abs(np.bincount(folds) - 2000).max() < 200
    other = folds_of(rows, 5, seed=1)
    assert 0.15 < (folds == other).mean() < 0.25
