import pytest

from distml.storage import Storage
from distml.tracking import Point, Spool
from distml.tracking.entries import End, log


@pytest.fixture
def spool(tmp_path):
    return Spool(Storage(tmp_path), "runs/r/tracking")


def test_files_come_back_by_number(spool):
    first, second = [log("a", points=[Point("loss", 0.1, 1, 2)])], [End(status="FINISHED", at_ms=3), log(tags={"x": 1})]
    spool.write(10, second)
    spool.write(9, first)
    assert spool.numbers() == [9, 10]
    assert (spool.read(9), spool.read(10)) == (first, second)
    assert spool.count() == 3


def test_a_file_written_again_is_the_new_one(spool):
    spool.write(1, [log(tags={"x": 1})])
    spool.write(1, [log(tags={"x": 2})])
    assert spool.read(1) == [log(tags={"x": 2})]


def test_nothing_is_left_of_an_empty_spool(spool, tmp_path):
    assert spool.numbers() == []
    spool.write(1, [log(tags={"x": 1})])
    spool.delete(1)
    assert spool.count() == 0
    assert not (tmp_path / "runs/r/tracking").exists()
