"""Which texts mean that a value is missing."""

import pyarrow as pa
import pytest

from distml.inspection.tokens import Tokens, find_tokens

NUMBERS = [str(i) for i in range(100)]


def tokens(**columns: list[str | None]) -> Tokens:
    return find_tokens(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))


@pytest.mark.parametrize("text", ["?", "NA", "n/a", "null", "NaN", "-", "", " ? ", "#N/A"])
def test_texts_that_mean_nothing_else_are_missing_among_words(text):
    found = tokens(x=["red", "green", text, "red"])
    assert found == Tokens(missing={text.strip(): {"x": 1}} if text else {})


@pytest.mark.parametrize(
    "values", [NUMBERS, ["2024-01-01", "2024-01-02"], ["true", "FALSE"], []], ids=["numbers", "dates", "truths", "none"]
)
@pytest.mark.parametrize("text", ["?", "-", "NA"])
def test_texts_are_missing_among_typed_values(values, text):
    assert tokens(x=[*values, text, text]) == Tokens(missing={text: {"x": 2}})


def test_a_word_among_words_is_left_and_named():
    assert tokens(x=["a", "unknown", "b", "unknown"], y=["a", "b", "none", "c"]) == Tokens(
        doubtful={"unknown": {"x": 2}, "none": {"y": 1}}
    )


def test_a_word_among_numbers_is_missing_there_alone():
    assert tokens(x=[*NUMBERS, "unknown"], y=[*["a"] * 100, "unknown"]) == Tokens(
        replaced={"x": {"unknown": 1}}, doubtful={"unknown": {"y": 1}}
    )


def test_what_is_written_like_the_values_beside_it_is_one_of_them():
    assert tokens(country=["DE", "FR", "NA", "US"]) == Tokens(doubtful={"NA": {"country": 1}})
    assert tokens(label=["+", "-", "+"]) == Tokens(doubtful={"-": {"label": 1}})
    assert tokens(label=["+", "-", "?"]) == Tokens(missing={"?": {"label": 1}}, doubtful={"-": {"label": 1}})


def test_what_means_something_in_one_column_is_not_struck_from_all():
    found = tokens(label=["+", "-", "+", "+"], size=["1", "-", "2", "3"])
    assert found == Tokens(replaced={"size": {"-": 1}}, doubtful={"-": {"label": 1}})


def test_a_few_odd_texts_among_numbers_are_missing():
    assert tokens(x=[*NUMBERS, "broken", "abc"]) == Tokens(replaced={"x": {"broken": 1, "abc": 1}})


@pytest.mark.parametrize(
    "values",
    [
        [*NUMBERS, "a", "b", "c", "d"],  # of too many kinds
        [*NUMBERS[:20], *["abc"] * 5],  # too often
        ["1", "2", "abc"] * 50,  # among too few numbers
    ],
)
def test_other_texts_among_numbers_are_values(values):
    assert tokens(x=values) == Tokens()


def test_every_way_of_writing_is_counted_for_itself():
    assert tokens(x=[*NUMBERS, "NA", "na", "NA"]) == Tokens(missing={"NA": {"x": 2}, "na": {"x": 1}})


def test_columns_that_are_no_texts_have_none():
    table = pa.table({"n": [1, 2], "f": [1.0, None], "t": pa.array(["a", "?"]).dictionary_encode()})
    assert find_tokens(table) == Tokens(missing={"?": {"t": 1}})
