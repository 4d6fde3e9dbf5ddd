"""What else an engineer would want to know of a table."""

import numpy as np
import pyarrow as pa
import pytest

from distml.inspection.remark import Remark, counted, shown
from distml.inspection.targets import Target, look_at_target
from distml.inspection.tokens import Tokens
from distml.proposal.remarks import are_cases, num_copies, remarks_on
from distml.reading.sample import Sample
from tables import cleaner_of

N = 1000
RNG = np.random.default_rng(5)
CLASSES = np.array(["no", "yes"] * (N // 2))


def look(target=CLASSES, *, ragged=(), tokens=None, ordered=False, is_numbered=True, **features) -> list[Remark]:
    number = {"number": range(N)} if is_numbered else {}  # so that no row is a copy of another
    table = pa.table({**number, **features, "y": target})
    is_number = pa.types.is_floating(table.schema.field("y").type)
    cleaner = cleaner_of(table, task="regression" if is_number else "auto")
    cleaned = cleaner.apply(table).table
    aim = Target(name="y", task="regression")
    if not is_number:
        aim = look_at_target("y", cleaned.column("y").combine_chunks(), "string", None, is_whole=True)
    position = np.linspace(0, 1, N, endpoint=False) if ordered else RNG.permutation(N) / N
    sample = Sample(table=table, position=position, is_whole=True, ragged=ragged)
    return list(remarks_on(sample, cleaned, cleaner.schema, frozenset(features), aim, tokens or Tokens()))


def test_of_a_plain_table_nothing_is_said():
    words = RNG.choice(["a", "b"], N)
    assert look(x=RNG.normal(size=N), word=words, gap=pa.array(RNG.normal(size=N), mask=RNG.random(N) < 0.5)) == []


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"x": pa.array(np.arange(N, dtype=float), mask=np.arange(N) > 30)}, "96.9% of its values are missing"),
        ({"x": np.where(np.arange(N) < 90, -1, RNG.integers(0, 999, N))}, "-1 in 90 rows (9.0%), far from all"),
        ({"x": np.minimum(RNG.integers(0, 999, N), 900)}, "stand at its largest value, 900"),
        ({"x": [f"w{i % 300}" for i in range(N)]}, "has 300 categories"),
        ({"x": ["1,5", "2,5"] * (N // 2)}, "holds numbers with a decimal comma, and is read as 2 categories"),
        ({"x": ["Male", "male"] * (N // 2)}, "writes categories in two ways: 'male' and 'Male'"),
    ],
)
def test_remarks_on_a_feature(features, said):
    (remark,) = look(**features)
    assert remark.column == "x"
    assert said in remark.text


def test_a_code_for_missing_comes_with_the_line_that_acts_on_it():
    (remark,) = look(x=np.where(np.arange(N) < 90, 999, RNG.integers(0, 50, N)))
    assert remark.change == "clean: {replace: {x: {999: null}}}"


def test_whole_numbers_of_few_values_are_named_together():
    (remark,) = look(
        a=RNG.integers(0, 3, N), b=RNG.integers(0, 12, N), c=RNG.integers(0, 13, N), d=RNG.integers(0, 2, N)
    )
    assert "a 3, b 12 values" in remark.text
    assert remark.change == "data: {kinds: {a: categorical}}"


def test_words_that_may_mean_missing():
    words = {name: RNG.choice(["a", "b"], N) for name in ("job", "home")}
    (remark,) = look(tokens=Tokens(doubtful={"unknown": {"job": 3, "home": 4, "y": 5}, "-": {"y": 5}}), **words)
    assert (remark.column, remark.change) == (
        None,
        "clean: {replace: {job: {unknown: null}, home: {unknown: null}}}",
    )
    assert "'unknown' (job 3, home 4)" in remark.text


def test_a_target_that_changes_along_the_table():
    target = np.where(np.arange(N) < N // 2, "no", CLASSES)
    (remark,) = look(target, ordered=True)
    assert "share of 'yes' by tenth: 0 0 0 0 0 0.5 0.5 0.5 0.5 0.5" in remark.text
    assert look(target, ordered=False) == []
    (remark,) = look(np.arange(N) + 0.5, ordered=True)
    assert "mean by tenth: 50 150 250" in remark.text
    (remark,) = look(np.repeat(["a", "b", "c", "d"], N // 4), ordered=True)
    assert "its classes stand together" in remark.text


def test_a_rare_class_changes_by_chance():
    target = np.array(["no"] * N, object)
    target[[5, 50, 100, 200, 210, 330, 480, 490, 600, 720, 900]] = "yes"
    assert look(target.tolist(), ordered=True) == []


def test_rows_without_a_target_and_rare_classes():
    target = [None, None, *["rare"] * 3, *["a", "b"] * ((N - 6) // 2), "a"]
    missing, rare = look(pa.array(target))
    assert missing.text == "rows without a target, from which nothing is learned: 2"
    assert "'rare' 3" in rare.text


def test_a_target_that_is_cut_off():
    (remark,) = look(np.minimum(RNG.random(N).round(3), 0.9))
    assert "stand at its largest value, 0.9: probably cut off" in remark.text


def test_copies():
    assert num_copies(pa.table({"id": [1, 1, 1, 2], "x": ["a", "a", "a", "a"]})) == 2
    (remark,) = look(["no", "no", *CLASSES[2:]], row=[0, 0, *range(2, N)], is_numbered=False)
    assert remark.text.startswith("rows that repeat another one exactly: 1 (0.1%).")
    assert remark.change == "clean: {duplicates: keep}"


@pytest.mark.parametrize(
    ("distinct", "times", "are"), [(100, 2, True), (100, 1, False), (99, 2, False), (200, 3, True)]
)
def test_copies_that_must_be_cases(distinct, times, are):
    assert are_cases(pa.table({"x": list(range(distinct)) * times})) is are


def test_values_are_shown_on_one_line():
    assert shown("a\nb" + "c" * 100) == "'a\\nb" + "c" * 52 + "…'"
    assert (shown(3), shown(3.0), shown(None), shown(1e9)) == ("3", "3", "None", "1000000000")
    assert counted({"a": 1234}) == "a 1,234"


def test_what_validate_would_find_is_said_too():
    fares = RNG.lognormal(2, 0.5, N)
    fares[:4] *= -1
    sizes = RNG.normal(size=N)
    sizes[7] = 9e6
    towns = RNG.choice(["Rome", "Oslo"], N).astype(object)
    towns[3] = "Bern"
    said = {remark.column: remark for remark in look(fare=fares, size=sizes, town=towns)}
    assert said["fare"].text.startswith("4 rows: below zero")
    assert said["fare"].change == "clean: {rules: {fare: {min: 0, on_violation: null}}}"
    assert said["size"].text.startswith("1 row: above")
    assert "'Bern' 1" in said["town"].text
