import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from distml.config import RunConfig
from distml.config.rollout import RolloutConfig
from distml.errors import NotFoundError, StorageError
from distml.lifecycle.claims import Retention
from distml.lifecycle.evaluate import evaluated_key
from distml.lifecycle.retention import GRACE_S, collect, plan
from distml.lifecycle.run import Resources
from distml.lifecycle.run import run as run_lifecycle
from distml.lifecycle.runs import RunRecord, list_runs
from distml.lifecycle.serving.live import LiveRecord
from distml.lifecycle.serving.rollouts import deployed, write
from distml.predictor import Predictor
from distml.reading.handed import keep
from distml.registry import StoreRegistry, resolve
from distml.serve.rollout.rollout import Rollout
from distml.storage import Storage

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ENDED = {"pid": 2**31 - 1}
NOTHING = Retention(runs=0, versions=0)


class Home:
    """A storage with runs whose stages are folders of a few bytes, all of them days old."""

    def __init__(self, folder):
        self.storage = Storage(folder)
        self.registry = StoreRegistry(self.storage)
        self.num_runs = 0

    def run(self, key=None, *, name="churn", state="finished", until="evaluate", slices=(), **changes) -> str:
        """A run an hour after the last one; its stages' folders are all called `key`, its own number by default."""
        self.num_runs += 1
        key = key or f"k{self.num_runs}"
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.num_runs)
        config = RunConfig(name=name, data={"source": {"uri": "t.csv"}, "target": "y"}, evaluate={"slices": slices})
        record = RunRecord.start(self.storage, config)
        record.write(state=state, started_at=at.isoformat(), **changes)
        stages = ["prepare", "tune", "train", "evaluate"]
        for stage in stages[: stages.index(until) + 1]:
            record.stage(stage, key, 1.0)
            self.stage(stage, key, config)
        self.age(self.num_runs)
        return record.run

    def stage(self, stage, key, config):
        if stage == "evaluate":
            self.write(f"evaluated/{evaluated_key(config, key, f'id-{key}')}/result.json", b"{}")
            return
        folder = {"prepare": "prepared", "tune": "searched", "train": "trained"}[stage]
        self.storage.write_json(f"{folder}/{key}/result.json", {"package_id": f"id-{key}"})
        self.write(f"{folder}/{key}/package/weights", b"1234")

    def write(self, key, content=b"1234"):
        self.storage.write_bytes(key, content)

    def age(self, hours):
        """Makes everything as old as the run of that number."""
        at = datetime(2026, 1, 1, tzinfo=UTC).timestamp() + hours * 3600
        for folder, _, files in os.walk(self.storage.root, topdown=False):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                if os.stat(path).st_mtime > time.time() - 600:
                    os.utime(path, (at, at))

    def touch(self, key, at):
        for folder, folders, files in os.walk(self.storage.uri(key)):
            for name in ("", *folders, *files):
                os.utime(os.path.join(folder, name), (at.timestamp(), at.timestamp()))

    def version(self, key=None, run=None, name="churn"):
        """A run's package as a version."""
        run = run or self.run(key, name=name)
        key = key or f"k{self.num_runs}"
        return self.registry.register(
            name, package=f"trained/{key}/package", package_id=f"id-{key}", run=run, metrics={}
        )

    def plan(self, **keep):
        return plan(self.storage, Retention(**keep), NOW.timestamp())

    def gc(self, **keep):
        return collect(self.storage, self.plan(**keep), Retention(**keep), by="gc")

    def there(self, *kinds):
        return {f"{kind}/{name}" for kind in kinds for name in self.storage.list(kind)}


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "store")


def runs(home):
    return [record["run"] for record in list_runs(home.storage)]


def test_an_empty_storage_has_nothing_to_delete(home):
    found = home.plan()
    assert (found.items, found.versions, found.num_bytes) == ((), (), 0)
    assert not os.path.exists(home.storage.root)


def test_the_newest_runs_and_their_stages_are_kept(home):
    made = [home.run() for _ in range(5)]
    gone = home.gc(runs=2)
    assert runs(home) == made[3:]
    assert home.there("prepared", "searched", "trained") == {
        f"{kind}/k{i}" for kind in ("prepared", "searched", "trained") for i in (4, 5)
    }
    assert len(home.storage.list("evaluated")) == 2
    assert {kind: told["num"] for kind, told in gone.to_dict()["kinds"].items()} == {
        "runs": 3, "prepared": 3, "searched": 3, "trained": 3, "evaluated": 3, "tables": 0, "leftovers": 0,
    }  # fmt: skip


def test_tables_handed_in_stay_as_long_as_their_runs(home):
    import pyarrow as pa

    of_test, of_source, of_version = home.run(), home.run(), home.run()
    sources = [keep(pa.table({"x": [i]}), home.storage) for i in range(4)]
    tables = [source.uri.removeprefix(f"{home.storage.root}/") for source in sources]
    for run, table, source in zip(
        (of_source, of_test, of_version), ("source", "test", "source"), sources, strict=False
    ):
        record = RunRecord(home.storage, home.storage.read_json(f"runs/{run}/run.json"))
        record.value["config"]["data"][table] = source.model_dump(mode="json")
        record.write()
    home.version("k3", of_version)
    assert home.gc(runs=9).items == ()  # written just now: the run of the fourth may be about to begin
    home.age(1)
    home.gc(runs=9)
    assert home.there("tables") == set(tables[:3])
    home.gc(runs=0, versions=1)
    assert home.there("tables") == {tables[2]}


def test_the_newest_are_counted_for_each_model(home):
    kept = [home.run(name="bikes"), home.run(name="bikes")]
    home.run(name="churn")
    kept += [home.run(name="churn"), home.run(name="churn")]
    home.gc(runs=2)
    assert runs(home) == kept


def test_bytes_are_what_was_freed(home):
    for _ in range(3):
        home.run()
    before = home.storage.usage().num_bytes
    gone = home.gc(runs=1)
    assert gone.num_bytes == sum(item.num_bytes for item in gone.items) == before - home.storage.usage().num_bytes > 0


def test_a_plan_deletes_nothing(home):
    for _ in range(3):
        home.version()
    before = home.storage.usage()
    assert {item.kind for item in home.plan(runs=0, versions=0).items} == {
        "runs", "prepared", "searched", "trained", "evaluated",
    }  # fmt: skip
    assert home.storage.usage() == before
    assert not any(version.pruned_at for version in home.registry.versions("churn"))


def test_a_second_time_there_is_nothing_left_to_delete(home):
    for _ in range(4):
        home.version()
    home.write("trained/.tmp-0123/weights")
    home.age(1)
    home.gc(runs=1, versions=1)
    found = home.plan(runs=1, versions=1)
    assert (found.items, found.versions) == ((), ())


def test_a_stage_that_a_kept_run_shares_stays(home):
    old = home.run("shared")
    home.run("shared", until="tune")
    home.gc(runs=1)
    assert old not in runs(home)
    assert home.there("prepared", "searched", "trained") == {"prepared/shared", "searched/shared"}


def test_an_evaluation_goes_with_the_slices_that_it_was_made_for(home):
    home.run("same", slices=("sex",))
    home.run("same", slices=("age",))
    config = RunConfig(name="churn", data={"source": {"uri": "t.csv"}, "target": "y"}, evaluate={"slices": ("age",)})
    home.gc(runs=1)
    assert home.storage.list("evaluated") == [evaluated_key(config, "same", "id-same")]


# Versions


def test_the_newest_versions_keep_their_package_and_their_runs_record_alone(home):
    made = [home.version() for _ in range(4)]
    gone = home.gc(runs=0, versions=2)
    assert [version.label for version in gone.versions] == ["churn/1", "churn/2"]
    assert home.there("prepared", "searched", "trained", "evaluated") == {"trained/k3", "trained/k4"}
    assert runs(home) == [version.run for version in made[2:]]


def test_a_pruned_version_says_so(home):
    for _ in range(3):
        home.version()
    home.gc(runs=0, versions=1)
    with pytest.raises(NotFoundError, match=r"churn/1, pruned by gc on 2.*run its config again"):
        resolve(home.registry, "churn/1")
    assert resolve(home.registry, "churn/3").number == 3
    (pruned, _) = [decision for decision in home.registry.audit("churn") if decision.action == "prune"]
    assert (pruned.version, pruned.reasons, pruned.by) == (1, ("not among the newest 1",), "gc")


def test_champion_and_the_one_before_it_are_kept(home):
    for _ in range(6):
        home.version()
    for number, expected in ((4, None), (1, 4), (3, 1)):
        home.registry.promote("churn", number, expected=expected)
    gone = home.gc(runs=0, versions=1)
    assert [version.number for version in gone.versions] == [2, 4, 5]
    assert home.there("trained") == {"trained/k1", "trained/k3", "trained/k6"}
    assert home.registry.rollback("churn", expected=3).number == 1


@pytest.mark.parametrize(
    ("process", "is_kept"),
    [({}, True), (ENDED, False), (ENDED | {"host": "elsewhere"}, True)],
    ids=["alive", "ended", "on another machine"],
)
def test_a_served_version_is_kept(home, process, is_kept):
    served = home.version()
    home.version()
    live = LiveRecord(home.storage, "churn")
    live.write("http://127.0.0.1:8000/churn", served, "127.0.0.1:1", home.storage.root)
    home.storage.write_json("live/churn.json", {**live.last(), **process})
    home.gc(runs=0, versions=1)
    assert home.there("trained") == ({"trained/k1", "trained/k2"} if is_kept else {"trained/k2"})


def test_versions_of_a_rollout_are_kept_while_their_model_is_served(home):
    first, second, third = (home.version() for _ in range(3))
    home.version()
    live = LiveRecord(home.storage, "churn")
    live.write("http://127.0.0.1:8000/churn", second, "127.0.0.1:1", home.storage.root)
    rollout = Rollout(
        name="churn", challenger=deployed(third), before=deployed(first), plan=RolloutConfig(), phase="canary",
        salt="s", begun_at=0.0, asked_at=0.0,
    )  # fmt: skip
    write(home.storage, 0, rollout)
    home.gc(runs=0, versions=1)
    assert home.there("trained") == {"trained/k1", "trained/k2", "trained/k3", "trained/k4"}
    live.remove()
    home.gc(runs=0, versions=1)
    assert home.there("trained") == {"trained/k4"}


def test_a_version_whose_package_a_kept_run_has_is_not_pruned(home):
    home.version("shared")
    home.version()
    home.run("shared")
    gone = home.gc(runs=1, versions=1)
    assert gone.versions == ()
    assert resolve(home.registry, "churn/1").number == 1
    assert home.registry.versions("churn")[0].run in runs(home)  # its config is needed to serve it


def test_a_version_whose_package_is_no_stages_is_left_alone(home):
    run = home.run()
    home.write("elsewhere/weights")
    home.registry.register("churn", package="elsewhere", package_id="e", run=run, metrics={})
    assert home.gc(runs=0, versions=0).versions == ()
    assert home.storage.exists("elsewhere/weights")
    assert runs(home) == [run]


def test_a_version_that_became_champion_after_the_plan_is_spared(home):
    for _ in range(3):
        home.version()
    planned = plan(home.storage, NOTHING, NOW.timestamp())
    home.registry.promote("churn", 1, expected=None)
    gone = collect(home.storage, planned, NOTHING, by="gc")
    assert [version.number for version in gone.versions] == [2, 3]
    assert home.there("trained") == {"trained/k1"}
    assert runs(home) == [home.registry.champion("churn").run]


def test_a_stage_that_a_run_took_up_after_the_plan_is_spared(home):
    home.run("old")
    planned = plan(home.storage, NOTHING, NOW.timestamp())
    home.run("old", state="running", until="tune")
    collect(home.storage, planned, NOTHING, by="gc")
    assert home.there("prepared", "searched", "trained") == {"prepared/old", "searched/old"}


def test_a_deletion_that_was_cut_off_is_ended_the_next_time(home):
    home.version()
    home.version()
    home.registry.prune("churn", 1)
    home.storage.delete("prepared/k1/result.json")
    home.storage.delete(f"runs/{runs(home)[0]}/run.json")
    home.age(1)
    home.gc(runs=0, versions=1)
    assert home.there("prepared", "searched", "trained") == {"trained/k2"}
    assert home.storage.list("runs") == runs(home) == [home.registry.versions("churn")[1].run]


# Runs that are not finished


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_only_a_run_under_way_is_kept_beyond_the_newest(home, state):
    old = home.run(state=state)
    home.run()
    home.gc(runs=1)
    assert (old in runs(home)) == (state == "running")
    assert ("prepared/k1" in home.there("prepared")) == (state == "running")


def test_a_run_whose_process_is_gone_is_not_under_way(home):
    lost = home.run(state="running", **ENDED)
    home.run()
    home.gc(runs=1)
    assert lost not in runs(home)


@pytest.mark.parametrize(
    ("state", "process", "is_kept"),
    [
        ("running", {}, True),
        ("running", ENDED, True),
        ("interrupted", {}, True),
        ("failed", {}, True),
        ("finished", {}, False),
    ],
    ids=["alive", "lost", "interrupted", "failed", "finished"],
)
def test_what_a_kept_run_had_begun_is_kept_to_be_gone_on_with(home, state, process, is_kept):
    home.write("searched/begun/trials/000001.json")
    home.write("searched/before/trials/000001.json")
    home.run(state=state, until="prepare", **process)
    home.touch("searched/begun", datetime(2026, 1, 1, 1, tzinfo=UTC))  # in the run's first second
    home.touch("searched/before", datetime(2026, 1, 1, 0, 59, 59, tzinfo=UTC))
    home.gc(runs=1)
    assert home.there("searched") == ({"searched/begun"} if is_kept else set())


def test_a_finished_stage_that_no_record_names_yet_is_kept_while_a_run_is_under_way(home):
    home.run(state="running", until="prepare")
    home.stage("tune", "new", None)
    home.touch("searched/new", NOW)
    assert home.gc(runs=1).items == ()
    home.storage.write_json(f"runs/{runs(home)[0]}/run.json", {**list_runs(home.storage)[0], **ENDED})
    assert [item.key for item in home.gc(runs=1).items] == ["searched/new"]


@pytest.mark.parametrize(("age_s", "is_kept"), [(GRACE_S, True), (GRACE_S + 1, False)])
def test_what_is_half_written_is_given_an_hour(home, age_s, is_kept):
    home.write("prepared/half/parts/0.arrow")
    home.write("trained/.tmp-0123/weights")
    home.write("runs/half/report.html")
    for key in ("prepared/half", "runs/half"):
        home.touch(key, NOW - timedelta(seconds=age_s))
    home.touch("trained/.tmp-0123", NOW - timedelta(seconds=age_s))
    gone = {item.key: item.kind for item in home.gc().items}
    wanted = {"prepared/half": "prepared", "runs/half": "runs", "trained/.tmp-0123": "leftovers"}
    assert gone == ({} if is_kept else wanted)


def test_a_leftover_may_belong_to_a_run_under_way(home):
    home.run(state="running")
    home.write("trained/.tmp-before/weights")
    home.write("trained/.tmp-since/weights")
    home.touch("trained/.tmp-before", datetime(2026, 1, 1, 0, 59, 59, tzinfo=UTC))
    home.touch("trained/.tmp-since", datetime(2026, 1, 1, 1, tzinfo=UTC))
    assert [item.key for item in home.gc().items] == ["trained/.tmp-before"]


def test_a_leftover_in_a_folder_that_goes_is_counted_once(home):
    home.run()
    home.write("trained/k1/.tmp-0123/weights")
    home.age(1)
    before = home.storage.usage().num_bytes
    gone = home.gc(runs=0)
    assert gone.num_bytes == before
    assert "leftovers" not in {item.kind for item in gone.items}


def test_whatever_else_is_in_storage_stays(home):
    home.version()
    for key in ("mlflow/mlflow.db", "live/churn.log", "mine.csv"):
        home.write(key)
    home.age(1)
    home.gc(runs=0, versions=0)
    assert home.there("mlflow", "live") == {"mlflow/mlflow.db", "live/churn.log"}
    assert home.storage.exists("mine.csv")


def test_storage_that_may_not_be_written_says_so(home, monkeypatch):
    home.run()
    planned = plan(home.storage, NOTHING, NOW.timestamp())

    def refuse(key):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(home.storage, "delete", refuse)  # root may delete everywhere
    with pytest.raises(StorageError, match="received Permission denied"):
        collect(home.storage, planned, NOTHING, by="gc")


def test_a_run_under_way_is_never_disturbed(tmp_path):
    """The whole lifecycle while everything that can be deleted is, again and again."""
    storage = Storage(tmp_path / "store")
    data = {"source": {"uri": "sklearn:breast_cancer"}, "target": "target", "task": "binary"}
    config = RunConfig(
        name="beside", storage=storage.root, data=data, model={"families": ["linear"]},
        search={"num_samples": 3, "metric": "log_loss"}, train={"max_epochs": 3},
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_lifecycle, config, Resources())
        while not running.done():
            collect(storage, plan(storage, NOTHING), NOTHING, by="gc")
    version = running.result().version
    assert resolve(StoreRegistry(storage), "beside@champion") == version
    collect(storage, plan(storage, NOTHING), NOTHING, by="gc")
    assert storage.list("trained") == [version.package.split("/")[1]]
    with storage.local_folder(version.package) as folder:
        Predictor.load(folder)
