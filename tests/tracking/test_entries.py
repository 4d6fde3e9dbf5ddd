import math

import orjson
import pytest

from distml.tracking import Dataset, Point
from distml.tracking.entries import (
    Artifacts,
    Datasets,
    Discard,
    End,
    Mirror,
    Start,
    from_dict,
    log,
    merged,
    to_dict,
)

POINT = Point("loss", 0.1, 3, 1_700_000_000_123)
ROWS = Dataset(name="churn", context="train", source="churn.csv", sha256="ab", num_rows=7, kinds={"age": "numeric"})
ENTRIES = [
    Start(run="a", name="trial-0001", tags={"distml.trial": "1"}, at_ms=5),
    log("a", params={"lr": 0.1, "widths": (8, 4)}, points=[POINT], tags={"best": True}),
    End(run="a", status="FAILED", at_ms=6),
    Discard(keep=("a", "b"), at_ms=7),
    Datasets(datasets=(ROWS,)),
    Artifacts(key="trained/abc/package", path="package"),
    Mirror(version={"name": "churn", "number": 3}, alias="champion"),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_is_the_same_after_it_has_waited_in_a_file(entry):
    assert from_dict(orjson.loads(orjson.dumps(to_dict(entry)))) == entry


def test_texts_are_written_when_it_happens_and_values_that_are_no_number_left_out():
    entry = log("a", params={"lr": 0.1, "widths": (8, 4)}, points=[POINT, Point("loss", math.nan, 4, 1)])
    assert entry.params == {"lr": "0.1", "widths": "(8, 4)"}
    assert entry.points == (POINT,)


def start(run):
    return Start(run=run, name=run, tags={}, at_ms=0)


def end(run):
    return End(run=run, status="FINISHED", at_ms=0)


def point(step):
    return log("a", points=[Point("loss", 1.0, step, step)])


def test_what_is_logged_of_a_run_is_said_at_once_in_its_order():
    said = merged(
        [start("a"), log("a", params={"x": 1}), start("b"), point(1), log("b", tags={"y": 2}), point(2), end("a")]
    )
    assert said == [
        start("a"),
        log("a", params={"x": 1}, points=[Point("loss", 1.0, 1, 1), Point("loss", 1.0, 2, 2)]),
        start("b"),
        log("b", tags={"y": 2}),
        end("a"),
    ]


def test_nothing_is_moved_over_a_beginning_or_an_end():
    entries = [point(1), end("a"), start("a"), point(2), end("a")]
    assert merged(entries) == entries


def test_a_tag_is_the_one_that_was_set_last_also_around_discarding():
    assert merged([log("a", tags={"x": 1}), log("a", tags={"x": 2})]) == [log("a", tags={"x": 2})]
    entries = [log("a", tags={"x": 1}), Discard(keep=(), at_ms=0), log("a", tags={"x": 2})]
    assert merged(entries) == entries
