import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from distml.cluster.guests import Guests
from distml.errors import DistmlError, NotFoundError, UsageError
from distml.lifecycle.liveness import born, this_process
from distml.lifecycle.serving.down import end, end_all, services_here
from distml.lifecycle.serving.live import LiveRecord
from distml.registry import Version
from distml.storage import Storage

FIRST = Version(name="churn", number=1, package="trained/1", package_id="1", run="r")
PATIENT = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path / "store")


@pytest.fixture
def state(tmp_path):
    """The folder of a local cluster's private files."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def live(storage, state):
    """The record of a service that this process is."""
    record = LiveRecord(storage, "churn")
    record.write("http://127.0.0.1:8000/churn", FIRST, "127.0.0.1:6379", state / "token")
    return record


def changed(storage, live, **changes):
    storage.write_json("live/churn.json", {**live.last(), **changes})


@contextmanager
def served_by(storage, live, code):
    """A service of the test's own, which writes no record itself and holds the cluster that it is on."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    reaper = threading.Thread(target=process.wait)  # who started a process has to wait for it
    try:
        if code == DEAF:
            process.stdout.readline()
        reaper.start()
        holder = {**this_process(), "pid": process.pid, "born": born(process.pid)}
        changed(storage, live, **holder, cluster=holder)
        yield process
    finally:
        process.kill()
        reaper.join()
        process.stdout.close()


def test_what_is_not_served_is_not_ended(storage):
    with pytest.raises(NotFoundError, match="received churn"):
        end(LiveRecord(storage, "churn"), print)
    assert end_all(storage, print) == {}


def test_services_of_this_machine_are_found_guests_first(storage, live, state):
    elsewhere = {**this_process(), "pid": 2**31 - 1}
    for name in ("bike", "tree"):
        LiveRecord(storage, name).write(f"http://h/{name}", FIRST, "a", state / "token", holder=elsewhere)
    said = []
    assert [found.name for found in services_here(storage, said.append)] == ["bike", "tree", "churn"]
    changed(storage, live, host="elsewhere")
    assert [found.name for found in services_here(storage, said.append)] == ["bike", "tree"]
    assert said == ["distml: churn is served by elsewhere; it is ended there"]


def test_a_service_is_ended_and_its_record_removed(storage, live):
    said = []
    with served_by(storage, live, PATIENT) as process:
        assert end(live, said.append) == "ended"
        assert process.wait() == -signal.SIGTERM
    assert live.last() is None
    assert said == []


def test_a_service_that_does_not_end_is_killed_after_a_word(storage, live):
    said = []
    with served_by(storage, live, DEAF) as process:
        assert end(live, said.append, patience_s=0.3) == "killed"
        assert process.wait() == -signal.SIGKILL
        assert said == [f"distml: churn (process {process.pid}) did not end within 0.3 s; it is killed now"]
    assert live.last() is None


@pytest.mark.parametrize("gone", [{"pid": 2**31 - 1}, {"born": "before:1"}], ids=["ended", "its id given out again"])
def test_the_record_of_a_service_that_is_gone_is_removed_and_nobody_signalled(storage, live, gone):
    changed(storage, live, **gone)  # the second names this very process
    assert end(live, print) == "gone before"
    assert live.last() is None


def test_a_service_of_another_machine_is_not_ended_here(storage, live):
    changed(storage, live, host="elsewhere", pid=2**31 - 1)
    with pytest.raises(UsageError, match=r"churn is served by elsewhere.*distml down churn there"):
        end(live, print)
    assert live.last() is not None


def test_a_service_that_began_meanwhile_keeps_its_record(storage, live):
    """The old one removes its own record on its way out, and another may write one before it is gone."""
    with served_by(storage, live, DEAF) as process:

        def begin_anew(word):
            changed(storage, live, pid=process.pid + 1, started_at="later")

        assert end(live, begin_anew, patience_s=0.2) == "killed"
    assert live.last()["started_at"] == "later"


# Beside others


def test_of_a_process_that_holds_others_too_the_model_alone_is_ended(storage, live, state):
    """Such a process takes its own model down, forgets it, and goes on."""
    said = []
    with served_by(storage, live, DEAF) as process, Guests(state).joined("bike", patience_s=0):
        forget = threading.Timer(0.2, live.remove)
        forget.start()
        assert end(live, said.append, patience_s=30) == "ended"
        forget.join()
        assert process.poll() is None
    assert said == []


def test_a_process_that_holds_others_too_is_not_killed_for_one_of_them(storage, live, state):
    with served_by(storage, live, DEAF) as process, Guests(state).joined("bike", patience_s=0):
        with pytest.raises(DistmlError, match=r"still serves churn, and its cluster bike too.*distml down"):
            end(live, print, patience_s=0.2)
        assert process.poll() is None
    assert live.last() is not None


def test_all_are_ended_and_the_process_that_held_them(storage, live, state):
    with served_by(storage, live, PATIENT) as process, served_by(storage, live, PATIENT) as guest:
        record = live.last()
        holder = {**record, "pid": process.pid, "born": born(process.pid)}
        storage.write_json("live/churn.json", {**holder, "cluster": holder})
        storage.write_json("live/bike.json", {**record, "name": "bike", "cluster": holder})
        assert end_all(storage, print) == {"bike": "ended", "churn": "ended"}
        assert (guest.wait(), process.wait()) == (-signal.SIGTERM, -signal.SIGTERM)
    assert live.last() is None
