"""What every registry must do."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from distml.errors import ConflictError, NotFoundError, UsageError
from distml.registry import Decision, Registry, Version
from distml.registry.base import resolve

NUM_THREADS = 8


def register(registry: Registry, package: str, name: str = "churn") -> Version:
    return registry.register(name, package=f"trained/{package}", package_id=package, run="r1", metrics={"auc": 0.5})


def at_once(call: Callable[[int], Any]) -> list[Any]:
    """What a call came to for 0 to 7, from as many threads; conflicts as the errors that they are."""
    ready = Barrier(NUM_THREADS)

    def caught(i: int) -> Any:
        ready.wait()
        try:
            return call(i)
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return list(pool.map(caught, range(NUM_THREADS)))


class RegistryContract:
    """A subclass has a fixture `registry`, empty at first."""

    @pytest.fixture
    def three(self, registry) -> Registry:
        """A registry with the versions 1 to 3 of `churn`."""
        for package in "abc":
            register(registry, package)
        return registry

    def test_is_empty_at_first(self, registry):
        assert registry.names() == []
        assert registry.versions("churn") == []
        assert registry.champion("churn") is None
        assert registry.audit("churn") == []

    def test_versions_count_from_one_by_name(self, registry):
        registered = [register(registry, "a"), register(registry, "b"), register(registry, "a", name="bikes")]
        assert [version.label for version in registered] == ["churn/1", "churn/2", "bikes/1"]
        assert registry.versions("churn") == registered[:2]
        assert registry.names() == ["bikes", "churn"]

    def test_a_version_is_what_was_registered(self, registry):
        version = register(registry, "a")
        assert (version.package, version.package_id, version.run, version.metrics) == (
            "trained/a", "a", "r1", {"auc": 0.5},
        )  # fmt: skip

    def test_a_package_is_registered_once(self, three):
        assert register(three, "b").number == 2
        assert len(three.versions("churn")) == 3
        assert len(three.audit("churn")) == 3

    def test_a_first_champion_replaces_none(self, three):
        three.promote("churn", 2, expected=None)
        assert three.champion("churn") == three.versions("churn")[1]

    def test_a_champion_is_replaced_and_brought_back(self, three):
        three.promote("churn", 1, expected=None)
        three.promote("churn", 3, expected=1)
        assert three.champion("churn").number == 3
        three.promote("churn", 1, expected=3)
        assert three.champion("churn").number == 1

    @pytest.mark.parametrize(("champion", "expected"), [(None, 1), (1, None), (1, 2)])
    def test_another_champion_than_expected_is_a_conflict(self, three, champion, expected):
        if champion:
            three.promote("churn", champion, expected=None)
        before = three.audit("churn")
        with pytest.raises(ConflictError, match=f"champion is {champion}, expected {expected}"):
            three.promote("churn", 3, expected=expected)
        assert getattr(three.champion("churn"), "number", None) == champion
        assert three.audit("churn") == before

    @pytest.mark.parametrize(("name", "number"), [("churn", 4), ("churn", 0), ("nothing", 1)])
    def test_what_is_not_registered_is_not_promoted(self, three, name, number):
        with pytest.raises(NotFoundError, match=f"received {name}/{number}"):
            three.promote(name, number, expected=None)

    def test_the_audit_log_is_in_order(self, registry):
        register(registry, "a")
        registry.promote("churn", 1, expected=None, reasons=("no champion",), by="run r1")
        register(registry, "z", name="bikes")
        register(registry, "b")
        refusal = Decision(name="churn", version=2, action="refuse", reasons=("worse", "slower"), by="run r2")
        registry.record(refusal)
        log = registry.audit("churn")
        assert [(d.version, d.action, d.reasons, d.by) for d in log] == [
            (1, "register", (), "run r1"),
            (1, "promote", ("no champion",), "run r1"),
            (2, "register", (), "run r1"),
            (2, "refuse", ("worse", "slower"), "run r2"),
        ]
        assert [d.action for d in registry.audit("bikes")] == ["register"]

    def test_threads_get_each_number_once(self, registry):
        versions = at_once(lambda i: register(registry, f"p{i}"))
        assert sorted(version.number for version in versions) == list(range(1, NUM_THREADS + 1))
        assert {v.package_id: v.number for v in versions} == {
            v.package_id: v.number for v in registry.versions("churn")
        }
        assert len(registry.audit("churn")) == NUM_THREADS

    def test_threads_with_one_package_get_one_version(self, registry):
        assert {version.number for version in at_once(lambda i: register(registry, "a"))} == {1}
        assert len(registry.audit("churn")) == 1

    def test_of_threads_that_saw_one_champion_one_wins(self, registry):
        for i in range(2 * NUM_THREADS):
            register(registry, f"p{i}")
        champion, winners = None, []
        for turn in range(10):
            # In turn the odd ones and the even, so that no thread promotes the champion itself.
            numbers = range(1, 2 * NUM_THREADS + 1)[turn % 2 :: 2]
            promote = partial(registry.promote, "churn", expected=champion)
            outcomes = at_once(lambda i, numbers=numbers, promote=promote: promote(numbers[i]))
            assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == NUM_THREADS - 1
            champion = numbers[outcomes.index(None)]
            assert registry.champion("churn").number == champion
            winners.append(champion)
        assert [d.version for d in registry.audit("churn") if d.action == "promote"] == winners

    @pytest.mark.parametrize(
        ("reference", "number"),
        [("churn", 2), ("churn@champion", 2), ("churn@challenger", 3), ("churn/1", 1), ("churn/2", 2), ("churn/3", 3)],
    )
    def test_references(self, three, reference, number):
        three.promote("churn", 2, expected=None)
        assert resolve(three, reference) == three.versions("churn")[number - 1]

    @pytest.mark.parametrize("reference", ["churn/4", "churn/0", "churn/x", "churn/02", "churn@best", "churn@3"])
    def test_a_reference_to_nothing_lists_what_there_is(self, three, reference):
        three.promote("churn", 2, expected=None)
        with pytest.raises(NotFoundError) as caught:
            resolve(three, reference)
        assert caught.value.received == reference
        assert caught.value.remedy == "versions of churn: 1, 2, 3; champion: 2"

    @pytest.mark.parametrize("reference", ["bikes", "bikes@champion", "bikes/1"])
    def test_an_unknown_name_lists_the_known_ones(self, three, reference):
        with pytest.raises(NotFoundError, match="received bikes") as caught:
            resolve(three, reference)
        assert caught.value.remedy == "known models: churn"

    @pytest.mark.parametrize("reference", ["churn", "churn@champion"])
    def test_without_a_champion_the_newest_is_not_guessed(self, three, reference):
        with pytest.raises(NotFoundError, match="champion: none"):
            resolve(three, reference)

    def test_a_challenger_is_newer_than_the_champion(self, three):
        assert resolve(three, "churn@challenger").number == 3
        three.promote("churn", 3, expected=None)
        with pytest.raises(NotFoundError):
            resolve(three, "churn@challenger")

    # Going back

    def test_rollbacks_go_back_champion_by_champion(self, three):
        for number, expected in ((1, None), (2, 1), (3, 2)):
            three.promote("churn", number, expected=expected)
        assert three.previous("churn").number == 2
        back = three.rollback("churn", expected=3, reasons=("slow",), by="ann@desk")
        assert back == three.champion("churn") == three.versions("churn")[1]
        assert three.rollback("churn", expected=2).number == 1
        assert three.previous("churn") is None
        assert [(d.version, d.action, d.reasons, d.by) for d in three.audit("churn")[-2:]] == [
            (2, "rollback", ("slow",), "ann@desk"),
            (1, "rollback", (), ""),
        ]

    def test_a_version_promoted_after_a_rollback_goes_back_to_where_that_went(self, three):
        three.promote("churn", 1, expected=None)
        three.promote("churn", 2, expected=1)
        three.rollback("churn", expected=2)
        three.promote("churn", 3, expected=1)
        assert three.rollback("churn", expected=3).number == 1

    def test_promoting_the_champion_again_gives_nothing_to_go_back_to(self, three):
        three.promote("churn", 1, expected=None)
        three.promote("churn", 1, expected=1)
        assert three.previous("churn") is None

    @pytest.mark.parametrize("champion", [None, 1])
    def test_without_a_champion_before_nothing_is_rolled_back(self, three, champion):
        if champion:
            three.promote("churn", champion, expected=None)
        before = three.audit("churn")
        with pytest.raises(NotFoundError, match=f"received churn, champion: {champion or 'none'}") as caught:
            three.rollback("churn", expected=champion)
        assert caught.value.remedy == "name a version: distml promote churn/NUMBER"
        assert getattr(three.champion("churn"), "number", None) == champion
        assert three.audit("churn") == before

    def test_a_rollback_by_who_saw_another_champion_is_a_conflict(self, three):
        three.promote("churn", 1, expected=None)
        three.promote("churn", 2, expected=1)
        with pytest.raises(ConflictError, match="champion is 2, expected 1"):
            three.rollback("churn", expected=1)
        assert three.champion("churn").number == 2

    @pytest.mark.parametrize("seed", range(5))
    def test_the_champions_are_a_stack(self, three, seed):
        dice, stack = random.Random(seed), []
        for _ in range(30):
            expected = stack[-1] if stack else None
            if len(stack) > 1 and dice.random() < 0.4:
                stack.pop()
                assert three.rollback("churn", expected=expected).number == stack[-1]
            else:
                number = dice.choice([known for known in (1, 2, 3) if known != expected])
                three.promote("churn", number, expected=expected)
                stack.append(number)
            assert three.champion("churn").number == stack[-1]
            assert getattr(three.previous("churn"), "number", None) == (stack[-2] if len(stack) > 1 else None)

    def test_of_threads_that_roll_back_one_champion_one_wins(self, three):
        for number, expected in ((1, None), (2, 1), (3, 2)):
            three.promote("churn", number, expected=expected)
        outcomes = at_once(lambda i: three.rollback("churn", expected=3))
        assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == NUM_THREADS - 1
        assert three.champion("churn").number == 2

    # Pruning

    def test_nothing_resolves_to_a_pruned_version(self, three):
        three.promote("churn", 2, expected=None)
        three.prune("churn", 1, reasons=("beyond the newest 2",), by="gc")
        assert [bool(version.pruned_at) for version in three.versions("churn")] == [True, False, False]
        for use in (lambda: resolve(three, "churn/1"), lambda: three.promote("churn", 1, expected=2)):
            with pytest.raises(
                NotFoundError, match=r"churn/1, pruned by gc on ....-..-... Remedy: run its config again"
            ):
                use()
        (decision,) = [decision for decision in three.audit("churn") if decision.action == "prune"]
        assert (decision.version, decision.reasons, decision.by) == (1, ("beyond the newest 2",), "gc")

    def test_a_version_is_pruned_once(self, three):
        three.prune("churn", 1)
        before = three.versions("churn")
        three.prune("churn", 1)
        assert three.versions("churn") == before
        assert [decision.action for decision in three.audit("churn")].count("prune") == 1

    def test_the_champion_and_the_one_before_it_are_never_pruned(self, three):
        three.promote("churn", 1, expected=None)
        three.promote("churn", 2, expected=1)
        for number in (1, 2):
            with pytest.raises(UsageError, match=f"received churn/{number}"):
                three.prune("churn", number)
        three.rollback("churn", expected=2)
        three.prune("churn", 2)
        assert three.champion("churn").number == 1

    def test_what_is_not_registered_is_not_pruned(self, three):
        with pytest.raises(NotFoundError, match="received churn/4"):
            three.prune("churn", 4)

    def test_a_pruned_package_that_is_made_again_is_a_new_version(self, three):
        three.prune("churn", 1)
        assert register(three, "a").number == 4
        assert register(three, "a").number == 4
        assert [bool(version.pruned_at) for version in three.versions("churn")] == [True, False, False, False]

    def test_threads_that_prune_and_promote_leave_no_pruned_champion(self, registry):
        for i in range(NUM_THREADS):
            register(registry, f"p{i}")
        registry.promote("churn", NUM_THREADS, expected=None)

        def change(i: int) -> Any:
            try:
                if i % 2:
                    return registry.promote("churn", i, expected=getattr(registry.champion("churn"), "number", None))
                return registry.prune("churn", i + 1)
            except (NotFoundError, UsageError) as error:
                return error

        at_once(change)
        assert not registry.champion("churn").pruned_at
