"""What every tracker must do."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from distml.tracking import Dataset, Point, RefusedError, Tracker
from distml.tracking.base import LoggedRun

ROWS = Dataset(
    name="churn", context="train", source="data/churn.csv", sha256="ab" * 32, num_rows=70, kinds={"age": "numeric"}
)


class TrackerContract:
    """A subclass has a fixture `tracker` and reads back what was logged."""

    def read(self, tracker: Tracker, run: str) -> LoggedRun:
        raise NotImplementedError

    @pytest.fixture
    def run(self, tracker) -> str:
        return tracker.start_run("a run")

    def test_a_new_run_is_running_under_its_name(self, tracker):
        logged = self.read(tracker, tracker.start_run("trial-0001", tags={"distml.trial": "1"}))
        assert (logged.name, logged.parent, logged.status) == ("trial-0001", None, "RUNNING")
        assert logged.tags == {"distml.trial": "1"}

    def test_a_child_names_its_parent(self, tracker, run):
        child = tracker.start_run("child", parent=run, tags={"a": "b"})
        assert self.read(tracker, child).parent == run
        assert self.read(tracker, child).tags == {"a": "b"}

    def test_a_run_is_found_by_its_tag(self, tracker, run):
        tagged = tracker.start_run("tagged", tags={"distml.run": "churn-1"})
        assert tracker.find_run("distml.run", "churn-1") == tagged
        assert tracker.find_run("distml.run", "churn-2") is None

    def test_runs_of_one_name_are_apart(self, tracker, run):
        other = tracker.start_run("a run")
        tracker.log(other, params={"lr": 0.1})
        assert other != run
        assert self.read(tracker, run).params == {}

    def test_params_add_up(self, tracker, run):
        tracker.log(run, params={"lr": 0.1, "family": "mlp"})
        tracker.log(run, params={f"p{i}": i for i in range(150)})
        params = self.read(tracker, run).params
        assert len(params) == 152
        assert (str(params["lr"]), params["family"], str(params["p149"])) == ("0.1", "mlp", "149")

    @pytest.mark.parametrize("num_points", [0, 3, 1001])
    def test_points_make_a_curve(self, tracker, run, num_points):
        points = [Point("loss", 1 / step, step, 1_700_000_000_000 + step) for step in range(1, num_points + 1)]
        tracker.log(run, points=points[:2])
        tracker.log(run, points=points[2:])
        assert self.read(tracker, run).points == points

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_points_that_are_not_finite_are_left_out(self, tracker, run, value):
        points = [Point("loss", 0.5, 1, 10), Point("loss", value, 2, 20), Point("loss", 0.25, 3, 30)]
        tracker.log(run, points=points)
        assert self.read(tracker, run).points == [points[0], points[2]]

    def test_tags_are_replaced(self, tracker, run):
        tracker.log(run, tags={"state": "running", "other": "kept"})
        tracker.log(run, tags={"state": "done"})
        assert self.read(tracker, run).tags == {"state": "done", "other": "kept"}

    def test_artifacts_are_copied_with_their_folders(self, tracker, run, tmp_path: Path):
        (tmp_path / "members" / "0").mkdir(parents=True)
        (tmp_path / "manifest.json").write_text("{}", "utf-8")
        (tmp_path / "members" / "0" / "model.json").write_text("{}", "utf-8")
        tracker.log_artifacts(run, tmp_path, "package")
        tracker.log_artifacts(run, tmp_path / "manifest.json", "")
        assert self.read(tracker, run).artifacts == {
            "package": ["manifest.json", "members/0/model.json"],
            "": ["manifest.json"],
        }

    @pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
    def test_a_run_ends_as_told(self, tracker, run, status):
        tracker.end_run(run, status)
        assert self.read(tracker, run).status == status

    def test_times_are_those_told(self, tracker):
        run = tracker.start_run("a run", at_ms=1_700_000_000_000)
        tracker.end_run(run, "FINISHED", 1_700_000_060_000)
        logged = self.read(tracker, run)
        assert (logged.started_ms, logged.ended_ms) == (1_700_000_000_000, 1_700_000_060_000)

    def test_params_points_and_tags_are_logged_together(self, tracker, run):
        points = [Point("loss", 1 / step, step, step) for step in range(1, 1501)]
        params = {f"p{i}": str(i) for i in range(150)}
        tracker.log(run, params=params, points=points, tags={f"t{i}": "yes" for i in range(150)})
        logged = self.read(tracker, run)
        assert logged.points == points
        assert logged.params == params
        assert len(logged.tags) == 150

    def test_what_is_logged_twice_is_there_once(self, tracker, run, tmp_path: Path):
        (tmp_path / "report.html").write_text("hello", "utf-8")
        points = [Point("loss", 0.5, 1, 10), Point("loss", 0.5, 2, 10), Point("score", 0.5, 1, 10)]
        for upto in (1, 2, 3):
            tracker.log(run, params={"lr": 0.1}, points=points[:upto], tags={"a": "b"})
            tracker.log_datasets(run, [ROWS])
            tracker.log_artifacts(run, tmp_path / "report.html", "")
        logged = self.read(tracker, run)
        assert logged.points == points
        assert str(logged.params["lr"]) == "0.1"
        assert logged.datasets == [ROWS]
        assert logged.artifacts == {"": ["report.html"]}

    def test_a_param_that_changes_is_refused(self, tracker, run):
        tracker.log(run, params={"lr": 0.1})
        with pytest.raises(RefusedError):
            tracker.log(run, params={"lr": 0.2})
        assert str(self.read(tracker, run).params["lr"]) == "0.1"

    def test_a_run_that_was_never_started_is_refused(self, tracker, run, tmp_path: Path):
        with pytest.raises(RefusedError):
            tracker.log("no-such-run", points=[Point("loss", 0.5, 1, 10)])
        with pytest.raises(RefusedError):
            tracker.end_run("no-such-run", "FINISHED")

    def test_datasets_are_told_apart_by_their_content(self, tracker, run):
        others = [replace(ROWS, context=split, sha256=content * 32) for split, content in [("test", "cd"), ("v", "ef")]]
        tracker.log_datasets(run, [ROWS, others[0]])
        tracker.log_datasets(run, [others[1]])
        assert sorted(self.read(tracker, run).datasets, key=lambda known: known.sha256) == [ROWS, *others]

    def test_an_ended_run_is_continued(self, tracker, run):
        tracker.log(run, points=[Point("loss", 0.5, 1, 10)])
        tracker.end_run(run, "KILLED")
        tracker.continue_run(run)
        assert self.read(tracker, run).status == "RUNNING"
        tracker.log(run, points=[Point("loss", 0.25, 2, 20)])
        assert [point.step for point in self.read(tracker, run).points] == [1, 2]
        tracker.end_run(run, "FINISHED")
        assert self.read(tracker, run).status == "FINISHED"

    def test_children_are_found_with_their_tags_and_status(self, tracker, run):
        first = tracker.start_run("a", parent=run, tags={"distml.trial": "1"})
        second = tracker.start_run("b", parent=run, tags={"distml.trial": "2"})
        tracker.start_run("c", parent=first)
        tracker.log(first, params={"lr": 1})
        tracker.end_run(second, "FAILED")
        found = {child.run: (child.tags["distml.trial"], child.status) for child in tracker.children(run)}
        assert found == {first: ("1", "RUNNING"), second: ("2", "FAILED")}
        assert {child.run: {k: str(v) for k, v in child.params.items()} for child in tracker.children(run)} == {
            first: {"lr": "1"}, second: {},
        }  # fmt: skip
        assert tracker.children(second) == []

    def test_the_last_step_is_the_highest(self, tracker, run):
        assert tracker.last_step(run, "loss") is None
        tracker.log(run, points=[Point("loss", 0.5, 3, 10), Point("loss", 0.4, 7, 20), Point("score", 1.0, 9, 20)])
        assert tracker.last_step(run, "loss") == 7
