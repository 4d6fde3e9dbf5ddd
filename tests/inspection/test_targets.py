"""What a target column is."""

import numpy as np
import pyarrow as pa
import pytest

from distml.errors import DataError
from distml.inspection.targets import (
    Target,
    find_task,
    look_at_target,
    positive_class,
    resolve_column,
    same_spelling,
)

# Which column


@pytest.mark.parametrize(("name", "column"), [("b", "b"), ("2", "b"), ("3", "7"), ("7", "7")])
def test_a_column_is_meant_by_name_or_place(name, column):
    assert resolve_column(name, ("a", "b", "7"), "t.csv", is_named=True) == column


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("targt", "did you mean 'target'?"),
        ("TARGET", "did you mean 'target'?"),
        ("0", "its columns: target, b"),
        ("3", "its columns: target, b"),
        ("zzzzzz", "its columns: target, b"),
    ],
)
def test_a_column_that_is_not_there_is_refused(name, remedy):
    with pytest.raises(DataError, match="a column of the table") as caught:
        resolve_column(name, ("target", "b"), "t.csv", is_named=True)
    assert (caught.value.received, caught.value.remedy, caught.value.where) == (name, remedy, "t.csv")


def test_without_names_one_is_told_to_count():
    with pytest.raises(DataError) as caught:
        resolve_column("income", ("c1", "c2"), "t.csv", is_named=False)
    assert "count from 1" in str(caught.value.remedy)


# Which task


@pytest.mark.parametrize(
    ("values", "dtype", "task"),
    [
        (["a", "b"] * 10, "string", "binary"),
        (["a", "b", "c"] * 10, "string", "multiclass"),
        (["true", "false"] * 10, "boolean", "binary"),
        (["0", "1"] * 10, "integer", "binary"),
        (["0.0", "1.0"] * 10, "number", "binary"),
        (["-1", "7"] * 10, "integer", "binary"),
        (["1", "2", "3"] * 10, "integer", "multiclass"),
        (["1.0", "2.0", "3.0"] * 10, "number", "multiclass"),
        (["1.5", "2.0", "3.0"] * 10, "number", "regression"),
        ([str(i) for i in range(20)] * 5, "integer", "multiclass"),
        ([str(i) for i in range(20)] * 4, "integer", "regression"),  # hardly five rows of each
        ([str(i) for i in range(21)] * 50, "integer", "regression"),
        (["1", "2", None] * 10, "integer", "binary"),
    ],
)
def test_tasks(values, dtype, task):
    assert find_task(pa.array(values, pa.string()), dtype, "y") == task


@pytest.mark.parametrize(
    ("values", "dtype", "rule"),
    [
        ([None, None], "string", "a target has values"),
        (["a", "a", None], "string", "at least two values"),
        (["1", "1"], "integer", "at least two values"),
        ([f"name {i}" for i in range(9)], "string", "repeats its classes"),
        (["2024-01-01", "2024-01-02"], "datetime", "a class or a number"),
    ],
)
def test_what_nothing_can_be_learned_of_is_refused(values, dtype, rule):
    with pytest.raises(DataError, match=rule) as caught:
        find_task(pa.array(values, pa.string()), dtype, "y")
    assert caught.value.where == "column y"


# Which class


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ({"no": 10, "yes": 90}, "yes"),
        ({"0": 10, "1": 90}, "1"),
        ({"-1": 10, "1": 90}, "1"),
        ({"1": 90, "2": 10}, "2"),
        ({"1": 10, "2": 90}, "1"),
        ({"false": 10, "true": 90}, "true"),
        ({"<=50K": 10, ">50K": 90}, ">50K"),
        ({"ham": 90, "spam": 10}, "spam"),
        ({"malignant": 212, "benign": 357}, "malignant"),
        ({"spam": 90, "nonspam": 10}, "spam"),
        ({"Not Churned": 5, "churned": 9}, "churned"),
        ({"a": 5, "b": 5}, "a"),
    ],
)
def test_positive_classes(counts, label):
    assert positive_class(counts)[0] == label


# Spellings


def test_labels_that_differ_by_case_or_a_dot_are_one():
    assert same_spelling({"a.": 1, "A": 2, "Yes": 5, "yes": 9, "YES.": 1}) == {"Yes": "yes", "YES.": "yes"}


def look(values, dtype="string", in_test=None, *, is_whole=True) -> Target:
    test = None if in_test is None else pa.array(in_test)
    return look_at_target("y", pa.array(values), dtype, test, is_whole=is_whole)


def test_a_target_of_classes():
    assert look(["no", "yes", "no", None]) == Target(
        name="y", task="binary", counts={"no": 2, "yes": 1}, positive="yes", why_positive="the label says so",
        num_missing=1,
    )  # fmt: skip


def test_a_target_of_numbers():
    found = look(pa.array([1.5, 2.0, 3.5, 4.0, None, float("inf")]), "number")
    assert (found.task, found.counts, found.num_missing) == ("regression", {}, 1)
    assert found.quartiles == (1.5, 1.875, 2.75, 3.625, 4.0)


def test_one_class_in_two_spellings_is_one():
    found = look(["<=50K", ">50K", "<=50K.", ">50K.", "<=50K"])
    assert found.respelt == {"<=50K.": "<=50K", ">50K.": ">50K"}
    assert (found.task, found.counts) == ("binary", {"<=50K": 3, ">50K": 2})


def test_a_test_tables_labels_are_spelt_as_the_sources():
    found = look(["a1", "b1", "a1"], in_test=["A1.", "b1"])
    assert (found.respelt, found.unknown) == ({"A1.": "a1"}, ())


def test_labels_of_a_test_table_that_the_source_lacks():
    with pytest.raises(DataError, match="classes are those of the source") as caught:
        look(["aa", "bb"], in_test=["aa", "cc"])
    assert caught.value.received == "'cc'"
    assert look(["aa", "bb"], in_test=["aa", "cc"], is_whole=False).unknown == ("cc",)


@pytest.mark.parametrize(
    ("values", "dtype", "counts", "positive"),
    [
        (pa.array([0, 1, 1]), "integer", {"1": 2, "0": 1}, 1),
        (pa.array([0.0, 1.0, 1.0]), "integer", {"1": 2, "0": 1}, 1),
        (pa.array(["0.0", "1.0", "1.0"]), "number", {"1": 2, "0": 1}, "1"),
        (pa.array([True, False, True]), "boolean", {"true": 2, "false": 1}, True),
        (pa.array(["TRUE", "False", "true"]), "boolean", {"true": 2, "false": 1}, True),
        (pa.array(["True", "999", "True"]), "string", {"True": 2, "999": 1}, "True"),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "string", {"a": 2, "b": 1}, "b"),
    ],
)
def test_classes_are_counted_as_cleaning_writes_them(values, dtype, counts, positive):
    found = look_at_target("y", values, dtype, None, is_whole=True)
    assert (dict(found.counts), found.positive) == (counts, positive)


def test_targets_as_codes_and_numbers():
    found = look(["no", "yes", "no"])
    np.testing.assert_array_equal(found.encode(pa.array(["yes", "no"])), [1, 0])
    numbers = Target(name="y", task="regression")
    np.testing.assert_array_equal(numbers.encode(pa.array([1, 2])), [1.0, 2.0])


def test_what_looks_alike_is_one_spelling():
    counts = {"café": 9, "cafe\u0301": 2, "ca\u200bfé": 1, "cafe": 3, "a": 2, "A": 1}
    assert same_spelling(counts) == {"cafe\u0301": "café", "ca\u200bfé": "café"}


def test_of_classes_as_frequent_none_is_the_rarer():
    assert positive_class({"L": 100, "R": 101})[1].startswith("as frequent as the other")
    assert positive_class({"L": 100, "R": 150}) == ("L", "the rarer class")
