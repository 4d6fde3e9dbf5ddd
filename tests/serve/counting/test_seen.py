"""What a version saw, from the request path to a window."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.records import table_from_records
from distml.serve.counting import seen as seen_module
from distml.serve.counting.seen import Seen
from distml.window import LATENCY_EDGES_MS, MAX_NAMES, OTHERS, summarise_predictions
from packages import package_of

ROWS = [{"size": 0.5, "colour": "red"}, {"size": -1, "colour": None}, {"size": None, "colour": "blue"}]


@pytest.fixture(scope="module")
def predictor():
    package = package_of("binary")
    baseline = replace(package.baseline, predictions=summarise_predictions(classes(*np.linspace(0.05, 0.95, 19))))
    return Predictor(replace(package, baseline=baseline))


def few(predictor, rows):
    prediction = predictor.predict_few(rows)
    assert prediction is not None
    return rows, prediction


def table(predictor, rows):
    return predictor.predict_kept(table_from_records(rows, predictor.schema))


def classes(*positive) -> Prediction:
    shares = np.column_stack([1 - np.array(positive), positive])
    labels = np.array(["no", "yes"], object)
    return Prediction(values=labels[shares.argmax(axis=1)], probabilities=shares, labels=("no", "yes"))


def numbers(*values) -> Prediction:
    return Prediction(values=np.array(values, float), probabilities=None, labels=None)


def test_rows_come_out_the_same_whichever_way_they_were_predicted(predictor):
    by_few, by_table = Seen(), Seen()
    for row in ROWS:
        by_few.answered(*few(predictor, [row]))
        by_table.answered_table(*table(predictor, [row]))
    windows = [seen.window(3, predictor) for seen in (by_few, by_table)]
    assert [window.rows for window in windows] == [3, 3]
    assert windows[0].inputs.to_dict() == windows[1].inputs.to_dict()
    assert windows[0].predictions.to_dict() == windows[1].predictions.to_dict()
    assert windows[0].inputs.columns["size"].nulls == windows[0].inputs.columns["colour"].nulls == 1
    assert windows[0].inputs.columns["colour"].categories == {"red": 1, "blue": 1}


@pytest.mark.parametrize("size", [1, 2, 3, 4], ids="{} rows at a time".format)
def test_rows_are_summarised_some_at_a_time_and_none_is_missed(predictor, monkeypatch, size):
    whole, sliced = Seen(), Seen()
    for seen in (whole, sliced):
        for rows in (ROWS[:1], ROWS[1:], ROWS[:2]):
            seen.answered(*few(predictor, rows))
    window = whole.window(3, predictor)
    monkeypatch.setattr(seen_module, "_SLICE_ROWS", size)
    again = sliced.window(3, predictor)
    assert again.rows == again.inputs.columns["size"].count == window.rows == 5
    agree(again, window)


def test_both_ways_are_summarised_together(predictor):
    seen = Seen()
    seen.answered(*few(predictor, ROWS))
    seen.answered_table(*table(predictor, ROWS * 10))
    window = seen.window(3, predictor)
    assert (window.rows, window.inputs.count, window.predictions.count, window.unsummarised) == (33, 33, 33, 0)


def test_requests_are_counted_by_how_they_ended(predictor):
    seen = Seen()
    seen.request(0.4)
    seen.request(7.0, "invalid-row")
    seen.request(7.0, "invalid-row")
    seen.request(9000.0, "version-failed", is_fault=True)
    window = seen.window(3, predictor)
    assert (window.version, window.requests, window.faults) == (3, 4, 1)
    assert window.errors == {"invalid-row": 2, "version-failed": 1}
    counted = dict(zip([*LATENCY_EDGES_MS, "above"], window.latency.counts, strict=True))
    assert {edge: count for edge, count in counted.items() if count} == {0.5: 1, 7.5: 2, "above": 1}
    assert window.latency.total == 9_014_400


def test_batches_and_waits_are_counted(predictor):
    seen = Seen()
    for num_requests in (1, 1, 3, 300):
        seen.batch(num_requests, num_requests)
    seen.waited(0.2)
    window = seen.window(3, predictor)
    assert window.batches.counts == [2, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert (window.batches.total, window.batches.num_added) == (305, 4)
    assert (window.waits.total, window.waits.num_added) == (200, 1)


def test_columns_that_were_ignored_or_absent_are_counted_by_name(predictor):
    seen = Seen()
    seen.ignored("stranger", 2)
    seen.ignored("stranger", 3)
    seen.absent("colour", 1)
    window = seen.window(3, predictor)
    assert (window.ignored, window.absent) == ({"stranger": 5}, {"colour": 1})


def test_names_that_clients_make_up_are_told_apart_up_to_a_number(predictor):
    seen = Seen()
    for i in range(MAX_NAMES + 50):
        seen.ignored(f"{i:04d}" + "x" * 1000, 2)
    seen.ignored("0000" + "x" * 1000, 1)
    window = seen.window(3, predictor)
    assert len(window.ignored) == MAX_NAMES + 1
    assert (window.ignored[OTHERS], window.ignored["0000" + "x" * 96]) == (100, 3)


@pytest.mark.parametrize("limit", ["MAX_FEW_VALUES", "MAX_TABLE_VALUES"])
def test_what_is_held_is_bounded_and_what_is_beyond_is_counted(predictor, monkeypatch, limit):
    monkeypatch.setattr(seen_module, limit, 40)
    seen = Seen()
    for _ in range(10):
        if limit == "MAX_FEW_VALUES":
            seen.answered(*few(predictor, ROWS))
        else:
            seen.answered_table(*table(predictor, ROWS))
    window = seen.window(3, predictor)
    assert (window.rows, window.inputs.count, window.predictions.count, window.unsummarised) == (30, 18, 18, 12)


def test_nothing_seen_is_an_empty_window(predictor):
    window = Seen().window(3, predictor)
    assert window.is_empty
    assert (window.rows, window.inputs.count) == (0, 0)
    assert not window.is_shadow


def test_a_shadow_is_compared_with_what_answered(predictor):
    seen = Seen(is_shadow=True)
    seen.compared(classes(0.9, 0.2), classes(0.8, 0.7))
    seen.compared(classes(0.75), classes(0.75))
    window = seen.window(3, predictor)
    assert (window.is_shadow, window.compared, window.differing) == (True, 3, 1)
    assert window.difference == pytest.approx(0.6)
    assert window.max_difference == pytest.approx(0.5)


def test_numbers_differ_by_more_than_rounding(predictor):
    seen = Seen(is_shadow=True)
    seen.compared(numbers(1e6, 2.0, 0.0), numbers(1e6 + 0.5, 2.5, 0.0))
    window = seen.window(3, predictor)
    assert (window.compared, window.differing, window.max_difference) == (3, 1, 0.5)


def test_labels_that_only_one_of_them_knows_differ(predictor):
    three = Prediction(values=np.array(["maybe"], object), probabilities=np.array([[0.1, 0.7, 0.2]]),
                       labels=("no", "maybe", "yes"))  # fmt: skip
    seen = Seen(is_shadow=True)
    seen.compared(classes(0.9), three)
    seen.compared(classes(0.5), classes(0.5))
    window = seen.window(3, predictor)
    assert (window.compared, window.differing) == (2, 1)
    assert window.max_difference == pytest.approx(0.2)


REQUESTS = st.lists(
    st.tuples(
        st.lists(
            st.fixed_dictionaries(
                {
                    "size": st.none() | st.integers(-8, 8).map(lambda quarters: quarters / 4),
                    "colour": st.sampled_from(["red", "blue", "unheard of", None]),
                }
            ),
            min_size=1,
            max_size=4,
        ),
        st.integers(1, 10**7),
        st.sampled_from([None, "invalid-row", "version-failed"]),
        st.booleans(),
    ),
    max_size=8,
)


@given(REQUESTS, st.data())
@settings(max_examples=30)
def test_however_requests_fall_to_replicas_their_windows_come_to_the_same(predictor, requests, data):
    alone, replicas = Seen(), [Seen() for _ in range(3)]
    for rows, microseconds, problem, as_table in requests:
        for seen in (alone, replicas[data.draw(st.integers(0, 2))]):
            seen.request(microseconds / 1000, problem, is_fault=problem == "version-failed")
            if problem is None and as_table:
                seen.answered_table(*table(predictor, rows))
            elif problem is None:
                seen.answered(*few(predictor, rows))
                seen.batch(1, len(rows))
    windows = [seen.window(3, predictor) for seen in replicas]
    merged = windows[2].merge(windows[0].merge(windows[1]))
    wanted = alone.window(3, predictor)
    assert merged.to_dict() == wanted.to_dict()
    agree(merged, wanted)


def agree(window, wanted):
    """Everything that is counted is equal; means are, up to rounding."""
    for name in ("inputs", "predictions"):
        for column, summary in getattr(wanted, name).columns.items():
            known = getattr(window, name).columns[column]
            assert (known.count, known.nulls, known.categories) == (summary.count, summary.nulls, summary.categories)
            assert (known.min, known.max) == (summary.min, summary.max)
            assert known.mean == pytest.approx(summary.mean, abs=1e-12)
            assert known.m2 == pytest.approx(summary.m2, abs=1e-9)
            if summary.bins is not None:
                np.testing.assert_array_equal(known.bins, summary.bins)
