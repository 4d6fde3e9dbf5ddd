import random

import pytest

from distml.metrics import METRICS
from distml.tune.distribution import Constant
from distml.tune.importance import MIN_TRIALS, importance_of
from distml.tune.objective import TrialRecord
from distml.tune.space import SearchSpace
from distml.tune.study import Study

SPACE = SearchSpace.of(("linear", "mlp"), {"mlp": {"num_blocks": {"int": [1, 2]}, "embedding_width": 8}})
AUC, LOSS = METRICS["roc_auc"], METRICS["log_loss"]


def records_of(score, num=80, space=SPACE, state=lambda candidate: "finished"):
    study = Study(space, AUC, num_samples=num, sampler="random", seed=5, lag=num)
    candidates = [study.ask() for _ in range(num)]
    return [
        TrialRecord(number=c.number, family=c.family, params=c.params, state=state(c), score=score(c))
        for c in candidates
    ]


def by_dropout(candidate):
    noise = random.Random(candidate.number).random() * 0.01
    return noise if candidate.family == "linear" else 1 - candidate.params["dropout"] + noise


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_score_was_made_of_is_found(sign):
    metric = AUC if sign > 0 else LOSS
    found = importance_of(records_of(lambda c: sign * by_dropout(c)), SPACE, metric)
    mlp = found.families["mlp"]
    assert next(iter(mlp)) == "dropout"
    assert mlp["dropout"] > 0.5
    assert sum(mlp.values()) == pytest.approx(1, abs=0.001)
    assert set(mlp) == {name for name, known in SPACE.families["mlp"].items() if not isinstance(known, Constant)}
    assert found.family > 0.7
    assert found.notes == ()


def test_the_same_records_give_the_same_numbers_in_any_order():
    records = records_of(by_dropout)
    once = importance_of(records, SPACE, AUC)
    assert importance_of(records, SPACE, AUC) == once
    assert importance_of(records[::-1], SPACE, AUC) == once


def test_a_pruned_trial_counts_with_the_score_that_it_had():
    """Poor trials ended early: what made them poor is found among them."""
    pruned = records_of(by_dropout, state=lambda c: "pruned" if by_dropout(c) < 0.8 else "finished")
    assert importance_of(pruned, SPACE, AUC) == importance_of(records_of(by_dropout), SPACE, AUC)


def test_with_few_trials_nothing_is_told_and_said():
    found = importance_of(records_of(by_dropout, num=MIN_TRIALS - 1), SPACE, AUC)
    assert (found.families, found.family) == ({}, None)
    assert [note.split(":")[0] for note in found.notes] == ["linear", "mlp"]
    assert f"from {MIN_TRIALS} on" in found.notes[0]


def test_trials_without_a_score_count_for_nothing():
    records = records_of(by_dropout)
    failed = [TrialRecord(number=99, family="mlp", params=records[1].params, state="failed", score=score)
              for score in (None, float("nan"))]  # fmt: skip
    assert importance_of([*records, *failed], SPACE, AUC) == importance_of(records, SPACE, AUC)


def test_where_nothing_is_searched_nothing_is_ranked():
    space = SearchSpace.of(("linear",), {"linear": {"lr": 0.1, "weight_decay": 0.0}})
    found = importance_of(records_of(lambda c: float(c.number), num=20, space=space), space, AUC)
    assert found.families == {"linear": {}}
    assert found.family is None


def test_equal_scores_hang_on_nothing():
    found = importance_of(records_of(lambda c: 0.5), SPACE, AUC)
    assert (found.families, found.family) == ({}, 0.0)
    assert "nothing tells what mattered" in found.notes[0]
