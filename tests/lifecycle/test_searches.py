"""How a search stands is read from storage: in its middle, when it was cut off, when it has ended."""

from __future__ import annotations

import pytest

from distml.config import parse_config
from distml.lifecycle.search import search_key
from distml.lifecycle.searches import search_of
from distml.storage import Storage
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.log import LoggedTrial, TrialLog

CONFIG = """
name: churn
storage: {storage}
data: {{source: {{uri: t.csv}}, target: y}}
search: {{num_samples: 9, metric: roc_auc, time_budget_s: 100}}
"""
PREPARED = {"target": {"kind": "classes", "labels": [0, 1]}, "num_rows": {"train": 7, "validation": 1, "test": 1}}


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


def run_of(storage, **changes):
    config = parse_config(CONFIG.format(storage=storage.root))
    storage.write_json("prepared/p1/result.json", PREPARED)
    return {"run": "r", "config": config.to_dict(), "stages": {"prepare": "p1"}, **changes}


def folder_of(storage):
    return f"searched/{search_key(parse_config(CONFIG.format(storage=storage.root)), 'p1')}"


def candidate(number, family="mlp"):
    return Candidate(number=number, family=family, params={"lr": 0.5})


def record(number, state, score=None, family="mlp", **more):
    return TrialRecord(number=number, family=family, params={"lr": 0.5}, state=state, score=score, **more)


def epoch(number, best, seconds):
    return EpochResult(epoch=number, train_loss=0.5, score=best, best_score=best, best_epoch=2, seconds=seconds)


@pytest.fixture
def logged(storage):
    """Three trials have ended and one is in its fourth epoch."""
    log = TrialLog(storage, folder_of(storage))
    ends = (record(1, "finished", 0.7, seconds=5.0), record(2, "pruned", 0.9, "trees", seconds=1.0),
            record(3, "failed", None, "trees", reason="out of memory"))  # fmt: skip
    for end in ends:
        log.start(candidate(end.number, end.family))
        log.end(end)
    running = LoggedTrial(candidate=candidate(4), epochs=[epoch(4, 0.75, 12.0)])
    storage.write_json(f"{folder_of(storage)}/trials/000004.json", {**running.to_dict(), "elapsed_s": 20.0})
    return log


def test_a_search_in_its_middle_is_told_from_its_log(storage, logged):
    found = search_of(storage, run_of(storage), is_running=True)
    assert [(trial["number"], trial["state"], trial["score"]) for trial in found["trials"]] == [
        (1, "finished", 0.7), (2, "pruned", 0.9), (3, "failed", None), (4, "running", 0.75),
    ]  # fmt: skip
    assert (found["trials"][3]["num_epochs"], found["trials"][3]["seconds"]) == (4, 12.0)
    assert found["counts"] == {"running": 1, "finished": 1, "pruned": 1, "failed": 1}
    assert (found["metric"], found["direction"], found["num_samples"], found["best"]) == ("roc_auc", "maximize", 9, 1)
    assert (found["elapsed_s"], found["left_s"]) == pytest.approx((20, 80), abs=1)
    assert found["families"] == [
        {"family": "mlp", "counts": {"finished": 1}, "best": 1, "score": 0.7, "seconds": 5.0},
        {"family": "trees", "counts": {"pruned": 1, "failed": 1}, "best": None, "score": None, "seconds": 1.0},
    ]


def test_nothing_runs_in_a_search_that_was_cut_off(storage, logged):
    found = search_of(storage, run_of(storage), is_running=False)
    assert found["counts"] == {"cut off": 1, "finished": 1, "pruned": 1, "failed": 1}
    assert found["left_s"] is None


def test_a_search_that_ended_is_told_from_its_result_with_what_it_has_besides(storage, logged):
    importance = {"families": {"mlp": {"lr": 1.0}}, "family": None, "notes": []}
    result = {"records": [record(number, "finished", 0.5).to_dict() for number in (1, 2)], "importance": importance}
    storage.write_json(f"{folder_of(storage)}/result.json", {**result, "pareto": [2]})
    found = search_of(
        storage, run_of(storage, stages={"prepare": "p1", "tune": folder_of(storage)[9:]}), is_running=True
    )
    assert (found["counts"], found["best"], found["left_s"]) == ({"finished": 2}, 1, None)
    assert (found["importance"], found["pareto"]) == (importance, [2])
    assert found["study"]["file"] == storage.uri(f"{folder_of(storage)}/study.log")


@pytest.mark.parametrize("changes", [{}, {"stages": {}}, {"stages": {"prepare": "gone"}}])
def test_before_the_first_trial_there_is_nothing(storage, changes):
    assert search_of(storage, run_of(storage, **changes), is_running=True) is None


def test_a_config_of_another_version_hides_the_search_and_no_more(storage, logged):
    run = run_of(storage)
    run["config"]["search"]["forgotten"] = 1
    assert search_of(storage, run, is_running=False) is None
