"""What a steady load of requests notices of all that happens to a service: nothing. Through the real commands.

A version swap without a failed request is tested beside promote and rollback, too, with a package that is refused.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import distml, document, serving
from distml.config import RunConfig
from distml.lifecycle.configs import config_of
from distml.lifecycle.runs import RunRecord
from distml.lifecycle.versions import promote
from distml.registry import StoreRegistry
from distml.serve import haproxy
from distml.storage import Storage
from endpoints import free_port
from load import Load, often
from processes import descendants, until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not haproxy.is_available(), reason="HAProxy's wheel is for Linux alone"),
]
CONFIG = """
name: mine
storage: store
data: {source: {uri: rows.parquet}, target: sold}
model: {families: [linear]}
search: {num_samples: 1, metric: log_loss}
train: {max_epochs: 5}
gates: {significance: null}
serve:
  port: PORT
  num_cpus: 0.1
  autoscaling: {downscale_delay_s: 5}
  rollout: {watch_s: 0}
monitor: {flush_interval_s: 0.2}
"""
CODE = ("--allow-code", "fragile")
FRAGILE = ("features.functions={score: {function: 'fragile:score', columns: [a]}}", "serve.rollout.watch_s=300")
# A function of the user's own that goes wrong once a file is there: a version that was good when it was made.
SOURCE = """
from pathlib import Path

import pyarrow.compute as pc

HERE = Path(__file__).parent


def score(a):
    if (HERE / "breaks").exists():
        raise ValueError("it broke")
    if (HERE / "refuses").exists() and pc.any(pc.equal(a, 1.5)).as_py():
        raise ValueError("it refused what its golden rows don't have")
    return pc.add(a, 100.0) if (HERE / "drifts").exists() else a
"""
# The versions of `mine`, and what is served otherwise with them than with the first.
PLAIN, OTHER_SETTINGS, TWO, FOUR, BAD = 1, 3, 4, 5, 2
CHANGED = {
    OTHER_SETTINGS: {"max_rows": 9000},
    TWO: {"autoscaling": {"min_replicas": 2, "max_replicas": 2, "downscale_delay_s": 5}},
    FOUR: {"autoscaling": {"min_replicas": 4, "max_replicas": 4, "downscale_delay_s": 5}},
}


@dataclass
class Service:
    home: Path
    pid: int
    url: str

    def load(self, **options: int) -> Load:
        return Load(f"{self.url}/predict", {"rows": [{"a": 1.5, "b": 2}]}, **options)

    def deploy(self, version: int) -> None:
        """Serves a version; returns before Serve has as many replicas as its config says."""
        document(distml("deploy", f"mine/{version}", "--storage", "store", "--json", cwd=self.home))

    def replicas(self) -> set[int]:
        return descendants("ray::ServeReplica", of=self.pid)

    def has(self, num: int) -> bool:
        return len(self.replicas()) == num

    def begin(self, version: int, num_replicas: int) -> None:
        """What a test begins with."""
        self.deploy(version)
        until(lambda: self.has(num_replicas))


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    """The first version on one replica; the champion's service, of which the second one is bad."""
    home = tmp_path_factory.mktemp("mine")
    (home / "config.yaml").write_text(CONFIG.replace("PORT", str(free_port())))
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=400), generator.integers(0, 5, 400)
    sold = np.where(a + generator.normal(0, 0.3, 400) > 0, "yes", "no")
    pq.write_table(pa.table({"a": a, "b": b, "sold": sold}), home / "rows.parquet")
    (home / "fragile.py").write_text(SOURCE)
    for changes in ((), FRAGILE):
        options = [part for change in changes for part in ("-s", change)]
        done = distml("run", "config.yaml", "--engine", "local", "--json", *options, *CODE, cwd=home)
        assert done.returncode in (0, 3), done.stderr
    storage = Storage(home / "store")
    registry = StoreRegistry(storage)
    first = promote(storage, f"mine/{PLAIN}", reason="the gate may have taken either").version
    told = config_of(storage, first).model_dump(mode="json")
    for number, changes in CHANGED.items():
        config = RunConfig.model_validate({**told, "serve": {**told["serve"], **changes}})
        record = RunRecord.start(storage, config)
        made = registry.register("mine", package=first.package, package_id=str(number), run=record.run, metrics={})
        assert made.number == number
    with serving("deploy", f"mine/{PLAIN}", "--storage", "store", *CODE, cwd=home) as (process, url):
        yield Service(home, process.pid, url)


def go_on(load: Load, num_requests: int = 300) -> None:
    """Until so many more requests have been answered, or not."""
    wanted = load.num_requests + num_requests
    until(lambda: load.num_requests >= wanted)


def test_replicas_come_and_go_and_none_is_replaced(service):
    service.begin(PLAIN, 1)
    first = service.replicas()
    with service.load() as load:
        service.deploy(FOUR)
        until(lambda: service.has(4))
        assert first < service.replicas()
        go_on(load)
        four = service.replicas()
        service.deploy(PLAIN)
        until(lambda: service.has(1))
        go_on(load)
    assert service.replicas() < four
    assert not load.failures


@pytest.mark.parametrize(("number", "retries"), [(signal.SIGKILL, 0), (signal.SIGKILL, 3), (signal.SIGTERM, 0)])
def test_a_replica_that_is_killed_is_missed_by_nobody_who_asks_again(service, number, retries):
    service.begin(TWO, 2)
    with service.load(retries=retries) as load:
        go_on(load)
        killed = min(service.replicas())
        os.kill(killed, number)
        until(lambda: service.has(2) and killed not in service.replicas())
        go_on(load)
    assert len(load.failures) <= (0 if retries else 4), load.failures  # what four clients had under way


def test_a_service_goes_on_without_serves_controller_which_comes_back(service):
    service.begin(PLAIN, 1)
    with service.load() as load:
        go_on(load)
        (controller,) = descendants("ray::ServeController", of=service.pid)
        os.kill(controller, signal.SIGKILL)
        service.deploy(FOUR)
        until(lambda: service.has(4))
        go_on(load)
    assert not load.failures


@pytest.mark.parametrize("how", ["breaks", "refuses", "drifts"])
def test_a_promoted_version_that_goes_wrong_makes_room_and_no_request_fails(service, how):
    """It fails whatever it is asked, fails on requests alone, or no longer predicts its golden rows as it did."""
    service.begin(PLAIN, 1)
    registry = StoreRegistry(Storage(service.home / "store"))
    with service.load() as load:
        options = ("--reason", "a test", "--storage", "store", "--json", *CODE)
        document(distml("promote", f"mine/{BAD}", *options, cwd=service.home))
        load.wait_for(often(BAD))
        flag = service.home / how
        flag.touch()
        until(lambda: registry.champion("mine").number == PLAIN)
        load.wait_for(often(PLAIN))
        flag.unlink()
    assert not load.failures
    assert registry.audit("mine")[-1].action == "rollback"


def test_replicas_are_replaced_where_settings_change(service):
    """Last: what comes after would wait for replicas to be replaced again."""
    service.begin(PLAIN, 1)
    before = service.replicas()
    with service.load() as load:
        service.deploy(OTHER_SETTINGS)
        load.wait_for(often(OTHER_SETTINGS))
        until(lambda: service.has(1) and not before & service.replicas())
        go_on(load)
    assert not load.failures
