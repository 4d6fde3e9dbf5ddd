import shutil

import pytest

from distml.config import RunConfig
from distml.errors import UsageError
from distml.lifecycle.reap import lost_runs, reap, send_rest, unsent_runs
from distml.lifecycle.runs import RunRecord, read_run
from distml.lifecycle.tracked import open_tracker
from distml.storage import Storage
from distml.tracking import Point, Spool
from distml.tracking.entries import End, Start, log
from distml.tracking.mlflow import MlflowTracker, embedded_uri


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A folder with MLflow's tables, which take seconds to make."""
    folder = tmp_path_factory.mktemp("empty")
    MlflowTracker(embedded_uri(str(folder)), "another")
    return folder / "mlflow"


@pytest.fixture
def storage(tmp_path, database):
    shutil.copytree(database, tmp_path / "mlflow")
    return Storage(tmp_path)


def started(storage, **changes):
    config = RunConfig(name="churn", storage=storage.root, data={"source": {"uri": "t.csv"}, "target": "y"})
    record = RunRecord.start(storage, config)
    record.write(**{"stages": {"prepare": "abc"}, **changes})
    return record


def test_a_run_is_lost_when_its_process_is_gone(storage):
    started(storage)
    lost = started(storage, born="another boot")
    started(storage, born="another boot", state="failed")
    started(storage, born="another boot", host="elsewhere")
    assert lost_runs(storage) == [lost.run]


def test_what_a_lost_run_left_open_is_closed(storage):
    record = started(storage, born="another boot")
    tracker = open_tracker(record.config, storage)
    parent = tracker.start_run("run")
    open_child, ended = tracker.start_run("a", parent=parent), tracker.start_run("b", parent=parent)
    tracker.end_run(ended, "FINISHED")
    record.write(tracking_run=parent)

    assert reap(storage, record.run) is None
    statuses = [tracker.client.get_run(run).info.status for run in (parent, open_child, ended)]
    assert statuses == ["KILLED", "KILLED", "FINISHED"]
    assert read_run(storage, record.run)["state"] == "interrupted"
    assert RunRecord.resumable(storage, record.run).goes_on


def test_a_run_that_the_tracker_does_not_know_stays_lost(storage):
    record = started(storage, born="another boot", tracking_run="nothing")
    assert reap(storage, record.run).startswith(f"run {record.run} stays open in the tracker: ")
    assert lost_runs(storage) == [record.run]


def test_a_run_that_was_killed_before_it_noted_its_tracked_run_is_closed_too(storage):
    record = started(storage, born="another boot")
    tracker = open_tracker(record.config, storage)
    parent = tracker.start_run("run", tags={"distml.run": record.run})
    assert reap(storage, record.run) is None
    assert tracker.client.get_run(parent).info.status == "KILLED"


def test_a_run_that_never_came_to_its_tracker_makes_none(tmp_path):
    storage = Storage(tmp_path)
    record = started(storage, born="another boot", stages={})
    assert reap(storage, record.run) is None
    assert not storage.exists("mlflow")


def spooled(record, *entries):
    """What a process of the run has put by when its tracker was away."""
    Spool(record.storage, record.key("tracking")).write(3, entries)


TRIAL = (
    Start(run="k1", name="trial-0001", tags={"distml.trial": "1"}, at_ms=1_700_000_000_000),
    log("k1", params={"lr": 0.1}, points=[Point("loss", 0.5, 1, 1_700_000_001_000)]),
)


def test_what_a_lost_run_has_put_by_is_sent_before_it_is_closed(storage):
    record = started(storage, born="another boot")
    tracker = open_tracker(record.config, storage)
    record.write(tracking_run=tracker.start_run("run"))
    spooled(record, *TRIAL)
    assert unsent_runs(storage) == [record.run]
    assert reap(storage, record.run) is None
    assert unsent_runs(storage) == []
    (child,) = tracker.children(record.value["tracking_run"])
    assert (child.status, child.params) == ("KILLED", {"lr": "0.1"})
    (point,) = tracker.client.get_metric_history(child.run, "loss")
    assert (point.value, point.step, point.timestamp) == (0.5, 1, 1_700_000_001_000)


def test_what_a_finished_run_has_put_by_is_sent_with_its_end(storage):
    record = started(storage, state="finished")
    tracker = open_tracker(record.config, storage)
    record.write(tracking_run=tracker.start_run("run"))
    spooled(record, *TRIAL, End(run="k1", status="FINISHED"), End(status="FINISHED", at_ms=1_700_000_009_000))
    assert send_rest(storage, record.run) == []
    assert (unsent_runs(storage), send_rest(storage, record.run)) == ([], [])
    own = tracker.client.get_run(record.value["tracking_run"]).info
    assert (own.status, own.end_time) == ("FINISHED", 1_700_000_009_000)
    assert [child.status for child in tracker.children(own.run_id)] == ["FINISHED"]


@pytest.mark.parametrize(
    ("changes", "remedy"), [({}, "a running one sends it itself"), ({"born": "x"}, "distml resume")]
)
def test_a_run_that_is_not_over_is_not_sent(changes, remedy, storage):
    record = started(storage, **changes)
    spooled(record, *TRIAL)
    with pytest.raises(UsageError, match=remedy):
        send_rest(storage, record.run)
