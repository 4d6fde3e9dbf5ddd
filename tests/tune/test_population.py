"""Which segments a population comes to, without fitting any."""

import random

import pytest

from distml.errors import ConfigError
from distml.tune import SearchSpace, TrialRecord
from distml.tune.distribution import Choice, Range
from distml.tune.population import Population, explored
from searches import AUC

SPACE = {"mlp": {"width": 8}}


def population(num_samples=24, size=8, interval_epochs=5, max_epochs=100, seed=0, families=("mlp",), space=SPACE):
    return Population(
        SearchSpace.of(families, space), AUC, num_samples=num_samples, population=size,
        interval_epochs=interval_epochs, max_epochs=max_epochs, seed=seed,
    )  # fmt: skip


def ended(candidate, score, state="finished"):
    return TrialRecord(number=candidate.number, family=candidate.family, params=candidate.params, state=state,
                       score=score, parent=candidate.parent, until_epoch=candidate.until_epoch)  # fmt: skip


def generation(of, scores):
    """Asks for a generation's segments and ends them with these scores; None for one that failed."""
    asked = [of.ask() for _ in scores]
    for candidate, score in zip(asked, scores, strict=True):
        of.complete(ended(candidate, score, "failed" if score is None else "finished"))
    return asked


def test_a_first_generation_begins_with_the_known_good_values_and_differs():
    first = generation(population(), [0.5] * 8)
    assert [candidate.number for candidate in first] == list(range(1, 9))
    assert {candidate.until_epoch for candidate in first} == {5}
    assert {candidate.parent for candidate in first} == {None}
    assert len({candidate.params["lr"] for candidate in first}) == 8


SCORES = [0.5, 0.1, 0.9, 0.6, 0.8, 0.2, 0.4, 0.3]  # the best quarter is 3 and 5, the worst 2 and 6


def test_the_worst_quarter_goes_on_as_one_of_the_best_with_other_parameters():
    of = population()
    first = generation(of, SCORES)
    second = generation(of, SCORES)
    for before, after in zip(first, second, strict=True):
        assert (after.number, after.until_epoch) == (before.number + 8, 10)
        if before.number in (2, 6):
            assert after.parent in (3, 5)
            parent = first[after.parent - 1]
            changed = {name for name, value in after.params.items() if value != parent.params[name]}
            assert changed and changed <= {"lr", "weight_decay", "dropout"}
        else:
            assert (after.parent, after.params) == (before.number, before.params)


def test_a_generation_waits_for_the_one_before():
    of = population()
    first = [of.ask() for _ in range(8)]
    assert of.ask() is None
    for candidate in first[:-1]:
        of.complete(ended(candidate, 0.5))
    assert of.ask() is None
    of.complete(ended(first[-1], 0.5))
    assert of.ask().number == 9


def test_members_that_failed_are_replaced_however_many():
    of = population()
    generation(of, [None, 0.5, None, None, 0.9, None, None, None])
    parents = [candidate.parent for candidate in generation(of, [0.5] * 8)]
    assert parents[1] == 2 and parents[4] == 5
    assert set(parents) == {2, 5}


def test_when_all_have_failed_it_is_over():
    of = population()
    generation(of, [None] * 8)
    assert of.is_exhausted


def test_the_same_scores_give_the_same_segments_in_whatever_order_they_come():
    one, other = population(), population()
    asked = [one.ask() for _ in range(8)]
    for candidate in random.Random(0).sample(asked, 8):
        one.complete(ended(candidate, SCORES[candidate.number - 1]))
    generation(other, SCORES)
    assert [one.ask() for _ in range(8)] == [other.ask() for _ in range(8)]


def test_another_seed_gives_others():
    assert generation(population(seed=1), SCORES) != generation(population(), SCORES)


def test_it_ends_with_its_trials_or_with_its_epochs():
    assert population(num_samples=20).num_samples == 20
    assert population(num_samples=100, max_epochs=12).num_samples == 24  # generations to epochs 5, 10 and 12
    of = population(num_samples=100, max_epochs=12)
    assert [generation(of, SCORES)[0].until_epoch for _ in range(3)] == [5, 10, 12]
    assert of.is_exhausted


def test_fewer_trials_than_members_make_a_smaller_population():
    of = population(num_samples=3)
    assert len(generation(of, [0.5] * 3)) == 3
    assert of.is_exhausted


def test_a_last_generation_may_be_short():
    of = population(num_samples=20)
    for _ in range(2):
        generation(of, SCORES)
    assert [candidate.number for candidate in generation(of, [0.5] * 4)] == [17, 18, 19, 20]
    assert of.is_exhausted
    assert of.parents() == set()


def test_states_are_needed_until_the_next_generation_has_ended():
    of = population()
    generation(of, SCORES)
    assert of.parents() == set(range(1, 9))
    second = [of.ask() for _ in range(8)]
    for candidate in second[:-1]:
        of.complete(ended(candidate, 0.5))
    assert of.parents() == set(range(1, 16))
    of.complete(ended(second[-1], 0.5))
    assert of.parents() == set(range(9, 17))
    generation(of, SCORES)
    assert of.parents() == set(), "nothing goes on from the last generation"


@pytest.mark.parametrize("num_begun", [0, 3, 8, 12, 24])
def test_it_is_replayed_from_its_trials(num_begun):
    of = population()
    asked = [candidate for _ in range(3) for candidate in generation(of, SCORES)]
    begun = [(candidate, ended(candidate, SCORES[(candidate.number - 1) % 8])) for candidate in asked[:num_begun]]
    again = population()
    assert again.replay(begun)
    assert again.is_exhausted == (num_begun == 24)
    if num_begun < 24:
        assert (again.ask() or asked[num_begun]) == asked[num_begun]
    assert not population(seed=1).replay(begun) or not begun


def test_a_trial_that_runs_is_replayed_too():
    of = population()
    first = generation(of, SCORES)
    running = of.ask()
    again = population()
    assert again.replay([*((c, ended(c, s)) for c, s in zip(first, SCORES, strict=True)), (running, None)])
    assert again.ask().number == running.number + 1


def test_trees_are_refused():
    with pytest.raises(ConfigError, match="only networks have; received trees"):
        population(families=("mlp", "trees"))


def test_a_space_in_which_nothing_can_be_changed_is_refused():
    fixed = {"mlp": {"lr": 0.01, "weight_decay": 0.0, "dropout": 0.1}}
    with pytest.raises(ConfigError, match="none of lr, weight_decay, dropout is searched"):
        population(space=fixed)


def test_explored_parameters_are_near_or_drawn_anew_and_in_their_range():
    space = {
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "dropout": Choice((0.0, 0.1, 0.2)),
        "weight_decay": Range(low=0, high=1),
    }
    params = {"lr": 1e-3, "dropout": 0.1, "weight_decay": 0.9, "width": 8}
    found = [explored("mlp", params, {**space}, random.Random(seed)) for seed in range(400)]
    lrs = [found["lr"] for found in found]
    near = [lr for lr in lrs if lr in (1e-3 * 0.8, 1e-3 * 1.2)]
    assert 0.6 < len(near) / 400 < 0.9
    assert all(1e-4 <= lr <= 1e-2 for lr in lrs)
    assert {found["dropout"] for found in found} == {0.0, 0.1, 0.2}
    assert max(found["weight_decay"] for found in found) == 1
    assert {found["width"] for found in found} == {8}
    assert params == {"lr": 1e-3, "dropout": 0.1, "weight_decay": 0.9, "width": 8}
