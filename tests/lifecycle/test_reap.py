from distml.config import RunConfig
from distml.lifecycle.reap import lost_runs, reap
from distml.lifecycle.runs import RunRecord, read_run
from distml.lifecycle.tracked import open_tracker
from distml.storage import Storage


def started(storage, **changes):
    config = RunConfig(name="churn", storage=storage.root, data={"source": {"uri": "t.csv"}, "target": "y"})
    record = RunRecord.start(storage, config)
    record.write(**changes)
    return record


def test_a_run_is_lost_when_its_process_is_gone(tmp_path):
    storage = Storage(tmp_path)
    started(storage)
    lost = started(storage, born="another boot")
    started(storage, born="another boot", state="failed")
    started(storage, born="another boot", host="elsewhere")
    assert lost_runs(storage) == [lost.run]


def test_what_a_lost_run_left_open_is_closed(tmp_path):
    storage = Storage(tmp_path)
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


def test_a_run_that_the_tracker_does_not_know_stays_lost(tmp_path):
    storage = Storage(tmp_path)
    record = started(storage, born="another boot", tracking_run="nothing")
    assert reap(storage, record.run).startswith(f"run {record.run} stays open in the tracker: ")
    assert lost_runs(storage) == [record.run]
