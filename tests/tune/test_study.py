import random
from dataclasses import replace

import pytest
from optuna.trial import TrialState

from distml.models import FAMILIES
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.study import Study
from searches import FAMILIES as ORDER
from searches import study_of

SAMPLERS = ("tpe", "random")


def outcome(candidate: Candidate) -> TrialRecord:
    """What becomes of a candidate, by what it is alone: some fail, some are pruned."""
    chance = random.Random(repr((candidate.family, sorted(candidate.params.items()))))
    state = chance.choices(["finished", "pruned", "failed", "stopped"], [6, 2, 1, 1])[0]
    score = None if state == "failed" else chance.random()
    return TrialRecord(
        number=candidate.number, family=candidate.family, params=candidate.params, state=state, score=score,
        num_epochs=4,
    )  # fmt: skip


def candidates(study: Study, max_running: int = 1, order: int | None = None) -> list[Candidate]:
    """All candidates of a study whose trials end in an order drawn with the seed `order`."""
    chance = random.Random(order)
    running: list[Candidate] = []
    given: list[Candidate] = []
    while not study.is_exhausted:
        while len(running) < max_running and not study.is_exhausted:
            candidate = study.ask()
            if candidate is None:
                break
            running.append(candidate)
            given.append(candidate)
        study.complete(outcome(running.pop(chance.randrange(len(running)))))
    return given


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_families_defaults_come_first(sampler):
    given = candidates(study_of({}, sampler=sampler))
    assert [(c.number, c.family, c.params) for c in given[:3]] == [
        (i, name, dict(FAMILIES[name].defaults)) for i, name in enumerate(ORDER, start=1)
    ]


def test_a_default_outside_the_space_is_drawn_instead():
    overrides = {"linear": {"lr": {"log": [0.5, 1.0]}, "weight_decay": 0.25}}
    (first,) = candidates(study_of(overrides, families=("linear",), num_samples=1))
    assert 0.5 <= first.params["lr"] <= 1.0
    assert first.params["weight_decay"] == 0.25


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_candidates_lie_in_the_space_and_are_numbered(sampler):
    study = study_of(num_samples=25, sampler=sampler)
    given = candidates(study)
    assert [candidate.number for candidate in given] == list(range(1, 26))
    assert {candidate.family for candidate in given} == set(ORDER)
    for candidate in given:
        space = study.space.families[candidate.family]
        assert set(candidate.params) == set(space)
        assert all(value in space[name] for name, value in candidate.params.items())


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_gives_the_same_candidates_whatever_order_trials_end_in(sampler):
    wanted = candidates(study_of(num_samples=25, sampler=sampler))
    for order in range(4):
        for max_running in (2, 4):
            study = study_of(num_samples=25, sampler=sampler)
            assert candidates(study, max_running, order) == wanted, (order, max_running)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_another_seed_gives_other_candidates(sampler):
    first, second = (candidates(study_of({}, sampler=sampler, seed=seed)) for seed in (0, 1))
    assert first[:3] == second[:3]
    assert first[3:] != second[3:]


@pytest.mark.parametrize("preferred", ["linear", "trees"])
def test_results_steer_tpe(preferred):
    study = study_of(num_samples=40, lag=1)
    given = []
    while not study.is_exhausted:
        candidate = study.ask()
        given.append(candidate.family)
        study.complete(replace(outcome(candidate), state="finished", score=float(candidate.family == preferred)))
    assert given[20:].count(preferred) > 12


def test_waits_for_the_trial_that_the_next_one_depends_on():
    study = study_of(num_samples=6, lag=3)
    first, second, third = (study.ask() for _ in range(3))
    assert study.ask() is None
    study.complete(outcome(second))
    study.complete(outcome(third))
    assert study.ask() is None
    study.complete(outcome(first))
    assert [study.ask().number for _ in range(3)] == [4, 5, 6]
    assert study.is_exhausted


def test_there_is_no_candidate_after_the_last():
    study = study_of(num_samples=1)
    study.ask()
    with pytest.raises(AssertionError, match="every candidate has been given out"):
        study.ask()


@pytest.mark.parametrize(
    ("state", "score", "told"),
    [
        ("finished", 0.7, TrialState.COMPLETE),
        ("pruned", 0.7, TrialState.PRUNED),
        ("stopped", 0.7, TrialState.PRUNED),
        ("stopped", None, TrialState.FAIL),
        ("failed", None, TrialState.FAIL),
        ("failed", 0.7, TrialState.FAIL),
    ],
)
def test_what_optuna_is_told(state, score, told):
    study = study_of(num_samples=2, lag=1)
    first = study.ask()
    study.complete(
        TrialRecord(number=1, family=first.family, params=first.params, state=state, score=score, num_epochs=4)
    )
    study.ask()
    trial = study._study.trials[0]
    assert trial.state == told
    assert trial.value == (None if told is TrialState.FAIL else 0.7)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"state": "finished", "objectives": {"size_mb": 2.0}}, TrialState.COMPLETE),
        ({"state": "finished"}, TrialState.FAIL),
        ({"state": "finished", "objectives": {"size_mb": float("nan")}}, TrialState.FAIL),
        ({"state": "finished", "score": float("nan"), "objectives": {"size_mb": 2.0}}, TrialState.FAIL),
        ({"state": "pruned"}, TrialState.FAIL),
        ({"state": "stopped", "objectives": {"size_mb": 2.0}}, TrialState.FAIL),
        ({"state": "failed", "score": None}, TrialState.FAIL),
    ],
)
def test_what_optuna_is_told_of_several_objectives(values, told):
    """It has no value for a trial that was pruned."""
    study = study_of(num_samples=2, lag=1, costs=("size_mb",))
    first = study.ask()
    known = {"score": 0.7, "num_epochs": 4, **values}
    study.complete(TrialRecord(number=1, family=first.family, params=first.params, **known))
    study.ask()
    trial = study._study.trials[0]
    assert trial.state == told
    assert trial.values == ([0.7, 2.0] if told is TrialState.COMPLETE else None)


@pytest.mark.parametrize(("sampler", "told"), [("gp", TrialState.COMPLETE), ("cmaes", TrialState.PRUNED)])
def test_a_sampler_learns_from_a_pruned_trial_in_the_way_that_it_can(sampler, told):
    study = study_of({}, families=("linear",), sampler=sampler, num_samples=2, lag=1)
    first = study.ask()
    study.complete(TrialRecord(number=1, family="linear", params=first.params, state="pruned", score=0.6, num_epochs=4))
    study.ask()
    trial = study._study.trials[0]
    assert (trial.state, trial.value) == (told, 0.6)
