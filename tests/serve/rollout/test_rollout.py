"""A rollout's way, step by step, without Ray, storage or a clock."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.config.rollout import RollbackConfig, RolloutConfig
from distml.serve.rollout.advance import LOAD_TIMEOUT_S, Sight, advance, awaited, totals_of
from distml.serve.rollout.evidence import Totals, verdict
from distml.serve.rollout.rollout import Rollout
from distml.serve.traffic import Deployed, Share

OLD, NEW = (Deployed(version=number, package=f"trained/{number}/package") for number in (2, 3))
PLAN = RolloutConfig(shadow_s=30, canary=(5, 25, 100), step_s=60, min_requests=50, watch_s=300)


def begun(phase="canary", plan=PLAN, **changes):
    return Rollout(
        name="shop", challenger=NEW, before=OLD, plan=plan, phase=phase, salt="s", begun_at=0, asked_at=0, **changes
    )


def sight(requests=0, faults=0, *, is_loaded=True, refused=None, old=0, **more):
    return Sight(
        totals={2: Totals(requests=old), 3: Totals(requests=requests, faults=faults, **more)},
        is_loaded=is_loaded,
        refused=refused,
    )


def walk(rollout, *looks):
    """A rollout after looks of (seconds, sight)."""
    for at, seen in looks:
        rollout = advance(rollout, seen, at)
    return rollout


def state(rollout):
    return rollout.phase, rollout.percent, rollout.served_at is not None


# The way forward


def test_a_good_version_goes_all_the_way():
    rollout = begun("shadow")
    states = []
    looks = [(1, 0), (31, 60), (32, 60), (92, 120), (93, 120), (153, 180), (154, 180), (214, 240), (515, 240)]
    for at, requests in looks:
        rollout = advance(rollout, sight(requests), at)
        states.append(state(rollout))
    assert states == [
        ("shadow", 0, True), ("canary", 5, False), ("canary", 5, True), ("canary", 25, False), ("canary", 25, True),
        ("canary", 100, False), ("canary", 100, True), ("watch", 100, True), ("done", 100, True),
    ]  # fmt: skip
    assert [(step.phase, step.percent, step.began_at, step.ended_at) for step in rollout.history] == [
        ("shadow", 0, 1, 31), ("canary", 5, 32, 92), ("canary", 25, 93, 153), ("canary", 100, 154, 214),
        ("watch", 100, 214, 515),
    ]  # fmt: skip
    assert [step.measured.challenger.requests for step in rollout.history] == [60, 60, 60, 60, 0]
    assert (rollout.ended_for, rollout.ended_by) == (None, "rollout")


def test_a_step_takes_its_time_and_its_requests():
    rollout = walk(begun(), (0, sight()))
    assert awaited(rollout, totals_of(rollout, sight(500)), 59) == "59 of 60 s"
    assert advance(rollout, sight(500), 59) == rollout
    assert awaited(rollout, totals_of(rollout, sight(3)), 600) == "waits for requests: 3 of 50"
    assert advance(rollout, sight(49), 600) == rollout
    assert state(advance(rollout, sight(50), 600)) == ("canary", 25, False)


def test_a_step_begins_to_count_when_replicas_have_it():
    rollout = walk(begun(), (1, sight(is_loaded=False)), (100, sight(80, is_loaded=False)))
    assert (rollout.entered_at, awaited(rollout, totals_of(rollout, sight()), 100)) == (None, "replicas load it")
    rollout = advance(rollout, sight(80), 101)
    assert rollout.entered_at == 101
    assert advance(rollout, sight(129), 161) == rollout, "80 of them came before"
    assert advance(rollout, sight(130), 161).step == 1


def test_a_rollout_at_once_is_watched_only():
    plan = RolloutConfig()
    assert plan.is_at_once
    rollout = walk(begun("watch", plan), (1, sight()))
    assert rollout.takes_champion
    assert state(advance(rollout, sight(), 300)) == ("watch", 100, True)
    assert state(advance(rollout, sight(), 301)) == ("done", 100, True)


def test_the_champion_moves_when_replicas_serve_it_and_not_before():
    assert not begun("watch").takes_champion
    assert not walk(begun(), (1, sight())).takes_champion
    assert walk(begun("watch"), (1, sight())).takes_champion
    assert not walk(begun("watch", action="keep"), (1, sight())).takes_champion


def test_an_ab_test_goes_on():
    rollout = walk(begun("share", shared=50.0), (1, sight()))
    for day in range(1, 50):
        rollout = advance(rollout, sight(1000 * day), 86_400 * day)
        assert state(rollout) == ("share", 50, True)
    assert awaited(rollout, totals_of(rollout, sight()), 1) == "goes on until it is ended"
    assert state(advance(rollout, sight(60_000, 9_000), 86_400 * 50))[0] == "rolled back"


# The way back


@pytest.mark.parametrize("phase", ["shadow", "canary", "share", "watch"])
def test_a_version_that_fails_makes_room(phase):
    rollout = walk(begun(phase, shared=50.0), (1, sight(100)), (2, sight(140, 40)))
    assert state(rollout) == ("rolled back", 0, False)
    assert rollout.ended_for == "it failed 40 of 40 requests; 0.01 of them may fail"
    assert rollout.traffic().main == OLD
    assert (rollout.traffic().shares, rollout.traffic().shadow, rollout.takes_champion) == ((), None, False)
    assert state(advance(rollout, sight(140, 40), 3)) == ("rolled back", 0, True)


def test_a_version_is_judged_while_some_replicas_load_it_still():
    rollout = walk(begun("watch"), (1, sight(is_loaded=False)), (2, sight(5, 5, is_loaded=False)))
    assert rollout.phase == "rolled back"


def test_what_a_version_did_before_its_rollout_is_not_held_against_it():
    rollout = walk(begun(), (1, sight(1000, 1000)), (2, sight(1010, 1000)))
    assert rollout.phase == "canary"


def test_a_refusal_ends_it_at_once():
    rollout = advance(begun(), sight(is_loaded=False, refused="weights are damaged"), 1)
    assert (rollout.phase, rollout.ended_for) == ("rolled back", "a replica refused it: weights are damaged")


def test_a_version_that_is_not_loaded_in_time_makes_room():
    assert advance(begun(), sight(is_loaded=False), LOAD_TIMEOUT_S).phase == "canary"
    rollout = advance(begun(), sight(is_loaded=False), LOAD_TIMEOUT_S + 1)
    assert rollout.ended_for == "it was not loaded within 120 s"


def test_a_late_fault_counts_in_full_after_a_long_good_watch():
    plan = RolloutConfig(step_s=30, watch_s=300)
    rollout = begun("watch", plan)
    for at in range(0, 280, 5):
        rollout = advance(rollout, sight(1000 * at), at)
        assert rollout.phase == "watch"
    served = 1000 * 275
    assert verdict(Totals(requests=served + 2000, faults=500), plan.rollback_on, 1) is None, "of all of them, few"
    assert advance(rollout, sight(served + 2000, 500), 281).phase == "rolled back"


def test_slowness_makes_room_too():
    plan = PLAN.model_copy(update={"rollback_on": RollbackConfig(latency_p99_ms=200)})
    slow = Totals(requests=200, latency=(*[0] * 23, 200))
    rollout = walk(begun(plan=plan), (1, sight()), (2, Sight(totals={3: slow}, is_loaded=True)))
    assert rollout.ended_for == "200 of 200 requests took longer than 200 ms; 1 % of them may"


def test_who_goes_back_is_not_judged_by_faults_but_by_refusal():
    plan = RolloutConfig(watch_s=0)
    back = begun("watch", plan, action="rollback")
    assert walk(back, (1, sight()), (2, sight(100, 100))).phase == "done"
    assert advance(back, sight(is_loaded=False, refused="gone"), 1).phase == "rolled back"


# The monitor begins anew


def test_when_the_monitor_begins_anew_the_step_counts_anew():
    rollout = walk(begun(), (1, sight(100)), (30, sight(140)), (40, sight(10)))
    assert rollout.base.challenger.requests == rollout.entered.challenger.requests == 10
    assert awaited(rollout, totals_of(rollout, sight(59)), 70) == "waits for requests: 49 of 50"
    assert walk(rollout, (70, sight(60))).step == 1


# By hand


def test_a_rollout_that_is_ended_by_hand_makes_room():
    for phase in ("shadow", "canary", "share", "watch"):
        ended = walk(begun(phase, shared=10.0), (1, sight())).aborted("by hand", "ann", 5)
        assert (ended.phase, ended.ended_for, ended.ended_by) == ("rolled back", "by hand", "ann")
        assert (ended.traffic().main, ended.served_at) == (OLD, None)
        assert ended.aborted("again", "bob", 6) == ended


def test_a_version_that_was_only_watched_stays_for_the_next_to_take_over_from():
    assert walk(begun("watch"), (1, sight())).superseded("promote", "ann", 5).main == NEW
    assert begun("watch").superseded("promote", "ann", 5).main == OLD, "no replica served it yet"
    assert walk(begun(), (1, sight())).superseded("promote", "ann", 5).main == OLD


# Traffic


def test_traffic_of_each_phase():
    shadow = begun("shadow").traffic()
    assert (shadow.main, shadow.shadow, shadow.shares, shadow.last_good) == (OLD, NEW, (), OLD)
    canary = begun("canary", allow_code=("pkg",)).traffic()
    assert (canary.main, canary.shares, canary.last_good) == (OLD, (Share(deployed=NEW, percent=5),), OLD)
    assert (canary.salt, canary.key, canary.allow_code) == ("s", "x-assignment-key", ("pkg",))
    for full in (begun("canary", step=2), begun("watch"), begun("done")):
        assert (full.traffic().main, full.traffic().shares, full.traffic().last_good) == (NEW, (), OLD)
    assert begun("share", shared=50.0).traffic().shares == (Share(deployed=NEW, percent=50),)
    back = begun("watch", action="rollback").traffic()
    assert (back.main, back.last_good) == (NEW, NEW)
    first = replace(begun("done"), before=None).traffic()
    assert (first.main, first.last_good) == (NEW, None)


def test_a_version_that_answers_already_has_all_requests_and_no_share_of_them():
    traffic = replace(begun("watch"), before=NEW).traffic()
    assert (traffic.main, traffic.shares, traffic.last_good) == (NEW, (), NEW)


def test_the_config_of_a_new_version_comes_with_the_end():
    assert begun("watch").configured_by == OLD
    assert begun("rolled back").configured_by == OLD
    assert begun("done").configured_by == NEW


def test_a_change_is_one_that_replicas_hear_of():
    one = walk(begun(), (1, sight()))
    two = advance(one, sight(50), 61)
    assert (one.traffic().asked_at, two.traffic().asked_at) == (0, 61)
    full = walk(begun(step=2), (1, sight()))
    assert advance(full, sight(50), 61).traffic() == full.traffic(), "a watch asks for nothing new"


# Whatever happens

plans = st.builds(
    RolloutConfig,
    shadow_s=st.sampled_from([5, 20]),
    canary=st.sampled_from([(100,), (5, 25, 100), (50, 100)]),
    step_s=st.integers(1, 60),
    min_requests=st.integers(0, 60),
    watch_s=st.integers(1, 200),
)
looks = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 300), st.integers(0, 3), st.booleans(), st.integers(0, 9)), max_size=60
)
starts = st.sampled_from(["shadow", "canary", "share", "watch"])


def seen_of(steps):
    """(time, sight) of steps of (seconds, requests, faults among them, is loaded, nought for a monitor begun anew)."""
    at = requests = faults = 0
    for seconds, more, failed, is_loaded, anew in steps:
        at += seconds
        requests, faults = (0, 0) if anew == 0 else (requests + more, faults + min(failed, more))
        yield at, sight(requests, faults, is_loaded=is_loaded)


@given(plans, starts, looks)
def test_a_share_only_grows_until_it_is_over(plan, phase, steps):
    rollout = begun(phase, plan, shared=30.0)
    for at, seen in seen_of(steps):
        after = advance(rollout, seen, at)
        assert after.percent >= rollout.percent or after.phase == "rolled back"
        assert not rollout.is_over or after.phase == rollout.phase
        assert len(after.history) <= len(rollout.history) + 1
        assert after.traffic().asked_at >= rollout.traffic().asked_at
        rollout = after


@given(plans, starts, looks)
def test_a_look_twice_is_a_look_once(plan, phase, steps):
    rollout = begun(phase, plan, shared=30.0)
    for at, seen in seen_of(steps):
        rollout = advance(rollout, seen, at)
        unloaded = replace(seen, is_loaded=False)
        assert advance(rollout, unloaded if rollout.served_at is None else seen, at) == rollout


@given(plans, starts, looks)
def test_nothing_passes_with_more_faults_than_allowed(plan, phase, steps):
    rollout = begun(phase, plan, shared=30.0)
    for at, seen in seen_of(steps):
        after = advance(rollout, seen, at)
        base = rollout.base
        stretch = totals_of(rollout, seen).since(base) if base else None
        if stretch and not rollout.is_over and verdict(stretch.challenger, plan.rollback_on, rollout.stretch):
            assert after.phase == "rolled back"
        rollout = after


@given(plans, st.sampled_from(["shadow", "canary", "watch"]))
def test_a_good_version_with_enough_requests_always_arrives(plan, phase):
    rollout, at, requests = begun(phase, plan), 0, 0
    while not rollout.is_over:
        at, requests = at + 1, requests + 10
        assert at < 2000
        rollout = advance(rollout, sight(requests), at)
    assert rollout.phase == "done"
    assert [step.percent for step in rollout.history] == sorted(step.percent for step in rollout.history)


@given(plans, starts, looks)
def test_a_rollout_goes_through_json_unchanged(plan, phase, steps):
    rollout = begun(phase, plan, shared=30.0, reasons=("a",), by="ann", allow_code=("pkg",))
    for at, seen in seen_of(steps):
        rollout = advance(rollout, seen, at)
    assert Rollout.from_dict(orjson.loads(orjson.dumps(rollout.to_dict()))) == rollout
