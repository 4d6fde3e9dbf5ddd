"""Counts merge exactly: in whatever order and grouping they are added, the same comes out."""

import pickle
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.window import BATCH_EDGES, LATENCY_EDGES_US, MAX_NAMES, OTHERS, Counts, Histogram
from distml.window.counts import added

NUMBERS = st.integers(0, 10**7)
NAMED = st.dictionaries(st.sampled_from([f"name-{i}" for i in range(8)]), st.integers(1, 50))
MADE_UP = st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=2 * MAX_NAMES)


@st.composite
def filled(draw):
    counts = Counts(
        requests=draw(NUMBERS), rows=draw(NUMBERS), faults=draw(NUMBERS), errors=draw(NAMED), ignored=draw(MADE_UP),
        absent=draw(NAMED), unsummarised=draw(NUMBERS), compared=draw(NUMBERS), skipped=draw(NUMBERS),
        differing=draw(NUMBERS),
        difference=float(draw(NUMBERS)), max_difference=draw(st.floats(0, 1e9)),
    )  # fmt: skip
    for histogram in (counts.latency, counts.waits, counts.batches):
        for value in draw(st.lists(NUMBERS, max_size=5)):
            histogram.add(value)
    return counts


def together(*parts: Counts) -> Counts:
    total = Counts()
    for part in parts:
        total.include(part)
    return total


@given(st.lists(filled(), max_size=4), st.randoms())
def test_the_order_makes_no_difference(parts, random):
    shuffled = random.sample(parts, len(parts))
    assert together(*parts) == together(*shuffled)


@given(filled(), filled(), filled())
def test_the_grouping_makes_no_difference(a, b, c):
    assert together(together(a, b), c) == together(a, together(b, c))


@given(filled())
def test_nothing_adds_nothing(a):
    few = len(a.ignored) <= MAX_NAMES
    assert (together(a) == a) == few  # beyond so many names they are counted together
    assert together(together(a), Counts()) == together(a)


@given(filled(), filled())
def test_what_is_added_stays_as_it_was(a, b):
    before = pickle.dumps(b)
    together(a, b).include(b)
    assert pickle.dumps(b) == before


@given(st.lists(MADE_UP, max_size=5))
def test_no_row_is_lost_however_many_names_there_are(parts):
    total = reduce(added, parts, {})
    assert sum(total.values()) == sum(sum(part.values()) for part in parts)
    assert len(total) <= MAX_NAMES + 1
    if OTHERS in total:
        named = set(total) - {OTHERS}
        everyone = {name for part in parts for name in part}
        assert named == set(sorted(everyone)[:MAX_NAMES])


@given(st.lists(NUMBERS, min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_quantile_is_the_edge_above_the_true_one(values, q):
    histogram = Histogram(LATENCY_EDGES_US)
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(0, -(-int(q * 100) * len(values) // 100) - 1)]
    above = [edge for edge in LATENCY_EDGES_US if edge >= exact]
    assert histogram.quantile(q) == (above[0] if above else LATENCY_EDGES_US[-1])


@pytest.mark.parametrize("edge", BATCH_EDGES)
def test_an_edge_is_within_its_bucket(edge):
    histogram = Histogram(BATCH_EDGES)
    histogram.add(edge)
    histogram.add(edge + 1)
    at = BATCH_EDGES.index(edge)
    assert histogram.counts[at : at + 2] == [1, 1]


def test_histograms_of_other_edges_do_not_mix():
    with pytest.raises(AssertionError, match="different edges"):
        Histogram((1, 2)).include(Histogram((1, 3)))
