"""Which earlier runs a stage's time is taken from, and how it is scaled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from distml.lifecycle.estimate import Timing, scaled_s, timings
from distml.storage import Storage


def record(run, minutes_ago, seconds, **changes):
    """A finished run's record; its stages' keys are those of the one table and search there are."""
    return {
        "run": run,
        "state": "finished",
        "started_at": (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat(),
        "stages": {"prepare": "p", "tune": "s", "train": "t", "evaluate": "t"},
        "seconds": dict.fromkeys(("prepare", "tune", "train", "evaluate"), seconds),
        "config": {"search": {"num_samples": 20}},
        **changes,
    }


@pytest.fixture
def storage(tmp_path):
    """Stages whose results are made now: a run that began before is one that made them."""
    found = Storage(tmp_path)
    found.write_json("prepared/p/result.json", {"num_rows": {"train": 70, "validation": 20, "test": 10}})
    for key in ("searched/s", "trained/t"):
        found.write_json(f"{key}/result.json", {})
    return found


def test_a_stage_is_timed_by_the_run_that_made_it(storage):
    found = timings(storage, [record("a", 5, 60.0), record("b", -5, 0.0)])
    assert set(found) == {"prepare", "tune", "train", "evaluate"}
    assert found["tune"] == Timing(run="a", seconds=60.0, num_rows=100, num_trials=20)


def test_the_newest_counts_stage_by_stage(storage):
    newest = record("b", 1, 2.0)
    newest["stages"] = {"prepare": "p", "tune": "gone", "train": "t", "evaluate": "t"}
    found = timings(storage, [record("a", 5, 60.0), newest])
    assert {stage: timing.run for stage, timing in found.items()} == {
        "prepare": "b", "tune": "a", "train": "b", "evaluate": "b",
    }  # fmt: skip


@pytest.mark.parametrize("changes", [{"state": "failed"}, {"state": "interrupted"}, {"resumed_at": ["2026-01-01"]}])
def test_a_run_that_tells_no_whole_time_is_passed_over(storage, changes):
    assert timings(storage, [record("a", 5, 60.0, **changes)]) == {}


def test_a_run_that_ended_early_times_what_it_reached(storage):
    assert set(timings(storage, [record("a", 5, 60.0, stages={"prepare": "p"})])) == {"prepare"}


def test_rows_that_are_gone_are_not_made_up(storage):
    storage.delete("prepared/p")
    assert timings(storage, [record("a", 5, 60.0)])["train"].num_rows is None


@pytest.mark.parametrize(
    ("stage", "then_rows", "rows", "trials", "budget_s", "seconds"),
    [
        ("prepare", 100, 50, 20, None, 30.0),
        ("train", 100, 100, 5, None, 60.0),
        ("tune", 100, 100, 5, None, 15.0),
        ("tune", 100, 200, 40, None, 240.0),
        ("tune", 100, 200, 40, 90.0, 90.0),
        ("tune", 100, 100, 0, None, 0.0),
        ("train", None, 100, 20, None, 60.0),
        ("train", 100, None, 20, None, 60.0),
        ("train", 100, 200, 20, 1.0, 120.0),
    ],
)
def test_scaling(stage, then_rows, rows, trials, budget_s, seconds):
    then = Timing(run="a", seconds=60.0, num_rows=then_rows, num_trials=20)
    assert scaled_s(stage, then, num_rows=rows, num_trials=trials, budget_s=budget_s) == seconds
