"""The live table without a terminal: what a board knows of a search, and its picture as text, to the letter."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from distml.cli.board import Board
from distml.cli.board_view import BoardView
from distml.lifecycle.reporter import SearchTerms
from distml.metrics import METRICS
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.budget import Budget
from distml.tune.log import LoggedTrial


def board(metric="roc_auc", **terms):
    return Board(SearchTerms(metric=METRICS[metric], num_samples=40, **terms), 0.0)


def candidate(number, family="mlp", **params):
    return Candidate(number=number, family=family, params=params or {"lr": 0.00123456, "width": 128})


def epoch(number, best, seconds):
    return EpochResult(
        epoch=number, train_loss=0.5, score=best, best_score=best, best_epoch=number, seconds=seconds
    )  # fmt: skip


def record(number, state, score=None, family="mlp", **more):
    return TrialRecord(number=number, family=family, params={"lr": 0.5}, state=state, score=score, **more)


def searched():
    """Two trials run, three have ended; a minute has gone."""
    known = board()
    for number in (1, 2, 3):
        known.began(candidate(number), 0.0)
    known.epochs(1, [epoch(5, 0.75, 8.0)], 10.0)
    known.end(record(1, "finished", 0.8, num_epochs=12, seconds=20.0), 20.0)
    known.end(record(2, "failed", None, family="trees", num_epochs=0, seconds=0.0), 21.0)
    known.end(record(3, "pruned", 0.9, num_epochs=4, seconds=30.0), 30.0)
    known.began(candidate(4, "ft_transformer"), 31.0)
    known.began(candidate(5, "linear", lr=0.01), 40.0)
    known.epochs(4, [epoch(7, 0.85, 25.0)], 56.0)
    return known


def lines(known, now, width, height=24):
    console = Console(record=True, width=width, height=height, file=io.StringIO(), color_system=None)
    console.print(BoardView(known, now))
    return [line.rstrip() for line in console.export_text().splitlines()]


BEST = "best roc_auc 0.85  trial 4 ft_transformer  ▁▁▁▁▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄██"
STANDING = "3/40 trials · about 13 min left · 60 s gone · 2 running · 1 pruned · 1 failed"


def test_a_picture_has_rows_the_best_with_its_curve_counts_and_time():
    assert lines(searched(), 60.0, 100) == [
        "trial  family          state     epoch  score  time  parameters",
        "    4  ft_transformer  running       7   0.85  29 s  lr 0.001235, width 128",
        "    5  linear          running       0      –  20 s  lr 0.01",
        "    3  mlp             pruned        4    0.9  30 s  lr 0.001235, width 128",
        "    2  mlp             failed        0      –   0 s  lr 0.001235, width 128",
        "    1  mlp             finished     12    0.8  20 s  lr 0.001235, width 128",
        BEST,
        STANDING,
    ]


def test_a_picture_fits_into_whatever_room_there_is():
    known = searched()
    assert lines(known, 60.0, 60)[:2] == [
        "trial  family          state     epoch  score  time",
        "    4  ft_transformer  running       7   0.85  29 s",
    ]
    assert lines(known, 60.0, 40) == ["best roc_auc 0.85  trial 4 ft_transf…", "3/40 trials · about 13 min left · 60…"]
    assert [line.split()[0] for line in lines(known, 60.0, 100, height=9)] == ["trial", "4", "5", "3", "best", "3/40"]
    assert lines(known, 60.0, 100, height=4) == [BEST, STANDING]
    for width in range(10, 120):
        assert max(map(len, lines(known, 60.0, width))) <= width - 3


def test_parameters_take_the_room_that_the_others_leave():
    known = board()
    known.began(candidate(1, **{f"parameter_{i}": 0.123456 for i in range(9)}), 0.0)
    assert lines(known, 0.0, 80)[1] == "    1  mlp     running      0      –   0 s  parameter_0 0.1235, parameter_1 …"


def test_before_the_first_trial_there_is_little_to_tell():
    assert lines(board(), 0.0, 80) == ["best roc_auc –", "0/40 trials · 0 s gone · 0 running"]


def test_the_best_is_of_a_trial_that_counts():
    known = searched()
    assert known.best.number == 4
    assert known.curve == [(10.0, 0.75), (20.0, 0.8), (56.0, 0.85)]
    known.end(record(4, "failed", 0.85), 70.0)
    assert (known.best.number, known.curve[-1]) == (1, (70.0, 0.8))


def test_lower_is_better_where_it_is():
    known = board("rmse")
    for number, score in ((1, 50.0), (2, 40.0), (3, 45.0)):
        known.began(candidate(number), 0.0)
        known.end(record(number, "finished", score), float(number))
    assert known.best.number == 2
    assert [score for _, score in known.curve] == [50.0, 40.0]


@pytest.mark.parametrize(
    ("terms", "left"),
    [
        ({}, 37 / 3 * 60),
        ({"budget": Budget(time_s=100)}, 40.0),
        ({"budget": Budget(time_s=100), "elapsed_s": 30.0}, 10.0),
        ({"budget": Budget(time_s=50)}, 0.0),
        ({"budget": Budget(time_s=10_000)}, 37 / 3 * 60),
        # 50 s of those that ended, 29 and 20 of the two that run, each on half a device
        ({"budget": Budget(device_hours=1 / 36, num_devices=0.5)}, 100 - 49.5),
    ],
)
def test_time_left_is_the_sooner_of_the_pace_and_the_budget(terms, left):
    known = searched()
    known.terms = board(**terms).terms
    assert known.left_s(60.0) == pytest.approx(left)


def test_nothing_is_foretold_before_a_trial_has_ended():
    known = board()
    known.began(candidate(1), 0.0)
    assert known.left_s(5.0) is None


def test_a_search_that_goes_on_shows_what_had_ended_and_counts_the_pace_anew():
    known = board(elapsed_s=500.0)
    known.recall(LoggedTrial(candidate=candidate(1), record=record(1, "finished", 0.7, num_epochs=9)), 0.0)
    known.recall(LoggedTrial(candidate=candidate(2), epochs=[epoch(3, 0.6, 30.0)]), 0.0)
    assert [(row.number, row.epoch) for row in known.running] == [(2, 3)]
    assert (known.counts, known.best.number) == ({"finished": 1}, 1)
    assert known.left_s(10.0) is None
    assert known.elapsed_s(10.0) == 510.0
    known.epochs(2, [epoch(4, 0.65, 45.0)], 15.0)
    assert known.running[0].seconds_at(20.0) == 50.0


def test_epochs_that_come_after_the_record_change_nothing():
    known = searched()
    known.epochs(1, [epoch(13, 0.99, 30.0)], 60.0)
    assert (known.best.number, known.ended[-1].epoch) == (4, 12)
