"""Two processes at one search: the later one waits."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from distml.lifecycle.liveness import born, this_process
from distml.lifecycle.owner import owned, wait_for_owner
from distml.storage import Storage
from searches import Heard

FOLDER = "searched/abc"


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


@contextmanager
def other_process():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process, {**this_process(), "pid": process.pid, "born": born(process.pid)}
    process.kill()
    process.wait()


@contextmanager
def waiting(storage):
    """Somebody who waits for the search, in a thread."""
    heard, told = Heard(), threading.Event()
    heard.on_note = lambda note: (heard.notes.append(note), told.set())
    thread = threading.Thread(target=wait_for_owner, args=(storage, FOLDER, heard), daemon=True)
    thread.start()
    assert told.wait(30)
    assert thread.is_alive()
    yield heard
    thread.join(30)
    assert not thread.is_alive()


def test_a_search_that_nobody_is_at_is_begun(storage):
    heard = Heard()
    wait_for_owner(storage, FOLDER, heard)
    assert heard.notes == []


def test_who_comes_later_waits_for_the_result(storage):
    with other_process() as (process, owner):
        storage.write_json(f"{FOLDER}/owner.json", owner)
        with waiting(storage) as heard:
            storage.write_json(f"{FOLDER}/result.json", {})
        assert heard.notes == [f"waits for process {process.pid}, which is at the same search"]


def test_or_until_the_other_is_gone(storage):
    with other_process() as (process, owner):
        storage.write_json(f"{FOLDER}/owner.json", owner)
        with waiting(storage):
            process.kill()
            process.wait()


@pytest.mark.parametrize("owner", [{"born": "another boot"}, {"host": "elsewhere"}, {}])
def test_a_dead_owner_another_machines_and_oneself_are_not_waited_for(storage, owner):
    storage.write_json(f"{FOLDER}/owner.json", {**this_process(), **owner})
    heard = Heard()
    wait_for_owner(storage, FOLDER, heard)
    assert heard.notes == []


def test_a_search_is_ones_own_while_it_runs(storage):
    with owned(storage, FOLDER):
        assert storage.read_json(f"{FOLDER}/owner.json")["pid"] == os.getpid()
    assert not storage.exists(f"{FOLDER}/owner.json")
