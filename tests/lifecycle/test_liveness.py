import os
import signal
import subprocess
import sys
import time

import pytest

from distml.lifecycle.liveness import born, is_alive, owner_is_alive, run_state, this_process


@pytest.fixture
def child():
    """A process of its own that has not been waited for when a test kills it."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_this_process_is_alive():
    here = this_process()
    assert here["pid"] == os.getpid()
    assert owner_is_alive(here)


def test_a_process_is_known_by_its_beginning(child):
    since = born(child.pid)
    assert is_alive(child.pid)
    assert is_alive(child.pid, since)
    assert since == born(child.pid)
    assert not is_alive(child.pid, born(os.getpid()))  # as where the id was given out again


def test_a_process_whose_name_looks_like_a_record_is_read_rightly(tmp_path):
    script = tmp_path / "a) Z 1 (b"
    script.symlink_to("/bin/sleep")
    process = subprocess.Popen([script, "600"])
    try:
        while os.readlink(f"/proc/{process.pid}/exe") == os.readlink("/proc/self/exe"):
            time.sleep(0.01)  # until it has become the other program
        assert is_alive(process.pid, born(process.pid))
    finally:
        process.kill()
        process.wait()


def test_a_process_that_ended_is_not_alive_though_nobody_waited_for_it(child):
    since = born(child.pid)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    os.kill(child.pid, 0)  # the system still knows the id
    assert born(child.pid) is None
    assert not is_alive(child.pid)
    assert not is_alive(child.pid, since)


@pytest.mark.parametrize("pid", [0, -1, 2**31 - 1, 2**70])
def test_an_id_that_no_process_has_is_not_alive(pid):
    assert not is_alive(pid)


def test_another_machines_processes_are_not_taken_for_ones_of_this():
    assert not owner_is_alive({**this_process(), "host": "elsewhere"})
    assert not owner_is_alive({"pid": os.getpid()})


ENDED = {"pid": 2**31 - 1}
REUSED = {"born": "another boot:1"}
ELSEWHERE = {"host": "elsewhere"}


@pytest.mark.parametrize(
    ("state", "changes", "told"),
    [
        ("running", {}, "running"),
        ("running", ENDED, "lost"),
        ("running", REUSED, "lost"),
        ("running", ENDED | ELSEWHERE, "running"),
        ("finished", ENDED, "finished"),
        ("failed", REUSED, "failed"),
        ("interrupted", ENDED, "interrupted"),
    ],
)
def test_a_run_is_lost_when_its_process_is_gone(state, changes, told):
    assert run_state({"state": state, **this_process(), **changes}) == told


def test_a_run_without_a_process_is_believed():
    assert run_state({"state": "running", "host": this_process()["host"]}) == "running"


def test_a_record_without_a_beginning_is_known_by_its_id_alone():
    here = {key: value for key, value in this_process().items() if key != "born"}
    assert run_state({"state": "running", **here}) == "running"
    assert run_state({"state": "running", **here, **ENDED}) == "lost"
