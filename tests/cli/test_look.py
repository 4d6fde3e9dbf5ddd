"""What the commands that look at runs and storage print: through the real command, on records written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commands import distml, document
from distml.config import RunConfig
from distml.lifecycle.runs import RunRecord
from distml.registry import Decision, StoreRegistry
from distml.storage import Storage

GONE = {"pid": 2**31 - 1}
VERDICT = {"promoted": False, "reasons": ["roc_auc 0.9 must be at least 0.95"]}
PREPARED = {"target": {"kind": "classes", "labels": [0, 1]}, "num_rows": {"train": 7000, "validation": 15, "test": 15}}


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = Storage(folder / "distml-store")
        self.num_runs = 0

    def run(self, stages: dict[str, str] | None = None, name: str = "churn", seed: int = 0, **changes: Any) -> str:
        """A run an hour after the last one, finished unless `changes` say otherwise."""
        self.num_runs += 1
        config = RunConfig(name=name, seed=seed, data={"source": {"uri": "t.csv"}, "target": "y"})
        record = RunRecord.start(self.storage, config)
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.num_runs)
        record.write(**{"state": "finished", "started_at": at.isoformat(timespec="milliseconds"), **changes})
        for number, (stage, key) in enumerate((stages or {}).items(), 1):
            record.stage(stage, key, number)
        return record.run

    def told(self, *arguments: str) -> str:
        done = distml(*arguments, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def document(self, *arguments: str) -> Any:
        return document(distml(*arguments, "--json", cwd=self.folder))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def outcome(auc: float = 0.9, family: str = "linear") -> dict[str, Any]:
    return {
        "name": "churn", "version": 3, "verdict": VERDICT,
        "metrics": {"test": {"roc_auc": auc}, "validation": {"roc_auc": 0.8}},
        "baselines": {"dummy": {"roc_auc": 0.5}},
        "best": {"trial": 2, "family": family, "params": {"lr": 0.0123456, "depth": 3}, "validation_score": 0.8},
        "trials": {"finished": 2, "pruned": 1, "failed": 0, "stopped": 0},
        "report": "/somewhere/report.html", "package": "/somewhere/package",
    }  # fmt: skip


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_runs_are_listed_with_their_true_state_newest_last(home):
    finished = home.run({"prepare": "p", "tune": "s"}, result=outcome())
    lost = home.run({"prepare": "p"}, state="running", **GONE)
    other = home.run(name="bikes", state="failed")
    assert rows(home.told("runs"))[1:] == [
        [finished, "finished", "2026-01-01T01:00:00Z", "3.0", "churn/3", "refused"],
        [lost, "lost", "2026-01-01T02:00:00Z", "1.0", "prepare"],
        [other, "failed", "2026-01-01T03:00:00Z", "0.0", "–"],
    ]
    found = home.document("runs", "--name", "churn")
    assert [(run["run"], run["state"], run["version"], run["promoted"]) for run in found] == [
        (finished, "finished", 3, False),
        (lost, "lost", None, None),
    ]
    assert home.told("runs", "--name", "nothing").strip() == f"no runs in {home.storage.root} of nothing"


def test_a_run_is_shown_for_people(home):
    first = home.run({"prepare": "p1"})
    run = home.run({"prepare": "p1", "tune": "s1"}, result=outcome())
    text = home.told("show", run)
    assert f"run {run}: finished" in text
    assert ["prepare", "1.0", "p1", "cached,", "as", "in", first] in rows(text)
    assert ["tune", "2.0", "s1"] in rows(text)
    assert "trials: 2 finished, 1 pruned\nbest: trial 2 linear, validation score 0.8; depth 3, lr 0.01235" in text
    table = [["linear", "roc_auc"], ["test", "0.9"], ["validation", "0.8"], ["dummy,", "test", "0.5"]]
    start = rows(text).index(table[0])
    assert rows(text)[start : start + 4] == table
    assert "churn/3 not promoted:\n  roc_auc 0.9 must be at least 0.95" in text
    assert "report: /somewhere/report.html" in text
    assert f"record: {home.storage.root}/runs/{run}/run.json" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"state": "failed", "error": {"type": "TrainingError", "rule": "a loss is a number", "received": "nan",
                                          "where": "trial 3", "remedy": "lower lr"}},
            "TrainingError: a loss is a number; received nan; in trial 3. Remedy: lower lr.",
        ),
        ({"state": "failed", "error": {"type": "KeyError"}}, "KeyError, which distml didn't expect"),
        ({"state": "running", **GONE}, "its process is gone and could not say why"),
        ({"state": "interrupted"}, "goes on from what is finished"),
    ],
    ids=["failed", "unexpected", "lost", "interrupted"],
)  # fmt: skip
def test_a_run_that_ended_badly_says_how_and_what_to_do(home, changes, said):
    run = home.run(**changes)
    text = home.told("show", run)
    assert said in text
    assert "no stage was finished" in text
    assert f"`distml resume {run}` goes on from what is finished" in text


def test_a_run_that_cannot_be_resumed_does_not_say_that_it_can(home):
    run = home.run(state="interrupted", lost_password=True)
    assert "the run's command, given again, goes on" in home.told("show", run)


def test_json_gives_the_whole_record_and_the_true_state(home):
    run = home.run({"prepare": "p1"}, state="running", **GONE)
    record = home.storage.read_json(f"runs/{run}/run.json")
    assert home.document("show", run) == {**record, "state": "lost"}


def test_runs_are_compared(home):
    home.storage.write_json("prepared/p1/result.json", PREPARED)
    first = home.run({"prepare": "p1"}, result=outcome(0.9))
    second = home.run({"prepare": "p1"}, seed=7, result=outcome(0.875, "trees"))
    third = home.run({"prepare": "p2"})
    text = home.told("compare", first, second)
    assert ["roc_auc", "0.9", "0.875", "(-0.025", "worse)"] in rows(text)
    assert ["roc_auc", "0.8", "0.8", "(same)"] in rows(text)
    assert ["train", "rows", "7,000", "7,000"] in rows(text)
    assert ["best", "trial", "2", "linear", "trial", "2", "trees"] in rows(text)
    assert rows(text)[-2:] == [["config", "A", "B"], ["seed", "0", "7"]]
    text = home.told("compare", first, third)
    assert "the runs were not prepared from the same table in the same way" in text
    assert ["test", "rows", "15", "–"] in rows(text)
    assert text.strip().endswith("the configs are the same")
    assert home.document("compare", first, second, third)["config"] == {"seed": [0, 7, 0]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "one"], "two runs are compared"),
        (["compare", "one", "two"], "newest runs: none"),
        (["status", "nothing"], "models: none"),
        (["rollback", "nothing"], "known models: none"),
        (["promote", "nothing/1"], "known models: none"),
        (["gc", "--keep-runs", "-1"], "greater than or equal to 0"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(arguments, said, tmp_path):
    done = distml(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_empty_storage_is_told_as_such(home):
    assert home.told("gc").strip() == "nothing to delete"
    assert home.told("down").strip() == f"nothing is served from {home.storage.root}"
    assert home.told("status").strip() == f"no models in {home.storage.root}"
    assert home.document("down") == home.document("status") == home.document("runs") == []


def test_status_tells_the_last_decision(home):
    registry = StoreRegistry(home.storage)
    run = home.run()
    for number in (1, 2, 3):
        registry.register("churn", package=f"trained/{number}/package", package_id=str(number), run=run, metrics={})
    registry.promote("churn", 1, expected=None)
    registry.promote("churn", 2, expected=1, reasons=("better",), by="run r")
    reasons, at = ("worse", "slower"), "2026-01-02T03:04:05.678+00:00"
    refusal = Decision(name="churn", version=3, action="refuse", reasons=reasons, by="run r", at=at)
    registry.record(refusal)
    text = home.told("status")
    assert ["churn", "3", "2", "1", "–", "–"] in rows(text)
    assert "churn: 2026-01-02T03:04:05Z  refuse version 3 by run r: worse; slower" in text
    assert home.document("status") == [
        {"name": "churn", "versions": 3, "pruned": 0, "champion": 2, "previous": 1, "served": None, "endpoint": None,
         "since": None, "decision": refusal.to_dict()}
    ]  # fmt: skip
    (about,) = home.document("status", "churn")
    assert [decision["action"] for decision in about["audit"]] == [*["register"] * 3, "promote", "promote", "refuse"]
    assert about["service"] is None


def test_runs_side_by_side_fit_into_80_columns(home):
    home.storage.write_json("prepared/p1/result.json", PREPARED)
    runs = [home.run({"prepare": "p1"}, seed=i, result=outcome(0.9 - i / 100, "ft_transformer")) for i in range(5)]
    lines = home.told("compare", *runs).splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index("  roc_auc")
    assert lines[at - 1 : at + 3] == ["test", "  roc_auc", "    A  0.9", "    B  0.89 (-0.01 worse)"]


def test_gc_tells_what_goes_and_how_much(home):
    runs = [home.run({"prepare": f"p{i}"}) for i in range(3)]
    for i in range(3):
        home.storage.write_bytes(f"prepared/p{i}/result.json", b"x" * 1000)
    dry = home.document("gc", "--keep-runs", "2", "--dry-run")
    assert (dry["dry_run"], dry["kinds"]["prepared"]) == (True, {"num": 1, "num_bytes": 1000})
    assert [item["key"] for item in dry["items"]] == [f"runs/{runs[0]}", "prepared/p0"]
    text = home.told("gc", "--keep-runs", "2", "--dry-run")
    assert ["prepared", "1", "1.0", "kB"] in rows(text)
    assert text.strip().endswith("would be freed")
    assert home.document("gc", "--keep-runs", "2") == {**dry, "dry_run": False}
    assert home.storage.list("runs") == sorted(runs[1:])
    assert home.storage.list("prepared") == ["p1", "p2"]
