import math

import numpy as np
import pytest

from distml.config.rollout import RollbackConfig
from distml.serve.rollout.evidence import ALPHA, Totals, log_evidence, verdict
from distml.window import LATENCY_EDGES_MS

BUCKETS = len(LATENCY_EDGES_MS) + 1


def timed(**counts):
    """Totals whose requests lie in the buckets below an edge: `_200=3` took between 150 and 200 ms."""
    latency = [0] * BUCKETS
    for edge, count in counts.items():
        place = BUCKETS - 1 if edge == "more" else LATENCY_EDGES_MS.index(float(edge.removeprefix("_")))
        latency[place] = count
    return Totals(requests=sum(latency), latency=tuple(latency))


@pytest.mark.parametrize(("hits", "n", "rate"), [(0, 0, 0.01), (0, 50, 0.01), (3, 7, 0.2), (40, 1000, 0.01)])
def test_evidence_is_the_mixture_of_likelihood_ratios(hits, n, rate):
    p = np.linspace(rate, 1 - 1e-12, 2_000_001)
    ratio = np.exp(hits * np.log(p / rate) + (n - hits) * (np.log1p(-p) - np.log1p(-rate)))
    assert log_evidence(hits, n, rate) == pytest.approx(math.log(np.trapezoid(ratio, p) / (1 - rate)), abs=1e-6)


def test_where_nothing_may_fail_one_fault_is_evidence_enough():
    assert log_evidence(1, 1_000_000, 0) == math.inf
    assert log_evidence(0, 1_000_000, 0) == 0


def test_evidence_is_nothing_where_almost_all_is_well():
    assert log_evidence(0, 10**6, 0.01) == -math.inf


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_looking_after_every_request_seldom_blames_a_version_that_keeps_to_what_is_allowed(rate):
    """3,000 versions that fail exactly as often as they may, looked at 500 times each: at most ALPHA of them by more
    than chance gives (0.1 % of 3,000 is 3; 12 or more have a chance of 0.0001)."""
    generator = np.random.default_rng(0)
    limit = math.log(1 / ALPHA)
    table = np.array([[log_evidence(k, n, rate) if k <= n else 0.0 for k in range(501)] for n in range(501)])
    blamed = 0
    for _ in range(3000):
        hits = np.cumsum(generator.random(500) < rate)
        blamed += bool((table[np.arange(1, 501), hits] > limit).any())
    assert blamed < 12


@pytest.mark.parametrize(
    ("faults", "requests", "is_blamed"),
    [(0, 1000, False), (1, 1, False), (2, 2, False), (3, 3, True), (10, 1000, False), (18, 1000, False),
     (40, 1000, True), (1100, 100_000, False), (1300, 100_000, True)],
)  # fmt: skip
def test_a_version_is_blamed_for_more_faults_than_allowed(faults, requests, is_blamed):
    said = verdict(Totals(requests=requests, faults=faults), RollbackConfig(error_rate=0.01), 1)
    assert (said is not None) == is_blamed
    if said:
        assert said == f"it failed {faults:,} of {requests:,} requests; 0.01 of them may fail"


def test_later_looks_ask_for_more():
    totals = Totals(requests=3, faults=3)
    assert [verdict(totals, RollbackConfig(), look) is None for look in (1, 100)] == [False, True]


def test_faults_that_are_not_looked_at_are_not_blamed():
    assert verdict(Totals(requests=100, faults=100), RollbackConfig(error_rate=None), 1) is None


def test_slowness_is_blamed_by_the_buckets_that_lie_above_for_certain():
    allowed = RollbackConfig(error_rate=None, latency_p99_ms=160)
    assert timed(_200=500).slower_than(160) == 0  # 150 to 200: some may be faster
    assert timed(_200=500).slower_than(150) == 500
    assert timed(_200=5, more=3).slower_than(9999) == 0
    assert verdict(timed(_100=900, _200=100), allowed, 1) is None
    said = verdict(timed(_100=900, _300=90, more=10), allowed, 1)
    assert said == "100 of 1,000 requests took longer than 160 ms; 1 % of them may"


def test_the_first_requests_may_be_slow():
    allowed = RollbackConfig(error_rate=None, latency_p99_ms=100)
    assert [verdict(timed(more=n), allowed, 1) is None for n in (99, 100)] == [True, False]


def test_the_99th_percentile_is_told_as_its_bucket():
    assert timed(_10=99, _50=1).p99_ms == 10
    assert timed(_10=98, _50=2).p99_ms == 50
    assert timed(more=1).p99_ms == 5000
    assert Totals().p99_ms is None


def test_totals_come_from_the_monitor_and_go_through_json():
    from distml.window import Counts

    counts = Counts(requests=7, faults=2, compared=5, differing=1)
    totals = Totals.of(counts.to_dict() | {"shadow": counts.to_dict()})
    assert (totals.requests, totals.faults, totals.compared, totals.differing) == (7, 2, 5, 1)
    assert Totals.from_dict(totals.to_dict()) == totals


def test_totals_are_taken_from_each_other_unless_they_shrank():
    early, late = Totals(requests=5, faults=1), Totals(requests=9, faults=1, compared=3)
    assert late.since(early) == Totals(requests=4, compared=3)
    assert early.since(late) is None
