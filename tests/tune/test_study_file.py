"""The study that people open: what Optuna reads from it, live, after a crash, and from remote storage."""

from __future__ import annotations

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from distml.metrics import METRICS
from distml.storage import Storage
from distml.training import EpochResult
from distml.tune import SearchSpace, study_file
from distml.tune.log import LoggedTrial
from distml.tune.objective import Candidate, TrialRecord
from distml.tune.study import Study
from distml.tune.study_file import StudyFile
from searches import AUC, SMALL, Heard

SPACE = SearchSpace.of(("linear", "mlp"), {"mlp": SMALL["mlp"]})
KEY = "searched/k/study.log"


def file_of(storage, costs=(), metric=AUC, listener=None) -> StudyFile:
    return StudyFile(storage, KEY, "demo", SPACE, metric, costs, listener or Heard())


def opened(storage, tmp_path) -> optuna.Study:
    """As a person opens it, of remote storage after copying it."""
    path = tmp_path / "copy.log"
    path.write_bytes(storage.read_bytes(KEY))
    return optuna.load_study(study_name="demo", storage=JournalStorage(JournalFileBackend(str(path))))


def candidates(num) -> list[Candidate]:
    study = Study(SPACE, AUC, num_samples=num, sampler="random", seed=0, lag=num)
    return [study.ask() for _ in range(num)]


def epochs_of(*scores, first=1) -> list[EpochResult]:
    return [EpochResult(epoch=i, train_loss=0.1, score=score, best_score=score, best_epoch=i, seconds=float(i))
            for i, score in enumerate(scores, first)]  # fmt: skip


def record_of(candidate, state="finished", score: float | None = 0.8, **values) -> TrialRecord:
    known = {"best_epoch": 2, "num_epochs": 3, "seconds": 1.5, **values}
    return TrialRecord(
        number=candidate.number, family=candidate.family, params=candidate.params, state=state, score=score, **known
    )


ENDS = [
    ({}, TrialState.COMPLETE, 0.8),
    ({"state": "pruned", "score": 0.4}, TrialState.PRUNED, 0.4),
    ({"state": "stopped", "score": 0.5}, TrialState.PRUNED, 0.5),
    ({"state": "failed", "score": None, "reason": "a training loss is a number"}, TrialState.FAIL, None),
    ({"state": "failed", "score": 0.7, "reason": "out of memory"}, TrialState.FAIL, None),
]


@pytest.mark.parametrize("root", ["local", "remote"])
def test_a_whole_search(root, tmp_path):
    storage = Storage(tmp_path / "store" if root == "local" else "mock:///store")
    storage.make_folder("searched/k")
    heard = Heard()
    file = file_of(storage, listener=heard)
    given = candidates(len(ENDS))
    for candidate, (values, _, _) in zip(given, ENDS, strict=True):
        file.on_start(candidate)
        file.on_epochs(candidate.number, epochs_of(0.1, 0.3))
        file.on_epochs(candidate.number, epochs_of(0.2, first=3))
        file.on_end(record_of(candidate, **values))
    file.close()
    assert heard.notes == []
    study = opened(storage, tmp_path)
    assert study.metric_names == ["roc_auc"]
    assert [trial.state for trial in study.trials] == [state for _, state, _ in ENDS]
    assert [trial.value for trial in study.trials] == [value for _, _, value in ENDS]
    assert study.best_trial.number == 0
    for candidate, trial in zip(given, study.trials, strict=True):
        named = {f"{candidate.family}.{name}": value for name, value in candidate.params.items()}
        assert trial.params == {"family": candidate.family} | {
            name: named[name] for name in trial.params if "." in name
        }
        assert set(named) - set(trial.params) <= {
            f"mlp.{name}" for name in SPACE.families["mlp"]
        }  # what isn't searched
        assert trial.intermediate_values == {1: 0.1, 2: 0.3, 3: 0.2}
        assert trial.user_attrs["number"] == candidate.number == trial.number + 1
        assert (trial.user_attrs["best_epoch"], trial.user_attrs["seconds"]) == (2, 1.5)
    assert [trial.user_attrs["state"] for trial in study.trials] == [
        values.get("state", "finished") for values, _, _ in ENDS
    ]
    assert study.trials[3].user_attrs["reason"] == "a training loss is a number"


def test_it_is_live(tmp_path):
    storage = Storage(tmp_path)
    file = file_of(storage)
    first, second = candidates(2)
    file.on_start(first)
    file.on_end(record_of(first))
    file.on_start(second)
    file.on_epochs(second.number, epochs_of(0.1))
    study_now = opened(storage, tmp_path)
    assert study_now.trials[0].state is TrialState.COMPLETE
    file.close()
    running = opened(storage, tmp_path).trials[1]
    assert running.state is TrialState.RUNNING
    assert running.intermediate_values == {1: 0.1}


def test_several_objectives(tmp_path):
    storage = Storage(tmp_path)
    file = file_of(storage, costs=("latency_ms", "size_mb"), metric=METRICS["log_loss"])
    costs = {"latency_ms": 2.0, "size_mb": 0.5}
    ends = [{"objectives": costs}, {"state": "pruned"}, {"objectives": {"size_mb": 1.0}}]
    for candidate, values in zip(candidates(3), ends, strict=True):
        file.on_start(candidate)
        file.on_end(record_of(candidate, **values))
    file.close()
    study = opened(storage, tmp_path)
    assert [direction.name for direction in study.directions] == ["MINIMIZE"] * 3
    assert study.metric_names == ["log_loss", "latency_ms", "size_mb"]
    assert [trial.values for trial in study.trials] == [[0.8, 2.0, 0.5], None, None]
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert [trial.number for trial in study.best_trials] == [0]


def test_after_a_crash_it_is_what_the_log_says(tmp_path):
    """The file of the process before may be ahead of the log or half-written, and its lock may be there still."""
    storage = Storage(tmp_path)
    path = tmp_path / KEY
    path.parent.mkdir(parents=True)
    path.write_text('{"op_code": 0, "worker_id": "x", "study_n')
    path.with_name("study.log.lock").symlink_to(path)
    first, second, third = candidates(3)
    file = file_of(storage)
    file.on_recall(LoggedTrial(candidate=first, epochs=epochs_of(0.1, 0.3), record=record_of(first, seconds=90.0)))
    file.on_recall(LoggedTrial(candidate=second, epochs=epochs_of(0.2)))
    file.on_epochs(second.number, epochs_of(0.4, first=2))
    file.on_end(record_of(second, state="pruned", score=0.4))
    file.on_start(third)
    file.close()
    trials = opened(storage, tmp_path).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING]
    assert [trial.intermediate_values for trial in trials] == [{1: 0.1, 2: 0.3}, {1: 0.2, 2: 0.4}, {}]
    assert trials[0].duration.total_seconds() == pytest.approx(90)


def test_scores_that_are_no_numbers_are_left_out(tmp_path):
    storage = Storage(tmp_path)
    file = file_of(storage)
    (only,) = candidates(1)
    file.on_start(only)
    file.on_epochs(only.number, epochs_of(float("nan"), 0.5))
    file.on_end(record_of(only, score=float("nan")))
    (trial,) = opened(storage, tmp_path).trials
    assert (trial.state, trial.intermediate_values) == (TrialState.FAIL, {2: 0.5})


def test_a_disk_that_is_full_ends_the_file_and_not_the_search(tmp_path, monkeypatch):
    heard = Heard()
    file = file_of(Storage(tmp_path), listener=heard)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(study_file.JournalFileBackend, "append_logs", full)
    for candidate in candidates(2):
        file.on_start(candidate)
        file.on_end(record_of(candidate))
    file.close()
    assert heard.notes == ["the Optuna study is no longer written: [Errno 28] No space left on device"]
