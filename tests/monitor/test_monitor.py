"""The monitor as a value: what replicas tell it, and what it then knows."""

import pickle

import orjson
import pytest

from distml.monitor import Monitor
from distml.monitor.monitor import KEPT_COUNTS
from windows import BASELINE, window


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def monitor(clock):
    monitor = Monitor("shop", window_rows=100, false_alarm_rate=0.01, min_effect=0.1, flush_interval_s=1, clock=clock)
    monitor.watch(4, BASELINE)
    return monitor


def test_windows_fill_until_they_are_judged(monitor):
    monitor.observe("a", [window(60)])
    report = monitor.report()
    assert (report["windows"], [filling["inputs"]["rows"] for filling in report["filling"]]) == ([], [60])
    monitor.observe("b", [window(50)])
    report = monitor.report()
    assert ([full["inputs"]["rows"] for full in report["windows"]], report["filling"]) == ([110], [])
    assert report["windows"][0]["inputs"]["drifted"] == []


def test_drift_is_seen_and_of_each_version_alone(monitor):
    monitor.watch(5, BASELINE)
    monitor.observe("a", [window(150), window(150, version=5, shift=0.5)])
    drifted = {full["version"]: full["inputs"]["drifted"] for full in monitor.report()["windows"]}
    assert drifted == {4: [], 5: ["size"]}


def test_a_shadow_has_windows_of_its_own(monitor):
    monitor.observe("a", [window(150), window(150, is_shadow=True, shift=0.5)])
    drifted = {full["is_shadow"]: full["inputs"]["drifted"] for full in monitor.report()["windows"]}
    assert drifted == {False: [], True: ["size"]}


def test_what_was_served_before_its_baseline_is_known_is_counted_but_not_judged(monitor):
    monitor.observe("a", [window(150, version=9)])
    report = monitor.report()
    assert (report["windows"], report["filling"], report["versions"]["9"]["rows"]) == ([], [], 150)


def test_totals_add_up_over_replicas_and_full_windows(monitor):
    for replica, rows in (("a", 80), ("b", 90), ("a", 100)):
        monitor.observe(replica, [window(rows, faults=1)])
    total = monitor.totals()[4]
    assert (total["requests"], total["rows"], total["faults"]) == (6, 270, 3)
    assert total["errors"] == {"version-failed": 3}
    assert sum(total["latency"]) == 6
    assert total["latency_ms"] == {"p50": 2.0, "p99": 200.0}
    assert total["shadow"]["requests"] == 0


def test_versions_that_nobody_hears_of_are_forgotten_at_last(monitor):
    for version in range(1, KEPT_COUNTS + 1):
        monitor.observe("a", [window(version=version)])
    monitor.observe("a", [window(version=1), window(version=100)])
    assert sorted(monitor.totals()) == [1, *range(3, KEPT_COUNTS + 1), 100]
    assert monitor.totals()[1]["requests"] == 2


def test_what_a_shadow_heard_is_part_of_the_total_and_told_apart(monitor):
    shadow = window(10, is_shadow=True, faults=2)
    shadow.compared, shadow.differing, shadow.difference, shadow.max_difference = 10, 3, 0.5, 0.25
    monitor.observe("a", [shadow])
    monitor.observe("a", [window(20, faults=1)])
    total = monitor.totals()[4]
    assert (total["requests"], total["faults"], total["shadow"]["requests"], total["shadow"]["faults"]) == (5, 3, 3, 2)
    assert (total["shadow"]["compared"], total["shadow"]["differing"]) == (10, 3)
    assert (total["shadow"]["mean_difference"], total["shadow"]["max_difference"]) == (0.05, 0.25)


def test_a_report_can_be_written_as_json(monitor):
    monitor.loaded("a", 990.0, [4], 4, {5: "refused"})
    monitor.observe("a", [window(150), window(20)], {"ongoing": 1.0})
    written = orjson.loads(orjson.dumps(monitor.report(), option=orjson.OPT_NON_STR_KEYS))
    assert written["versions"]["4"] == monitor.totals()[4]
    assert written["replicas"]["a"]["errors"] == {"5": "refused"}


def test_windows_travel_pickled(monitor):
    sent = window(20, faults=1)
    monitor.observe("a", [pickle.loads(pickle.dumps(sent))])
    assert monitor.totals()[4] == sent.to_dict() | {"shadow": monitor.totals()[4]["shadow"]}


def test_a_replica_is_known_by_what_it_loaded(monitor):
    monitor.loaded("a", 990.0, [5, 4], 4, {6: "it is damaged"})
    assert monitor.report()["replicas"] == {
        "a": {
            "asked_at": 990.0,
            "versions": [4, 5],
            "main": 4,
            "errors": {6: "it is damaged"},
            "at": 1000.0,
            "heard_at": 1000.0,
            "gauges": {},
        }
    }


def test_whoever_looks_often_asks_for_less_than_a_report(monitor):
    monitor.loaded("a", 990.0, [4], 4, {})
    assert monitor.replicas() == monitor.report()["replicas"]
    assert list(monitor.replicas()) == ["a"]


def test_a_sign_of_life_changes_nothing_of_what_a_replica_loaded(monitor, clock):
    monitor.loaded("a", 990.0, [4], 4, {})
    clock.now += 5
    assert monitor.observe("a", [], {"ongoing": 3.0, "queued": 1.0})
    told = monitor.report()["replicas"]["a"]
    assert (told["at"], told["heard_at"], told["gauges"]) == (1000.0, 1005.0, {"ongoing": 3.0, "queued": 1.0})
    monitor.loaded("a", 1004.0, [4, 5], 5, {})
    assert monitor.report()["replicas"]["a"]["gauges"] == {"ongoing": 3.0, "queued": 1.0}


def test_a_monitor_that_began_anew_asks_what_a_replica_holds(monitor):
    assert not monitor.observe("a", [window(20)])
    assert monitor.report()["replicas"] == {}
    assert monitor.totals()[4]["requests"] == 1
    monitor.loaded("a", 990.0, [4], 4, {})
    assert monitor.observe("a", [])


def test_replicas_that_are_gone_are_not_counted_and_then_forgotten(monitor, clock):
    monitor.loaded("a", 990.0, [4], 4, {})
    monitor.loaded("b", 990.0, [4], 4, {})
    clock.now += 15
    monitor.observe("b", [])
    assert monitor.metrics()["replicas"] == 2
    clock.now += 1
    assert monitor.metrics()["replicas"] == 1
    assert list(monitor.report()["replicas"]) == ["a", "b"]
    clock.now += 15
    monitor.observe("b", [])
    assert list(monitor.report()["replicas"]) == ["b"]


def test_a_replica_that_says_that_it_ends_is_forgotten_at_once(monitor):
    monitor.loaded("a", 990.0, [4], 4, {})
    monitor.left("a")
    monitor.left("never heard of")
    assert (monitor.report()["replicas"], monitor.metrics()["replicas"]) == ({}, 0)


def test_silence_is_counted_in_flushes_where_they_are_rare(clock):
    rare = Monitor("shop", window_rows=100, false_alarm_rate=0.01, min_effect=0.1, flush_interval_s=60, clock=clock)
    rare.loaded("a", 990.0, [4], 4, {})
    clock.now += 300
    assert rare.metrics()["replicas"] == 1
    clock.now += 1
    assert rare.metrics()["replicas"] == 0


def test_changes_of_the_number_of_replicas_are_noted_with_their_load(monitor, clock):
    monitor.loaded("a", 990.0, [4], 4, {})
    monitor.observe("a", [], {"ongoing": 7.0})
    clock.now = 1002.0
    monitor.loaded("b", 990.0, [4], 4, {})
    monitor.observe("b", [], {"ongoing": 1.0})
    clock.now = 1010.0
    monitor.left("a")
    assert monitor.report()["changes"] == [
        {"at": 1000.0, "from": 0, "to": 1, "ongoing": 0},
        {"at": 1002.0, "from": 1, "to": 2, "ongoing": 7.0},
        {"at": 1010.0, "from": 2, "to": 1, "ongoing": 1.0},
    ]


def test_metrics_tell_what_is_held_and_what_stands(monitor):
    monitor.loaded("a", 990.0, [4, 5], 4, {})
    monitor.loaded("b", 990.0, [4], 4, {5: "refused"})
    monitor.observe("a", [window(20), window(10, version=5, is_shadow=True)], {"ongoing": 2.0, "queued": 1.0})
    monitor.observe("b", [], {"ongoing": 3.0})
    known = monitor.metrics()
    assert (known["name"], known["replicas"]) == ("shop", 2)
    assert (known["loaded"], known["main"]) == ({4: 2, 5: 1}, {4: 2})
    assert known["gauges"] == {"ongoing": 5.0, "queued": 1.0}
    assert {key: counts.rows for key, counts in known["counts"].items()} == {(4, False): 20, (5, True): 10}
