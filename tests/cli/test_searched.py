"""A run's search as people read it."""

from __future__ import annotations

from typing import Any

import pytest

from distml.cli.searched import search_text
from distml.tune.insight import how_to_open


def trial(number: int, state: str, score: float | None, family: str = "mlp", **more: Any) -> dict[str, Any]:
    return {
        "number": number, "family": family, "params": {"lr": 0.0123456, "width": 8}, "state": state, "score": score,
        "num_epochs": 12, "best_epoch": 7, "seconds": 61.0, "reason": None, "objectives": {}, "notes": (), **more,
    }  # fmt: skip


def search(*trials: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "metric": "rmse", "direction": "minimize", "num_samples": 9, "counts": {"running": 1, "finished": 2},
        "best": 2, "elapsed_s": 90.0, "left_s": None, "trials": list(trials), "families": [], **more,
    }  # fmt: skip


def test_what_runs_stands_first_then_the_best():
    trials = [trial(1, "finished", 3.0), trial(2, "finished", 2.0), trial(3, "failed", None), trial(4, "running", 9.0)]
    found = search(*trials, left_s=30.0)
    assert (
        search_text(found, None)
        == """\
trials: 1 running, 2 finished, of 9 in 2 min; the budget leaves 30 s
best: trial 2 mlp, rmse 2 after 7 epochs; lr 0.01235, width 8

trial  family  state     epochs  rmse   time  parameters
4      mlp     running       12     9  2 min  lr 0.01235, width 8
2      mlp     finished      12     2  2 min  lr 0.01235, width 8
1      mlp     finished      12     3  2 min  lr 0.01235, width 8
3      mlp     failed        12     –  2 min  lr 0.01235, width 8"""
    )


def test_why_trials_failed_and_what_families_came_to():
    found = search(
        trial(2, "failed", None, reason="a loss is a number (more in /s/000002.txt)"),
        best=None,
        families=[
            {"family": "mlp", "counts": {"finished": 2, "failed": 1}, "best": 1, "score": 2.5, "seconds": 9.0},
            {"family": "trees", "counts": {"pruned": 4}, "best": None, "score": None, "seconds": 0.5},
        ],
    )
    text = search_text(found, None)
    assert "trial 2: a loss is a number (more in /s/000002.txt)" in text
    assert (
        """\
family  trials  pruned  failed  rmse  time
mlp          3       0       1   2.5   9 s
trees        4       4       0     –   1 s"""
        in text
    )


def test_what_trials_did_by_themselves_is_told_once():
    halved = "out of memory: goes on with batches of 512"
    found = search(
        *(trial(number, "finished", 1.0, notes=(halved,)) for number in (1, 4, 5)), trial(2, "finished", 2.0)
    )
    assert search_text(found, None).splitlines()[-1] == f"trial 1 and 2 others: {halved}"


def test_what_mattered_and_the_front_are_told_where_they_are_known():
    text = search_text(
        search(
            trial(1, "finished", 2.0, objectives={"score": 2.0, "latency_ms": 1.25}),
            trial(2, "finished", 3.0, objectives={"score": 3.0, "latency_ms": 0.5}),
            importance={"families": {"mlp": {"lr": 0.75, "width": 0.25}, "trees": {}}, "family": 0.1, "notes": []},
            pareto=[1, 2],
        ),
        None,
    )
    assert "of the scores' variance the family explains 10%\nmlp hung on lr 75%, width 25%" in text
    assert text.endswith("""\
trial  family  rmse  latency_ms
1      mlp        2        1.25
2      mlp        3         0.5""")


def test_what_opens_the_study_is_told_whole():
    study = {"name": "demo", "file": "s", "dashboard": "optuna-dashboard " + "s" * 90, "python": "optuna.load_study()"}
    text = search_text(search(trial(2, "finished", 2.0), study=study), 40)
    assert text.endswith(f"\n\nas an Optuna study:\n  {study['dashboard']}\n  optuna.load_study()")


def test_a_study_in_remote_storage_is_to_be_copied_first():
    study = how_to_open("demo", "s3://bucket/searched/k/study.log")
    text = search_text(search(trial(2, "finished", 2.0), study=study), 80)
    assert "\n\nas an Optuna study (copy s3://bucket/searched/k/study.log here first):\n" in text
    assert "\n  optuna-dashboard study.log\n" in text


@pytest.mark.parametrize("width", [40, 80])
def test_on_a_terminal_no_line_is_wider_than_it(width):
    assert max(map(len, search_text(search(trial(2, "finished", 2.0)), width).splitlines())) <= width


def test_of_many_trials_the_best_are_shown():
    text = search_text(search(*(trial(i, "finished", float(i)) for i in range(1, 51))), None)
    assert "… and 30 more trials: --json gives them all" in text
    assert "\n20 " in text and "\n21 " not in text
