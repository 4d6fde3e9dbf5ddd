"""What a table's columns are for."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from distml.inspection.columns import Columns, look_at_columns
from distml.inspection.remark import Remark
from tables import cleaner_of

N = 200
RNG = np.random.default_rng(1)
START = datetime(2024, 1, 1)


def look(**columns) -> Columns:
    table = pa.table({**columns, "y": ["a", "b"] * (N // 2)})
    cleaner = cleaner_of(table)
    return look_at_columns(cleaner.apply(table).table, cleaner.schema)


def hours(values) -> list[datetime]:
    return [START + timedelta(hours=float(value)) for value in values]


def names(remarks: tuple[Remark, ...]) -> list[str | None]:
    return [remark.column for remark in remarks]


def test_counters_and_names_of_rows_are_ids():
    found = look(n=range(N), key=[f"k{i}" for i in range(N)], x=RNG.normal(size=N))
    assert names(found.ids) == ["n", "key"]
    assert (found.time, found.useless) == (None, ())


def test_constants_and_free_texts_are_useless():
    found = look(one=[1] * N, story=[f"this is story {i}" for i in range(N)], x=RNG.normal(size=N))
    assert names(found.useless) == ["one", "story"]


def test_texts_that_look_like_dates_are_useless_where_they_are_many():
    days = [f"{i % 28 + 1}/{i % 12 + 1}/2024" for i in range(N)]
    assert names(look(day=days).useless) == ["day"]
    assert look(day=days[:10] * 20).useless == ()


def test_a_date_is_the_time():
    found = look(at=hours(RNG.random(N) * 9000), x=RNG.normal(size=N))
    assert found.time == Remark("at", "says when a row happened")


def test_seconds_since_1970_are_the_time():
    found = look(created_ts=(1.7e9 + RNG.integers(0, 10**6, N)).astype(np.int64))
    assert found.time is not None
    assert found.time.column == "created_ts"


def test_a_date_of_birth_is_a_feature():
    found = look(date_of_birth=hours(-RNG.random(N) * 9000))
    assert found == Columns()


def test_of_dates_that_move_together_the_earlier_is_the_time():
    start = RNG.random(N) * 9000
    found = look(end=hours(start + 0.2), begin=hours(start), booked=hours(RNG.random(N) * 9000))
    assert found.time == Remark("begin", "says when a row happened, the first of several")
    assert names(found.useless) == ["end"]
    assert found.left_out == {"begin", "end"}


def test_columns_that_are_left_out_for_a_better_reason():
    found = Columns(ids=(Remark("a", ""),), time=Remark("b", ""), useless=(Remark("c", ""),))
    assert found.without(["b", "c"]) == Columns(ids=(Remark("a", ""),))
    assert names(found.with_unreadable({"d": "list<item: int64>"}).useless) == ["c", "d"]
