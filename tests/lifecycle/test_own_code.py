"""A network, a loss and a loop of the user's own, from the config to the service; and weights to begin with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml import code
from distml.config import RunConfig, parse_config
from distml.errors import CodeError, ConfigError, NotFoundError, PackageError, TrainingError
from distml.lifecycle.own_code import not_reached, source_hashes
from distml.lifecycle.predict import plan_scoring, source_of
from distml.lifecycle.preflight import check_config
from distml.lifecycle.result import RunResult
from distml.lifecycle.run import Resources, run
from distml.lifecycle.search import search_key
from distml.lifecycle.warm import with_named_version
from distml.predictor import Predictor
from distml.tracking import MemoryTracker
from own_code import LOOPS, LOSSES, NETS
from services import ask, service_of

CONFIG = """
name: mine
data: {source: {uri: TABLE}, target: sold}
search: {num_samples: 3, space: {own: {width: {choice: [4, 8]}, lr: 0.02}}}
train: {max_epochs: 3}
"""


def table(n: int = 300, towns: tuple[str, ...] = ("Ulm", "Bonn", "Köln")) -> pa.Table:
    rng = np.random.default_rng(0)
    rooms, age = rng.normal(size=n), rng.normal(size=n)
    sold = np.where(rooms - age + rng.normal(0, 0.5, n) > 0, "yes", "no")
    return pa.table({"rooms": rooms, "age": age, "town": rng.choice(towns, n), "sold": sold})


@pytest.fixture
def mine(own_package, tmp_path: Path) -> str:
    pq.write_table(table(), tmp_path / "table.parquet")
    code.allow([own_package])
    return own_package


@pytest.fixture
def config_of(tmp_path: Path, mine: str):
    def config(*overrides: str, **model: str) -> RunConfig:
        named = [f"model.{key}={mine}.{value}" for key, value in model.items()]
        text = CONFIG.replace("TABLE", str(tmp_path / "table.parquet"))
        if "factory" not in model:
            text = text.replace("{own: {width: {choice: [4, 8]}, lr: 0.02}}", "{}")
        return parse_config(text, [f"storage={tmp_path / 'store'}", *named, *overrides])

    return config


def resources() -> Resources:
    return Resources(tracker=MemoryTracker())


def package_of(result: RunResult) -> Path:
    return Path(result.storage.root) / result.version.package


def member_of(result: RunResult) -> dict:
    return json.loads((package_of(result) / "members" / "0" / "model.json").read_text())


@pytest.mark.parametrize("train_fn", [None, "loops:loop"])
def test_from_the_config_to_the_service(config_of, mine, monkeypatch, rewrite_own, tmp_path, train_fn):
    named = {"factory": "nets:build"} | ({"train_fn": train_fn} if train_fn else {"loss": "losses:focal"})
    config = config_of(**named)
    monkeypatch.setenv(code.VARIABLE, "")
    with pytest.raises(CodeError, match=f"--allow-code {mine}") as caught:
        run(config, resources())
    assert caught.value.where == "model.factory"
    assert not Path(config.storage).exists()
    code.allow([mine])
    result = run(config, resources())
    assert {record.state for record in result.searched.records} <= {"finished", "pruned"}
    assert result.evaluated.metrics["roc_auc"] > 0.85
    member = member_of(result)
    assert (member["family"], set(member["code"])) == ("own", set(named))
    assert member["params"]["width"] in (4, 8)
    predictor = Predictor.load(package_of(result))
    assert set(predictor.package.lineage["code"]) == {f"model.{key}" for key in named}
    service = service_of(predictor, "mine")
    row = {"rooms": 2.0, "age": -1.0, "town": "Ulm"}
    answer = orjson.loads(ask(service, "POST", "/predict", orjson.dumps(row)).body)
    assert answer["predictions"] == ["yes"]
    key = search_key(config, "prepared")
    rewrite_own(nets=NETS.replace("torch.relu", "torch.tanh"))
    assert search_key(config, "prepared") != key
    with pytest.raises(PackageError, match="fitted with"):
        Predictor.load(package_of(result))
    rewrite_own()
    monkeypatch.setenv(code.VARIABLE, "")
    with pytest.raises(CodeError, match=f"--allow-code {mine}"):
        Predictor.load(package_of(result))
    source = source_of(result.storage, result.version, config.data.source.uri)
    with pytest.raises(CodeError, match=f"--allow-code {mine}"):
        plan_scoring(result.version, result.storage, source, str(tmp_path / "scored.csv"))


def test_what_only_fits_need_may_change(config_of, rewrite_own):
    result = run(config_of(factory="nets:build", train_fn="loops:loop"), resources())
    rewrite_own(loops=LOOPS + "\n# another loop\n", losses=LOSSES)
    assert Predictor.load(package_of(result))


def test_beside_other_families(config_of):
    config = config_of("model.families=[mlp, own]", factory="nets:build")
    result = run(config, resources(), until="tune")
    assert {record.family for record in result.searched.records} == {"mlp", "own"}


def test_trials_of_a_loop_are_blended_and_bred(config_of):
    bred = ("search.scheduler=pbt", "search.population=2", "search.interval_epochs=1", "search.num_samples=6",
            "search.space.own.lr={log: [0.01, 0.1]}", "search.ensemble_size=3")  # fmt: skip
    result = run(config_of(*bred, factory="nets:build", train_fn="loops:loop"), resources(), until="train")
    assert {record.state for record in result.searched.records} == {"finished"}
    assert max(record.num_epochs for record in result.searched.records) == 3
    assert {member["family"] for member in result.trained.members} == {"own"}
    assert result.trained.validation["roc_auc"] >= result.searched.best.score - 1e-9


def test_trials_that_fail_say_where(config_of):
    with pytest.raises(TrainingError, match=r"none did: .*ValueError: out of paper at .*loops\.py, line \d+") as caught:
        run(config_of(factory="nets:build", train_fn="loops:raises"), resources())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "model", "told"),
    [
        (["augment.tabular.mixup=0.2"], {"loss": "losses:plain"}, "received augment's mixup 0.2"),
        (["train.label_smoothing=0.1"], {"loss": "losses:plain"}, "received train.label_smoothing 0.1"),
        (["split.folds=3"], {"factory": "nets:build", "train_fn": "loops:loop"}, "received split.folds 3"),
        (["search.workers_per_trial=2"], {"factory": "nets:build", "train_fn": "loops:loop"}, "workers_per_trial 2"),
        ([], {"factory": "nets:bild"}, "did you mean 'build'"),
        ([], {"factory": "nets:number"}, "model.factory is called"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_prepared(config_of, overrides, model, told):
    config = config_of(*overrides, **model)
    with pytest.raises((ConfigError, CodeError), match=told):
        run(config, resources())
    assert not Path(config.storage).exists()


def test_what_a_config_asks_for_in_vain_is_a_line(config_of):
    assert not_reached(config_of(loss="losses:plain")) == [
        "trees: fitted with LightGBM's own loss, as model.loss is for networks"
    ]
    assert not_reached(config_of("train.schedule=cosine", factory="nets:build", train_fn="loops:loop")) == [
        "own: train.schedule is for model.train_fn to heed"
    ]
    assert not_reached(config_of(factory="nets:build")) == []


def test_hashes_of_sources_are_known_without_importing_them(config_of, mine, monkeypatch):
    import sys

    monkeypatch.setenv(code.VARIABLE, "")
    assert len(source_hashes(config_of(factory="nets:build", loss="losses:plain"))) == 2
    assert mine not in sys.modules


# Weights to begin with


@pytest.fixture
def first(config_of) -> RunResult:
    return run(config_of("model.families=[mlp]", "search.num_samples=1"), resources())


def test_a_run_begins_with_the_champions_weights(first, config_of, tmp_path):
    other = config_of("model.families=[mlp]", "search.num_samples=1", "model.warm_start.package=mine@champion")
    assert with_named_version(other).model.warm_start.package == "mine/1"
    result = run(other, resources())
    assert result.config.model.warm_start.package == "mine/1"
    (record,) = result.searched.records
    assert record.score >= first.searched.records[0].score - 0.02
    told = "begins with 7 of its 7 tensors from model.warm_start"
    predictor = Predictor.load(package_of(result))
    lineage = predictor.package.lineage
    assert lineage["warm_start"] == {"package": "mine/1", "package_id": first.version.package_id, "members": {"mlp": 0}}
    assert lineage["members"][0]["notes"][0].startswith(told.partition(" 7 ")[0])


def test_frozen_layers_are_those_of_the_package(first, config_of):
    from safetensors.numpy import load_file

    overrides = ("model.families=[mlp]", "search.num_samples=1", f"model.warm_start.package={package_of(first)}")
    result = run(config_of(*overrides, "model.warm_start.frozen=[input, blocks]"), resources())
    before, after = (load_file(package_of(r) / "members" / "0" / "weights.safetensors") for r in (first, result))
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert same == {name for name in before if name.startswith(("input", "blocks"))}
    assert same < set(before)


def test_another_schema_takes_what_fits(first, config_of, tmp_path):
    towns = table(towns=("Ulm", "Bonn", "Köln", "Mainz", "Trier"))
    pq.write_table(towns, tmp_path / "other.parquet")
    overrides = ("model.families=[mlp]", "search.num_samples=1", f"data.source.uri={tmp_path / 'other.parquet'}")
    result = run(config_of(*overrides, "model.warm_start.package=mine/1"), resources(), until="train")
    (line, *_) = result.trained.members[0]["notes"]
    assert "as they are drawn" in line
    assert "0.weight" in line


@pytest.mark.parametrize(
    ("overrides", "error", "told"),
    [
        (["model.warm_start.package=mine/7"], NotFoundError, "mine/7"),
        (["model.warm_start.package=other@champion"], NotFoundError, "known models: mine"),
        (["model.families=[linear]", "model.warm_start.package=mine/1"], ConfigError, "received mine/1, of mlp"),
        (["model.warm_start={package: mine/1, layers: [haed]}"], ConfigError, "did you mean 'head'"),
    ],
)
def test_what_cannot_be_begun_with_is_told(first, config_of, overrides, error, told):
    with pytest.raises(error, match=told):
        run(config_of("model.families=[mlp]", *overrides), resources())


def test_a_package_is_verified_before_it_is_read(first, config_of):
    weights = package_of(first) / "members" / "0" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(PackageError, match="as they were written"):
        check_config(config_of("model.families=[mlp]", "model.warm_start.package=mine/1"))


# On a cluster: of code that workers import, `tests/cli/test_allow_code.py` has more


@pytest.mark.ray
def test_a_clusters_trials_begin_warm_and_read_their_rows(config_of, ray_session, tmp_path):
    from distml.data.on_ray import RayEngine

    run(config_of("model.families=[mlp]", "search.num_samples=1"), resources())
    (trained,) = (tmp_path / "store" / "trained").iterdir()
    warm = (f"model.warm_start.package={trained / 'package'}", "model.families=[mlp]", "search.num_samples=2")
    streamed = (*warm, "train.stream=always")
    here = run(config_of(*streamed, f"storage={tmp_path / 'here'}"), resources(), until="train")
    on_ray = Resources(tracker=MemoryTracker(), engine=RayEngine(), max_concurrent=2)
    there = run(config_of(*streamed, f"storage={tmp_path / 'there'}"), on_ray, until="train")
    told = [[(r.state, r.score, r.notes) for r in result.searched.records] for result in (here, there)]
    assert told[0] == told[1]
    assert there.trained.members[0]["notes"][0].startswith("begins with")
