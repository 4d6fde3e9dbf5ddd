"""More than a real service can take: what is refused is told when to come again, and afterwards all is answered."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import httpx
import pytest
from sklearn.datasets import load_breast_cancer

from commands import TINY, distml, document, serving
from distml.serve import haproxy
from endpoints import free_port
from hostility.raw import PROBLEM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.skipif(not haproxy.is_available(), reason="HAProxy's wheel is for Linux alone"),
]
ROW = dict.fromkeys((name.replace(" ", "_") for name in load_breast_cancer().feature_names), 1.0)
CLIENTS, EACH, ROWS = 32, 20, 2_000


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A replica in which four requests may wait."""
    folder = tmp_path_factory.mktemp("overload")
    serve = "{max_queued: 4, autoscaling: {target_ongoing_requests: 2, min_replicas: 1, max_replicas: 1}}"
    (folder / "tiny.yaml").write_text(f"{TINY}\nstorage: store\nserve: {serve}")
    document(distml("run", "tiny.yaml", "--engine", "local", "--json", cwd=folder))
    with serving("deploy", "tiny", "--storage", "store", "--port", str(free_port()), cwd=folder) as (_, url):
        yield url


def ask_together(url: str) -> list[httpx.Response]:
    """From many clients at once, each of which asks again as soon as it is answered."""
    answers: list[httpx.Response] = []
    start = threading.Barrier(CLIENTS)

    def ask() -> None:
        with httpx.Client(timeout=60) as client:
            start.wait()
            for _ in range(EACH):
                answers.append(client.post(f"{url}/predict", content=BODY, headers=JSON))

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


JSON = {"content-type": "application/json"}
BODY = httpx.Request("POST", "http://h", json={"rows": [ROW] * ROWS}).content


def test_what_is_too_much_is_refused_and_told_when_to_come_again(url):
    answers = ask_together(url)
    statuses = Counter(answer.status_code for answer in answers)
    assert len(answers) == CLIENTS * EACH
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] > 0 and statuses[429] + statuses[503] > 0
    for answer in answers:
        if answer.status_code != 200:
            told: dict[str, Any] = answer.json()
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["Content-Type"] == PROBLEM
            assert told["status"] == answer.status_code
    with httpx.Client(timeout=60) as client:
        after = [client.post(f"{url}/predict", content=BODY, headers=JSON).status_code for _ in range(20)]
        assert after == [200] * 20
        assert client.get(f"{url}/metrics").status_code == 200
