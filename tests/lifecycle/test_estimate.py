"""Which earlier runs a stage's time is taken from, and how it is scaled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from distml.lifecycle.estimate import Timing, Work, scaled_s, timings, trial_seconds, untold
from distml.storage import Storage


def record(run, minutes_ago, seconds, **changes):
    """A finished run's record; its stages' keys are those of the one table and search there are."""
    return {
        "run": run,
        "state": "finished",
        "started_at": (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat(),
        "stages": {"prepare": "p", "tune": "s", "train": "t", "evaluate": "t"},
        "seconds": dict.fromkeys(("prepare", "tune", "train", "evaluate"), seconds),
        "config": {"search": {"num_samples": 20}, "model": {"families": ["mlp"]}},
        **changes,
    }


def work(num_rows=100, num_trials=20, families=("mlp",), **more):
    return Work(num_rows=num_rows, num_trials=num_trials, families=families, **more)


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
    assert found["tune"] == Timing(run="a", seconds=60.0, work=work())


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
    assert timings(storage, [record("a", 5, 60.0)])["train"].work.num_rows is None


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
    then = Timing(run="a", seconds=60.0, work=work(then_rows))
    assert scaled_s(stage, then, work(rows, trials), {}, budget_s) == seconds


@pytest.mark.parametrize(
    ("stage", "then", "now", "seconds"),
    [
        ("tune", {}, {"folds": 5}, 240.0),  # five fits on four fifths of the rows
        ("tune", {"folds": 5}, {"folds": 3}, 30.0),
        ("train", {}, {"folds": 5}, 60.0),
        ("train", {}, {"ensemble_size": 8}, 480.0),
        ("train", {"ensemble_size": 8}, {}, 7.5),
        ("tune", {}, {"ensemble_size": 8}, 60.0),
        ("tune", {"families": ("mlp", "tabm")}, {}, 60.0),  # which of them it chose then is taken to be as now
        ("tune", {}, {"families": ("mlp", "tabm")}, 180.0),
        ("tune", {}, {"families": ("trees",)}, None),
        ("tune", {"families": ("trees",)}, {}, None),
        ("train", {}, {"families": ("trees",)}, 60.0),
    ],
)
def test_folds_ensembles_and_families_multiply(stage, then, now, seconds):
    timing = Timing(run="a", seconds=60.0, work=work(**then))
    assert scaled_s(stage, timing, work(**now), {"mlp": 1.0, "tabm": 5.0}, None) == seconds


def test_families_that_nothing_tells_of_are_named():
    assert untold(work(families=("mlp", "tabm", "trees")), {"mlp": 1.0}) == ["tabm", "trees"]


def test_what_a_trial_takes_is_told_by_the_newest_search_that_had_one_of_its_family(storage):
    def trials(*given):
        return {"records": [{"family": name, "state": state, "seconds": seconds} for name, state, seconds in given]}

    storage.write_json("searched/old/result.json", trials(("mlp", "finished", 900.0), ("tabm", "finished", 40.0)))
    storage.write_json(
        "searched/s/result.json", trials(("mlp", "finished", 10.0), ("mlp", "pruned", 2.0), ("trees", "failed", 1.0))
    )
    old = record("a", 9, 60.0, config={"search": {"num_samples": 2}, "split": {"folds": 5}})
    old["stages"] = {"prepare": "p", "tune": "old"}
    assert trial_seconds(storage, [old, record("b", 5, 60.0)]) == pytest.approx({"mlp": 0.06, "tabm": 0.1})
