"""What every sampler keeps to: bounds, first points, repeatability whatever the machine's speed, replay."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.samplers import check_sampler
from distml.tune.space import SearchSpace
from distml.tune.study import Study
from searches import AUC, SMALL

MLP = FAMILIES["mlp"]
MIXED: dict[str, Any] = {
    **MLP.defaults,
    "lr": {"log": [2e-4, 5e-3]},
    "width": {"choice": [8, 16, 32]},
    "num_blocks": {"int": [1, 4]},
    "dropout": {"uniform": [0.0, 0.5], "step": 0.1},
}
NUMBERS: dict[str, Any] = {
    **{name: MLP.defaults[name] for name, known in MLP.space.items() if "choice" in known},
    "width": {"int": [8, 64], "log": True},
    "embedding_width": {"int": [4, 16], "step": 4},
}
CELLS: dict[str, dict[str, Any]] = {
    "linear": {"lr": {"choice": [0.001, 0.01]}, "weight_decay": 0.0},
    "mlp": {
        **MLP.defaults,
        "lr": {"uniform": [0.001, 0.005], "step": 0.001},
        "num_blocks": {"int": [1, 3]},
        "dropout": {"choice": [0.0, 0.15]},
    },
}
SEARCHES: dict[str, dict[str, Any]] = {
    "tpe": {"space": SearchSpace.of(("linear", "mlp", "trees"), SMALL)},
    "tpe, two objectives": {"space": SearchSpace.of(("linear", "mlp"), SMALL), "costs": ("latency_ms",)},
    "random": {"space": SearchSpace.of(("linear", "mlp", "trees"), SMALL)},
    "grid": {"space": SearchSpace.of(("linear", "mlp"), CELLS)},
    "gp": {"space": SearchSpace.of(("mlp",), {"mlp": MIXED}), "num_samples": 18},
    "gp, two objectives": {
        "space": SearchSpace.of(("mlp",), {"mlp": MIXED}),
        "costs": ("latency_ms",),
        "num_samples": 16,
    },
    "cmaes": {"space": SearchSpace.of(("mlp",), {"mlp": NUMBERS})},
    "nsga2": {"space": SearchSpace.of(("mlp",), {"mlp": MIXED}), "costs": ("latency_ms", "size_mb")},
}
each_sampler = pytest.mark.parametrize("name", SEARCHES)


def study_of(name: str, **changes: Any) -> Study:
    settings = {"num_samples": 26, "seed": 3, "lag": 4, **SEARCHES[name], **changes}
    return Study(settings.pop("space"), AUC, sampler=name.partition(",")[0], **settings)


def outcome(candidate: Candidate) -> TrialRecord:
    """What becomes of a candidate, by what it is alone: some fail, some are pruned."""
    chance = random.Random(repr((candidate.family, sorted(candidate.params.items()))))
    state = chance.choices(["finished", "pruned", "failed", "stopped"], [6, 2, 1, 1])[0]
    return TrialRecord(
        number=candidate.number, family=candidate.family, params=candidate.params, state=state,
        score=None if state == "failed" else chance.random(), num_epochs=4,
        objectives={"latency_ms": chance.random(), "size_mb": chance.random()} if state == "finished" else {},
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


def drawn(given: Sequence[Candidate]) -> list[tuple[str, dict[str, Any]]]:
    return [(candidate.family, candidate.params) for candidate in given]


@each_sampler
def test_candidates_lie_in_the_space_and_are_numbered(name):
    study = study_of(name)
    given = candidates(study)
    assert [candidate.number for candidate in given] == list(range(1, study.num_samples + 1))
    for candidate in given:
        space = study.space.families[candidate.family]
        assert list(candidate.params) == list(space)
        assert all(value in space[key] for key, value in candidate.params.items()), candidate


@each_sampler
def test_points_come_first_then_the_defaults_each_once(name):
    space = SEARCHES[name]["space"]
    points = [("mlp", {"num_blocks": 2}), ("mlp", space.defaults("mlp"))]
    given = candidates(study_of(name, points=points, num_samples=len(space.families) + 1))
    assert (given[0].family, given[0].params["num_blocks"]) == ("mlp", 2)
    assert [candidate.family for candidate in given[1:]] == ["mlp", *(f for f in space.families if f != "mlp")]
    for candidate in given[1:]:
        wanted = space.defaults(candidate.family)
        assert {key: candidate.params[key] for key in wanted} == pytest.approx(wanted)


@each_sampler
def test_a_seed_gives_the_same_candidates_whatever_order_trials_end_in(name):
    wanted = candidates(study_of(name))
    for order, max_running in ((0, 2), (1, 4), (2, 4)):
        assert candidates(study_of(name), max_running, order) == wanted, (order, max_running)


@each_sampler
def test_another_seed_gives_other_candidates(name):
    first, second = (drawn(candidates(study_of(name, seed=seed))) for seed in (0, 1))
    assert first != second


@each_sampler
@pytest.mark.parametrize("num_begun", [1, 9, 15])
def test_a_search_that_was_cut_off_goes_on_as_it_would_have(name, num_begun):
    wanted = candidates(study_of(name))
    ended = {candidate.number: outcome(candidate) for candidate in wanted[: max(num_begun - 2, 0)]}
    study = study_of(name)
    assert study.replay([(candidate, ended.get(candidate.number)) for candidate in wanted[:num_begun]])
    for candidate in wanted[len(ended) : num_begun]:
        study.complete(outcome(candidate))
    assert candidates(study) == wanted[num_begun:]


@each_sampler
def test_a_log_of_other_candidates_is_told(name):
    (first, *_) = candidates(study_of(name))
    other = replace(first, family="mlp", params={**first.params, "lr": 0.0002345})
    assert not study_of(name).replay([(other, None)])


@pytest.mark.parametrize("name", ["tpe", "tpe, two objectives", "gp", "gp, two objectives", "cmaes", "nsga2"])
def test_results_steer(name):
    """Networks of more blocks are the better ones: those tried last have more than the 2.5, or 0.5, of chance."""
    study = study_of(name, num_samples=60 if name == "nsga2" else 40, lag=1)
    numbers = []
    while not study.is_exhausted:
        candidate = study.ask()
        numbers.append(candidate.params.get("num_blocks", 0))
        record = replace(outcome(candidate), state="finished", score=numbers[-1] / 4)
        study.complete(replace(record, objectives={"latency_ms": 1.0, "size_mb": 1.0}))
    assert statistics.mean(numbers[-15:]) > (3.1 if len(study.space.families) == 1 else 1.0), numbers


def test_random_candidates_depend_on_no_result():
    study, other = study_of("random", lag=1), study_of("random", lag=26)
    assert candidates(study) == [other.ask() for _ in range(26)]


def test_a_sampler_that_follows_results_gives_others_after_others():
    study = study_of("tpe", lag=1)
    given = []
    while not study.is_exhausted:
        candidate = study.ask()
        given.append(candidate)
        study.complete(replace(outcome(candidate), state="finished", score=0.5))
    assert drawn(given) != drawn(candidates(study_of("tpe", lag=1)))


@pytest.mark.parametrize("name", ["gp", "cmaes", "nsga2"])
def test_samplers_that_would_draw_a_space_of_several_families_at_random_are_refused(name):
    space = SearchSpace.of(("linear", "mlp"), SMALL)
    with pytest.raises(ConfigError, match=f"{name} searches one family") as caught:
        check_sampler(name, space, {})
    assert caught.value.where == "search.sampler"
    assert caught.value.received == f"sampler {name} over linear, mlp"


def test_cmaes_searches_no_choices():
    space = SearchSpace.of(("mlp",), {"mlp": {**NUMBERS, "width": {"choice": [64, 128]}}})
    with pytest.raises(ConfigError, match="cmaes searches numbers") as caught:
        check_sampler("cmaes", space, {})
    assert caught.value.received == "width {choice: [64, 128]}"
    assert caught.value.where == "search.space.mlp"


def test_cmaes_searches_something():
    fixed = dict(FAMILIES["linear"].defaults)
    with pytest.raises(ConfigError, match="a range at least"):
        check_sampler("cmaes", SearchSpace.of(("linear",), {"linear": fixed}), {})


def test_shares_are_of_families_that_are_searched():
    with pytest.raises(ConfigError, match="a share is of a family that is searched") as caught:
        check_sampler("tpe", SearchSpace.of(("linear", "mlp"), SMALL), {"trees": 0.5})
    assert caught.value.where == "search.shares"


@pytest.mark.parametrize("shares", [{"trees": 0.5}, {"linear": 0.25, "trees": 0.5}, {"linear": 0.5, "mlp": 0.5}])
def test_each_family_has_its_share(shares):
    study = study_of("tpe", shares=shares, num_samples=40)
    while not study.is_exhausted:  # whatever is liked best
        candidate = study.ask()
        assert candidate is not None
        study.complete(replace(outcome(candidate), state="finished", score=float(candidate.family == "mlp")))
    for family, share in shares.items():
        assert study._given[family] >= int(share * 40) - 1
