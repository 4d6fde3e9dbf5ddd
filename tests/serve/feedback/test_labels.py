from dataclasses import dataclass, replace
from typing import Any

import pytest

from distml.errors import DataError
from distml.schema import Schema
from distml.serve.feedback.labels import CheckedLabel, checked
from packages import package_of


@dataclass(frozen=True, kw_only=True)
class Told:
    request_id: Any = "r"
    row: Any = 0
    label: Any = None


@pytest.fixture(scope="module")
def shop():
    return package_of("binary", epochs=1)


@pytest.fixture(scope="module")
def prices():
    return package_of("regression", epochs=1)


def values(package, *labels):
    return [told.label for told in checked([Told(label=label) for label in labels], package)]


def with_cleaner(package, target=None, **changes):
    """The package, with another cleaner and target column."""
    (member,) = package.members
    cleaner = member.pipeline.cleaner
    if target is not None:
        columns = tuple(replace(c, **target) if c.role == "target" else c for c in cleaner.schema.columns)
        changes["schema"] = Schema(columns)
    pipeline = replace(member.pipeline, cleaner=replace(cleaner, **changes))
    return replace(package, members=(replace(member, pipeline=pipeline),))


def test_a_label_keeps_its_place(shop):
    told = [Told(request_id="a", row=7, label="yes"), Told(request_id="b", row=0, label="no")]
    assert checked(told, shop) == [
        CheckedLabel(request_id="a", row=7, label="yes"),
        CheckedLabel(request_id="b", row=0, label="no"),
    ]


def test_labels_are_cleaned_as_the_target_was(shop):
    assert values(shop, " yes ", "no") == ["yes", "no"]
    assert values(with_cleaner(shop, replace={"y": {"yes.": "yes", 0: "no"}}), "yes.", 0) == ["yes", "no"]


def test_numbers_are_floats(prices):
    assert values(prices, 3, 2.5) == [3.0, 2.5]
    assert [type(value) for value in values(prices, 3)] == [float]


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        ("maybe", "a label is one of the classes that training saw"),
        (None, "a label is a text, a number, true or false"),
        ([], "a label is a text, a number, true or false"),
        ("", "a label is not missing"),
        ("  ", "a label is not missing"),
    ],
)
def test_what_is_no_class_is_refused(shop, label, rule):
    with pytest.raises(DataError) as caught:
        values(shop, "yes", label)
    assert (caught.value.rule, caught.value.received, caught.value.where) == (rule, repr(label), "label 1")


def test_the_classes_are_told(shop):
    with pytest.raises(DataError, match="Remedy: classes: 'no', 'yes'"):
        values(shop, "maybe")


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        ("3", "a label is a number"),
        (True, "a label is a number"),
        (float("nan"), "a label is not missing"),
        (float("inf"), "a label is not missing"),
        (10**400, "a label lies within the range of a 64-bit float"),
    ],
)
def test_what_is_no_number_is_refused(prices, label, rule):
    with pytest.raises(DataError) as caught:
        values(prices, label)
    assert caught.value.rule == rule


@pytest.mark.parametrize("row", [-1, 2**31, 1.0, True, "0", None, 10**5000], ids=lambda row: type(row).__name__)
def test_a_row_is_a_place(shop, row):
    with pytest.raises(DataError, match="a row is a whole number from 0"):
        checked([Told(row=row, label="yes")], shop)


@pytest.mark.parametrize("request_id", ["", "x" * 129, 7, None])
def test_a_request_is_named(shop, request_id):
    with pytest.raises(DataError, match="a request_id is a text of 1 to 128 characters"):
        checked([Told(request_id=request_id, label="yes")], shop)


def test_a_private_target_is_not_quoted(shop):
    private = with_cleaner(shop, target={"private": True})
    for label in ("secret", ["secret"], " "):
        with pytest.raises(DataError) as caught:
            values(private, label)
        assert caught.value.received == "(private)"
        assert "secret" not in str(caught.value) and "yes" not in str(caught.value)


def test_a_rule_that_training_had_for_its_target_holds_for_labels(prices):
    from distml.config.clean import RuleConfig

    ruled = with_cleaner(prices, rules={"y": RuleConfig(min=0, on_violation="drop")})
    assert values(ruled, 1) == [1.0]
    with pytest.raises(DataError) as caught:
        values(ruled, 1, -1)
    assert (caught.value.received, caught.value.where) == ("-1", "label 1")


def test_a_derived_target_is_told_as_it_is(prices):
    assert values(with_cleaner(prices, target={"derived": "size * 2", "uses": ("size",)}), 4) == [4.0]
