import random

import pytest

from distml.errors import StorageError
from distml.storage import Storage
from distml.tracking import Dataset, MemoryTracker, Point, RefusedError, Sender
from distml.tracking.entries import Artifacts, Datasets, Discard, End, Mirror, Start, log

ROWS = Dataset(name="churn", context="train", source="churn.csv", sha256="ab", num_rows=7, kinds={})


class Unsteady(MemoryTracker):
    """Goes away at calls of chance, before or after what they do, and is back at the next."""

    def __init__(self, chance):
        super().__init__()
        self._chance = chance

    def _unsteadily(self, call, *args, **kwargs):
        fate = self._chance.random()
        if fate < 0.15:
            raise StorageError("the tracking server answers", received="nothing")
        result = call(*args, **kwargs)
        if fate > 0.85:
            raise StorageError("the tracking server answers", received="a connection that broke off")
        return result

    def start_run(self, *args, **kwargs):
        return self._unsteadily(super().start_run, *args, **kwargs)

    def log(self, *args, **kwargs):
        return self._unsteadily(super().log, *args, **kwargs)

    def end_run(self, *args, **kwargs):
        return self._unsteadily(super().end_run, *args, **kwargs)

    def children(self, *args):
        return self._unsteadily(super().children, *args)

    def last_step(self, *args):
        return self._unsteadily(super().last_step, *args)

    def log_artifacts(self, *args):
        return self._unsteadily(super().log_artifacts, *args)

    def log_datasets(self, *args):
        return self._unsteadily(super().log_datasets, *args)


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


def points(first, last, at_ms=0):
    return [Point(name, 1 / step, step, at_ms + step) for step in range(first, last + 1) for name in ("loss", "score")]


def trial(key, number, num_epochs=3, status="FINISHED"):
    return [
        Start(run=key, name=f"trial-{number}", tags={"distml.trial": str(number)}, at_ms=number),
        log(key, params={"lr": 0.1}, points=points(1, num_epochs)),
        log(key, tags={"distml.state": "finished"}),
        End(run=key, status=status, at_ms=100 + number),
    ]


def send_all(sender, entries):
    for entry in entries:
        sender.send(entry)


def seen(tracker):
    return sorted((logged.__dict__ for logged in tracker.runs.values()), key=lambda logged: logged["name"])


def begun(tracker):
    return MemoryTracker.start_run(tracker, "run")


WHOLE = [
    Datasets(datasets=(ROWS,)),
    *trial("a", 1),
    *trial("b", 2, status="FAILED"),
    *trial("c", 3)[:2],
    log(points=[Point("test_score", 0.5, 0, 9)], tags={"distml.version": 1}),
    Artifacts(key="runs/r/report.html", path=""),
    Artifacts(key="trained/p", path="package"),
    End(status="FINISHED", at_ms=200),
]


@pytest.fixture
def filled(storage):
    storage.write_bytes("runs/r/report.html", b"hello")
    storage.write_bytes("trained/p/manifest.json", b"{}")
    storage.write_bytes("trained/p/members/0/model.json", b"{}")
    return storage


def test_a_run_with_its_trials(filled):
    tracker = MemoryTracker()
    run = begun(tracker)
    send_all(Sender(tracker, run, filled), WHOLE)
    first, second, third = [tracker.runs[child.run] for child in tracker.children(run)]
    assert first.tags == {"distml.trial": "1", "distml.state": "finished", "distml.key": "a"}
    assert (first.params, first.points) == ({"lr": "0.1"}, points(1, 3))
    assert (first.started_ms, first.ended_ms) == (1, 101)
    assert [logged.status for logged in (first, second, third)] == ["FINISHED", "FAILED", "KILLED"]
    own = tracker.runs[run]
    assert (own.status, own.ended_ms, own.datasets) == ("FINISHED", 200, [ROWS])
    assert own.artifacts == {"": ["report.html"], "package": ["manifest.json", "members/0/model.json"]}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_sent_again_comes_to_what_it_would_have(seed, filled):
    """Each entry is sent until the tracker has answered, now and then from the beginning or by another process."""
    chance = random.Random(seed)
    tracker, steady = Unsteady(chance), MemoryTracker()
    send_all(Sender(steady, begun(steady), filled), WHOLE)
    run = begun(tracker)
    sender, position, num_failures = Sender(tracker, run, filled), 0, 0
    while position < len(WHOLE):
        try:
            sender.send(WHOLE[position])
            position += 1
        except StorageError:
            num_failures += 1
            if chance.random() < 0.3:
                position = 0
            if chance.random() < 0.3:
                sender = Sender(tracker, run, filled, goes_on=True)
    assert num_failures
    assert seen(tracker) == seen(steady)


def test_a_trial_told_again_at_other_times_is_there_once(storage):
    """As `resume` tells it: the log of trials has no times of epochs."""
    tracker = MemoryTracker()
    run = begun(tracker)
    send_all(Sender(tracker, run, storage), trial("a", 1)[:2])
    again = Sender(tracker, run, storage, goes_on=True)
    send_all(again, [trial("a", 1)[0], log("a", params={"lr": 0.1}, points=points(1, 5, at_ms=1000))])
    (child,) = tracker.children(run)
    assert tracker.runs[child.run].points == [*points(1, 3), *points(4, 5, at_ms=1000)]


def test_what_waited_and_is_told_again_is_there_once(storage):
    """By the one sender of a resumed run, whose trial the tracker had never heard of."""
    tracker = MemoryTracker()
    run = begun(tracker)
    sender = Sender(tracker, run, storage, goes_on=True)
    send_all(sender, trial("a", 1)[:2])
    send_all(sender, [trial("a", 1)[0], log("a", params={"lr": 0.1}, points=points(1, 5, at_ms=1000))])
    (child,) = tracker.children(run)
    assert tracker.runs[child.run].points == [*points(1, 3), *points(4, 5, at_ms=1000)]


@pytest.mark.parametrize(("before", "now"), [("KILLED", "RUNNING"), ("FAILED", "RUNNING"), ("FINISHED", "FINISHED")])
def test_a_trial_that_was_cut_off_goes_on_and_one_that_finished_stays_so(before, now, storage):
    tracker = MemoryTracker()
    run = begun(tracker)
    send_all(Sender(tracker, run, storage), trial("a", 1, status=before))
    Sender(tracker, run, storage, goes_on=True).send(trial("a", 1)[0])
    (child,) = tracker.children(run)
    assert child.status == now


@pytest.mark.parametrize("goes_on", [False, True])
def test_trials_that_are_not_kept_are_discarded(goes_on, storage):
    tracker = MemoryTracker()
    run = begun(tracker)
    sender = Sender(tracker, run, storage)
    send_all(sender, [*trial("a", 1), *trial("b", 2)[:2], *trial("c", 3)])
    foreign = tracker.start_run("of somebody else's", parent=run)
    if goes_on:
        sender = Sender(tracker, run, storage, goes_on=True)
    sender.send(Discard(keep=("a",), at_ms=50))
    states = [
        (tracker.runs[c.run].status, c.tags.get("distml.state")) for c in tracker.children(run) if c.run != foreign
    ]
    assert states == [("FINISHED", "finished"), ("KILLED", "discarded"), ("FINISHED", "discarded")]


def test_what_was_never_started_is_refused(storage):
    tracker = MemoryTracker()
    sender = Sender(tracker, begun(tracker), storage)
    with pytest.raises(RefusedError):
        sender.send(log("a", tags={"x": 1}))


def test_a_version_is_mirrored_by_whoever_can(storage):
    tracker, heard = MemoryTracker(), []
    run = begun(tracker)
    sender = Sender(tracker, run, storage, mirror=lambda *args: heard.append(args))
    sender.send(Mirror(version={"name": "churn", "number": 1}, alias="champion"))
    assert heard == [(tracker, run, {"name": "churn", "number": 1}, "champion")]
    Sender(tracker, run, storage).send(Mirror(version={}, alias="champion"))
