import json

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency, hypergeom

from distml.monitor.drift import (
    DriftReport,
    _homogeneity,
    _p_value,
    _pool,
    benjamini_hochberg,
    compare,
    population_stability,
)
from distml.summary import TableSummary, decile_edges

COLOURS, SHARES = ["red", "green", "blue", "white", "rare"], [0.4, 0.3, 0.2, 0.097, 0.003]
KINDS = {
    "normal": "numeric", "skewed": "numeric", "whole": "numeric", "gaps": "numeric", "constant": "numeric",
    "colour": "categorical", "flag": "boolean",
}  # fmt: skip


def rows(n, rng) -> dict:
    gaps = rng.normal(size=n)
    gaps[rng.random(n) < 0.1] = np.nan
    return {
        "normal": rng.normal(size=n),
        "skewed": rng.lognormal(size=n),
        "whole": rng.integers(0, 4, n).astype(float),
        "gaps": pa.array(gaps, from_pandas=True),
        "constant": np.full(n, 7.0),
        "colour": rng.choice(COLOURS, n, p=SHARES),
        "flag": rng.choice(["true", "false"], n, p=[0.8, 0.2]),
    }


def baseline_of(columns: dict) -> TableSummary:
    """A summary with deciles as its bins, as a package keeps one and as it is read back."""
    table = pa.table(columns)
    edges = {}
    for name, kind in KINDS.items():
        if kind == "numeric":
            values = table.column(name).drop_null().to_numpy()
            edges[name] = decile_edges(np.quantile(values, np.linspace(0, 1, 11)))
    summary = TableSummary(KINDS, edges={name: e for name, e in edges.items() if e is not None})
    summary.update(table)
    return TableSummary.from_dict(json.loads(json.dumps(summary.to_dict())))


def live_of(baseline: TableSummary, columns: dict) -> TableSummary:
    summary = baseline.fresh()
    summary.update(pa.table(columns))
    return summary


@pytest.fixture(scope="module")
def baseline() -> TableSummary:
    return baseline_of(rows(10_000, np.random.default_rng(0)))


def window(baseline, n=1000, seed=1, rate=0.01, effect=0.1, **changed) -> DriftReport:
    """A window like the baseline but for the columns that are changed, each a function of (n, rng)."""
    rng = np.random.default_rng(seed)
    columns = rows(n, rng) | {name: change(n, rng) for name, change in changed.items()}
    return compare(baseline, live_of(baseline, columns), false_alarm_rate=rate, min_effect=effect)


def test_the_baseline_itself_has_not_drifted(baseline):
    report = compare(baseline, baseline, false_alarm_rate=0.01, min_effect=0)
    assert report.drifted == []
    assert [column.psi for column in report.columns] == [0] * len(KINDS)
    assert [column.p_value for column in report.columns] == pytest.approx([1] * len(KINDS))


def missing_in(share):
    def change(n, rng):
        values = rng.normal(size=n)
        values[rng.random(n) < share] = np.nan
        return pa.array(values, from_pandas=True)

    return change


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("normal", lambda n, rng: rng.normal(0.5, 1, n)),
        ("normal", lambda n, rng: rng.normal(-0.5, 1, n)),
        ("normal", lambda n, rng: rng.normal(0, 2, n)),
        ("normal", lambda n, rng: np.full(n, 0.0)),
        ("normal", lambda n, rng: rng.normal(100, 1, n)),
        ("normal", missing_in(0.2)),
        ("gaps", missing_in(0.3)),
        ("gaps", missing_in(1.0)),
        ("whole", lambda n, rng: rng.integers(2, 6, n).astype(float)),
        ("colour", lambda n, rng: rng.choice(["red", "green", "blue"], n)),
        ("colour", lambda n, rng: rng.choice([*COLOURS, "pink"], n, p=[0.3, 0.25, 0.15, 0.097, 0.003, 0.2])),
        ("flag", lambda n, rng: rng.choice(["true", "false"], n)),
        ("flag", lambda n, rng: pa.array([None] * 300 + ["true"] * (n - 300))),
    ],
    ids=["up", "down", "wider", "stuck", "far off", "now missing", "more missing", "all missing", "other numbers",
         "other shares", "new category", "other odds", "missing flags"],
)  # fmt: skip
def test_finds_a_changed_column_and_no_other(baseline, column, change):
    report = window(baseline, **{column: change})
    assert report.drifted == [column]
    (found,) = [c for c in report.columns if c.column == column]
    assert found.psi >= 0.1
    assert found.p_value < 0.001


@pytest.mark.parametrize("n", [50, 200, 1000, 10_000])
def test_an_unchanged_window_has_not_drifted(baseline, n):
    assert window(baseline, n=n).drifted == []


def test_at_many_rows_a_small_effect_is_no_drift(baseline):
    small = {"normal": lambda n, rng: rng.normal(0.1, 1, n)}
    report = window(baseline, n=50_000, **small)
    (found,) = [column for column in report.columns if column.column == "normal"]
    assert found.p_value < 1e-6
    assert found.psi < 0.1
    assert report.drifted == []
    assert window(baseline, n=50_000, effect=0.005, **small).drifted == ["normal"]


@pytest.mark.parametrize("n", [200, 1000])
def test_false_alarms_come_at_the_rate_asked_for(n):
    """Over windows without drift the corrected tests alone, whatever the effect, alarm in about 5 %."""
    rng = np.random.default_rng(n)
    alarms = num_windows = 0
    for _ in range(8):
        baseline = baseline_of(rows(5000, rng))
        for _ in range(40):
            live = live_of(baseline, rows(n, rng))
            alarms += bool(compare(baseline, live, false_alarm_rate=0.05, min_effect=0).drifted)
            num_windows += 1
    assert 0.02 <= alarms / num_windows <= 0.09


def test_at_few_rows_a_large_index_is_nothing():
    """Of 50 rows the plain index makes more than 0.1 by chance; less its mean it is about nothing, and no alarm."""
    rng = np.random.default_rng(0)
    baseline = baseline_of(rows(5000, rng))
    alarms, plain, told = 0, [], []
    for _ in range(100):
        report = compare(baseline, live_of(baseline, rows(50, rng)), false_alarm_rate=0.01, min_effect=0.1)
        alarms += bool(report.drifted)
        normal = report.columns[0]
        plain.append(population_stability(np.array(normal.expected) * 5000, np.array(normal.observed) * 50))
        told.append(normal.psi)
    assert alarms <= 5
    assert np.mean(plain) > 0.1
    assert np.mean(told) < 0.05


@pytest.mark.filterwarnings("error")
def test_a_column_of_one_value_has_not_drifted(baseline):
    report = window(baseline)
    (found,) = [column for column in report.columns if column.column == "constant"]
    assert (found.psi, found.p_value, found.drifted) == (0, 1, False)
    assert (found.bins[1], found.expected, found.observed) == ("7", (0, 1, 0, 0), (0, 1, 0, 0))


def test_a_column_of_one_value_that_takes_another_has_drifted(baseline):
    assert window(baseline, constant=lambda n, rng: pa.array(np.full(n, 7.5))).drifted == ["constant"]


def test_a_column_of_one_value_that_goes_missing_has_drifted(baseline):
    assert window(baseline, constant=lambda n, rng: pa.nulls(n, pa.float64())).drifted == ["constant"]


def test_a_column_with_too_many_categories_is_still_compared(baseline):
    baseline.columns["colour"].categories = None
    try:
        report = window(baseline, colour=lambda n, rng: pa.array(["red"] * (n // 2) + [None] * (n // 2)))
        assert report.drifted == ["colour"]
        assert window(baseline).drifted == []
    finally:
        baseline.columns["colour"].categories = (
            baseline_of(rows(10_000, np.random.default_rng(0))).columns["colour"].categories
        )


def test_columns_that_only_one_has_are_left_out(baseline):
    live = TableSummary({"normal": "numeric", "other": "numeric"}, edges={"normal": baseline.columns["normal"].edges})
    live.update(pa.table({"normal": np.zeros(100), "other": np.zeros(100)}))
    report = compare(baseline, live, false_alarm_rate=0.01, min_effect=0.1)
    assert [column.column for column in report.columns] == ["normal"]


def test_an_empty_window_says_nothing(baseline):
    report = compare(baseline, baseline.fresh(), false_alarm_rate=0.01, min_effect=0.1)
    assert (report.rows, report.columns, report.drifted) == (0, (), [])


def test_bins_are_named_and_shares_sum_to_one(baseline):
    report = window(baseline, n=500)
    assert report.rows == 500
    by_name = {column.column: column for column in report.columns}
    assert by_name["colour"].bins == (*COLOURS, "other", "missing")
    assert by_name["whole"].bins[0] == "below 0"
    assert by_name["whole"].bins[-2:] == ("above 3", "missing")
    for column in report.columns:
        assert len(column.bins) == len(column.expected) == len(column.observed)
        assert sum(column.expected) == pytest.approx(1)
        assert sum(column.observed) == pytest.approx(1)


def test_a_report_is_json(baseline):
    value = json.loads(json.dumps(window(baseline, normal=lambda n, rng: rng.normal(1, 1, n)).to_dict()))
    assert value["drifted"] == ["normal"]
    assert [column["column"] for column in value["columns"]] == list(KINDS)


# The example of Benjamini and Hochberg (1995), section 3.2.
PAPER = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
]


@pytest.mark.parametrize(
    ("p_values", "rate", "rejected"),
    [
        (PAPER, 0.05, PAPER[:4]),
        (PAPER, 0.01, PAPER[:3]),
        ([0.06, 0.04, 0.045], 0.05, []),  # bounds .017, .033, .05
        ([0.05, 0.04, 0.045], 0.05, [0.05, 0.04, 0.045]),  # the largest holds, so all do
        ([0.02, 0.02, 0.5], 0.05, [0.02, 0.02]),
        ([0.05], 0.05, [0.05]),
        ([0.051], 0.05, []),
        ([], 0.05, []),
    ],
)
def test_benjamini_and_hochberg(p_values, rate, rejected):
    p = np.array(p_values)
    assert p[benjamini_hochberg(p, rate)].tolist() == rejected
    backwards = benjamini_hochberg(p[::-1], rate)[::-1]
    assert backwards.tolist() == benjamini_hochberg(p, rate).tolist()


def test_the_index_by_hand():
    # Shares with half a row added: 50.5/101, 50.5/101 and 80.5/101, 20.5/101.
    by_hand = (30 / 101) * np.log(80.5 / 50.5) + (-30 / 101) * np.log(20.5 / 50.5)
    assert population_stability(np.array([50, 50]), np.array([80, 20])) == pytest.approx(by_hand)
    assert population_stability(np.array([50, 50]), np.array([50, 50])) == 0
    assert np.isfinite(population_stability(np.array([100, 0]), np.array([0, 100])))


@pytest.mark.parametrize(
    ("expected", "observed"), [([50, 50], [80, 20]), ([500, 300, 200], [40, 40, 20]), ([10, 10, 10], [10, 10, 10])]
)
def test_the_test_of_homogeneity_is_scipys(expected, observed):
    wanted = chi2_contingency([expected, observed], correction=False).pvalue
    assert _homogeneity(np.array(expected), np.array(observed)) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("expected", "observed", "common", "rest"),
    [
        ([100, 100], [100, 100], [[100, 100], [100, 100]], [0, 0]),
        ([100, 0], [100, 0], [[100], [100]], [0, 0]),
        ([100, 6], [106, 0], [[100, 6], [106, 0]], [0, 0]),
        ([100, 4], [100, 50], [[100], [100]], [4, 50]),  # however many live rows there are
        ([100, 3, 3], [100, 2, 1], [[100, 6], [100, 3]], [0, 0]),  # together they are common
        ([1000, 49], [100, 0], [[1000], [100]], [49, 0]),  # 4.7 of 100 live rows
        ([40, 4], [4000, 400], [[40], [4000]], [4, 400]),  # a baseline that is smaller than the window
        ([3], [2], [[], []], [3, 2]),
    ],
)
def test_rare_bins_are_pooled(expected, observed, common, rest):
    found = _pool(np.array(expected, float), np.array(observed, float))
    assert [part.tolist() for part in found] == [common, rest]


@pytest.mark.parametrize(
    ("common", "rest", "p"),
    [
        ([[100], [500]], [0, 0], 1.0),
        ([[50, 50], [80, 20]], [0, 0], chi2_contingency([[50, 50], [80, 20]], correction=False).pvalue),
        # One row of 5,200, among the 200 live ones.
        ([[5000], [199]], [0, 1], 200 / 5200),
        ([[2500, 2500], [99, 100]], [0, 1], 2 * 200 / 5200),
        # None of two rows live is no surprise, whatever the odds.
        ([[4998], [200]], [2, 0], 1.0),
        ([[], []], [3, 2], 1.0),
        ([[6, 6], [0, 0]], [0, 6], hypergeom.pmf(6, 18, 6, 6)),  # no live row among the common bins
    ],
)
def test_p_values(common, rest, p):
    assert _p_value(np.array(common, float).reshape(2, -1), np.array(rest, float)) == pytest.approx(p)
