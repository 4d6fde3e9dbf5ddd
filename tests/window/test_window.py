import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from distml.postprocess import Prediction
from distml.summary import TableSummary
from distml.window import LATENCY_EDGES_MS, Window, predictions_table, summarise_predictions


def classes(positive) -> Prediction:
    positive = np.asarray(positive, float)
    values = np.where(positive >= 0.5, "yes", "no").astype(object)
    return Prediction(values=values, probabilities=np.column_stack([1 - positive, positive]), labels=("no", "yes"))


def numbers(values) -> Prediction:
    return Prediction(values=np.asarray(values, float), probabilities=None, labels=None)


INPUTS = TableSummary({"size": "numeric", "colour": "categorical"}, edges={"size": np.array([0.0, 0.5, 1.0])})
PREDICTIONS = summarise_predictions(classes(np.linspace(0, 1, 101)))


def served(n, seed):
    rng = np.random.default_rng(seed)
    table = pa.table({"size": rng.random(n), "colour": rng.choice(["red", "blue"], n)})
    return table, classes(rng.random(n))


def observe(window: Window, requests: list) -> None:
    window.summarise([table for table, _ in requests], [prediction for _, prediction in requests])
    window.rows += sum(table.num_rows for table, _ in requests)


def window(seed, num_requests=3) -> Window:
    filled = Window.like(4, INPUTS, PREDICTIONS)
    observe(filled, [served(5, seed * 10 + i) for i in range(num_requests)])
    for i in range(num_requests):
        filled.request(10.0**i)
    filled.ignored = {"extra": seed}
    filled.errors = {"invalid-row": 1, f"error-{seed}": 2}
    return filled


def content(filled: Window) -> dict:
    """All that a window holds, sums of floats rounded."""
    value = {name: getattr(filled, name) for name in ("version", "requests", "rows", "ignored", "errors")}
    value |= {"latency": (filled.latency.counts, filled.latency.total)}
    for name in ("inputs", "predictions"):
        value[name] = json.loads(
            json.dumps(getattr(filled, name).to_dict()), parse_float=lambda text: round(float(text), 9)
        )
    return value


def test_an_empty_window_has_the_baselines_columns_and_bins():
    empty = Window.like(4, INPUTS, PREDICTIONS)
    assert (empty.requests, empty.rows, empty.latency.num_added) == (0, 0, 0)
    assert list(empty.inputs.columns) == ["size", "colour"]
    assert list(empty.predictions.columns) == ["prediction", "score"]
    np.testing.assert_array_equal(empty.predictions.columns["score"].edges, PREDICTIONS.columns["score"].edges)


def test_counts_what_was_served():
    filled = window(1)
    assert (filled.rows, filled.requests) == (15, 3)
    assert filled.inputs.count == filled.predictions.count == 15
    assert filled.inputs.columns["size"].bins.sum() == 15
    assert sum(filled.predictions.columns["prediction"].categories.values()) == 15


def test_requests_together_are_as_one_by_one():
    together, apart = (Window.like(4, INPUTS, PREDICTIONS) for _ in range(2))
    requests = [served(n, seed=n) for n in (1, 7, 3)]
    observe(together, requests)
    for request in requests:
        observe(apart, [request])
    assert content(together) == content(apart)


def test_nothing_served_changes_nothing():
    filled = window(1)
    before = content(filled)
    filled.summarise([], [])
    assert content(filled) == before


def test_merging_is_associative_and_commutes():
    a, b, c = window(1), window(2, num_requests=1), window(3)
    assert content(a.merge(b).merge(c)) == content(a.merge(b.merge(c)))
    assert content(a.merge(b)) == content(b.merge(a))


def test_merging_adds_and_leaves_both_as_they_were():
    a, b = window(1), window(2, num_requests=1)
    before = content(a), content(b)
    merged = a.merge(b)
    assert (merged.rows, merged.requests, merged.inputs.count) == (20, 4, 20)
    assert merged.ignored == {"extra": 3}
    assert merged.errors == {"invalid-row": 2, "error-1": 2, "error-2": 2}
    assert (content(a), content(b)) == before


def test_an_empty_window_adds_nothing():
    filled, empty = window(1), Window.like(4, INPUTS, PREDICTIONS)
    assert content(filled.merge(empty)) == content(empty.merge(filled)) == content(filled)


def test_windows_of_two_versions_do_not_mix():
    with pytest.raises(AssertionError, match="windows of different versions"):
        window(1).merge(replace(window(1), version=5))


@pytest.mark.parametrize(
    ("times", "q", "bound"),
    [
        ([], 0.5, None),
        ([0.1], 0.5, 0.5),
        ([0.5], 0.5, 0.5),
        ([0.51], 0.5, 0.75),
        ([1.0] * 99 + [90.0], 0.99, 1.0),
        ([1.0] * 98 + [90.0] * 2, 0.99, 100.0),
        ([1.0, 90.0], 0.5, 1.0),
        ([1.0, 90.0], 0.51, 100.0),
        ([1.0, 90.0], 1.0, 100.0),
        ([60_000.0], 0.5, 5000.0),
    ],
)
def test_latency_quantiles(times, q, bound):
    timed = Window.like(1, INPUTS, PREDICTIONS)
    for milliseconds in times:
        timed.request(milliseconds)
    assert timed.latency_ms(q) == bound


def test_a_latency_quantile_is_at_most_one_bucket_above_the_true_one():
    times = np.random.default_rng(0).lognormal(3, 1, 2000)
    timed = Window.like(1, INPUTS, PREDICTIONS)
    for milliseconds in times:
        timed.request(milliseconds)
    for q in (0.01, 0.5, 0.9, 0.99):
        exact = np.quantile(times, q, method="inverted_cdf")
        bucket = np.searchsorted(LATENCY_EDGES_MS, exact)
        assert timed.latency_ms(q) == LATENCY_EDGES_MS[bucket]


@pytest.mark.parametrize(
    ("prediction", "wanted"),
    [
        (classes([0.2, 0.9]), {"prediction": ["no", "yes"], "score": [0.2, 0.9]}),
        (numbers([1.5, -2.0]), {"score": [1.5, -2.0]}),
        (
            Prediction(values=np.array([3, 1], object), probabilities=np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]),
                       labels=(1, 2, 3)),
            {"prediction": ["3", "1"], "score": [0.7, 0.5]},
        ),
    ],
    ids=["binary", "regression", "multiclass"],
)  # fmt: skip
def test_predictions_as_a_table(prediction, wanted):
    assert predictions_table(prediction).to_pydict() == wanted


def test_the_baseline_of_predictions_has_deciles():
    score = summarise_predictions(numbers(np.arange(100.0))).columns["score"]
    assert score.bins[1:-1].tolist() == [10] * 10
    assert (score.bins[0], score.bins[-1]) == (0, 0)


def test_a_baseline_without_predictions_has_no_bins():
    summary = summarise_predictions(numbers([]))
    assert summary.columns["score"].bins is None
    assert summary.count == 0


def test_a_baseline_of_one_score_has_a_bin_of_its_own_for_it():
    assert summarise_predictions(numbers([2.0, 2.0])).columns["score"].bins.tolist() == [0, 2, 0]
