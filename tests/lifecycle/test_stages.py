import pytest

from distml.lifecycle.stages import once
from distml.storage import Storage


class Work:
    """Counts how often it is done."""

    def __init__(self, value):
        self.value = value
        self.num_done = 0

    def __call__(self):
        self.num_done += 1
        return self.value


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


def test_a_stage_is_done_once(storage):
    work = Work({"score": 0.5, "none": None, "names": ["a"]})
    assert once(storage, "tuned/ab", work) == (work.value, False)
    assert once(storage, "tuned/ab", work) == (work.value, True)
    assert work.num_done == 1


def test_other_inputs_are_worked_on(storage):
    work = Work({})
    once(storage, "tuned/ab", work)
    assert once(storage, "tuned/cd", work) == ({}, False)
    assert work.num_done == 2


def test_a_stage_that_failed_is_done_again(storage):
    def fail():
        storage.write_bytes("tuned/ab/half", b"")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        once(storage, "tuned/ab", fail)
    assert once(storage, "tuned/ab", Work({"done": True})) == ({"done": True}, False)


def test_a_result_outlives_the_process(storage, tmp_path):
    once(storage, "tuned/ab", Work({"n": 1}))
    assert once(Storage(tmp_path), "tuned/ab", Work({"n": 2})) == ({"n": 1}, True)
