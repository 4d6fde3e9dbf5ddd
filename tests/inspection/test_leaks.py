"""Columns that may know the target."""

import numpy as np
import pyarrow as pa
import pytest

from distml.inspection.columns import Columns, look_at_columns
from distml.inspection.leaks import Leaks, as_array, find_leaks
from distml.inspection.remark import Remark
from distml.inspection.targets import Target, look_at_target
from tables import cleaner_of

N = 1000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def look(target, columns: Columns | None = None, **features) -> Leaks:
    table = pa.table({**features, "y": target})
    task = "regression" if pa.types.is_floating(table.schema.field("y").type) else "auto"
    cleaner = cleaner_of(table, task=task)
    cleaned = cleaner.apply(table).table
    aim = Target(name="y", task="regression")
    if task == "auto":
        aim = look_at_target("y", cleaned.column("y").combine_chunks(), "string", None, is_whole=True)
    return find_leaks(cleaned, cleaner.schema, aim, columns or look_at_columns(cleaned, cleaner.schema))


def names(remarks: tuple[Remark, ...]) -> list[str | None]:
    return [remark.column for remark in remarks]


def noise(rng: np.random.Generator, count: int = 4) -> dict[str, np.ndarray]:
    return {f"noise_{i}": rng.normal(size=N) for i in range(count)}


def test_a_copy_of_the_classes_is_certain(rng):
    target = rng.choice(["yes", "no"], N)
    found = look(target, alive=np.where(target == "yes", "dead", "alive"), **noise(rng))
    assert (names(found.certain), found.likely) == (["alive"], ())
    assert found.certain[0].text == "tells the target alone, almost without error: AUC 1.000 on rows held out"


def test_a_copy_of_a_number_in_another_unit_is_certain(rng):
    x = rng.gamma(2, 30, N)
    assert names(look(x, log=np.log(x), **noise(rng)).certain) == ["log"]


def test_whether_a_value_is_there_may_tell_the_target(rng):
    target = rng.choice(["yes", "no"], N, p=[0.1, 0.9])
    found = look(target, closed=pa.array(rng.normal(size=N), mask=target == "no"), **noise(rng))
    assert names(found.certain) == ["closed"]


def test_parts_of_a_number_are_certain(rng):
    a, b = rng.poisson(20, N), rng.poisson(80, N)
    found = look((a + b).astype(float), a=a, b=b, **noise(rng))
    assert found.certain == (
        Remark("b", "makes up the target: y = b + a, to the digit, in every row"),
        Remark("a", "makes up the target too, by the sum at b"),
    )


def test_one_sum_after_another(rng):
    a, b, c = (rng.poisson(50, N) for _ in range(3))
    found = look((a + b).astype(float), a=a, b=b, more=a + b + c, c=c, **noise(rng))
    assert set(names(found.certain)) >= {"a", "b", "more"}


def test_codes_have_no_part_in_a_sum(rng):
    a, b = rng.poisson(20, N), rng.poisson(80, N)
    columns = look((a + b).astype(float), a=a, b=pa.array(b.astype(str)).dictionary_encode(), **noise(rng))
    assert columns.certain == ()


def test_a_column_far_above_the_others_is_likely(rng):
    score = rng.normal(size=N)
    target = np.where(score + 0.7 * rng.normal(size=N) > 0, "yes", "no")
    found = look(target, score=score, weak=score + 5 * rng.normal(size=N), **noise(rng))
    assert (found.certain, names(found.likely)) == ((), ["score"])
    assert "the next best, weak, AUC 0." in found.likely[0].text
    assert found.likely[0].change == "data: {exclude: [score]}"


def test_a_calendar_is_not(rng):
    hour = np.arange(N) % 24
    found = look(np.sin(hour / 24 * np.pi) + 0.2 * rng.normal(size=N), hour=hour, **noise(rng))
    assert found.scores[0].column == "hour"
    assert (found.certain, found.likely) == ((), ())


def test_columns_without_a_use_are_not_scored(rng):
    target = rng.normal(size=N)
    columns = Columns(ids=(Remark("copy", ""),))
    found = look(target, columns, copy=target, x=rng.normal(size=N))
    assert [lone.column for lone in found.scores] == ["x"]
    assert found.certain == ()


def test_where_nothing_else_is_left_a_copy_is_asked_about(rng):
    target = rng.choice(["yes", "no"], N)
    found = look(target, copy=np.where(target == "yes", 1.5, 2.5))
    assert (found.certain, names(found.likely)) == ((), ["copy"])


def test_rows_without_a_target_say_nothing(rng):
    target = rng.choice(["yes", "no"], N).astype(object)
    copy = target.copy()
    target[::2] = None
    assert names(look(pa.array(target), copy=pa.array(copy), **noise(rng)).certain) == ["copy"]


def test_a_few_rows_say_nothing(rng):
    target = np.array(["yes", "no"] * 24)
    assert look(target, copy=target, x=rng.normal(size=48)) == Leaks()


def test_a_few_rows_of_a_class_say_nothing(rng):
    target = np.where(np.arange(N) < 9, "yes", "no")
    assert look(target, copy=target, **noise(rng)) == Leaks()
    target = np.where(np.arange(N) < 10, "yes", "no")
    assert names(look(target, copy=target, **noise(rng)).certain) == ["copy"]


def test_columns_as_arrays():
    np.testing.assert_array_equal(as_array(pa.chunked_array([["b"], [None, "a", "b"]])), [0, -1, 1, 0])
    np.testing.assert_array_equal(as_array(pa.array([1.5, None])), [1.5, np.nan])
