import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.errors import ConflictError, NotFoundError, UsageError
from distml.registry.standing import Standing

CHANGES = st.lists(st.one_of(st.integers(1, 4), st.just("rollback")))


def after(changes) -> Standing:
    """A standing after promotions (numbers) and rollbacks; those that there is nothing for are refused."""
    standing = Standing(name="churn")
    for change in changes:
        if change == "rollback":
            try:
                standing = standing.rollback(expected=standing.champion)
            except NotFoundError:
                assert len(standing.champions) < 2
        else:
            standing = standing.promote(change, expected=standing.champion)
    return standing


@given(CHANGES, st.integers(1, 4))
def test_a_rollback_undoes_a_promotion(changes, number):
    before = after(changes)
    promoted = before.promote(number, expected=before.champion)
    assert promoted.champion == number
    if before.champion not in (None, number):
        assert promoted.previous == before.champion
        assert promoted.rollback(expected=number) == before


@given(CHANGES)
def test_no_champion_follows_itself(changes):
    champions = after(changes).champions
    assert all(a != b for a, b in pairwise(champions))


@given(CHANGES, st.dictionaries(st.integers(1, 9), st.just("2026-01-01")))
def test_it_survives_json(changes, pruned):
    standing = Standing(name="churn", champions=after(changes).champions, pruned=pruned)
    assert Standing.from_dict("churn", json.loads(json.dumps(standing.to_dict()))) == standing


def test_what_was_never_written_is_empty():
    assert Standing.from_dict("churn", None) == Standing(name="churn")


@pytest.mark.parametrize(("change", "arguments"), [("promote", (2,)), ("rollback", ())])
def test_a_change_by_who_saw_another_champion_is_a_conflict(change, arguments):
    standing = after([1, 2, 3])
    for expected in (None, 2):
        with pytest.raises(ConflictError, match=f"champion is 3, expected {expected}"):
            getattr(standing, change)(*arguments, expected=expected)


@pytest.mark.parametrize("number", [2, 3])
def test_the_last_two_champions_are_never_pruned(number):
    with pytest.raises(UsageError, match=f"received churn/{number}"):
        after([1, 2, 3]).prune(number, at="today")


def test_a_pruned_version_is_neither_promoted_nor_gone_back_to():
    standing = after([1, 2, 3]).prune(1, at="today").rollback(expected=3)
    assert standing.champion == 2
    for change in (lambda: standing.promote(1, expected=2), lambda: standing.rollback(expected=2)):
        with pytest.raises(NotFoundError, match="churn/1, pruned by gc on today"):
            change()


def test_a_version_is_pruned_once():
    standing = after([2]).prune(1, at="today")
    assert standing.prune(1, at="tomorrow") == standing
