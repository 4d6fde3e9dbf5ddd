import subprocess
import sys

import pytest

from distml.cluster.guests import Guests
from distml.errors import UsageError

GUEST = """
import pathlib, sys, time
from distml.cluster.guests import Guests

with Guests(pathlib.Path(sys.argv[1])).joined("bike") as is_welcome:
    print(is_welcome, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def guests(tmp_path):
    return Guests(tmp_path)


def test_a_guest_that_is_there_keeps_the_cluster_open(guests):
    taken_down = []
    with guests.joined("bike", patience_s=0) as is_welcome:
        assert is_welcome
        guests.sweep(taken_down.append)
        assert (guests.names(), taken_down, guests.close()) == (["bike"], [], False)
    guests.sweep(taken_down.append)
    assert (guests.names(), taken_down, guests.close()) == ([], ["bike"], True)


def test_a_cluster_that_is_about_to_end_takes_no_guest(guests):
    assert guests.close()
    with guests.joined("bike") as is_welcome:
        assert not is_welcome
    assert guests.names() == []


def test_a_cluster_that_is_gone_takes_no_guest(tmp_path):
    with Guests(tmp_path / "gone").joined("bike") as is_welcome:
        assert not is_welcome


def test_a_model_is_the_guest_of_one_process(guests):
    with guests.joined("bike", patience_s=0):
        with pytest.raises(UsageError, match="served by one process"), guests.joined("bike"):
            pass
        assert guests.names() == ["bike"]


def test_what_could_not_be_taken_down_is_tried_again(guests):
    with guests.joined("bike", patience_s=0):
        pass

    def fail(name):
        raise TimeoutError(name)

    with pytest.raises(TimeoutError):
        guests.sweep(fail)
    assert not guests.close()
    guests.sweep(lambda name: None)
    assert guests.close()


def test_a_guest_that_is_killed_is_taken_down(guests, tmp_path):
    with subprocess.Popen([sys.executable, "-c", GUEST, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        taken_down = []
        guests.sweep(taken_down.append)
        assert taken_down == []
        process.kill()
        process.wait()
    guests.sweep(taken_down.append)
    assert (taken_down, guests.names()) == (["bike"], [])
