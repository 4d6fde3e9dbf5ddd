import math

import pytest

from distml.errors import StorageError
from distml.lifecycle.journal import Journal
from distml.lifecycle.reporter import Silent
from distml.metrics import METRICS, Metric
from distml.models import FAMILIES
from distml.storage import Storage
from distml.tracking import MemoryTracker, Outbox, Sender, Spool
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.log import LoggedTrial

AUC = METRICS["roc_auc"]


class Gone(MemoryTracker):
    """Has a run, and is away."""

    def start_run(self, *args, **kwargs):
        raise StorageError("the tracking server answers", received="nothing")

    find_run = children = start_run


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


class Written(Journal):
    """A journal over a tracker: what it writes is there when it is closed."""

    def __init__(
        self, folder, tracker=None, *, metric: Metric = AUC, reporter=None, search="", goes_on=False, wait_s=20.0
    ):
        self.tracker = tracker or MemoryTracker()
        if not self.tracker.runs:
            MemoryTracker.start_run(self.tracker, "run")
        storage = Storage(folder)
        sender = Sender(self.tracker, "run-0", storage, goes_on=goes_on)
        self.outbox = Outbox(sender, Spool(storage, "runs/r/tracking"), interval_s=0.0, retry_s=0.01)
        self.told = reporter or Told()
        self.wait_s = wait_s
        super().__init__(self.outbox, metric, self.told, 5, search=search)

    def close(self, best=None):
        super().close(best)
        self.num_left = self.outbox.close(self.wait_s)

    @property
    def trials(self):
        """The tracked runs of trials, in the order in which they were started."""
        return [self.tracker.runs[child.run] for child in self.tracker.children("run-0")]


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)


def candidate(number=1):
    return Candidate(number=number, family="mlp", params={"lr": 0.1, "width": 8})


def epoch(number, loss=0.5, score=0.7):
    return EpochResult(
        epoch=number, train_loss=loss, score=score, best_score=score, best_epoch=number, seconds=float(number)
    )


def record(number=1, state="finished", score=0.7, reason=None):
    return TrialRecord(number=number, family="mlp", params={}, state=state, score=score, reason=reason)


def test_a_trial_is_a_run_below_its_parent(written):
    written.on_start(candidate(7))
    written.on_epochs(7, [epoch(1), epoch(2, loss=0.25, score=0.8)])
    written.on_end(record(7))
    written.close()
    (run,) = written.trials
    assert (run.name, run.parent, run.status) == ("trial-0007-mlp", "run-0", "FINISHED")
    assert run.tags.pop("distml.key")
    assert run.tags == {"distml.trial": "7", "distml.family": "mlp", "distml.state": "finished"}
    resolved = {**FAMILIES["mlp"].defaults, "family": "mlp", "lr": 0.1, "width": 8}
    assert run.params == {name: str(value) for name, value in resolved.items()}
    assert [(point.metric, point.step, point.value) for point in run.points] == [
        ("train_loss", 1, 0.5), ("validation_roc_auc", 1, 0.7), ("train_loss", 2, 0.25), ("validation_roc_auc", 2, 0.8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status"), [("finished", "FINISHED"), ("pruned", "FINISHED"), ("failed", "FAILED"), ("stopped", "KILLED")]
)
def test_how_a_trial_ended_is_its_status_and_a_tag(state, status, written):
    written.on_start(candidate())
    written.on_end(record(state=state, reason="diverged" if state == "failed" else None))
    written.close()
    (run,) = written.trials
    assert run.status == status
    assert run.tags["distml.state"] == state
    assert run.tags.get("distml.reason") == ("diverged" if state == "failed" else None)


def test_what_is_unknown_is_not_logged(written):
    written.on_start(candidate())
    written.on_epochs(1, [epoch(1, loss=math.nan, score=0.7), epoch(2, loss=0.5, score=None)])
    written.close()
    (run,) = written.trials
    assert [(point.metric, point.step) for point in run.points] == [("validation_roc_auc", 1), ("train_loss", 2)]


@pytest.mark.parametrize(
    ("metric", "bests"), [("roc_auc", [None, 0.5, 0.5, 0.5, 0.7]), ("rmse", [None, 0.5, 0.5, 0.3, 0.3])]
)
def test_the_reporter_hears_of_each_end_and_the_best_so_far(metric, bests, tmp_path):
    told = Told()
    written = Written(tmp_path, metric=METRICS[metric], reporter=told)
    ends = [record(1, "failed", None), record(2, "finished", 0.5), record(3, "pruned", 0.1), record(4, "stopped", 0.3),
            record(5, "finished", 0.7)]  # fmt: skip
    for end in ends:
        written.on_start(candidate(end.number))
        written.on_end(end)
    written.close()
    assert told.ends == [(i, best, i, 5) for i, best in enumerate(bests, start=1)]
    assert told.stages == []


def tell_all(journal):
    """Three trials: one ends well, one fails, one is running when the search is over."""
    for number in (1, 2, 3):
        journal.on_start(candidate(number))
        journal.on_epochs(number, [epoch(1), epoch(2)])
    journal.on_end(record(1))
    journal.on_end(record(2, "failed", None, reason="diverged"))
    journal.close(1)


def test_a_search_goes_on_without_its_tracker_which_gets_all_of_it_later(tmp_path):
    """The driver has ended by then: another one sends what waits."""
    steady = Written(tmp_path / "steady")
    tell_all(steady)
    away = Written(tmp_path / "away", Gone(), wait_s=0.05)
    tell_all(away)
    assert away.num_left > 0
    assert list(away.tracker.runs) == ["run-0"]
    assert [number for number, *_ in away.told.ends] == [1, 2]

    later = MemoryTracker()
    later.runs = away.tracker.runs
    after = Written(tmp_path / "away", later, goes_on=True)
    after.close()
    assert after.num_left == 0
    assert [timeless(run) for run in after.trials] == [timeless(run) for run in steady.trials]


def timeless(run):
    points = [(point.metric, point.step, point.value) for point in run.points]
    return run.name, run.status, run.params, run.tags, points


def test_an_outage_is_told(tmp_path):
    told = Told()
    away = Written(tmp_path, Gone(), reporter=told, wait_s=0.2)
    away.on_start(candidate())
    while not told.stages:
        away.on_epochs(1, [epoch(1)])
    assert told.stages[0][0] == "track"
    assert told.stages[0][1].startswith("the tracker is away; what is to be logged waits in storage until it answers: ")
    away.close()


def test_the_best_trial_of_a_search_is_marked(written):
    tell_all(written)
    assert [run.tags.get("distml.best") for run in written.trials] == ["True", None, None]


def test_all_is_written_when_it_is_closed(written):
    written.on_start(candidate())
    for number in range(1, 501):
        written.on_epochs(1, [epoch(number)])
    written.close()
    (run,) = written.trials
    assert [point.step for point in run.points if point.metric == "train_loss"] == list(range(1, 501))
    assert written.told.stages == []


def logged(number, epochs, state=None):
    ended = record(number, state) if state else None
    return LoggedTrial(candidate=candidate(number), epochs=[epoch(i) for i in range(1, epochs + 1)], record=ended)


def test_a_search_gone_on_with_goes_on_with_its_runs(tmp_path):
    """The process before was killed: one trial had ended, one was running, one was known to the log alone."""
    before = Written(tmp_path)
    before.on_start(candidate(1))
    before.on_epochs(1, [epoch(1), epoch(2)])
    before.on_end(record(1))
    before.on_start(candidate(2))
    before.on_epochs(2, [epoch(1), epoch(2), epoch(3)])  # of which the log has the first alone
    before.close()
    after = Written(tmp_path, before.tracker, goes_on=True)
    for trial in (logged(1, 2, "finished"), logged(2, 1), logged(3, 2, "pruned")):
        after.on_recall(trial)
    after.on_epochs(2, [epoch(2), epoch(3), epoch(4)])
    after.on_end(record(2))
    after.on_start(candidate(4))
    after.on_end(record(4))
    after.close(1)

    assert [run.tags["distml.trial"] for run in after.trials] == ["1", "2", "3", "4"]
    assert {run.status for run in after.trials} == {"FINISHED"}
    assert [run.tags["distml.state"] for run in after.trials] == ["finished", "finished", "pruned", "finished"]
    steps = [[p.step for p in run.points if p.metric == "train_loss"] for run in after.trials]
    assert steps == [[1, 2], [1, 2, 3, 4], [1, 2], []]


@pytest.mark.parametrize("best", [None, 2])
def test_runs_of_trials_that_the_search_forgot_are_discarded_at_its_end(best, tmp_path):
    """A search that is cut off once more may not have come to them yet."""
    before = Written(tmp_path)
    before.on_start(candidate(1))
    before.close()
    after = Written(tmp_path, before.tracker, goes_on=True)
    after.on_start(candidate(2))
    after.on_end(record(2))
    after.close(best)
    states = [(run.status, run.tags.get("distml.state")) for run in after.trials]
    assert states == [("RUNNING", None) if best is None else ("KILLED", "discarded"), ("FINISHED", "finished")]


@pytest.mark.parametrize(("search", "lr"), [("another", 0.1), ("one", 0.2)])
def test_the_run_of_another_search_or_candidate_is_not_gone_on_with(search, lr, tmp_path):
    """The table, or what the study draws, has changed since the process before was killed."""
    before = Written(tmp_path, search="one")
    before.on_start(candidate(1))
    before.on_epochs(1, [epoch(1), epoch(2)])
    before.close()
    after = Written(tmp_path, before.tracker, goes_on=True, search=search)
    after.on_start(Candidate(number=1, family="mlp", params={"lr": lr, "width": 8}))
    after.on_epochs(1, [epoch(1, loss=0.25)])
    after.on_end(record(1))
    after.close(1)
    old, new = after.trials
    assert (old.status, old.tags["distml.state"]) == ("KILLED", "discarded")
    assert (new.status, new.tags["distml.state"]) == ("FINISHED", "finished")
    assert new.params["lr"] == str(lr)
    assert [p.value for p in new.points if p.metric == "train_loss"] == [0.25]


def test_a_segment_names_the_trial_that_it_goes_on_from(written):
    written.on_start(Candidate(number=5, family="mlp", params={}, parent=2, until_epoch=4))
    written.close()
    assert written.trials[0].tags["distml.goes_on_from"] == "2"


def test_recalled_trials_count_and_are_not_reported_again(written):
    told = written.told
    written.on_recall(logged(1, 1, "finished"))
    written.on_start(candidate(2))
    written.on_end(record(2, score=0.1))
    written.close()
    assert told.ends == [(2, 0.7, 2, 5)]


def test_the_reporter_hears_how_many_trials_run(written):
    told = written.told
    written.on_recall(logged(1, 1, "finished"))
    written.on_recall(logged(2, 1))
    written.on_start(candidate(3))
    written.on_end(record(2))
    written.on_end(record(3))
    written.close()
    assert told.counts == [(0, 1, 5), (1, 1, 5), (2, 1, 5), (1, 2, 5), (0, 3, 5)]


def test_scores_and_the_best_so_far_are_told(tmp_path):
    written = Written(tmp_path, metric=METRICS["rmse"])
    written.on_start(candidate())
    written.on_epochs(1, [epoch(1, loss=0.5, score=0.25)])
    written.on_end(record(score=0.25))
    written.on_start(candidate(2))
    written.on_end(record(2, "failed", None))
    written.close()
    points = {point.metric: point.value for point in written.trials[0].points}
    assert points == {"train_loss": 0.5, "validation_rmse": 0.25}
    assert written.told.ends == [(1, 0.25, 1, 5), (2, 0.25, 2, 5)]
