import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.batch import FeatureBatch
from distml.clean import Finding
from distml.config import RunConfig, load_config
from distml.data import SPLITS, Engine, LocalEngine
from distml.errors import DataError
from distml.lifecycle.prepare import prepare, prepare_key, wanted_recipes
from distml.lifecycle.prepared import Prepared
from distml.storage import Storage
from distml.target import ClassTarget, NumericTarget
from tables import raw_table

TABLE = raw_table(400)


def config_of(uri: str | Path, target: str = "y", *, data: dict[str, Any] | None = None, **sections: Any) -> RunConfig:
    source = {"uri": str(uri)}
    return RunConfig.model_validate(
        {"name": "demo", "data": {"source": source, "target": target, **(data or {})}, **sections}
    )


@pytest.fixture
def csv(tmp_path: Path):
    """Writes a table as CSV and names the file."""

    def write(table: pa.Table | pd.DataFrame, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        frame = table.to_pandas() if isinstance(table, pa.Table) else table
        frame.to_csv(path, index=False)
        return path

    return write


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


def prepared(config: RunConfig, storage: Storage, engine: Engine | None = None) -> Prepared:
    return prepare(config, storage, engine or LocalEngine())


def found(result: Prepared, rule: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.rule.startswith(rule)]


def refused(config: RunConfig, storage: Storage) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(config, storage)
    return caught.value


def assert_same_batch(a: FeatureBatch, b: FeatureBatch) -> None:
    assert list(a.arrays()) == list(b.arrays())
    for name, array in a.arrays().items():
        assert (array.dtype, array.shape) == (b.arrays()[name].dtype, b.arrays()[name].shape)
        assert array.tobytes() == b.arrays()[name].tobytes(), name


def assert_same_rows(a: Prepared, b: Prepared) -> None:
    for split in SPLITS:
        for recipe in a.pipelines:
            assert_same_batch(a.features(recipe, split), b.features(recipe, split))
        if split != "train":
            (table, rows), (other, other_rows) = a.rows(split), b.rows(split)
            assert rows.tolist() == other_rows.tolist()
            assert table.equals(other)


# The Adult table, on both engines


@pytest.fixture(scope="module")
def adult_config(shared_data: Path) -> RunConfig:
    path = Path(__file__).parents[2] / "configs" / "adult.yaml"
    return load_config(path, environ={"DISTML_DATA": str(shared_data)})


@pytest.fixture(scope="module")
def adult(adult_config, tmp_path_factory) -> Prepared:
    return prepare(adult_config, Storage(tmp_path_factory.mktemp("adult")), LocalEngine())


@pytest.fixture(scope="module")
def adult_frames(shared_data: Path, adult_config) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Source and test table as pandas reads them."""
    columns = list(adult_config.data.source.columns)
    dialect: dict[str, Any] = {"names": columns, "skipinitialspace": True, "na_values": "?"}
    source = pd.read_csv(shared_data / "adult" / "adult.data", **dialect)
    test = pd.read_csv(shared_data / "adult" / "adult.test", skiprows=1, **dialect)
    return source, test.assign(income=test.income.str.rstrip("."))


def test_adult_is_counted(adult):
    def counts(rule: str) -> dict[tuple[str | None, str | None], int]:
        return {(finding.table, finding.column): finding.count for finding in found(adult, rule)}

    assert counts("missing token '?'") == {
        ("source", "workclass"): 1836,
        ("source", "occupation"): 1843,
        ("source", "native_country"): 583,
        ("test", "workclass"): 963,
        ("test", "occupation"): 966,
        ("test", "native_country"): 274,
    }
    assert [(f.count, f.action) for f in found(adult, "no exact duplicate rows")] == [(24, "drop"), (5, "keep")]
    assert [f.count for f in found(adult, "'<=50K.' is written")] == [12435]


def test_adult_is_split_as_pandas_counts(adult, adult_frames):
    source, test = adult_frames
    is_shared = source.merge(test.drop_duplicates(), how="left", indicator=True)._merge == "both"
    kept = source[~source.duplicated() & ~is_shared.to_numpy()]
    assert [f.count for f in found(adult, "no source row equals a test row")] == [int(is_shared.sum())]
    validation = round((kept.income == ">50K").sum() * 0.15) + round((kept.income == "<=50K").sum() * 0.15)
    assert adult.num_rows == {"train": len(kept) - validation, "validation": validation, "test": 16281}
    for split in SPLITS:
        for recipe in ("dense", "trees"):
            assert len(adult.features(recipe, split)) == adult.num_rows[split]


def test_adults_targets_and_numbers_are_pandas(adult, adult_frames):
    batch = adult.features("trees", "test")
    test = adult_frames[1]
    assert adult.target == ClassTarget(labels=("<=50K", ">50K"))
    assert batch.target.sum() == (test.income == ">50K").sum()
    names = [transform.column for transform in adult.pipelines["trees"].numeric]
    assert names == ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
    np.testing.assert_array_equal(np.sort(batch.numeric, axis=0), np.sort(test[names].to_numpy(np.float32), axis=0))


def test_no_row_of_adult_is_in_two_splits(adult):
    train, validation, test = (set(adult.features("dense", split).rows.tolist()) for split in SPLITS)
    assert not train & validation
    assert not (train | validation) & test


@pytest.mark.ray
def test_adult_is_prepared_alike_on_ray(adult, adult_config, tmp_path, ray_session):
    from distml.data.on_ray import RayEngine

    other = prepare(adult_config, Storage(tmp_path), RayEngine())
    assert other.to_dict() == adult.to_dict()
    assert_same_rows(other, adult)


# Partitioning


def test_files_and_formats_do_not_matter(storage, csv, tmp_path):
    whole = prepared(config_of(csv(TABLE, "whole/a.csv")), storage)
    order = np.random.default_rng(0).permutation(TABLE.num_rows)
    for i, part in enumerate(np.array_split(order, 5)):
        csv(TABLE.take(part), f"parts/{i}.csv")
    assert_same_rows(prepared(config_of(tmp_path / "parts"), storage), whole)
    (tmp_path / "parquet").mkdir()
    pq.write_table(TABLE.select(TABLE.column_names[::-1]), tmp_path / "parquet" / "a.parquet", row_group_size=70)
    parquet = prepared(config_of(tmp_path / "parquet"), storage)
    assert parquet.plan == whole.plan
    for split in SPLITS:
        a, b = parquet.features("trees", split), whole.features("trees", split)
        assert a.rows.tolist() == b.rows.tolist()
        assert sorted(a.numeric[0]) == sorted(b.numeric[0])  # the columns' order is the file's


# Reuse


def test_the_same_inputs_are_prepared_once(storage, csv):
    config = config_of(csv(TABLE))
    first = prepared(config, storage)
    result = Path(storage.uri(f"{first.prefix}/result.json"))
    os.utime(result, ns=(0, 0))
    again = prepared(config, storage)
    assert result.stat().st_mtime_ns == 0
    assert again.to_dict() == first.to_dict()
    assert_same_rows(again, first)


def test_a_stage_without_its_result_is_done_again(storage, csv):
    config = config_of(csv(TABLE))
    first = prepared(config, storage)
    storage.delete(f"{first.prefix}/result.json")
    assert prepared(config, storage).to_dict() == first.to_dict()


@pytest.mark.parametrize(
    ("sections", "is_same"),
    [
        ({}, True),
        ({"search": {"num_samples": 3}}, True),
        ({"gates": {"accuracy": {"threshold": 0.5}}}, True),
        ({"model": {"families": ["linear"]}}, True),
        ({"seed": 1}, False),
        ({"split": {"validation": 0.2}}, False),
        ({"clean": {"strip": False}}, False),
        ({"features": {"numeric": {"scale": "standard"}}}, False),
        ({"validate": {"max_missing": 0.5}}, False),
        ({"data": {"exclude": "size"}}, False),
    ],
)
def test_the_key_is_of_what_preparation_depends_on(csv, sections, is_same):
    path = csv(TABLE)
    assert (prepare_key(config_of(path, **sections)) == prepare_key(config_of(path))) is is_same


def test_the_key_follows_the_files(csv):
    path = csv(TABLE)
    before = prepare_key(config_of(path))
    os.utime(path, ns=(0, 0))
    assert prepare_key(config_of(path)) != before


def test_the_baselines_need_both_recipes():
    assert wanted_recipes(config_of("a.csv", model={"families": "linear"})) == ("dense", "trees")


def test_round_trips_through_json(storage, csv):
    first = prepared(config_of(csv(TABLE), clean={"rules": {"count": {"max": 5, "on_violation": "drop"}}}), storage)
    assert any(finding.examples for finding in first.findings)
    copy = Prepared.from_dict(storage, first.prefix, orjson.loads(orjson.dumps(first.to_dict())))
    assert copy.to_dict() == first.to_dict()
    assert copy.findings == first.findings
    assert copy.pipelines == first.pipelines
    assert_same_rows(copy, first)


# Rows


def test_splits_are_stratified_and_rows_carry_targets_and_weights(storage, csv):
    result = prepared(
        config_of(csv(TABLE.set_column(6, "value", pa.array(range(400)))), data={"roles": {"weight": "value"}}), storage
    )
    sizes = {label: TABLE.column("y").to_pylist().count(label) for label in ("no", "yes")}
    for split in ("validation", "test"):
        batch = result.features("dense", split)
        assert np.bincount(batch.target).tolist() == [round(sizes["no"] * 0.15), round(sizes["yes"] * 0.15)]
    every = [result.features("dense", split) for split in SPLITS]
    assert sorted(np.concatenate([batch.weight for batch in every])) == list(range(400))
    assert all((np.diff(batch.rows.astype(object)) > 0).all() for batch in every)


def test_held_out_rows_are_those_of_the_features(storage, csv):
    result = prepared(config_of(csv(TABLE)), storage)
    for split in ("validation", "test"):
        table, rows = result.rows(split)
        batch = result.features("dense", split)
        assert rows.tolist() == batch.rows.tolist()
        encoded = result.pipelines["dense"].encode(table, target=result.target, rows=rows)
        assert_same_batch(encoded, batch)
    with pytest.raises(AssertionError, match="read as features"):
        result.rows("train")


def test_numbers_are_standardised_by_the_training_rows(storage, csv):
    result = prepared(config_of(csv(TABLE), "value"), storage)
    assert isinstance(result.target, NumericTarget)
    target = result.features("dense", "train").target
    assert (target.mean(), target.std()) == pytest.approx((0, 1), abs=1e-6)
    everything = np.concatenate([result.target.decode(result.features("dense", split).target) for split in SPLITS])
    np.testing.assert_allclose(np.sort(everything), np.sort(TABLE.column("value").to_numpy()), rtol=1e-6)


def test_the_baseline_is_of_the_training_rows(storage, csv):
    result = prepared(config_of(csv(TABLE)), storage)
    for name, column in result.baseline.columns.items():
        assert column.count == result.num_rows["train"], name
        if column.is_number:
            assert column.bins.sum() == column.present
            assert (column.bins[0], column.bins[-1]) == (0, 0)
            assert (column.edges[0], column.edges[-1]) == (column.min, column.max)


def test_histograms_reach_the_extremes_that_the_sample_missed(storage, tmp_path):
    rng, n = np.random.default_rng(0), 60_000
    table = pa.table({f"x{i}": rng.permutation(n) for i in range(8)}).append_column("y", pa.array(rng.normal(size=n)))
    pq.write_table(table, tmp_path / "rows.parquet")
    result = prepared(config_of(tmp_path / "rows.parquet"), storage)
    for column in result.baseline.columns.values():
        assert (column.edges[0], column.edges[-1]) == (column.min, column.max)
        assert (column.bins[0], column.bins[-1], column.bins.sum()) == (0, 0, result.num_rows["train"])


# What is found, and what is refused


def test_later_copies_of_a_row_are_left_out(storage, csv):
    path = csv(pa.concat_tables([TABLE, TABLE.slice(0, 7), TABLE.slice(0, 2)]))
    result = prepared(config_of(path), storage)
    assert [(f.count, f.action) for f in found(result, "no exact duplicate")] == [(9, "drop")]
    assert_same_rows(result, prepared(config_of(csv(TABLE, "once.csv")), storage))
    kept = prepared(config_of(path, clean={"duplicates": "keep"}), storage)
    assert sum(kept.num_rows.values()) == 409
    error = refused(config_of(path, clean={"duplicates": "fail"}), storage)
    assert (error.received, error.where) == ("9 exact duplicates", str(path))


def test_an_excluded_column_makes_rows_different(storage, csv):
    doubled = pa.concat_tables([TABLE, TABLE]).append_column("key", pa.array(range(2**60, 2**60 + 800)))
    result = prepared(config_of(csv(doubled), data={"exclude": "key"}), storage)
    assert sum(result.num_rows.values()) == 800


def with_test_table(csv, **sections) -> RunConfig:
    """A source of 400 rows, and a test table of 100 others and 11 of the source's."""
    test = pa.concat_tables([raw_table(100, seed=5), TABLE.slice(0, 11)])
    return config_of(csv(TABLE), data={"test": {"uri": str(csv(test, "test.csv"))}}, **sections)


@pytest.mark.parametrize(("action", "num_source"), [("drop", 389), ("warn", 400)])
def test_source_rows_that_the_test_table_has(storage, csv, action, num_source):
    result = prepared(with_test_table(csv, validate={"overlap": action}), storage)
    assert [(f.count, f.action) for f in found(result, "no source row equals")] == [(11, action)]
    assert result.num_rows["test"] == 111
    assert result.num_rows["train"] + result.num_rows["validation"] == num_source


def test_an_overlap_may_be_refused(storage, csv):
    error = refused(with_test_table(csv, validate={"overlap": "fail"}), storage)
    assert error.received.startswith("11 rows")


def test_the_test_tables_key_is_of_its_rows(storage, csv):
    config = with_test_table(csv)
    key = prepared(config, storage).test_key
    assert prepared(config_of(csv(TABLE)), storage).test_key is None
    again = prepared(with_test_table(csv, seed=3), storage)
    assert again.test_key == key
    csv(raw_table(90, seed=5), "test.csv")
    assert prepared(config, storage).test_key != key


def test_a_test_table_may_write_its_missing_values_otherwise(storage, csv):
    source, test = TABLE.to_pandas(), raw_table(50, seed=5).to_pandas()
    test["color"] = test["color"].fillna("NA?")
    data = {"test": {"uri": str(csv(test, "test.csv")), "missing": ["NA?"]}}
    result = prepared(config_of(csv(source), data=data), storage)
    table, _ = result.rows("test")
    assert table.column("color").null_count == raw_table(50, seed=5).column("color").null_count
    assert set(table.column("color").drop_null().to_pylist()) == {"red", "green", "blue"}


def test_a_test_table_may_lack_excluded_columns(storage, csv):
    test = csv(raw_table(50, seed=5).drop_columns("value"), "test.csv")
    result = prepared(config_of(csv(TABLE), data={"exclude": "value", "test": {"uri": str(test)}}), storage)
    assert result.num_rows["test"] == 50


def test_an_excluded_column_may_be_of_any_type(storage, tmp_path):
    table = TABLE.append_column("lists", pa.array([[i] for i in range(400)])).append_column(
        "bytes", pa.array([b"\xff"] * 400)
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    config = config_of(tmp_path / "rows.parquet", data={"exclude": ["lists", "bytes"]})
    assert sum(prepared(config, storage).num_rows.values()) == 400


def test_truth_values_of_a_csv_are_classes(storage, csv):
    flags = TABLE.to_pandas().assign(y=TABLE.to_pandas().y == "yes")
    result = prepared(config_of(csv(flags)), storage)
    assert result.target == ClassTarget(labels=(False, True))
    assert result.features("dense", "train").target.mean() == pytest.approx(flags.y.mean(), abs=0.01)


def test_rows_without_a_target_are_left_out(storage, csv):
    frame = TABLE.to_pandas()
    frame.loc[:9, "y"] = None
    result = prepared(config_of(csv(frame)), storage)
    assert [f.count for f in found(result, "a row to learn from has a target")] == [10]
    assert sum(result.num_rows.values()) == 390


@pytest.mark.parametrize("action", ["drop", "quarantine"])
def test_rows_that_break_a_rule_are_left_out(storage, csv, action):
    result = prepared(config_of(csv(TABLE), clean={"rules": {"count": {"max": 5, "on_violation": action}}}), storage)
    count = sum(value > 5 for value in TABLE.column("count").to_pylist())
    (finding,) = found(result, "at most 5")
    assert (finding.count, finding.action) == (count, action)
    assert sum(result.num_rows.values()) == 400 - count
    assert len(storage.list(f"{result.prefix}/quarantine")) == (action == "quarantine")


def test_a_row_that_fails_is_named(storage, csv):
    frame = TABLE.to_pandas().astype({"count": str})
    csv(frame, "rows/a.csv")
    frame.loc[17, "count"] = "many"
    path = csv(frame, "rows/b.csv")
    error = refused(config_of(path.parent), storage)
    assert (error.rule, error.received) == ("a numeric column holds numbers", "'many'")
    assert error.where == f"{path}, row 17, column count"
    assert "data.kinds.count: categorical" in error.remedy


@pytest.mark.parametrize("action", ["warn", "fail"])
def test_a_column_that_is_mostly_missing(storage, csv, action):
    frame = TABLE.to_pandas()
    frame.loc[20:, "size"] = None
    config = config_of(csv(frame), validate={"max_missing": 0.5, "missing": action})
    if action == "fail":
        error = refused(config, storage)
        assert (error.rule, error.where) == ("at most 50% of a feature's values are missing", "column size")
    else:
        (finding,) = found(prepared(config, storage), "at most 50%")
        assert (finding.column, finding.action) == ("size", "warn")


def test_numbers_that_no_first_row_has_are_told(storage, csv, tmp_path):
    frame = TABLE.to_pandas()
    csv(frame.drop(columns="size"), "rows/a.csv")
    path = csv(frame.assign(count=np.arange(400) + 0.5), "rows/b.csv")
    align = {"data": {"source": {"uri": str(path.parent), "schema_changes": "align"}}}
    (finding,) = found(prepared(config_of(path.parent, **align), storage), "numbers are read as numbers")
    assert (finding.column, finding.action, finding.remedy) == ("size", "warn", "data: {kinds: {size: numeric}}")
    align["data"]["kinds"] = {"size": "numeric"}
    assert not found(prepared(config_of(path.parent, **align), storage), "numbers are read as numbers")


def test_a_constant_feature_is_left_out(storage, csv):
    frame = TABLE.to_pandas().assign(count=7, color="red")
    result = prepared(config_of(csv(frame)), storage)
    assert {f.column for f in found(result, "a feature takes at least two values")} == {"count", "color"}
    for pipeline in result.pipelines.values():
        assert not {"count", "color"} & {t.column for t in (*pipeline.numeric, *pipeline.categorical)}


def test_private_values_are_in_no_finding(storage, csv):
    config = config_of(
        csv(TABLE), data={"private": "count"}, clean={"rules": {"count": {"max": 5, "on_violation": "drop"}}}
    )
    (finding,) = found(prepared(config, storage), "at most 5")
    assert {value for _, value in finding.examples} == {"(private)"}


@pytest.mark.parametrize(("weight", "received"), [(None, r"\d+ missing"), (-0.5, r"-0\.5")])
def test_a_weight_that_is_none_is_refused(storage, csv, weight, received):
    frame = TABLE.to_pandas().assign(w=[1.0, weight] * 200)
    error = refused(config_of(csv(frame), data={"roles": {"weight": "w"}}), storage)
    assert (error.rule, error.where) == ("a row's weight is a number of at least 0", "column w")
    assert re.fullmatch(received, error.received)


def test_a_weight_of_nothing_is_one(storage, csv):
    frame = TABLE.to_pandas().assign(w=[1.0, 0.0] * 200)
    result = prepared(config_of(csv(frame), data={"roles": {"weight": "w"}}), storage)
    assert set(result.features("dense", "train").weight.tolist()) == {0.0, 1.0}


FIFTY = range(50)


@pytest.mark.parametrize(
    ("lines", "sections", "rule"),
    [
        ([], {}, "a table has at least one row"),
        (["x,y"], {}, "a table has at least one row"),
        (["x,x,y", "1,2,a"], {}, "a table's column names differ"),
        (["x,z", "1,2"], {}, "data.target names a column of the table"),
        (["x,y", "1,2,3"], {}, "every line has 2 values"),
        (["x,y", "1,a", "2,a"], {}, "at least 1 validation rows are left after cleaning and splitting"),
        (["x,y", "1,", "2,"], {"data": {"kinds": {"y": "categorical"}}}, "at least 2 train rows are left"),
        (["x,y", *(f"{i},a" for i in FIFTY)], {}, "a class target takes at least two values"),
        (
            ["k,x,y", *(f"{i},7,{i % 2}" for i in FIFTY)],
            {"data": {"roles": {"id": "k"}}},
            "a table has at least one feature",
        ),
        (["x,y", *(f"{i},{i / 7}" for i in FIFTY)], {"split": {"kind": "stratified"}}, "a stratified split needs"),
        (["x,y", *(f"{i},{i % 2}" for i in FIFTY)], {"split": {"test": 0}}, "at least 1 test rows are left"),
        (["x,y", "1,a"], {"clean": {"rules": {"z": {"min": 0}}}}, "clean.rules names a column of the table"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_refused(storage, tmp_path, lines, sections, rule):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines))
    assert refused(config_of(path, **sections), storage).rule.startswith(rule)
    assert not [key for key in storage.list("prepared") if storage.exists(f"prepared/{key}/result.json")]


def test_a_bundled_table(storage):
    result = prepared(config_of("sklearn:iris", "target"), storage)
    assert result.target == ClassTarget(labels=("setosa", "versicolor", "virginica"))
    assert sum(result.num_rows.values()) == 149  # one flower is in the table twice


@pytest.mark.parametrize("kind", ["group", "time"])
def test_more_folds_than_there_are_values_to_deal_are_refused(tmp_path, kind):
    split = {"kind": kind, "column": "g", "folds": 4}
    rows = "\n".join(f"{i % 3},{i},{'ab'[i % 2]}" for i in range(60))
    (tmp_path / "t.csv").write_text("g,x,y\n" + rows)
    data = {"source": {"uri": str(tmp_path / "t.csv")}, "target": "y"}
    config = RunConfig.model_validate({"name": "demo", "storage": str(tmp_path), "data": data, "split": split})
    with pytest.raises(DataError, match=r"each fold has rows of its own; received 3 distinct values for 4 folds"):
        prepare(config, Storage(tmp_path / "store"), LocalEngine())
    fewer = config.model_copy(update={"split": config.split.model_copy(update={"folds": 2})})
    assert prepare(fewer, Storage(tmp_path / "store"), LocalEngine()).features("dense", "train").fold is not None


@pytest.mark.parametrize(("num_copies", "wanted"), [(1, 0), (2, 1)])
def test_held_out_rows_that_training_rows_give_away_are_counted(tmp_path, num_copies, wanted):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=300)
    copies = [(i, k) for i in range(300) for k in range(num_copies if i % 3 == 0 else 1)]
    rows = [f"{i}-{k},{numbers[i]:.6f},{'ab'[int(numbers[i] > 0)]}" for i, k in copies]
    (tmp_path / "t.csv").write_text("id,x,y\n" + "\n".join(rows))
    data = {"source": {"uri": str(tmp_path / "t.csv")}, "target": "y", "roles": {"id": "id"}}
    config = RunConfig.model_validate({"name": "demo", "storage": str(tmp_path), "data": data})
    found = prepare(config, Storage(tmp_path / "store"), LocalEngine())
    told = [f for f in found.findings if f.rule.startswith("no validation or test row has")]
    assert len(told) == wanted
    if wanted:
        held_out = np.concatenate([found.rows(split)[0].column("x").to_numpy() for split in ("validation", "test")])
        training = np.setdiff1d(np.round(numbers, 6), held_out)
        twice = [x for x, count in zip(*np.unique(held_out, return_counts=True), strict=True) if count == 1]
        third = set(np.round(numbers[::3], 6).tolist())
        assert told[0].count == sum(x in third for x in twice)
        assert len(training) and told[0].action == "warn"
