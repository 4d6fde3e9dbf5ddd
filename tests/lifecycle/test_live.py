import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime

import pytest

from distml.errors import NotFoundError, UsageError
from distml.lifecycle.live import LiveRecord, end, services, services_here
from distml.lifecycle.liveness import born
from distml.registry import Version
from distml.storage import Storage

FIRST, SECOND = (
    Version(name="churn", number=number, package=f"trained/{number}", package_id=str(number), run="r")
    for number in (1, 2)
)
PATIENT = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


@pytest.fixture
def live(storage, tmp_path):
    """The record of a service that this process is."""
    record = LiveRecord(storage, "churn")
    record.write("http://127.0.0.1:8000/churn", FIRST, "127.0.0.1:6379", tmp_path / "token")
    return record


def changed(storage, live, **changes):
    storage.write_json("live/churn.json", {**live.last(), **changes})


@contextmanager
def served_by(storage, live, code):
    """A service of the test's own, which writes no record itself."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    reaper = threading.Thread(target=process.wait)  # who started a process has to wait for it
    try:
        if code == DEAF:
            process.stdout.readline()
        reaper.start()
        changed(storage, live, pid=process.pid, born=born(process.pid))
        yield process
    finally:
        process.kill()
        reaper.join()
        process.stdout.close()


def test_a_service_says_where_it_is_and_since_when(live):
    record = live.read()
    assert (record["url"], record["version"], record["name"]) == ("http://127.0.0.1:8000/churn", 1, "churn")
    assert datetime.fromisoformat(record["since"]).tzinfo
    assert record["since"] == record["started_at"]


def test_another_version_is_served_from_another_time_on(live):
    before = live.read()
    live.update_version(FIRST)
    assert live.read() == before
    time.sleep(0.002)  # times are kept in milliseconds
    live.update_version(SECOND)
    after = live.read()
    assert (after["version"], after["started_at"]) == (2, before["started_at"])
    assert after["since"] > before["since"]


@pytest.mark.parametrize("changes", [{"pid": 2**31 - 1}, {"born": "before:1"}, {"host": "elsewhere"}])
def test_a_service_that_is_not_there_is_not_read_as_live(storage, live, changes):
    changed(storage, live, **changes)
    assert live.read() is None
    assert live.last()["version"] == 1


def test_without_a_record_nothing_is_served(storage):
    live = LiveRecord(storage, "churn")
    assert (live.read(), live.last()) == (None, None)
    with pytest.raises(NotFoundError, match="received churn"):
        end(live, print)


def test_services_are_found(storage, live):
    storage.write_bytes("live/churn.log", b"")
    assert [found.name for found in services(storage)] == ["churn"]
    said = []
    assert services_here(storage, said.append) == ["churn"]
    changed(storage, live, host="elsewhere")
    assert services_here(storage, said.append) == []
    assert said == ["distml: churn is served by elsewhere; it is ended there"]


def test_one_changes_what_is_served_at_a_time(storage, live):
    order = []
    entered = threading.Event()

    def second():
        entered.set()
        with LiveRecord(storage, "churn").exclusive():
            order.append("second")

    thread = threading.Thread(target=second)
    with live.exclusive():
        thread.start()
        entered.wait()
        time.sleep(0.05)  # enough for a lock that doesn't hold to be seen
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_models_are_changed_beside_each_other(storage, live):
    with live.exclusive(), LiveRecord(storage, "bikes").exclusive():
        pass


# Ending


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
