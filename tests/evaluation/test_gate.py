import numpy as np
import pytest

from distml.config import GatesConfig
from distml.errors import ConfigError
from distml.evaluation import Comparison, judge
from distml.evaluation.gate import MIN_COMPARABLE_ROWS, NUM_RESAMPLES, chance_of_no_gain
from distml.metrics import METRICS

AUC, RMSE = METRICS["roc_auc"], METRICS["rmse"]
NO_CHAMPION = "there is no champion to compare with"


def regression(new_noise, old_noise=1.0, n=200, seed=0) -> Comparison:
    """A challenger and a champion that err by independent noise of given sizes."""
    rng = np.random.default_rng(seed)
    target = rng.normal(size=n)
    champion, challenger = (target + noise * rng.normal(size=n) for noise in (old_noise, new_noise))
    return Comparison(champion_label="homes/1", target=target, champion=champion, challenger=challenger)


def binary(new_noise, old_noise=1.0, n=200, seed=0) -> Comparison:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, n)
    columns = []
    for noise in (old_noise, new_noise):
        positive = 1 / (1 + np.exp(-(2 * target - 1 + noise * rng.normal(size=n))))
        columns.append(np.column_stack([1 - positive, positive]))
    return Comparison(champion_label="churn/1", target=target, champion=columns[0], challenger=columns[1])


def gates(**written) -> GatesConfig:
    return GatesConfig.model_validate({"significance": None, **written})


@pytest.mark.parametrize(
    ("task", "name", "score", "threshold", "holds", "reason"),
    [
        ("binary", "roc_auc", 0.85, 0.8, True, "roc_auc 0.85 must be at least 0.8"),
        ("binary", "roc_auc", 0.8, 0.8, True, "roc_auc 0.8 must be at least 0.8"),
        ("binary", "roc_auc", 0.79, 0.8, False, "roc_auc 0.79 must be at least 0.8"),
        ("binary", "roc_auc", float("nan"), 0.8, False, "roc_auc nan must be at least 0.8"),
        ("regression", "rmse", 3.0, 4.0, True, "rmse 3 must be at most 4"),
        ("regression", "rmse", 4.0, 4.0, True, "rmse 4 must be at most 4"),
        ("regression", "rmse", 5.0, 4.0, False, "rmse 5 must be at most 4"),
        ("regression", "rmse", float("inf"), 4.0, False, "rmse inf must be at most 4"),
    ],
)
def test_a_threshold_is_held_in_the_metrics_direction(task, name, score, threshold, holds, reason):
    verdict = judge(gates(**{name: {"threshold": threshold}}), task, METRICS[name], {name: score}, None)
    assert verdict.promoted is holds
    assert reason in verdict.reasons
    assert NO_CHAMPION in verdict.reasons


def test_without_gates_and_champion_a_version_is_promoted():
    verdict = judge(gates(), "binary", AUC, {"roc_auc": 0.5}, None)
    assert verdict.to_dict() == {"promoted": True, "reasons": [NO_CHAMPION]}


@pytest.mark.parametrize(
    ("limit", "latency", "promoted", "reasons"),
    [
        (10, 9.96, True, ("one-row p99 of 10.0 ms must be at most 10 ms", NO_CHAMPION)),
        (10, 10.0, True, ("one-row p99 of 10.0 ms must be at most 10 ms", NO_CHAMPION)),
        (10, 10.5, False, ("one-row p99 of 10.5 ms must be at most 10 ms", NO_CHAMPION)),
        (10, None, True, (NO_CHAMPION,)),
        (None, 99.0, True, (NO_CHAMPION,)),
    ],
)
def test_latency(limit, latency, promoted, reasons):
    verdict = judge(gates(latency_p99_ms=limit), "binary", AUC, {}, None, latency)
    assert (verdict.promoted, verdict.reasons) == (promoted, reasons)


@pytest.mark.parametrize("name", ["rmse", "roc_au"])
def test_a_gate_on_a_metric_of_another_task_is_refused(name):
    with pytest.raises(ConfigError) as caught:
        judge(gates(**{name: {"threshold": 1}}), "binary", AUC, {"roc_auc": 0.9}, None)
    assert (caught.value.received, caught.value.where) == (name, f"gates.{name}")


@pytest.mark.parametrize(("n", "is_compared"), [(0, False), (29, False), (30, True)])
def test_few_comparable_rows_are_a_reason_to_refuse(n, is_compared):
    assert MIN_COMPARABLE_ROWS == 30
    verdict = judge(gates(), "regression", RMSE, {}, regression(0.1, n=n))
    refusal = (
        f"only {n} test rows were fitted on by neither this version nor champion homes/1; 30 are needed to compare them"
    )
    assert verdict.promoted is is_compared
    assert (refusal in verdict.reasons) is not is_compared


@pytest.mark.parametrize(
    ("comparison", "task", "metric"), [(regression, "regression", RMSE), (binary, "binary", AUC)], ids=["rmse", "auc"]
)
@pytest.mark.parametrize(("new_noise", "promoted"), [(0.3, True), (3.0, False)])
def test_the_better_one_is_champion(comparison, task, metric, new_noise, promoted):
    compared = comparison(new_noise)
    verdict = judge(gates(), task, metric, {}, compared)
    new, old = metric(compared.target, compared.challenger), metric(compared.target, compared.champion)
    assert verdict.promoted is promoted is metric.better(new, old)
    assert verdict.reasons == (
        f"{metric.name} {new:.6g} must be no worse than the {old:.6g} of champion {compared.champion_label} on the "
        "200 rows that neither was fitted on",
    )


def shifted(gain) -> Comparison:
    """The champion errs by exactly 1 on every row, the challenger by `gain` less."""
    target = np.arange(50.0)
    return Comparison(champion_label="homes/1", target=target, champion=target + 1, challenger=target + 1 - gain)


@pytest.mark.parametrize(
    ("gain", "least", "promoted"),
    [(0.5, 0.25, True), (0.25, 0.25, True), (0.125, 0.25, False), (0.0, 0.25, False), (-0.5, 0, False), (0.5, 0, True)],
)
@pytest.mark.parametrize("name", ["rmse", "mae"], ids=["primary", "other"])
def test_the_least_change_is_in_the_metrics_unit(name, gain, least, promoted):
    verdict = judge(gates(**{name: {"min_absolute_change": least}}), "regression", RMSE, {}, shifted(gain))
    assert verdict.promoted is promoted
    wanted = f"better by {least:g} than" if least else "no worse than"
    assert any(reason.startswith(f"{name} {1 - gain:g} must be {wanted}") for reason in verdict.reasons)


def test_a_threshold_alone_compares_no_other_metric():
    verdict = judge(gates(mae={"threshold": 2}), "regression", RMSE, {"mae": 0.5}, shifted(0.5))
    assert [reason.split()[0] for reason in verdict.reasons] == ["mae", "rmse"]


def test_scores_that_are_no_numbers_lose():
    compared = regression(0.3)
    compared.challenger[0] = np.nan
    verdict = judge(gates(significance=0.05), "regression", RMSE, {}, compared)
    assert not verdict.promoted
    assert len(verdict.reasons) == 2


def test_what_failed_comes_first():
    config = gates(rmse={"threshold": 4}, mae={"threshold": 1}, latency_p99_ms=10)
    verdict = judge(config, "regression", RMSE, {"rmse": 3.0, "mae": 2.0}, None, latency_p99_ms=20)
    assert [reason.split()[0] for reason in verdict.reasons] == ["mae", "one-row", "rmse", "there"]
    assert not verdict.promoted


@pytest.mark.parametrize(
    ("comparison", "task", "metric"), [(regression, "regression", RMSE), (binary, "binary", AUC)], ids=["rmse", "auc"]
)
@pytest.mark.parametrize(("new_noise", "promoted"), [(0.5, True), (1.0, False), (2.0, False)])
def test_significance_asks_for_more_than_luck(comparison, task, metric, new_noise, promoted):
    verdict = judge(gates(significance=0.05), task, metric, {}, comparison(new_noise, seed=3))
    p = chance_of_no_gain(metric, comparison(new_noise, seed=3), seed=0)
    assert verdict.promoted is promoted
    assert (p < 0.05) is promoted
    assert any(f"is {p:.3f} by paired bootstrap, must be below 0.05" in reason for reason in verdict.reasons)


def test_equal_models_are_promoted_about_as_often_as_the_significance_says():
    config = gates(significance=0.05)
    promoted = sum(judge(config, "regression", RMSE, {}, regression(1.0, n=100, seed=s)).promoted for s in range(150))
    assert 1 <= promoted <= 16  # 7.5 expected


def test_a_copy_of_the_champion_is_not_better():
    compared = shifted(0.0)
    assert chance_of_no_gain(RMSE, compared, seed=0) == 1
    assert not judge(gates(significance=0.05), "regression", RMSE, {}, compared).promoted


def test_the_chance_is_never_zero_and_follows_the_seed():
    assert chance_of_no_gain(RMSE, shifted(0.9), seed=0) == 1 / (NUM_RESAMPLES + 1)
    compared = regression(0.95)
    assert chance_of_no_gain(RMSE, compared, seed=1) == chance_of_no_gain(RMSE, compared, seed=1)
    assert chance_of_no_gain(RMSE, compared, seed=1) != chance_of_no_gain(RMSE, compared, seed=2)
