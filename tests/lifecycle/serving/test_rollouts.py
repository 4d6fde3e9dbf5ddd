"""The record of rollouts: who wins, what is shown, and what a keeper makes of it, killed wherever it may be."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from distml.config.rollout import RolloutConfig
from distml.errors import ConflictError, DistmlError
from distml.lifecycle.serving import rollouts
from distml.lifecycle.serving.keeper import Keeper
from distml.registry import Decision, StoreRegistry
from distml.serve.rollout.rollout import Rollout
from distml.serve.traffic import Deployed
from distml.storage import Storage
from kept import Replicas

OLD, NEW = (Deployed(version=number, package=f"trained/{number}") for number in (1, 2))
PLAN = RolloutConfig(canary=(5, 100), step_s=10, watch_s=30, min_requests=50)


class Killed(BaseException):
    """The keeper's process is killed here."""


@pytest.fixture
def storage(tmp_path):
    storage = Storage(tmp_path)
    registry = StoreRegistry(storage)
    for number in (1, 2):
        registry.register("shop", package=f"trained/{number}", package_id=str(number), run="r", metrics={})
    registry.promote("shop", 1, expected=None)
    return storage


@pytest.fixture
def registry(storage):
    return StoreRegistry(storage)


def begun(phase="canary", **changes):
    return Rollout(
        **{
            "name": "shop", "challenger": NEW, "before": OLD, "plan": PLAN, "phase": phase, "expected": 1, "salt": "s",
            "by": "ann", "reasons": ("better",), "begun_at": 1000.0, "asked_at": 1000.0, **changes,
        }
    )  # fmt: skip


def kept(storage, replicas):
    return Keeper(storage, "shop", replicas, clock=lambda: replicas.now)


def until_settled(storage, replicas, keeper=None, num_looks=200):
    keeper = keeper or kept(storage, replicas)
    for _ in range(num_looks):
        keeper.look()
        _, rollout = rollouts.read(storage, "shop")
        if rollout.is_settled:
            return rollout
    raise AssertionError(f"not settled: {rollout}")


def decided(registry):
    return [(one.version, one.action, one.by) for one in registry.audit("shop") if one.action != "register"][1:]


# The record


def test_changes_are_counted_and_the_newest_counts(storage):
    assert (rollouts.newest(storage, "shop"), rollouts.read(storage, "shop")) == (0, (0, None))
    assert rollouts.write(storage, 0, begun()) == rollouts.newest(storage, "shop") == 1
    assert rollouts.read(storage, "shop") == (1, begun())


def test_of_two_changes_one_wins(storage):
    rollouts.write(storage, 0, begun())
    rollouts.write(storage, 1, begun("watch"))
    with pytest.raises(ConflictError):
        rollouts.write(storage, 1, begun("shadow"))
    assert rollouts.read(storage, "shop")[1].phase == "watch"


def test_many_begin_at_once_and_each_ends_the_one_before_it(storage):
    def begin(number):
        rollouts.begin(storage, "shop", lambda last: begun(salt=str(number)), f"for {number}", "ann")

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [
        Rollout.from_dict(storage.read_json(f"models/shop/rollouts/{n:06d}.json"))
        for n in range(1, rollouts.newest(storage, "shop") + 1)
    ]
    assert len(values) == 11
    assert [value.phase for value in values] == ["canary", "rolled back"] * 5 + ["canary"]
    assert sorted({value.salt for value in values}) == list("012345")


def test_a_refusal_of_the_maker_is_the_callers(storage):
    def refuse(last):
        raise ConflictError("the champion changed")

    with pytest.raises(ConflictError, match="the champion changed"):
        rollouts.begin(storage, "shop", refuse, "for 2", "ann")
    assert rollouts.newest(storage, "shop") == 0


def test_what_is_over_is_not_ended_again(storage):
    assert rollouts.abort(storage, "shop", "why", "ann") is None
    rollouts.write(storage, 0, begun("done"))
    assert rollouts.abort(storage, "shop", "why", "ann") is None
    assert rollouts.newest(storage, "shop") == 1


def test_who_waits_is_told_when_another_took_its_place(storage):
    rollouts.write(storage, 0, begun(salt="other", by="bob"))
    with pytest.raises(ConflictError, match=r"received shop/2, begun by bob; in shop/2"):
        rollouts.wait(storage, begun(), lambda _: True)


def test_who_waits_in_vain_is_told_why(storage, monkeypatch):
    monkeypatch.setattr(rollouts, "_TIMEOUT_S", 0.2)
    rollouts.write(storage, 0, begun())
    for trouble, told in [("the disk is full", "the disk is full"), (None, "its keeper tells of no trouble")]:
        rollouts.tell_trouble(storage, "shop", trouble)
        with pytest.raises(DistmlError, match=rf"what is wanted stays wanted; {told}"):
            rollouts.wait(storage, begun(), lambda _: False)


# What is shown


def test_what_keeps_the_keeper_from_its_work_is_shown_until_it_is_over(storage):
    rollouts.write(storage, 0, begun())
    assert rollouts.current(storage, "shop")["trouble"] is None
    rollouts.tell_trouble(storage, "shop", "the disk is full")
    assert rollouts.current(storage, "shop")["trouble"] == "the disk is full"
    rollouts.abort(storage, "shop", "why", "ann")
    assert rollouts.current(storage, "shop")["trouble"] is None


def test_a_rollout_in_brief(storage):
    assert rollouts.current(storage, "shop") is None
    rollouts.write(storage, 0, begun(plan=PLAN.model_copy(update={"min_requests": 90})))
    replicas = Replicas()
    keeper = kept(storage, replicas)
    for _ in range(3):
        keeper.look()
    about = rollouts.current(storage, "shop")
    assert (about["phase"], about["percent"], about["challenger"], about["before"]) == ("canary", 5, 2, 1)
    assert about["is_served"]
    assert about["awaited"] == "2 of 10 s"
    assert about["measured"]["challenger"]["requests"] == 10
    for _ in range(12):
        keeper.look()
    assert rollouts.current(storage, "shop")["awaited"] == "waits for requests: 70 of 90"


def test_what_was_measured_of_another_rollout_is_not_shown(storage):
    rollouts.write(storage, 0, begun())
    kept(storage, Replicas()).look()
    rollouts.begin(storage, "shop", lambda last: begun(salt="t"), "for 2", "ann")
    about = rollouts.current(storage, "shop")
    assert (about["awaited"], about["measured"]) == (None, None)


# The keeper


def test_a_good_version_becomes_champion(storage, registry):
    rollouts.write(storage, 0, begun())
    replicas = Replicas()
    rollout = until_settled(storage, replicas)
    assert (rollout.phase, registry.champion("shop").number, replicas.main) == ("done", 2, 2)
    assert decided(registry) == [(2, "promote", "rollout")]
    assert replicas.mirrored == [2]
    assert [(step.phase, step.percent) for step in rollout.history] == [("canary", 5), ("canary", 100), ("watch", 100)]


def test_a_version_that_fails_leaves_the_champion(storage, registry):
    rollouts.write(storage, 0, begun())
    replicas = Replicas(faulty=0.5)
    assert until_settled(storage, replicas).phase == "rolled back"
    assert (registry.champion("shop").number, replicas.main, replicas.mirrored) == (1, 1, [])
    assert decided(registry) == [(2, "refuse", "rollout")]
    assert "of them may fail" in registry.audit("shop")[-1].reasons[0]


def test_a_version_that_fails_once_it_is_champion_gives_that_back(storage, registry):
    rollouts.write(storage, 0, begun("watch", plan=RolloutConfig()))
    replicas = Replicas()
    keeper = kept(storage, replicas)
    for _ in range(5):
        keeper.look()
    assert registry.champion("shop").number == 2
    replicas.faulty = 0.3
    assert until_settled(storage, replicas, keeper).phase == "rolled back"
    assert (registry.champion("shop").number, replicas.main, replicas.mirrored) == (1, 1, [1])
    assert decided(registry) == [(2, "promote", "ann"), (1, "rollback", "rollout")]


def test_a_version_that_a_replica_refuses_was_never_champion(storage, registry):
    rollouts.write(storage, 0, begun("watch"))
    replicas = Replicas(refused="weights are damaged")
    assert until_settled(storage, replicas).phase == "rolled back"
    assert decided(registry) == [(2, "refuse", "rollout")]
    assert registry.audit("shop")[-1].reasons == (
        "shop/2, promote begun by ann: a replica refused it: weights are damaged",
    )


def test_a_version_that_is_only_to_be_served_leaves_the_champion(storage, registry):
    rollouts.write(storage, 0, begun("watch", action="keep"))
    replicas = Replicas()
    assert until_settled(storage, replicas).phase == "done"
    assert (registry.champion("shop").number, replicas.main, decided(registry)) == (1, 2, [])


def test_a_way_back_takes_the_champion_along(storage, registry):
    registry.promote("shop", 2, expected=1)
    back = begun("watch", challenger=OLD, before=NEW, action="rollback", expected=2, plan=RolloutConfig(watch_s=0))
    rollouts.write(storage, 0, back)
    replicas = Replicas()
    assert until_settled(storage, replicas).phase == "done"
    assert (registry.champion("shop").number, replicas.main) == (1, 1)
    assert decided(registry)[-1] == (1, "rollback", "ann")


def test_a_rollout_ended_by_hand_is_in_the_audit_log(storage, registry):
    rollouts.write(storage, 0, begun())
    replicas = Replicas()
    keeper = kept(storage, replicas)
    for _ in range(3):
        keeper.look()
    rollouts.abort(storage, "shop", "by hand", "bob")
    assert until_settled(storage, replicas, keeper).ended_by == "bob"
    assert (registry.champion("shop").number, replicas.main) == (1, 1)
    assert decided(registry) == [(1, "rollback", "bob")]


def test_a_champion_that_was_changed_meanwhile_stays(storage, registry):
    registry.register("shop", package="trained/3", package_id="3", run="r", metrics={})
    rollouts.write(storage, 0, begun("watch"))
    registry.promote("shop", 3, expected=1)
    replicas = Replicas()
    rollout = until_settled(storage, replicas)
    assert rollout.phase == "rolled back"
    assert rollout.ended_for.startswith("the champion was changed meanwhile: ")
    assert (registry.champion("shop").number, replicas.main) == (3, 1)


def test_a_version_pruned_meanwhile_makes_room(storage, registry):
    rollouts.write(storage, 0, begun("watch"))
    registry.prune("shop", 2)
    replicas = Replicas()
    assert until_settled(storage, replicas).ended_for.startswith("the champion was not moved: ")
    assert (registry.champion("shop").number, replicas.main) == (1, 1)


def test_traffic_is_asked_for_when_it_changes_and_else_not(storage):
    rollouts.write(storage, 0, begun())
    replicas = Replicas()
    until_settled(storage, replicas)
    assert [(one.percent, one.configured_by.version) for one in replicas.applied] == [(5, 1), (100, 1), (100, 2)]


def test_where_nothing_is_under_way_nothing_is_read(storage, monkeypatch):
    rollouts.write(storage, 0, begun())
    replicas = Replicas()
    keeper = kept(storage, replicas)
    until_settled(storage, replicas, keeper)
    monkeypatch.setattr(Storage, "read_json", None)
    looked = replicas.now
    assert not keeper.look()
    assert replicas.now == looked


def test_a_model_that_is_not_served_any_more_is_not_served_again(storage):
    rollouts.write(storage, 0, begun())
    replicas = Replicas()
    replicas.is_served = False
    assert not kept(storage, replicas).look()
    assert replicas.applied == []


class Failing(Storage):
    """A storage that a process is killed in: at its n-th change, before or after it is written."""

    def __init__(self, root, at, *, is_written):
        super().__init__(root)
        self.left, self.is_written = at, is_written

    def swap_json(self, key, expected_revision, value):
        self.left -= 1
        if self.left == 0 and not self.is_written:
            raise Killed
        revision = super().swap_json(key, expected_revision, value)
        if self.left == 0:
            raise Killed
        return revision


@pytest.mark.parametrize("is_written", [True, False])
@pytest.mark.parametrize("faulty", [0.0, 0.5])
@pytest.mark.parametrize("phase", ["canary", "watch"])
@pytest.mark.parametrize("at", range(1, 9))
def test_a_keeper_killed_anywhere_is_taken_over_from_by_the_next(storage, registry, at, phase, faulty, is_written):
    rollouts.write(storage, 0, begun(phase))
    replicas = Replicas(faulty, faulty_from=1005 if phase == "watch" else 0)
    dying = Keeper(Failing(storage.root, at, is_written=is_written), "shop", replicas, clock=lambda: replicas.now)
    try:
        until_settled(storage, replicas, dying)
    except Killed:
        until_settled(storage, replicas)
    _, rollout = rollouts.read(storage, "shop")
    log = [(version, action) for version, action, _ in decided(registry)]
    if rollout.phase == "done":
        assert (registry.champion("shop").number, replicas.main, log) == (2, 2, [(2, "promote")])
    else:
        assert (registry.champion("shop").number, replicas.main) == (1, 1)
        assert log in ([(2, "refuse")], [(2, "promote"), (1, "rollback")])
    assert rollout.phase == ("rolled back" if faulty else "done")


def test_a_decision_noted_before_is_not_noted_again(storage, registry):
    rollouts.write(storage, 0, replace(begun("rolled back"), ended_by="rollout", ended_for="it failed", begun_at=0.0))
    registry.record(Decision(name="shop", version=2, action="refuse", reasons=("it failed",), by="rollout"))
    until_settled(storage, Replicas())
    assert decided(registry) == [(2, "refuse", "rollout")]
