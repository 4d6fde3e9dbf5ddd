"""How a config says that rows are dealt, and how a version's recorded cuts deal a table that has grown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import RunConfig
from distml.data import SPLITS, LocalEngine
from distml.errors import ConfigError, DataError
from distml.lifecycle.dealing import dealing_of
from distml.lifecycle.prepare import check_source, prepare
from distml.lifecycle.prepared import Prepared
from distml.registry import StoreRegistry
from distml.storage import Storage
from tables import raw_table

GROUPS = pa.array([f"group {i % 90}" for i in range(700)])
TABLE = raw_table(700).append_column("house", GROUPS)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


@pytest.fixture
def config_of(tmp_path: Path):
    """The config of a table, which it writes."""

    def config(table: pa.Table = TABLE, *, data: dict[str, Any] | None = None, **sections: Any) -> RunConfig:
        path = tmp_path / f"rows-{len(list(tmp_path.iterdir()))}.parquet"
        pq.write_table(table, path)
        value = {"name": "demo", "data": {"source": {"uri": str(path)}, "target": "y", **(data or {})}, **sections}
        return RunConfig.model_validate(value)

    return config


def rows_of(prepared: Prepared, split: str) -> np.ndarray:
    return prepared.features("trees", split).rows


# What the config says


@pytest.mark.parametrize(
    ("data", "split", "kind", "column"),
    [
        ({}, {}, "stratified", "y"),
        ({"target": "value"}, {}, "random", None),
        ({"roles": {"split": "color"}}, {}, "predefined", "color"),
        ({"roles": {"split": "color"}}, {"kind": "random"}, "random", None),
        ({}, {"kind": "group", "column": "house"}, "group", "house"),
        ({}, {"kind": "group", "column": "count"}, "group", "count"),
        ({"roles": {"id": "house"}}, {"kind": "group", "column": "house"}, "group", "house"),
        ({"roles": {"time": "at"}}, {"kind": "time"}, "time", "at"),
        ({"roles": {"time": "at"}}, {"kind": "time", "column": "count"}, "time", "count"),
    ],
)
def test_rows_are_dealt_as_the_config_says(config_of, data, split, kind, column):
    config = config_of(data=data, split=split, seed=4)
    dealing = dealing_of(config, check_source(config).schema)
    assert (dealing.kind, dealing.column, dealing.seed) == (kind, column, 4)


@pytest.mark.parametrize(
    ("data", "split", "said"),
    [
        ({"target": "value"}, {"kind": "stratified"}, "a stratified split needs a target of classes"),
        ({}, {"kind": "group", "column": "hose"}, "did you mean 'house'"),
        ({"exclude": "house"}, {"kind": "group", "column": "house"}, "that isn't excluded; received house"),
        ({}, {"kind": "time", "column": "color"}, "a split by time goes by dates or numbers; received column color"),
        ({}, {"kind": "time"}, "names its column"),
        ({}, {"kind": "predefined"}, "names its column"),
    ],
)
def test_what_cannot_be_dealt_is_refused(config_of, storage, data, split, said):
    with pytest.raises((DataError, ConfigError), match=said):
        prepare(config_of(data=data, split=split), storage, LocalEngine())


def said_by(column: list[str | None]) -> pa.Table:
    return TABLE.append_column("part", pa.array(column))


def test_a_column_deals_rows_and_is_no_feature(config_of, storage):
    column = (["training", "dev", "test", "train", "val"] * 140)[:700]
    prepared = prepare(config_of(said_by(column), data={"roles": {"split": "part"}}), storage, LocalEngine())
    assert prepared.num_rows == {"train": 280, "validation": 280, "test": 140}
    assert "part" not in {column.name for column in prepared.schema.features}
    table, _ = prepared.rows("test")
    assert set(table.column("part").to_pylist()) == {"test"}


def test_its_values_are_the_configs(config_of, storage):
    table = TABLE.append_column("part", pa.array([i % 4 for i in range(700)]))
    split = {"values": {"train": ["0", "3"], "validation": "1", "test": "2"}}
    for kind in ("numeric", "categorical"):
        data = {"roles": {"split": "part"}, "kinds": {"part": kind}}
        prepared = prepare(config_of(table, data=data, split=split), storage, LocalEngine())
        assert prepared.num_rows == {"train": 350, "validation": 175, "test": 175}


def test_a_value_that_says_nothing_is_named_and_counted(config_of, storage):
    column: list[str | None] = ["train", "dev", "test", "later", None, "train", "later"] * 100
    config = config_of(said_by(column), data={"roles": {"split": "part"}})
    with pytest.raises(DataError) as caught:
        prepare(config, storage, LocalEngine())
    assert (caught.value.rule, caught.value.received) == (
        "a predefined split says of every row where it belongs (300 rows break this)", "'later'",
    )  # fmt: skip
    assert caught.value.where == f"{config.data.source.uri}, row 3, column part"
    assert "split.values" in caught.value.remedy


def test_a_test_table_of_its_own_needs_no_such_column(config_of, storage):
    """Rows that the source's column deals to the test rows are test rows beside it."""
    column = (["train", "dev"] * 349) + ["test"] * 2
    test = config_of(raw_table(50, seed=7).append_column("house", GROUPS[:50])).data.source
    data = {"roles": {"split": "part"}, "test": {"uri": test.uri}}
    prepared = prepare(config_of(said_by(column), data=data), storage, LocalEngine())
    assert prepared.num_rows == {"train": 349, "validation": 349, "test": 52}


def test_folds_are_found_with_the_features(config_of, storage):
    prepared = prepare(config_of(split={"folds": 5}), storage, LocalEngine())
    assert prepared.plan.num_folds == 5
    folds = np.concatenate([prepared.features("trees", split).fold for split in ("train", "validation")])
    assert set(np.bincount(folds).tolist()) <= {118, 119, 120}
    assert prepared.features("trees", "test").fold is None
    again = Prepared.from_dict(storage, prepared.prefix, prepared.to_dict())
    assert again.features("trees", "train").fold.tolist() == prepared.features("trees", "train").fold.tolist()
    plain = prepare(config_of(), storage, LocalEngine())
    assert plain.features("trees", "train").fold is None
    assert plain.plan.cuts == prepared.plan.cuts


# Inherited cuts


@pytest.fixture
def version(storage):
    """Registers a preparation as a version; its label."""

    def registered(prepared: Prepared) -> str:
        lineage = {"split": prepared.plan.to_dict(), "prepared": prepared.key}
        manifest = {"schema": prepared.schema.to_dict(), "lineage": lineage}
        storage.write_json(f"packages/{prepared.key}/manifest.json", manifest)
        return (
            StoreRegistry(storage)
            .register("demo", package=f"packages/{prepared.key}", package_id=prepared.key, run="r", metrics={})
            .label
        )

    return registered


def grown(n: int = 2000) -> pa.Table:
    """The table with more rows at its end; its groups have more members, and there are more groups."""
    more = raw_table(n, seed=1).append_column("house", pa.array([f"group {i % 200}" for i in range(n)]))
    return pa.concat_tables([TABLE, more])


@pytest.mark.parametrize("split", [{}, {"kind": "random"}, {"kind": "group", "column": "house"}])
@pytest.mark.parametrize("seed", [0, 5])
def test_no_former_test_row_becomes_a_training_row(config_of, storage, version, split, seed):
    before = prepare(config_of(split=split), storage, LocalEngine())
    sections = {"seed": seed, "split": {**split, "inherit": version(before)}}
    after = prepare(config_of(grown(), **sections), storage, LocalEngine())
    for name in SPLITS:
        assert np.isin(rows_of(before, name), rows_of(after, name)).all(), name
    shares = np.array([after.num_rows[name] for name in SPLITS]) / sum(after.num_rows.values())
    assert abs(shares - [0.7, 0.15, 0.15]).max() < 0.12
    assert after.plan.to_dict() == before.plan.to_dict()
    assert after.baseline.count == after.num_rows["train"]
    assert not [finding for finding in after.findings if "inherits" in finding.rule]


def test_without_inheritance_some_rows_change_sides(config_of, storage):
    """That the test above can fail."""
    before, after = (prepare(config_of(table), storage, LocalEngine()) for table in (TABLE, grown()))
    assert not all(np.isin(rows_of(before, name), rows_of(after, name)).all() for name in SPLITS)


def test_cuts_of_time_deal_later_rows_to_the_test_rows(config_of, storage, version):
    split = {"kind": "time", "column": "at"}
    before = prepare(config_of(split=split), storage, LocalEngine())
    after = prepare(config_of(grown(), split={**split, "inherit": version(before)}), storage, LocalEngine())
    for name in SPLITS:
        assert np.isin(rows_of(before, name), rows_of(after, name)).all(), name


@pytest.mark.parametrize("folds", [None, 3, 4])
def test_folds_are_those_that_are_wanted_now(config_of, storage, version, folds):
    before = prepare(config_of(split={"folds": 3}), storage, LocalEngine())
    after = prepare(config_of(grown(), split={"folds": folds, "inherit": version(before)}), storage, LocalEngine())
    assert after.plan.cuts == before.plan.cuts
    assert after.plan.num_folds == (folds or 0)
    found = after.features("trees", "train").fold
    assert found is None if folds is None else set(found.tolist()) == set(range(folds))


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"kind": "random"}, "random; demo/1 was split stratified by y"),
        ({"kind": "group", "column": "house"}, "group by house; demo/1 was split stratified by y"),
    ],
)
def test_another_kind_of_split_is_refused(config_of, storage, version, split, said):
    label = version(prepare(config_of(), storage, LocalEngine()))
    with pytest.raises(DataError, match=said) as caught:
        prepare(config_of(grown(), split={**split, "inherit": label}), storage, LocalEngine())
    assert caught.value.where == "split.inherit"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda table: table.append_column("more", GROUPS), "more"),
        (lambda table: table.drop_columns("size"), "size"),
        (lambda table: table.set_column(1, "count", table.column("count").cast(pa.string())), None),
    ],
)
def test_a_table_of_other_columns_is_told(config_of, storage, version, change, named):
    """Its rows are called otherwise, so that the cuts deal them anew."""
    label = version(prepare(config_of(), storage, LocalEngine()))
    after = prepare(config_of(change(TABLE), split={"inherit": label}), storage, LocalEngine())
    found = [finding for finding in after.findings if "inherits" in finding.rule]
    assert [(f.action, f.count, f.remedy) for f in found] == (
        [] if named is None else [("warn", 1, f"other than then: {named}")]
    )


def test_a_version_that_is_not_there_is_refused(config_of, storage):
    with pytest.raises(Exception, match="registered before it is used"):
        prepare(config_of(split={"inherit": "demo/3"}), storage, LocalEngine())
