"""Requests that no service may fall over, over HTTP to a real one, while others are answered beside them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from sklearn.datasets import load_breast_cancer

from commands import TINY, distml, document, environment, serving
from distml.serve import haproxy
from endpoints import free_port
from hostility.raw import PROBLEM, Raw, answers_to, raw_requests
from hostility.table import Hostile, hostile_requests
from load import Load

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.skipif(not haproxy.is_available(), reason="HAProxy's wheel is for Linux alone"),
]
# Of the table that TINY trains on, with values that are possible.
ROW = dict.fromkeys((name.replace(" ", "_") for name in load_breast_cancer().feature_names), 1.0)
NUMBER = "mean_radius"
MAX_GROWTH = 400 << 20  # bytes: what several of the largest bodies allowed take while they are read


@dataclass
class Shop:
    """A service of one replica, and what others ask it meanwhile."""

    url: str
    replica: psutil.Process
    load: Load
    first_peak: int

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port


def peak_of(process: psutil.Process) -> int:
    """The most memory that a process has had, in bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def replicas(process: int) -> list[psutil.Process]:
    children = psutil.Process(process).children(recursive=True)
    return [child for child in children if "".join(child.cmdline()).startswith("ray::ServeReplica")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "tiny.yaml").write_text(f"{TINY}\nstorage: store\nserve: {{body_timeout_s: 1}}")
    document(distml("run", "tiny.yaml", "--engine", "local", "--json", cwd=folder))
    deploy = ("deploy", "tiny", "--storage", "store", "--port", str(free_port()))
    with serving(*deploy, cwd=folder) as (process, url):
        (replica,) = replicas(process.pid)
        with Load(f"{url}/predict", {"rows": [ROW]}, threads=2) as load:
            yield Shop(url, replica, load, peak_of(replica))


def as_raw(hostile: Hostile) -> Raw:
    body = hostile.make()
    headers = {"Host": "localhost", "Content-Length": str(len(body)), **hostile.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = f"{hostile.method} /tiny{hostile.path} HTTP/1.1\r\n"
    return Raw(name=hostile.name, pieces=[f"{line}{head}\r\n".encode(), body], statuses=(hostile.status,))


@pytest.mark.parametrize("hostile", hostile_requests(ROW, NUMBER, "tiny"), ids=str)
def test_hostile_requests_are_problems(shop, hostile: Hostile):
    (answer,) = answers_to(shop.port, as_raw(hostile))
    assert answer is not None
    assert (answer.status, answer.content_type) == (hostile.status, PROBLEM)
    told: dict[str, Any] = answer.document
    assert told["status"] == hostile.status
    if hostile.name.endswith("for a number") and not hostile.name.startswith("Arrow"):
        assert (told["row"], told["column"]) == (1, NUMBER)


@pytest.mark.parametrize("raw", raw_requests("/tiny", ROW), ids=str)
def test_so_is_what_only_a_socket_can_send(shop, raw: Raw):
    answers = answers_to(shop.port, raw)
    assert tuple(answer and answer.status for answer in answers) == raw.statuses


def test_a_hundred_clients_that_stop_halfway_keep_nobody_waiting(shop):
    head = b"POST /tiny/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b" " * 100_000
    slow = [socket.create_connection(("127.0.0.1", shop.port), timeout=30) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(head)
        shop.load.wait_for(lambda versions: versions[1] >= 100)
    finally:
        for connection in slow:
            connection.close()


def test_whatever_its_openapi_allows_is_answered_as_it_says(shop, tmp_path):
    """By schemathesis. What a schema can't say, such as that rows are as long as their header, is no fault, nor is a
    header that nobody reads."""
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{shop.url}/openapi.json", "--url", shop.url,
         "--checks", "all", "--exclude-checks", "positive_data_acceptance,negative_data_rejection",
         "--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--continue-on-failure",
         "--generation-database", "none", "--header", "X-Request-Timeout: 10", "--no-color"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]


def test_others_were_answered_and_no_replica_has_ended(shop):
    """Last: after all of them."""
    assert shop.load.failures == []
    assert shop.load.num_requests > 0
    assert shop.replica.is_running()
    assert peak_of(shop.replica) - shop.first_peak < MAX_GROWTH
