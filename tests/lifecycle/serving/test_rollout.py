"""Rollouts of a real service, under traffic, by the commands that people type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import distml, document, environment, serving
from distml.lifecycle.serving import rollouts
from distml.registry import StoreRegistry
from distml.storage import Storage
from endpoints import free_port
from load import Load
from processes import until

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
  rollout: {step_s: 2, min_requests: 30, watch_s: 4}
monitor: {flush_interval_s: 0.2}
"""
FRAGILE = "features.functions={score: {function: 'fragile:score', columns: [a]}}"
# A function of the user's own that fails once a file is there: a version that was good when it was made.
SOURCE = """
from pathlib import Path


def score(a):
    if Path(__file__).with_name("broken").exists():
        raise ValueError("it broke")
    return a
"""
KILL_KEEPER = """
from distml.cluster.on_ray import NAMESPACE, connected
from distml.lifecycle.serving.live import LiveRecord
from distml.storage import Storage
live = LiveRecord(Storage("store"), "mine").read()
with connected(live["address"], live["token_path"]):
    import ray
    from distml.lifecycle.serving.keeper.on_ray import keeper_name
    ray.kill(ray.get_actor(keeper_name("mine"), namespace=NAMESPACE), no_restart=False)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with three versions of `mine`: the first is champion, the third needs a function that may break."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("PORT", str(free_port())))
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=400), generator.integers(0, 5, 400)
    sold = np.where(a + generator.normal(0, 0.3, 400) > 0, "yes", "no")
    pq.write_table(pa.table({"a": a, "b": b, "sold": sold}), tmp_path / "rows.parquet")
    (tmp_path / "fragile.py").write_text(SOURCE)
    code = ("--allow-code", "fragile")
    for options in ((), ("-s", "seed=1"), ("-s", FRAGILE, *code)):
        done = distml("run", "config.yaml", "--engine", "local", "--json", *options, cwd=tmp_path)
        assert done.returncode in (0, 3), done.stderr
    return tmp_path


def asking(url: str) -> Load:
    """One client, whose every request is assigned by itself."""
    return Load(f"{url}/predict", {"rows": [{"a": 1.0, "b": 2}]}, threads=1)


@pytest.mark.ray
@pytest.mark.slow
def test_versions_take_over_step_by_step_and_make_room_when_they_fail(home: Path) -> None:
    storage = Storage(home / "store")
    registry = StoreRegistry(storage)
    refused = distml("deploy", "mine/2", "--canary", "5,100", "--storage", "store", cwd=home)
    assert refused.returncode == 2
    assert "step by step from one that is served" in refused.stderr
    code = ("--allow-code", "fragile")
    with serving("deploy", "mine/1", "--storage", "store", *code, cwd=home) as (_, url), asking(url) as load:
        # A good version arrives, and becomes champion.
        options = ("--canary", "20,100", "--reason", "a test", "--json", "--storage", "store", *code)
        told = distml("deploy", "mine/2", *options, cwd=home)
        about = document(told)
        assert (about["version"], about["rollout"]["phase"]) == (2, "done")
        assert registry.champion("mine").number == 2
        assert "mine/2: canary, 20 % of the requests" in told.stderr
        assert [step["percent"] for step in about["rollout"]["history"]] == [20, 100, 100]
        assert set(load.versions) == {1, 2}

        # One that fails makes room, whoever keeps it: its keeper is killed in between.
        begun = distml("deploy", "mine/3", *options, "--detach", cwd=home)
        assert document(begun)["rollout"]["percent"] == 20
        killed = subprocess.run(
            [sys.executable, "-c", KILL_KEEPER], cwd=home, env=environment(), capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert killed.returncode == 0, killed.stderr
        until(lambda: registry.champion("mine").number == 3)
        (home / "broken").touch()
        until(lambda: rollouts.read(storage, "mine")[1].is_settled)
        _, rollout = rollouts.read(storage, "mine")
        assert (rollout.phase, rollout.ended_by) == ("rolled back", "rollout")
        assert registry.champion("mine").number == 2
        assert httpx.get(f"{url}/readyz").json()["model"]["version"] == 2

        # One that can't be loaded any more is refused, and the command says so.
        again = distml("deploy", "mine/3", *options, cwd=home)
        assert again.returncode == 1
        assert "loads and reproduces its golden rows" in again.stderr
        assert registry.audit("mine")[-1].action == "refuse"
    assert set(load.outcomes) == {200}, load.failures
    actions = [(one.version, one.action, one.by) for one in registry.audit("mine") if one.by == "rollout"]
    assert actions == [(2, "promote", "rollout"), (3, "promote", "rollout"), (2, "rollback", "rollout"),
                       (3, "refuse", "rollout")]  # fmt: skip
    assert orjson.loads(distml("status", "--json", "--storage", "store", cwd=home).stdout)[0]["served"] is None
