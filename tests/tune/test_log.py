import pytest

from distml.errors import TrainingError
from distml.storage import Storage
from distml.training import EpochResult
from distml.tune import Candidate, TrialRecord
from distml.tune.log import LoggedTrial, TrialLog, reason_of


def candidate(number=1):
    return Candidate(number=number, family="mlp", params={"lr": 0.1 + 0.2, "width": 8, "activation": None})


def epoch(number):
    return EpochResult(
        epoch=number, train_loss=float("nan"), score=None, best_score=None, best_epoch=number, seconds=0.1
    )


def record(number=1, state="finished"):
    return TrialRecord(number=number, family="mlp", params={"lr": 0.1}, state=state, score=1 / 3, num_epochs=2)


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


def log_of(storage):
    return TrialLog(storage, "searched/abc")


def test_a_new_search_has_no_trials(storage):
    assert log_of(storage).read() == []


def test_another_process_reads_what_was_written(storage):
    log = log_of(storage)
    log.start(candidate(1))
    log.start(candidate(2))
    log.end(record(1))
    (first, second) = log_of(storage).read()
    assert first == LoggedTrial(candidate=candidate(1), record=record(1))
    assert second == LoggedTrial(candidate=candidate(2))


def test_epochs_are_written_now_and_then_and_all_at_the_end(storage):
    log = log_of(storage)
    log.start(candidate())
    for number in (1, 2, 3):
        log.add_epochs(1, [epoch(number)])
    assert len(log_of(storage).read()[0].epochs) < 3
    log.end(record())
    (trial,) = log_of(storage).read()
    assert [known.epoch for known in trial.epochs] == [1, 2, 3]


def test_a_log_gone_on_with_keeps_the_epochs_before(storage):
    log = log_of(storage)
    log.start(candidate())
    log.add_epochs(1, [epoch(1)])
    log._write(1)
    other = log_of(storage)
    other.read()
    other.add_epochs(1, [epoch(2)])
    other.end(record())
    assert [known.epoch for known in log_of(storage).read()[0].epochs] == [1, 2]


def test_what_killed_processes_have_left_is_swept_away(storage):
    log = log_of(storage)
    log.start(candidate(1))
    for number in (1, 2, 3):
        log.files.checkpoint(number).save({"epoch": 1})
        storage.write_bytes(f"searched/abc/trials/{number:06d}/model.json", b"{}")
    storage.write_bytes("searched/abc/trials/000003.txt", b"Traceback")
    log.sweep({1}, {2})
    assert storage.list("searched/abc/trials") == ["000001.json", "000001.pt", "000002", "000003.txt"]


def test_a_search_is_gone_on_with_as_it_was_begun(storage):
    assert log_of(storage).begin({"lag": 4}) == {"lag": 4}
    assert log_of(storage).begin({"lag": 16}) == {"lag": 4}


def test_a_cleared_log_is_a_new_one(storage):
    log = log_of(storage)
    log.begin({"lag": 4})
    log.start(candidate())
    log.clear()
    assert log_of(storage).read() == log.read() == []
    assert log.begin({"lag": 8}) == {"lag": 8}


def test_time_adds_up_over_processes(storage):
    log = log_of(storage)
    log._elapsed_before_s = 100.0
    log.start(candidate())
    other = log_of(storage)
    other.read()
    assert 100.0 <= other.elapsed_s < 160.0
    other.clear()
    assert other.elapsed_s < 60.0


def test_a_failure_is_one_line_and_a_file(storage):
    try:
        raise ValueError("first line\nsecond line")
    except ValueError as error:
        told = log_of(storage).files.failure(3, error)
    path = storage.uri("searched/abc/trials/000003.txt")
    assert told == f"ValueError: first line (more in {path})"
    with open(path) as stream:
        assert "second line" in stream.read()


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TrainingError("a loss is a number", received="nan"), "a loss is a number; received nan."),
        (MemoryError(), "out of memory"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
         "out of memory: CUDA out of memory. Tried to allocate 2 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes"),
         "out of memory: DefaultCPUAllocator: can't allocate memory: you tried to allocate 400 bytes"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(), "RuntimeError"),
    ],
)  # fmt: skip
def test_reasons_are_one_line(error, told):
    assert reason_of(error) == told
