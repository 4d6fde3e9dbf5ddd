import math

import pytest

from distml.errors import StorageError
from distml.lifecycle.journal import Journal
from distml.lifecycle.reporter import Silent
from distml.metrics import METRICS
from distml.tracking import MemoryTracker
from distml.training import EpochResult
from distml.tune import Candidate, Search, TrialRecord, local
from distml.tune.halving import Halving
from distml.tune.log import LoggedTrial
from searches import AUC, Heard, data_of, objective_of, repeatable, study_of


class Failing(MemoryTracker):
    """Answers so many calls, then is away."""

    def __init__(self, num_answered):
        super().__init__()
        self.num_left = num_answered
        self.num_refused = 0

    def answer(self):
        self.num_left -= 1
        if self.num_left < 0:
            self.num_refused += 1
            raise StorageError("the tracking server answers", received="nothing")

    def start_run(self, *args, **kwargs):
        self.answer()
        return super().start_run(*args, **kwargs)

    def log_params(self, *args):
        self.answer()
        super().log_params(*args)

    def log_points(self, *args):
        self.answer()
        super().log_points(*args)

    def set_tags(self, *args):
        self.answer()
        super().set_tags(*args)

    def end_run(self, *args):
        self.answer()
        super().end_run(*args)


class Told(Silent):
    """Remembers."""

    def __init__(self):
        self.stages, self.ends, self.counts = [], [], []

    def stage(self, name, note):
        self.stages.append((name, note))

    def trial(self, record, best, num_done, num_samples):
        self.ends.append((record.number, best, num_done, num_samples))

    def trials(self, num_running, num_done, num_samples):
        self.counts.append((num_running, num_done, num_samples))


def journal(tracker=None, metric=AUC, reporter=None):
    tracker = tracker or MemoryTracker()
    return Journal(tracker, "parent", metric, reporter or Told(), 5), tracker


def candidate(number=1):
    return Candidate(number=number, family="mlp", params={"lr": 0.1, "width": 8})


def epoch(number, loss=0.5, score=0.7):
    return EpochResult(
        epoch=number, train_loss=loss, score=score, best_score=score, best_epoch=number, seconds=float(number)
    )


def record(number=1, state="finished", score=0.7, reason=None):
    return TrialRecord(number=number, family="mlp", params={}, state=state, score=score, reason=reason)


def test_a_trial_is_a_run_below_its_parent():
    written, tracker = journal()
    written.on_start(candidate(7))
    written.on_epochs(7, [epoch(1), epoch(2, loss=0.25, score=0.8)])
    written.on_end(record(7))
    written.close()
    (run,) = tracker.runs.values()
    assert (run.name, run.parent, run.status) == ("trial-0007-mlp", "parent", "FINISHED")
    assert run.tags.pop("distml.candidate")
    assert run.tags == {"distml.trial": "7", "distml.family": "mlp", "distml.state": "finished"}
    assert run.params == {"family": "mlp", "lr": 0.1, "width": 8}
    assert [(point.metric, point.step, point.value) for point in run.points] == [
        ("train_loss", 1, 0.5), ("validation_roc_auc", 1, 0.7), ("train_loss", 2, 0.25), ("validation_roc_auc", 2, 0.8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status"), [("finished", "FINISHED"), ("pruned", "FINISHED"), ("failed", "FAILED"), ("stopped", "KILLED")]
)
def test_how_a_trial_ended_is_its_status_and_a_tag(state, status):
    written, tracker = journal()
    written.on_start(candidate())
    written.on_end(record(state=state, reason="diverged" if state == "failed" else None))
    written.close()
    (run,) = tracker.runs.values()
    assert run.status == status
    assert run.tags["distml.state"] == state
    assert run.tags.get("distml.reason") == ("diverged" if state == "failed" else None)


def test_what_is_unknown_is_not_logged():
    written, tracker = journal()
    written.on_start(candidate())
    written.on_epochs(1, [epoch(1, loss=math.nan, score=0.7), epoch(2, loss=0.5, score=None)])
    written.close()
    (run,) = tracker.runs.values()
    assert [(point.metric, point.step) for point in run.points] == [("validation_roc_auc", 1), ("train_loss", 2)]


@pytest.mark.parametrize(
    ("metric", "bests"), [("roc_auc", [None, 0.5, 0.5, 0.5, 0.7]), ("rmse", [None, 0.5, 0.5, 0.3, 0.3])]
)
def test_the_reporter_hears_of_each_end_and_the_best_so_far(metric, bests):
    told = Told()
    written, _ = journal(metric=METRICS[metric], reporter=told)
    ends = [record(1, "failed", None), record(2, "finished", 0.5), record(3, "pruned", 0.1), record(4, "stopped", 0.3),
            record(5, "finished", 0.7)]  # fmt: skip
    for end in ends:
        written.on_start(candidate(end.number))
        written.on_end(end)
    written.close()
    assert told.ends == [(i, best, i, 5) for i, best in enumerate(bests, start=1)]
    assert told.stages == []


@pytest.mark.parametrize("num_answered", [0, 1, 2, 3, 4])
def test_after_an_error_nothing_more_is_written(num_answered):
    told = Told()
    written, tracker = journal(Failing(num_answered), reporter=told)
    for number in (1, 2):
        written.on_start(candidate(number))
        written.on_epochs(number, [epoch(1)])
        written.on_end(record(number))
    written.close()
    assert tracker.num_refused == 1
    assert isinstance(written.error, StorageError)
    assert len(told.ends) == 2
    assert [name for name, _ in told.stages] == ["tune"]
    assert told.stages[0][1].startswith("trials are no longer logged since: the tracking server answers")


def test_a_search_goes_on_without_its_tracker():
    def searched(listener):
        halving = Halving(AUC, max_epochs=14, lag=4)
        return local.run_trials(Search(study_of(num_samples=5), halving, listener), objective_of(), data_of())

    tracker = Failing(6)
    written, _ = journal(tracker)
    records = searched(written)
    written.close()
    assert written.error is not None
    assert repeatable(records) == repeatable(searched(Heard()))
    assert [record.number for record in records] == [1, 2, 3, 4, 5]


def test_all_is_written_when_it_is_closed():
    written, tracker = journal()
    written.on_start(candidate())
    for number in range(1, 501):
        written.on_epochs(1, [epoch(number)])
    written.close()
    (run,) = tracker.runs.values()
    assert [point.step for point in run.points if point.metric == "train_loss"] == list(range(1, 501))
    assert written.error is None


def logged(number, epochs, state=None):
    ended = record(number, state) if state else None
    return LoggedTrial(candidate=candidate(number), epochs=[epoch(i) for i in range(1, epochs + 1)], record=ended)


def test_a_search_gone_on_with_goes_on_with_its_runs():
    """The process before was killed: one trial had ended, one was running, one was known to the log alone."""
    tracker = MemoryTracker()
    parent = tracker.start_run("run")

    def begun(goes_on):
        return Journal(tracker, parent, AUC, Told(), 4, goes_on=goes_on)

    before = begun(goes_on=False)
    before.on_start(candidate(1))
    before.on_epochs(1, [epoch(1), epoch(2)])
    before.on_end(record(1))
    before.on_start(candidate(2))
    before.on_epochs(2, [epoch(1), epoch(2), epoch(3)])  # of which the log has the first alone
    before.close()
    after = begun(goes_on=True)
    for trial in (logged(1, 2, "finished"), logged(2, 1), logged(3, 2, "pruned")):
        after.on_recall(trial)
    after.on_epochs(2, [epoch(2), epoch(3), epoch(4)])
    after.on_end(record(2))
    after.on_start(candidate(4))
    after.on_end(record(4))
    after.close()

    runs = sorted(tracker.children(parent), key=lambda child: child.tags["distml.trial"])
    assert [child.tags["distml.trial"] for child in runs] == ["1", "2", "3", "4"]
    assert {child.status for child in runs} == {"FINISHED"}
    assert [child.tags["distml.state"] for child in runs] == ["finished", "finished", "pruned", "finished"]
    steps = [[p.step for p in tracker.runs[child.run].points if p.metric == "train_loss"] for child in runs]
    assert steps == [[1, 2], [1, 2, 3, 4], [1, 2], []]


def test_runs_of_trials_that_the_search_forgot_do_not_stay_open():
    tracker = MemoryTracker()
    parent = tracker.start_run("run")
    before = Journal(tracker, parent, AUC, Told(), 2)
    before.on_start(candidate(1))
    before.close()
    after = Journal(tracker, parent, AUC, Told(), 2, goes_on=True)
    after.close()
    (child,) = tracker.children(parent)
    assert (child.status, child.tags["distml.state"]) == ("KILLED", "discarded")


@pytest.mark.parametrize(("search", "lr"), [("another", 0.1), ("one", 0.2)])
def test_the_run_of_another_search_or_candidate_is_not_gone_on_with(search, lr):
    """The table, or what the study draws, has changed since the process before was killed."""
    tracker = MemoryTracker()
    parent = tracker.start_run("run")
    before = Journal(tracker, parent, AUC, Told(), 2, search="one")
    before.on_start(candidate(1))
    before.on_epochs(1, [epoch(1), epoch(2)])
    before.close()
    after = Journal(tracker, parent, AUC, Told(), 2, goes_on=True, search=search)
    after.on_start(Candidate(number=1, family="mlp", params={"lr": lr, "width": 8}))
    after.on_epochs(1, [epoch(1, loss=0.25)])
    after.on_end(record(1))
    after.close()
    old, new = tracker.children(parent)
    assert (old.status, old.tags["distml.state"]) == ("KILLED", "discarded")
    assert (new.status, new.tags["distml.state"]) == ("FINISHED", "finished")
    assert tracker.runs[new.run].params["lr"] == lr
    assert [p.value for p in tracker.runs[new.run].points if p.metric == "train_loss"] == [0.25]


def test_recalled_trials_count_and_are_not_reported_again():
    told = Told()
    written, _ = journal(reporter=told)
    written.on_recall(logged(1, 1, "finished"))
    written.on_start(candidate(2))
    written.on_end(record(2, score=0.1))
    written.close()
    assert told.ends == [(2, 0.7, 2, 5)]


def test_the_reporter_hears_how_many_trials_run():
    told = Told()
    written, _ = journal(reporter=told)
    written.on_recall(logged(1, 1, "finished"))
    written.on_recall(logged(2, 1))
    written.on_start(candidate(3))
    written.on_end(record(2))
    written.on_end(record(3))
    written.close()
    assert told.counts == [(0, 1, 5), (1, 1, 5), (2, 1, 5), (1, 2, 5), (0, 3, 5)]


def test_scores_and_the_best_so_far_are_told():
    told, tracker = Told(), MemoryTracker()
    written = Journal(tracker, "parent", METRICS["rmse"], told, 5)
    written.on_start(candidate())
    written.on_epochs(1, [epoch(1, loss=0.5, score=0.25)])
    written.on_end(record(score=0.25))
    written.on_start(candidate(2))
    written.on_end(record(2, "failed", None))
    written.close()
    points = {point.metric: point.value for point in tracker.runs["run-0"].points}
    assert points == {"train_loss": 0.5, "validation_rmse": 0.25}
    assert told.ends == [(1, 0.25, 1, 5), (2, 0.25, 2, 5)]
