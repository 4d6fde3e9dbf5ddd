"""What people read of a service: the monitor's own report, and what Serve tells, as text."""

import numpy as np
import pytest

import windows
from distml.cli.monitor import report_text
from distml.cli.service_view import service_lines
from distml.lifecycle.overview import _placed
from distml.monitor import Monitor
from distml.serve.traffic import Deployed, Share, Traffic
from distml.window import Window

SCALING = {
    "min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 2.0, "target_replicas": 2,
    "status": "UPSCALING", "trigger": "AUTOSCALING",
}  # fmt: skip


@pytest.fixture
def monitor():
    now = iter(np.arange(1000.0, 2000.0).tolist())
    monitor = Monitor("shop", window_rows=100, false_alarm_rate=0.01, min_effect=0.1, clock=lambda: next(now))
    monitor.watch(1, windows.BASELINE)
    return monitor


def window(rows: int = 50, **changed) -> Window:
    """Of two requests that were answered together."""
    filled = windows.window(rows, **{"version": 1, **changed})
    filled.request(7.0)
    filled.batches.add(2)
    return filled


def service(monitor: Monitor, served=(), **changed) -> dict:
    """As `overview.service_report` makes it, of a monitor that was told something."""
    report = monitor.report()
    judged = [*report["windows"], *report["filling"]]
    traffic = Traffic(main=Deployed(version=1, package="a"))
    told = {"traffic": traffic.to_dict(), "scaling": SCALING, "changes": report["changes"]}
    placed = _placed(report["replicas"], served)
    return {**told, "replicas": placed, "versions": report["versions"], "windows": judged, **changed}


def test_a_service_at_work(monitor):
    monitor.loaded("desk-17", 990.0, [1, 2], 1, {3: "it is damaged"})
    monitor.observe("desk-17", [window()], {"ongoing": 3.0})
    served = [
        {"id": "abc", "pid": 17, "state": "RUNNING", "node": "10.0.0.1"},
        {"id": "def", "pid": None, "state": "STARTING", "node": "10.0.0.2"},
    ]
    assert service_lines(service(monitor, served)) == [
        "traffic: version 1 answers",
        "scaling: 2 replicas wanted of 1 to 4, one for 2 ongoing requests; upscaling, autoscaling",
        "  1970-01-01T00:16:40Z  0 to 1 replica, 0 requests ongoing",
        "replica desk-17 on 10.0.0.1: version 1, holds 2 too, 3 ongoing, refused 3: it is damaged",
        "replica def on 10.0.0.2: starting",
        "version 1: 2 requests, 50 rows, 0 faults, no errors, p50 2 ms, p99 7.5 ms, 2.0 requests in a batch",
        "window filling, version 1: 50 rows, p50 2 ms, p99 7.5 ms; drifted: nothing",
    ]


def test_traffic_with_a_share_and_a_shadow(monitor):
    one, two, three = (Deployed(version=number, package="p") for number in (1, 2, 3))
    traffic = Traffic(main=one, shares=(Share(deployed=two, percent=12.5),), shadow=three)
    (line, *_) = service_lines(service(monitor, traffic=traffic.to_dict()))
    assert line == "traffic: version 1 answers, version 2 12.5 % of the requests, version 3 listens"


def test_a_controller_that_does_not_answer_is_said(monitor):
    lines = service_lines(service(monitor, traffic=None, scaling=None))
    assert lines == ["scaling: Serve does not answer"]


def test_a_replica_that_holds_nothing_yet(monitor):
    monitor.loaded("desk-17", 990.0, [], None, {1: "it is damaged"})
    lines = service_lines(service(monitor, [{"id": "abc", "pid": 18, "state": "RUNNING", "node": "10.0.0.1"}]))
    assert lines[-2:] == [
        "replica desk-17: no version, refused 1: it is damaged",
        "replica abc on 10.0.0.1: running, nothing loaded yet",
    ]


def test_a_process_is_not_mistaken_for_one_whose_number_ends_alike(monitor):
    monitor.loaded("desk-117", 990.0, [1], 1, {})
    placed = _placed(monitor.report()["replicas"], [{"id": "abc", "pid": 17, "state": "RUNNING", "node": "n"}])
    assert (placed["desk-117"]["state"], placed["abc"]) == (None, {"state": "RUNNING", "node": "n"})


def test_faults_errors_and_rows_left_out_are_said(monitor):
    faulty = window()
    faulty.faults, faulty.unsummarised = 1, 1200
    faulty.errors = {"version-failed": 1, "invalid-row": 3}
    monitor.observe("desk-17", [faulty])
    assert "1 fault, 1 version-failed, 3 invalid-row, p50 2 ms" in service_lines(service(monitor))[-2]
    assert service_lines(service(monitor))[-2].endswith(", 1,200 rows in no window")


def test_what_a_shadow_would_have_answered(monitor):
    shadow = window(version=2, is_shadow=True)
    shadow.compared, shadow.differing, shadow.skipped = 50, 5, 4
    shadow.difference, shadow.max_difference = 1.0, 0.25
    monitor.observe("desk-17", [shadow])
    assert service_lines(service(monitor))[-1] == (
        "version 2 as a shadow: 2 requests, 50 rows, 0 faults, no errors, p50 2 ms, p99 7.5 ms, "
        "2.0 requests in a batch; 5 of 50 rows answered otherwise, scores apart by 0.02, at most 0.25; "
        "4 requests not asked, being busy"
    )
    monitor.observe("desk-17", [window(version=2)])
    first, second = service_lines(service(monitor))[-2:]
    assert first.startswith("version 2 in all: 4 requests, 100 rows")
    assert second.startswith("version 2 as a shadow: 2 requests, 50 rows")


def test_the_monitors_report_tells_of_columns(monitor):
    monitor.loaded("desk-17", 990.0, [1], 1, {})
    odd = window(100, shift=0.9)
    odd.ignored, odd.absent = {"stranger": 2}, {"size": 1}
    monitor.observe("desk-17", [odd])
    lines = report_text(monitor.report()).splitlines()
    assert lines[0] == "shop: 1 replica"
    assert lines[2:5] == [
        "version 1: a column that it does not read, in 2 rows: 'stranger'",
        "version 1: a column missing from 1 row: 'size'",
        "",
    ]
    assert lines[5].startswith("last full window, version 1: 100 rows, p50 2 ms, p99 7.5 ms; drifted: size")
    assert [line.split()[0] for line in lines[6:]] == ["column", "size", "score"]
    assert lines[7].endswith("drifted")


def test_a_report_of_nothing_served(monitor):
    assert report_text(monitor.report()) == "shop: 0 replicas\nno rows served yet"
