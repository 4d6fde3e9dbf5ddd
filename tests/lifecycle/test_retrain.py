"""Training a champion again: which config that is, and the whole of it under traffic."""

from __future__ import annotations

import threading
import urllib.request

import numpy as np
import orjson
import pytest

from commands import distml, document, serving
from distml.config import RunConfig, SourceConfig
from distml.data import LocalEngine, SplitPlan
from distml.data.dealing import Dealing
from distml.errors import DataError
from distml.lifecycle.prepare import prepare, prepare_key
from distml.lifecycle.retrain import check_columns, retrain_config
from distml.lifecycle.runs import RunRecord
from distml.registry import StoreRegistry, Version
from distml.storage import Storage

CONFIG = """
name: moods
data: {source: {uri: before.csv, missing: ["?"]}, target: y, task: binary, positive: "yes"}
model: {families: [linear]}
search: {num_samples: 2, metric: roc_auc}
train: {max_epochs: 20, refit: none}
retrain: {data: {source: after.csv}}
"""


def write_table(path, sign, seed, num_rows=1500):
    """Rows in which `y` follows `x` or, with sign -1, its opposite."""
    chance = np.random.default_rng(seed)
    x, z = chance.normal(size=(2, num_rows))
    labels = np.where(sign * x + chance.normal(size=num_rows) > 0, "yes", "no")
    lines = [f"{a:.6f},{b:.6f},{label}" for a, b, label in zip(x, z, labels, strict=True)]
    path.write_text("\n".join(["x,z,y", *lines]) + "\n")


TRIAL = {"number": 3, "family": "linear", "params": {"lr": 0.01, "weight_decay": 0.0}}


@pytest.fixture
def champion(tmp_path):
    """A storage with a champion whose table, config and manifest are there, and no more."""
    for name in ("before.csv", "after.csv", "now.csv"):
        write_table(tmp_path / name, 1, seed=0, num_rows=5)

    def made(split=None, **retrain) -> tuple[Storage, Version]:
        storage = Storage(tmp_path / "store")
        source = {"uri": str(tmp_path / "before.csv"), "missing": ["?"], "delimiter": ";"}
        data = {"source": source, "target": "y"}
        config = RunConfig(name="moods", data=data, retrain=retrain, split=split or {})
        record = RunRecord.start(storage, config)
        kind = "stratified" if config.split.kind == "auto" else config.split.kind
        plan = SplitPlan(dealing=Dealing(kind=kind, column="x"), cuts={"": (1, 2)})
        lineage = {"trial": TRIAL, "split": plan.to_dict(), "prepared": prepare_key(config)}
        storage.write_json("trained/abc/package/manifest.json", {"lineage": lineage})
        registry = StoreRegistry(storage)
        version = registry.register(
            "moods", package="trained/abc/package", package_id="abc", run=record.run, metrics={}
        )
        return storage, version

    return made


def test_a_table_without_a_champions_column_is_refused(champion, tmp_path):
    storage, version = champion()
    columns = [{"name": name, "kind": "numeric", "dtype": "number"} for name in ("gone", "x")]
    storage.write_json("trained/abc/package/manifest.json", {"schema": {"columns": columns}})
    data = {"source": {"uri": "sklearn:iris"}, "target": "target"}
    config = RunConfig.model_validate({"name": "moods", "storage": str(tmp_path), "data": data})
    prepared = prepare(config, storage, LocalEngine())
    with pytest.raises(DataError, match=r"received no column gone, x, which moods/1 reads"):
        check_columns(storage, version, prepared)
    columns = [{"name": "sepal_length_cm", "kind": "numeric", "dtype": "number"}]
    storage.write_json("trained/abc/package/manifest.json", {"schema": {"columns": columns}})
    check_columns(storage, version, prepared)


def test_the_champions_settings_are_tried_first(champion):
    storage, version = champion()
    (point,) = retrain_config(storage, version).search.points_to_evaluate
    assert (point.family, point.params) == ("linear", {"lr": 0.01, "weight_decay": 0.0})


def test_without_a_word_the_table_is_the_one_before(champion, tmp_path):
    storage, version = champion()
    assert retrain_config(storage, version).data.source.uri == str(tmp_path / "before.csv")


@pytest.mark.parametrize("wrap", [str, lambda uri: {"uri": uri}])
def test_another_table_is_written_as_the_one_before(champion, tmp_path, wrap):
    uri = str(tmp_path / "after.csv")
    storage, version = champion(data={"source": wrap(uri)})
    wanted = SourceConfig(uri=uri, missing=["?"], delimiter=";")
    assert retrain_config(storage, version).data.source == wanted


def test_what_another_table_says_of_itself_counts(champion, tmp_path):
    storage, version = champion(data={"source": {"uri": str(tmp_path / "after.csv"), "delimiter": "|"}})
    source = retrain_config(storage, version).data.source
    assert (source.delimiter, source.missing) == ("|", ("", "?"))


def test_a_table_named_by_hand_comes_first(champion, tmp_path):
    storage, version = champion(data={"source": str(tmp_path / "after.csv")})
    now = str(tmp_path / "now.csv")
    assert retrain_config(storage, version, now).data.source.uri == now


@pytest.mark.parametrize(
    ("split", "inherit"),
    [
        ({}, "moods/1"),
        ({"kind": "random"}, "moods/1"),
        ({"kind": "group", "column": "x"}, "moods/1"),
        ({"kind": "time", "column": "x"}, None),
        ({"kind": "predefined"}, None),
    ],
)
def test_another_table_is_dealt_by_the_champions_cuts(champion, tmp_path, split, inherit):
    storage, version = champion(split)
    assert retrain_config(storage, version, str(tmp_path / "now.csv")).split.inherit == inherit


def test_the_same_table_is_dealt_as_it_was(champion, tmp_path, monkeypatch):
    storage, version = champion()
    assert retrain_config(storage, version).split.inherit is None
    monkeypatch.chdir(tmp_path)
    assert retrain_config(storage, version, "before.csv").split.inherit is None


def test_a_table_that_has_changed_is_another(champion, tmp_path):
    storage, version = champion()
    write_table(tmp_path / "before.csv", 1, seed=0, num_rows=6)
    assert retrain_config(storage, version).split.inherit == "moods/1"


def test_cuts_that_were_inherited_are_the_champions_own(champion, tmp_path):
    storage, version = champion({"inherit": "elders/7"})
    assert retrain_config(storage, version).split.inherit == "elders/7", "the same table, prepared already"
    assert retrain_config(storage, version, str(tmp_path / "now.csv")).split.inherit == "moods/1"


class Traffic(threading.Thread):
    """Asks for predictions until it is told to stop; remembers every answer's version, and every failure."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.versions, self.failures = url, [], []
        self._over = threading.Event()

    def run(self):
        body = orjson.dumps({"rows": [{"x": 2.0, "z": 0.0}]})
        while not self._over.wait(0.01):
            request = urllib.request.Request(f"{self.url}/predict", body, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    told = orjson.loads(answer.read())
                self.versions.append((told["model"]["version"], told["predictions"][0]))
            except OSError as error:
                self.failures.append(error)

    def stop(self):
        self._over.set()
        self.join()


@pytest.mark.slow
@pytest.mark.ray
def test_a_served_model_is_trained_again_without_a_failed_request(tmp_path):
    (tmp_path / "moods.yaml").write_text(CONFIG)
    write_table(tmp_path / "before.csv", 1, seed=0)
    write_table(tmp_path / "after.csv", -1, seed=1)
    document(distml("run", "moods.yaml", "--json", cwd=tmp_path))
    with serving("deploy", "moods", "--port", "8123", cwd=tmp_path) as (_, url):
        traffic = Traffic(url)
        traffic.start()
        again = document(distml("retrain", "moods", "--json", cwd=tmp_path))
        assert again["version"] == 2
        assert again["verdict"]["promoted"]
        write_table(tmp_path / "noise.csv", 0, seed=2)
        refused = distml("retrain", "moods", "--data", "noise.csv", "--json", cwd=tmp_path)
        assert refused.returncode == 3, refused.stderr
        traffic.stop()
        status = document(distml("status", "--json", cwd=tmp_path))
    assert traffic.failures == []
    versions = [version for version, _ in traffic.versions]
    assert set(versions) == {1, 2}
    assert versions == sorted(versions), "once swapped, it stays"
    assert dict(traffic.versions) == {1: "yes", 2: "no"}
    assert (status[0]["champion"], status[0]["served"]) == (2, 2)
    decisions = StoreRegistry(Storage(tmp_path / "distml-store")).audit("moods")
    told = [(decision.version, decision.action) for decision in decisions]
    assert told == [(1, "register"), (1, "promote"), (2, "register"), (2, "promote"), (3, "register"), (3, "refuse")]
    assert decisions[3].by.startswith("retraining of moods/1, run moods-")
    assert decisions[5].by.startswith("retraining of moods/2, run moods-")
