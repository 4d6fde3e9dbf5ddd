import threading
import time
from datetime import datetime

import pytest

from distml.lifecycle.liveness import this_process
from distml.lifecycle.serving.live import LiveRecord, is_guest, services
from distml.registry import Version
from distml.storage import Storage

FIRST, SECOND = (
    Version(name="churn", number=number, package=f"trained/{number}", package_id=str(number), run="r")
    for number in (1, 2)
)


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


def test_services_are_found(storage, live):
    storage.write_bytes("live/churn.log", b"")
    assert [found.name for found in services(storage)] == ["churn"]


def test_a_guest_is_not_read_as_live_once_its_cluster_is_gone(storage, live, tmp_path):
    guest = LiveRecord(storage, "bike")
    holder = {**this_process(), "pid": 2**31 - 1}
    guest.write("http://127.0.0.1:8000/bike", FIRST, "127.0.0.1:6379", tmp_path / "token", holder=holder)
    assert guest.read() is None
    assert [is_guest(record) for record in (live.last(), guest.last())] == [False, True]


def test_a_service_on_a_cluster_that_is_there_without_us_is_nobodys_guest(storage):
    live = LiveRecord(storage, "churn")
    live.write("http://127.0.0.1:8000/churn", FIRST, "10.0.0.1:6379", None)
    assert live.read()["cluster"] is None
    assert not is_guest(live.read())


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
