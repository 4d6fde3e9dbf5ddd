"""Replicas on Ray Serve: what crosses its processes. What a replica does with a request is tested without it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray

from distml.config import RunConfig
from distml.config.autoscaling import AutoscalingConfig
from distml.inference_log import read_feedback
from distml.monitor import on_ray as monitor
from distml.predictor import Predictor
from distml.records import table_from_records
from distml.serve.link.on_ray import Link
from distml.serve.on_ray import application
from distml.serve.settings import settings_of
from distml.serve.traffic import Deployed, Share, Traffic
from distml.storage import Storage
from endpoints import free_port
from packages import saved, table_of

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]
ROWS = table_of("binary", n=8, seed=9).select(["size", "colour"]).to_pylist()
WAIT_S = 60


@dataclass
class Served:
    """A model on Serve, its monitor, and where it is asked."""

    config: RunConfig
    root: Path
    actor: Any
    client: httpx.Client

    def run(self, traffic: Traffic) -> dict[str, Any]:
        """Deploys a traffic; what the replica says came of it."""
        from ray import serve

        traffic = replace(traffic, asked_at=time.time())
        settings = settings_of(
            self.config, str(self.root), monitor=monitor.actor_name(self.config.name), namespace="tests"
        )
        app = application(settings, self.config.serve, traffic)
        serve.run(app, name=self.config.name, route_prefix=self.config.route)
        return self.until(
            lambda: next((r for r in self.replicas().values() if r["asked_at"] == traffic.asked_at), None)
        )

    def replicas(self) -> dict[str, dict[str, Any]]:
        """By name, what the monitor knows of those that are alive."""
        return ray.get(self.actor.report.remote())["replicas"]

    def totals(self, version: int) -> dict[str, Any]:
        return ray.get(self.actor.totals.remote()).get(version, {"requests": 0})

    def until(self, found: Any) -> Any:
        """The first thing that is found; it is looked for again and again."""
        end = time.monotonic() + WAIT_S
        while not (value := found()):
            assert time.monotonic() < end
            time.sleep(0.05)
        return value

    def predict(self, **headers: str) -> httpx.Response:
        return self.client.post("/predict", json={"rows": ROWS}, headers=headers)

    def version(self) -> int:
        return self.predict().json()["model"]["version"]


def version(number: int) -> Deployed:
    return Deployed(version=number, package=str(number))


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """Packages 1 to 4, of which the fourth is damaged."""
    return saved(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def served(ray_session, packages) -> Iterator[Served]:
    """Serve, with version 1 of `shop`."""
    from ray import serve

    port = free_port()
    config = RunConfig(
        name="shop", storage=str(packages), data={"source": {"uri": "t.csv"}, "target": "y"},
        serve={"port": port, "num_cpus": 0.1, "timeout_s": 5}, monitor={"flush_interval_s": 0.1},
    )  # fmt: skip
    actor = monitor.start("shop", config.monitor, "tests")
    serve.start(
        http_options={"host": "127.0.0.1", "port": port},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/shop", timeout=WAIT_S) as client:
        served = Served(config=config, root=packages, actor=actor, client=client)
        served.run(Traffic(main=version(1)))
        yield served
    serve.shutdown()
    ray.kill(actor)


def test_predictions_over_http_are_the_predictors(served, packages):
    served.run(Traffic(main=version(1)))
    answer = served.predict(**{"X-Request-Id": "abc"})
    predictor = Predictor.load(packages / "1")
    wanted = predictor.predict(table_from_records(ROWS, predictor.schema))
    assert answer.status_code == 200
    assert answer.json()["predictions"] == wanted.values.tolist()
    shares = [[one[label] for label in wanted.labels] for one in answer.json()["probabilities"]]
    assert shares == pytest.approx(wanted.probabilities, rel=1e-6)
    assert answer.json()["request_id"] == "abc"
    assert answer.headers.get_list("x-request-id") == ["abc"]
    assert answer.headers["x-model-version"] == "1"


def test_problems_are_as_the_service_made_them(served):
    answer = served.client.post("/predict", content=b"{")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert served.client.get("/nope").status_code == 404
    assert served.client.head("/schema").status_code == 200
    assert served.predict(**{"X-Request-Timeout": "soon"}).status_code == 400


def test_versions_change_without_one_failed_request_and_a_bad_one_is_refused(served):
    served.run(Traffic(main=version(1)))
    (replica,) = served.replicas()
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def post() -> None:
        with httpx.Client(base_url=served.client.base_url, timeout=WAIT_S) as client:
            while not stop.is_set():
                statuses[client.post("/predict", json={"rows": ROWS}).status_code] += 1

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in (2, 3, 1, 2):
            told = served.run(Traffic(main=version(number), last_good=version(1)))
            assert (told["main"], told["errors"]) == (number, {})
            assert served.version() == number
        told = served.run(Traffic(main=version(4), last_good=version(2)))
        assert (told["main"], list(told["errors"])) == (2, [4])
        assert "as they were written" in told["errors"][4]
        assert served.version() == 2
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert list(served.replicas()) == [replica]  # the same one all the time


def test_a_canary_has_its_share_of_the_keys_and_each_keeps_its_version(served):
    traffic = Traffic(main=version(1), shares=(Share(deployed=version(2), percent=40),), salt="s")
    assert served.run(traffic)["versions"] == [1, 2]
    keys = [f"client-{i}" for i in range(30)]
    for _ in range(2):
        answered = [served.predict(**{"X-Assignment-Key": key}).json()["model"]["version"] for key in keys]
        assert answered == [traffic.assign(key) for key in keys]
    assert set(answered) == {1, 2}


def test_a_shadow_listens(served):
    served.run(Traffic(main=version(1), shadow=version(3)))
    before = served.totals(3).get("compared", 0)
    assert served.version() == 1
    served.until(lambda: served.totals(3).get("compared", 0) == before + len(ROWS))


def test_what_was_served_is_in_the_metrics_of_the_whole_service(served):
    served.run(Traffic(main=version(2)))
    before = served.totals(2)["requests"]
    for _ in range(5):
        assert served.version() == 2
    served.until(lambda: served.totals(2)["requests"] == before + 5)
    answer = served.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    wanted = f'distml_requests_total{{model="shop",outcome="answered",role="live",version="2"}} {before + 5}.0'
    assert wanted in answer.text


def test_labels_are_kept(served, packages):
    answer = served.client.post("/feedback", json={"request_id": "earlier", "labels": ["yes", "no"]})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    kept = read_feedback(Storage(packages), "shop")
    assert kept["label"].to_pylist() == ["yes", "no"]


def test_a_replica_that_is_stopped_says_what_it_still_knows(served):
    """Last: it ends the service."""
    from ray import serve

    served.run(Traffic(main=version(3)))
    before = served.totals(3)["requests"]
    for _ in range(7):
        served.predict()
    serve.delete("shop")
    served.until(lambda: not served.replicas())
    assert served.totals(3)["requests"] == before + 7


def test_a_new_replica_answers_with_the_last_good_version_where_main_does_not_load(served):
    told = served.run(Traffic(main=version(4), last_good=version(1)))
    assert (told["main"], list(told["errors"])) == (1, [4])
    assert served.version() == 1


def test_a_monitor_that_is_away_has_taken_nothing():
    assert Link("nobody", "tests").observe([], {}) is None


def test_replicas_are_replaced_for_other_settings_and_another_distml_alone(served, monkeypatch):
    def code(config: RunConfig = served.config, number: int = 1) -> str:
        settings = settings_of(config, "s", monitor="m", namespace="n")
        return application(settings, config.serve, Traffic(main=version(number)))._bound_deployment.version

    def changed(**serve: Any) -> RunConfig:
        return served.config.model_copy(update={"serve": served.config.serve.model_copy(update=serve)})

    before = code()
    assert code(number=2) == code(changed(autoscaling=AutoscalingConfig(max_replicas=4))) == before
    assert code(changed(max_rows=9)) != before
    monkeypatch.setattr("distml.serve.on_ray.installed", lambda name: "9.9")
    assert code() != before
