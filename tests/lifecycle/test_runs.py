import re

import pytest

from distml.config import RunConfig, TrackingConfig
from distml.errors import DataError, NotFoundError, StorageError, TrainingError, UsageError
from distml.lifecycle.runs import RunRecord, list_runs, read_run
from distml.storage import Storage


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


def config(name="churn"):
    return RunConfig(name=name, data={"source": {"uri": "table.csv"}, "target": "y"})


def run_of(storage, started_at, name="churn"):
    """A record that says when its run started."""
    record = RunRecord.start(storage, config(name))
    record.write(started_at=started_at)
    return record.run


def test_a_run_is_recorded_as_it_starts(storage):
    record = RunRecord.start(storage, config())
    assert re.fullmatch(r"churn-\d{8}-\d{6}-[0-9a-f]{4}", record.run)
    read = read_run(storage, record.run)
    assert read["state"] == "running"
    assert RunConfig.model_validate(read["config"]) == config()
    assert (read["stages"], read["seconds"]) == ({}, {})


def test_every_change_is_written(storage):
    record = RunRecord.start(storage, config())
    record.stage("prepare", "0123", 1.23456)
    assert read_run(storage, record.run)["stages"] == {"prepare": "0123"}
    assert read_run(storage, record.run)["seconds"] == {"prepare": 1.235}
    record.write(state="finished", result={"version": 1})
    read = read_run(storage, record.run)
    assert (read["state"], read["result"], read["stages"]) == ("finished", {"version": 1}, {"prepare": "0123"})


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (TrainingError("a loss is a number"), "failed", {"type": "TrainingError", "rule": "a loss is a number"}),
        (ValueError("secret"), "failed", {"type": "ValueError"}),
        (KeyboardInterrupt(), "interrupted", None),
    ],
)
def test_a_run_that_ends_badly_says_how(storage, error, state, told):
    with pytest.raises(type(error)), RunRecord.start(storage, config()) as record:
        raise error
    read = read_run(storage, record.run)
    assert read["state"] == state
    known = {key: value for key, value in read["error"].items() if value is not None} if "error" in read else None
    assert known == told


def test_a_run_that_ends_well_is_left_as_it_was_written(storage):
    with RunRecord.start(storage, config()) as record:
        record.write(state="finished")
    assert read_run(storage, record.run)["state"] == "finished"


@pytest.mark.parametrize("stages", [{}, {"prepare": "0123"}])
def test_a_run_refused_before_its_first_stage_leaves_nothing(tmp_path, stages):
    storage = Storage(tmp_path / "store")
    record = RunRecord.start(storage, config())
    for name, key in stages.items():
        record.stage(name, key, 1.0)
    with pytest.raises(DataError), record:
        raise DataError("a table has at least one row")
    assert [run["state"] for run in list_runs(storage)] == (["failed"] if stages else [])
    assert (tmp_path / "store").exists() is bool(stages)


def test_a_runs_files_lie_beside_its_record(storage):
    record = RunRecord.start(storage, config())
    assert record.key("report.html") == f"runs/{record.run}/report.html"


def test_runs_are_listed_oldest_first(storage):
    second = run_of(storage, "2026-01-02T00:00:00+00:00")
    third = run_of(storage, "2026-01-03T00:00:00+00:00", name="bikes")
    first = run_of(storage, "2026-01-01T00:00:00+00:00")
    assert [record["run"] for record in list_runs(storage)] == [first, second, third]
    assert [record["run"] for record in list_runs(storage, "churn")] == [first, second]
    assert list_runs(storage, "nothing") == []


def test_a_folder_without_a_record_is_no_run(storage):
    storage.write_bytes("runs/half/report.html", b"")
    assert list_runs(storage) == []


def test_no_runs_at_all(storage):
    assert list_runs(storage) == []
    with pytest.raises(NotFoundError, match="newest runs: none"):
        read_run(storage, "churn-1")


def test_an_unknown_run_lists_the_newest(storage):
    runs = [run_of(storage, f"2026-01-0{day}T00:00:00+00:00") for day in range(1, 8)]
    with pytest.raises(NotFoundError, match="received churn-9") as caught:
        read_run(storage, "churn-9")
    assert caught.value.remedy.startswith(f"newest runs: {', '.join(runs[-5:])};")


def test_a_run_is_not_read_from_outside(storage):
    with pytest.raises(StorageError):
        read_run(storage, "../../secret")


def test_a_run_that_was_cut_off_goes_on_under_its_id(storage):
    record = RunRecord.start(storage, config(), "train")
    record.stage("prepare", "0123", 1.0)
    with pytest.raises(KeyboardInterrupt), record:
        raise KeyboardInterrupt
    again = RunRecord.reopen(storage, record.run)
    assert again.goes_on and not record.goes_on
    read = read_run(storage, record.run)
    assert (read["state"], read["until"], read["stages"]) == ("running", "train", {"prepare": "0123"})
    assert len(read["resumed_at"]) == 1
    assert again.config == config().model_copy(update={"storage": storage.root})


def test_a_failed_run_that_goes_on_has_not_failed(storage):
    with pytest.raises(TrainingError), RunRecord.start(storage, config()) as record:
        raise TrainingError("a loss is a number")
    RunRecord.reopen(storage, record.run)
    assert "error" not in read_run(storage, record.run)


def test_a_finished_run_is_not_resumed(storage):
    record = RunRecord.start(storage, config())
    record.write(state="finished")
    with pytest.raises(UsageError, match="if it has not finished"):
        RunRecord.resumable(storage, record.run)


def test_a_run_that_runs_is_not_resumed(storage):
    record = RunRecord.start(storage, config())
    for force in (False, True):
        with pytest.raises(UsageError, match="is gone") as caught:
            RunRecord.resumable(storage, record.run, force=force)
        assert "--force" not in caught.value.remedy


def test_a_run_whose_process_is_gone_is_resumed(storage):
    record = RunRecord.start(storage, config())
    record.write(born="another boot")
    assert RunRecord.resumable(storage, record.run).run == record.run


def test_a_run_of_another_machine_is_resumed_on_a_word(storage):
    record = RunRecord.start(storage, config())
    record.write(host="elsewhere")
    with pytest.raises(UsageError, match="is gone") as caught:
        RunRecord.resumable(storage, record.run)
    assert "--force" in caught.value.remedy
    assert RunRecord.resumable(storage, record.run, force=True).run == record.run


@pytest.mark.parametrize(("uri", "is_lost"), [("http://ann:secret@host", True), ("http://ann:${PW}@host", False)])
def test_a_password_is_not_kept_and_a_variables_name_is(storage, uri, is_lost):
    written = config().model_copy(update={"tracking": TrackingConfig(uri=uri)})
    record = RunRecord.start(storage, written)
    record.write(state="failed")
    assert b"secret" not in storage.read_bytes(record.key("run.json"))
    if is_lost:
        with pytest.raises(UsageError, match="no password"):
            RunRecord.resumable(storage, record.run)
    else:
        assert RunRecord.resumable(storage, record.run).config.tracking.uri == uri
