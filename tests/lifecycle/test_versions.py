"""promote and rollback: what is refused before anything moves, what the audit log says, and the whole under traffic."""

from __future__ import annotations

import getpass
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from commands import TINY, distml, document, processes_of, serving
from distml.clean import RowCleaner
from distml.config import RunConfig
from distml.config.rollout import RolloutConfig
from distml.errors import ConflictError, DistmlError, NotFoundError, PackageError, UsageError
from distml.lifecycle.mirror import mirror_champion
from distml.lifecycle.runs import RunRecord
from distml.lifecycle.serving.live import LiveRecord
from distml.lifecycle.serving.takeover import Wish, take_over
from distml.lifecycle.versions import Moved, check_refusal, move_to_challenger, promote, rollback
from distml.predictor import with_golden
from distml.registry import Decision, StoreRegistry
from distml.storage import Storage
from kept import Replicas, keeping
from load import Load, often
from packages import package_of, table_of

ANN = "ann@desk"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A package on disk that loads and reproduces its golden rows."""
    folder = tmp_path_factory.mktemp("package") / "package"
    made = package_of("binary")
    with_golden(made, RowCleaner(schema=made.schema).apply(table_of("binary")).table).save(folder)
    return folder


@pytest.fixture
def storage(tmp_path, package) -> Storage:
    """Three versions of `shop`, the first of them champion, none of them served."""
    storage = Storage(tmp_path / "store")
    registry = StoreRegistry(storage)
    record = RunRecord.start(storage, RunConfig(name="shop", data={"source": {"uri": "t.csv"}, "target": "y"}))
    for number in (1, 2, 3):
        key = f"trained/{number}/package"
        shutil.copytree(package, storage.uri(key))
        registry.register("shop", package=key, package_id=str(number), run=record.run, metrics={})
    registry.promote("shop", 1, expected=None)
    return storage


@pytest.fixture
def registry(storage) -> StoreRegistry:
    return StoreRegistry(storage)


def damage(package: Path) -> None:
    """Weights that were changed after they were packed."""
    weights = next((package / "members" / "0").glob("weights*"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")


def last(registry) -> tuple[Any, ...]:
    decision = registry.audit("shop")[-1]
    return decision.version, decision.action, decision.reasons, decision.by


def test_a_promotion_moves_the_champion_and_is_in_the_audit_log(storage, registry):
    moved = promote(storage, "shop/2", reason="asked for", by=ANN)
    first, second, _ = registry.versions("shop")
    assert moved == Moved(version=second, before=first, endpoint=None)
    assert registry.champion("shop") == second
    assert last(registry) == (2, "promote", ("asked for",), ANN)


def test_a_promotion_needs_no_reason_where_nothing_was_refused(storage, registry):
    promote(storage, "shop@challenger")
    assert registry.champion("shop").number == 3
    assert last(registry) == (3, "promote", ("by hand",), f"{getpass.getuser()}@{socket.gethostname()}")


def test_a_share_of_the_requests_makes_no_refusal_good(registry):
    second = registry.versions("shop")[1]
    for action in ("refuse", "roll out"):
        registry.record(Decision(name="shop", version=2, action=action, reasons=("roc_auc 0.4",), by="x"))
    with pytest.raises(UsageError, match=r"shop/2, refused by x: roc_auc 0\.4"):
        check_refusal(registry, second, None)
    check_refusal(registry, second, "asked for")


def test_two_rollbacks_go_back_two(storage, registry):
    promote(storage, "shop/2")
    promote(storage, "shop/3")
    moved = rollback(storage, "shop", reason="too slow", by=ANN)
    assert (moved.version.number, moved.before.number, moved.endpoint) == (2, 3, None)
    assert last(registry) == (2, "rollback", ("too slow",), ANN)
    assert rollback(storage, "shop").version.number == 1
    with pytest.raises(NotFoundError, match=r"shop, champion: 1.*distml promote shop/NUMBER"):
        rollback(storage, "shop")


def test_promoting_the_champion_changes_nothing(storage, registry):
    before = registry.audit("shop")
    moved = promote(storage, "shop/1")
    assert moved.version == moved.before == registry.champion("shop")
    assert registry.audit("shop") == before


def test_a_first_champion_replaces_none(storage, registry):
    registry.register("other", package="trained/1/package", package_id="1", run=registry.versions("shop")[0].run,
                      metrics={})  # fmt: skip
    assert promote(storage, "other/1").before is None


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("shop", "one version of a model; received shop. Remedy: shop/NUMBER"),
        ("shop/4", "versions of shop: 1, 2, 3"),
        ("nothing/1", "known models: shop"),
    ],
)
def test_what_names_no_version_is_not_promoted(storage, registry, reference, said):
    with pytest.raises(UsageError) as caught:
        promote(storage, reference)
    assert said in str(caught.value)
    assert registry.champion("shop").number == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing", "known models: shop"), ("shop/1", "received shop/1"), ("shop@champion", "received shop@champion")],
)
def test_what_names_no_model_is_not_rolled_back(storage, name, said):
    with pytest.raises(UsageError, match=said):
        rollback(storage, name)


# Refused before anything is moved


def test_a_damaged_package_is_refused_before_anything_is_moved(storage, registry):
    damage(Path(storage.uri("trained/2/package")))
    before = registry.audit("shop")
    with pytest.raises(PackageError, match="as they were written"):
        promote(storage, "shop/2")
    assert registry.champion("shop").number == 1
    assert registry.audit("shop") == before


def test_a_rollback_to_a_damaged_package_is_refused(storage, registry):
    promote(storage, "shop/2")
    damage(Path(storage.uri("trained/1/package")))
    with pytest.raises(PackageError):
        rollback(storage, "shop")
    assert registry.champion("shop").number == 2


def test_a_package_that_is_gone_is_refused(storage, registry):
    storage.delete("trained/2")
    with pytest.raises(NotFoundError, match="received trained/2/package"):
        promote(storage, "shop/2")
    assert registry.champion("shop").number == 1


def test_a_pruned_version_is_neither_promoted_nor_rolled_back_to(storage, registry):
    promote(storage, "shop/2")
    promote(storage, "shop/3")
    registry.prune("shop", 1)
    rollback(storage, "shop")
    for change in (lambda: promote(storage, "shop/1"), lambda: rollback(storage, "shop")):
        with pytest.raises(NotFoundError, match="shop/1, pruned by gc on"):
            change()
    assert registry.champion("shop").number == 2


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_version_that_the_gate_refused_needs_a_reason(storage, registry, reason):
    registry.record(Decision(name="shop", version=2, action="refuse", reasons=("auc is worse",), by="run r"))
    with pytest.raises(UsageError, match="shop/2, refused by run r: auc is worse"):
        promote(storage, "shop/2", reason=reason)
    assert registry.champion("shop").number == 1
    promote(storage, "shop/2", reason="the test rows are stale", by=ANN)
    assert last(registry) == (2, "promote", ("the test rows are stale",), ANN)


def test_what_was_promoted_after_it_was_refused_needs_no_reason_again(storage, registry):
    registry.record(Decision(name="shop", version=2, action="refuse", reasons=("worse",), by="run r"))
    promote(storage, "shop/2", reason="stale")
    rollback(storage, "shop")
    promote(storage, "shop/2")
    assert registry.champion("shop").number == 2


def test_a_champion_changed_meanwhile_is_a_conflict_and_no_refusal(storage, registry, monkeypatch):
    from distml.predictor import Predictor

    load = Predictor.load

    def slowly(folder):
        registry.promote("shop", 3, expected=1)  # someone else, while the package is checked
        return load(folder)

    monkeypatch.setattr(Predictor, "load", slowly)
    with pytest.raises(ConflictError, match="champion is 3, expected 1"):
        promote(storage, "shop/2")
    assert registry.champion("shop").number == 3
    assert last(registry)[:2] == (3, "promote")


# Where it is served, by a keeper without a cluster


@pytest.fixture
def replicas(storage):
    """A service of shop/1, and its keeper at work."""
    live = LiveRecord(storage, "shop")
    live.write("http://127.0.0.1:8000/shop", StoreRegistry(storage).versions("shop")[0], "127.0.0.1:6379", None)
    replicas = Replicas()
    replicas.now = time.time()
    with keeping(storage, "shop", replicas):
        yield replicas


def served(storage):
    return LiveRecord(storage, "shop").last()["version"]


def wished(registry, number, **changes):
    plan = RolloutConfig(canary=(20, 100), step_s=10**6)
    version = registry.versions("shop")[number - 1]
    return Wish(**{"version": version, "plan": plan, "action": "promote", "by": ANN, **changes})


def test_traffic_and_champion_move_together(storage, registry, replicas):
    url = "http://127.0.0.1:8000/shop"
    for number in (2, 3):
        assert promote(storage, f"shop/{number}", by=ANN).endpoint == url
        assert (registry.champion("shop").number, replicas.main, served(storage)) == (number, number, number)
        assert last(registry) == (number, "promote", ("by hand", f"served at {url}"), ANN)
    moved = rollback(storage, "shop", reason="too slow", by=ANN)
    assert (moved.version.number, moved.before.number, moved.ended) == (2, 3, 3), "it was watched still"
    assert (registry.champion("shop").number, replicas.main, served(storage)) == (2, 2, 2)
    assert last(registry) == (2, "rollback", ("shop/3: too slow",), ANN)
    moved = rollback(storage, "shop", by=ANN)
    assert (moved.version.number, moved.before.number, moved.ended) == (1, 2, None)
    assert (registry.champion("shop").number, replicas.main, served(storage)) == (1, 1, 1)


def test_what_replicas_refuse_leaves_traffic_and_champion(storage, registry, replicas):
    replicas.refused = "weights are damaged"
    with pytest.raises(DistmlError, match=r"a replica refused it: weights are damaged; in shop/2"):
        promote(storage, "shop/2", by=ANN)
    assert (registry.champion("shop").number, replicas.main, served(storage)) == (1, 1, 1)
    assert last(registry)[:2] == (2, "refuse")
    with pytest.raises(UsageError, match="promoted with a reason"):
        promote(storage, "shop/2")


def test_a_rollback_ends_a_rollout_that_is_under_way(storage, registry, replicas):
    rollout, _ = take_over(storage, wished(registry, 2))
    assert (rollout.phase, rollout.percent, replicas.applied[-1].percent) == ("canary", 20, 20)
    assert last(registry) == (2, "roll out", ("20, 100 %",), ANN)
    moved = rollback(storage, "shop", by=ANN)
    assert (moved.version.number, moved.before, moved.ended) == (1, None, 2)
    assert (registry.champion("shop").number, replicas.main, replicas.applied[-1].percent) == (1, 1, 0)
    assert last(registry)[:2] == (1, "rollback")


def test_a_promotion_ends_a_rollout_that_is_under_way(storage, registry, replicas):
    take_over(storage, wished(registry, 2))
    promote(storage, "shop/3", by=ANN)
    assert (registry.champion("shop").number, replicas.main) == (3, 3)
    assert replicas.applied[-1].before.version == 1
    assert registry.previous("shop").number == 1


def test_a_share_goes_on_and_leaves_the_champion(storage, registry, replicas):
    rollout, _ = take_over(storage, wished(registry, 2, shared=50.0, action="keep"))
    assert (rollout.phase, replicas.applied[-1].traffic().shares[0].percent) == ("share", 50)
    assert registry.champion("shop").number == 1
    for share in (0, 100, -5):
        with pytest.raises(UsageError, match="a percentage between 0 and 100"):
            wished(registry, 2, shared=float(share))


def test_a_version_does_not_take_over_from_itself_and_ends_nothing(storage, registry, replicas):
    take_over(storage, wished(registry, 2))
    with pytest.raises(UsageError, match="shop/1, which answers already"):
        take_over(storage, wished(registry, 1))
    assert replicas.applied[-1].percent == 20


def test_a_version_that_is_served_already_is_only_made_champion(storage, registry, replicas):
    take_over(storage, wished(registry, 2, plan=RolloutConfig(), action="keep"))
    assert (registry.champion("shop").number, replicas.main) == (1, 2)
    promote(storage, "shop/2")
    assert (registry.champion("shop").number, replicas.main, replicas.applied[-1].before.version) == (2, 2, 1)


def test_a_champion_changed_meanwhile_begins_no_rollout(storage, registry, replicas):
    with pytest.raises(ConflictError, match="champion is 1, expected 2"):
        move_to_challenger(storage, registry.versions("shop")[2], expected=2, reasons=("better",), by="run r")
    assert (replicas.applied, served(storage)) == ([], 1)


# The mirror


def test_a_model_that_was_never_mirrored_is_not_mirrored_now(storage, registry):
    assert mirror_champion(storage, registry.champion("shop")) is None
    assert not storage.exists("mlflow")


def test_a_mirror_that_cannot_be_reached_is_told_in_a_line(storage, registry):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = {"name": "shop", "data": {"source": {"uri": "t.csv"}, "target": "y"}, "tracking": {"uri": uri}}
    record = RunRecord.start(storage, RunConfig(**config))
    version = registry.register("shop", package="trained/1/package", package_id="4", run=record.run, metrics={})
    told = mirror_champion(storage, version)
    assert told.startswith("the tracking server answers")
    assert "\n" not in told


# Under traffic

CONFIG = f"""{TINY}
gates: {{significance: null}}
serve: {{port: PORT, autoscaling: {{min_replicas: 2, max_replicas: 2}}}}
monitor: {{flush_interval_s: 0.2}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with three versions of `tiny`, the first champion and the third damaged."""
    folder = tmp_path_factory.mktemp("home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        (folder / "config.yaml").write_text(CONFIG.replace("PORT", str(probe.getsockname()[1])))
    for seed in range(3):
        settings = ["-s", "storage=distml-store", "-s", f"seed={seed}"]
        done = distml("run", "config.yaml", "--engine", "local", "--json", *settings, cwd=folder)
        assert done.returncode in (0, 3), done.stderr
    damage(Path(orjson.loads(done.stdout)["package"]))
    return folder


@pytest.mark.ray
@pytest.mark.slow
def test_promote_and_rollback_move_traffic_without_one_failed_request(home: Path) -> None:
    storage = Storage(home / "distml-store")
    registry = StoreRegistry(storage)
    start = registry.champion("tiny").number
    rows = storage.read_json(f"{registry.champion('tiny').package}/golden.json")["rows"][:1]
    with serving("deploy", f"tiny/{start}", cwd=home) as (process, url):
        with Load(f"{url}/predict", {"rows": rows}) as load:
            for number in (2, 1, 2):
                moved = document(distml("promote", f"tiny/{number}", "--reason", "a test", "--json", cwd=home))
                assert (moved["version"], moved["endpoint"]) == (number, url)
                assert version_at(url) == registry.champion("tiny").number == number
                load.wait_for(often(number))
            for number in (1, 2):
                moved = document(distml("rollback", "tiny", "--json", cwd=home))
                assert (moved["version"], moved["endpoint"], moved["mirrored"]) == (number, url, True)
                assert version_at(url) == registry.champion("tiny").number == number
                load.wait_for(often(number))
            (about,) = document(distml("status", "tiny", "--json", cwd=home))
            assert (about["served"], about["champion"], about["endpoint"]) == (2, 2, url)
            assert [decision["action"] for decision in about["audit"][-2:]] == ["rollback", "rollback"]
            assert {replica["main"] for replica in about["service"]["replicas"].values()} == {2}

            refused = distml("promote", "tiny/3", "--reason", "a test", cwd=home)
            assert refused.returncode == 1
            assert "as they were written" in refused.stderr
            assert version_at(url) == registry.champion("tiny").number == 2
            assert document(distml("status", "--json", cwd=home))[0]["served"] == 2
        assert not load.failures
        (refusal,) = [d for d in registry.audit("tiny") if d.version == 3 and d.by == "rollout"]
        assert refusal.action == "refuse"
        assert "as they were written" in refusal.reasons[0]
        (ended,) = document(distml("down", "--json", cwd=home))
        assert ended == {"name": "tiny", "how": "ended"}
        assert process.wait(60) == 0
    assert not processes_of(home)


def version_at(url: str) -> int:
    return httpx.get(f"{url}/readyz").json()["model"]["version"]
