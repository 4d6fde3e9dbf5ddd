"""The metrics as their own parsers read them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from distml.serve.counting.counters import COUNTERS, deltas
from distml.serve.counting.prometheus import render
from distml.summary import TableSummary
from distml.window import LATENCY_EDGES_MS, Counts, Window

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
LIVE = {"model": "shop", "version": "4", "role": "live"}


def metrics(counts: dict[tuple[int, bool], Counts], **changed) -> dict:
    stands = {"replicas": 0, "loaded": {}, "main": {}, "gauges": {"ongoing": 0.0, "queued": 0.0}}
    return {"name": "shop", "counts": counts, **stands, **changed}


def served() -> Counts:
    counts = Counts(requests=6, rows=9, faults=1, errors={"invalid-row": 2, "version-failed": 1}, unsummarised=2)
    counts.ignored, counts.absent = {'odd "name"\n\\ é': 3}, {"colour": 1}
    for microseconds in (400, 1200, 1500, 80_000, 9_000_000, 1000):
        counts.latency.add(microseconds)
    counts.waits.add(200)
    for size in (1, 1, 4):
        counts.batches.add(size)
    return counts


def samples(body: bytes, parse=parse_text) -> dict[tuple, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(body.decode())
        for sample in family.samples
    }


def value(found: dict[tuple, float], name: str, **labels: str) -> float:
    return found[(name, *sorted(labels.items()))]


def test_counters_have_their_values():
    found = samples(render(metrics({(4, False): served()}))[0])
    outcomes = {kind: value(found, "distml_requests_total", **LIVE, outcome=kind)
                for kind in ("answered", "refused", "failed")}  # fmt: skip
    assert outcomes == {"answered": 3, "refused": 2, "failed": 1}
    assert value(found, "distml_errors_total", **LIVE, problem="invalid-row") == 2
    assert value(found, "distml_faults_total", **LIVE) == 1
    assert value(found, "distml_rows_total", **LIVE) == 9
    assert value(found, "distml_unsummarised_rows_total", **LIVE) == 2
    assert value(found, "distml_absent_column_rows_total", **LIVE, column="colour") == 1
    assert value(found, "distml_ignored_column_rows_total", **LIVE, column='odd "name"\n\\ é') == 3


def test_histograms_are_cumulative_in_seconds_with_sum_and_count():
    found = samples(render(metrics({(4, False): served()}))[0])
    name = "distml_request_duration_seconds"
    below = {float(key[1][1]): count for key, count in found.items() if key[0] == f"{name}_bucket"}
    assert list(below) == [*(edge / 1000 for edge in LATENCY_EDGES_MS), math.inf]
    assert (below[0.0005], below[0.001], below[0.0015], below[0.1], below[5.0], below[math.inf]) == (1, 2, 4, 5, 5, 6)
    assert list(below.values()) == sorted(below.values())
    assert value(found, f"{name}_count", **LIVE) == 6
    assert value(found, f"{name}_sum", **LIVE) == pytest.approx(9.0841)
    assert value(found, "distml_batch_requests_bucket", **LIVE, le="1") == 2
    assert value(found, "distml_batch_requests_sum", **LIVE) == 6
    assert value(found, "distml_queue_wait_seconds_sum", **LIVE) == pytest.approx(0.0002)


def test_a_shadow_is_told_apart_from_what_callers_got():
    shadow = Counts(requests=4, rows=8, compared=8, skipped=1, differing=2, difference=1.5, max_difference=0.75)
    found = samples(render(metrics({(4, False): served(), (5, True): shadow}))[0])
    labels = {"model": "shop", "version": "5", "role": "shadow"}
    assert value(found, "distml_requests_total", **labels, outcome="answered") == 4
    assert value(found, "distml_shadow_rows_total", **labels) == 8
    assert value(found, "distml_shadow_skipped_requests_total", **labels) == 1
    assert value(found, "distml_shadow_differing_rows_total", **labels) == 2
    assert value(found, "distml_shadow_score_difference_total", **labels) == 1.5
    assert value(found, "distml_shadow_score_difference_max", **labels) == 0.75
    assert value(found, "distml_rows_total", **LIVE) == 9
    assert not [key for key in found if key[0].startswith("distml_shadow_") and ("role", "live") in key]


def test_what_stands_now():
    stands = {"replicas": 2, "loaded": {4: 2, 5: 1}, "main": {4: 2}, "gauges": {"ongoing": 3.0, "queued": 1.0}}
    found = samples(render(metrics({}, **stands))[0])
    assert found == {
        ("distml_replicas", ("model", "shop")): 2,
        ("distml_loaded_replicas", ("model", "shop"), ("version", "4")): 2,
        ("distml_loaded_replicas", ("model", "shop"), ("version", "5")): 1,
        ("distml_main_replicas", ("model", "shop"), ("version", "4")): 2,
        ("distml_ongoing_requests", ("model", "shop")): 3,
        ("distml_queued_requests", ("model", "shop")): 1,
    }


def test_both_formats_say_the_same():
    known = metrics({(4, False): served()}, replicas=1)
    text, plain_type = render(known)
    opened, open_type = render(known, OPENMETRICS)
    assert plain_type.startswith("text/plain; version=0.0.4")
    assert open_type.startswith("application/openmetrics-text; version=1.0.0")

    def told(found):
        return {(*key[:1], *((name, v) for name, v in key[1:] if name != "le")): v for key, v in found.items()}

    assert told(samples(text)) == told(samples(opened, parse_openmetrics))


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_every_request_has_one_outcome(answered, refused, failed):
    errors = {kind: n for kind, n in (("invalid-row", refused), ("version-failed", failed)) if n}
    counts = Counts(requests=answered + refused + failed, faults=failed, errors=errors)
    found = samples(render(metrics({(4, False): counts}))[0])
    told = [value(found, "distml_requests_total", **LIVE, outcome=kind) for kind in ("answered", "refused", "failed")]
    assert told == [answered, refused, failed]


def test_counters_only_rise():
    total, before = Counts(), {}
    for _ in range(3):
        total.include(served())
        found = samples(render(metrics({(4, False): total}))[0])
        rising = {
            key: count for key, count in found.items() if key[0].endswith(("_total", "_bucket", "_sum", "_count"))
        }
        assert all(rising[key] >= count for key, count in before.items())
        assert value(rising, "distml_rows_total", **LIVE) > before.get(("distml_rows_total", *sorted(LIVE.items())), 0)
        before = rising


def window(version: int, is_shadow: bool = False) -> Window:
    filled = Window.like(version, TableSummary({}), TableSummary({}), is_shadow=is_shadow)
    filled.include(served())
    return filled


def test_what_windows_add_comes_to_what_the_totals_are():
    windows = [window(4), window(4), window(5, is_shadow=True)]
    added: dict[tuple, float] = {}
    for name, labels, count in deltas("shop", windows):
        key = (f"{name}_total", *sorted(labels.items()))
        added[key] = added.get(key, 0) + count
    total: dict[tuple[int, bool], Counts] = {}
    for sent in windows:
        total.setdefault(sent.key, Counts()).include(sent)
    found = samples(render(metrics(total))[0])
    shown = {key: count for key, count in found.items() if key[0].endswith("_total") and count}
    assert added == shown


def test_what_is_added_is_above_zero():
    assert deltas("shop", [Window.like(4, TableSummary({}), TableSummary({}))]) == []
    assert np.all(np.array([count for *_, count in deltas("shop", [window(4)])]) > 0)


def test_names_are_what_prometheus_allows():
    for counter in COUNTERS:
        assert counter.name.replace("_", "").isalpha() and counter.name.startswith("distml_")
        assert not counter.name.endswith("_total")
