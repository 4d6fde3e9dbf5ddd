"""A run keeps to the rules of `validate`; a written schema is kept to by the next table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from distml.config import with_absolute_paths
from distml.data import LocalEngine
from distml.errors import ConfigError, DataError
from distml.inspection.written import describe, read_schema, to_yaml
from distml.lifecycle.prepare import prepare, prepare_key
from distml.lifecycle.validate import validate
from distml.storage import Storage
from inspected import clean_frame, config_of


def validated(path, storage: Storage, **sections):
    return validate(config_of(path, **sections), storage, LocalEngine())


@pytest.fixture
def storage(tmp_path) -> Storage:
    return Storage(tmp_path / "store")


@pytest.fixture
def leaky(tmp_path) -> Path:
    frame = clean_frame(400, 1)
    frame["outcome"] = np.where(frame["y"] == "yes", 9.0, 1.0) + np.arange(400) / 1000
    frame.to_csv(tmp_path / "leaky.csv", index=False)
    return tmp_path / "leaky.csv"


def test_a_leak_that_fails_is_refused_by_validate_and_by_a_run(leaky, storage):
    done = validated(leaky, storage, validate={"leakage": "fail"})
    (refused,) = done.inspection.refused
    assert (refused.kind, refused.column, refused.action) == ("leakage", "outcome", "fail")
    with pytest.raises(DataError, match="a feature doesn't tell the target by itself") as caught:
        prepare(config_of(leaky, validate={"leakage": "fail"}), storage, LocalEngine())
    assert "column outcome" in caught.value.where and "leaky.csv" in caught.value.where


def test_a_leak_that_is_dropped_is_no_feature(leaky, storage):
    prepared = prepare(config_of(leaky, validate={"leakage": "drop"}), storage, LocalEngine())
    assert prepared.schema["outcome"].role == "excluded"
    kept = prepare(config_of(leaky), storage, LocalEngine())
    assert kept.schema["outcome"].role == "feature"


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"outliers": "fail"}, "outlier"),
        ({"outliers": {"method": "iqr", "threshold": 6, "action": "fail"}}, "outlier"),
        ({"tokens": "fail"}, "missing_token"),
        ({"constant": "fail"}, "constant"),
        ({"unique": ["lognormal", ["day", "at"]], "keys": "fail"}, "duplicate_key"),
        ({"imbalance": {"threshold": 1.0, "action": "fail"}}, "imbalance"),
    ],
)
def test_a_rule_that_fails(tmp_path, storage, rule, kind):
    frame = clean_frame(400, 2)
    frame.loc[5, "normal"] = 1e6
    frame.loc[6:8, "city"] = "?"
    frame["always"] = 1
    frame.loc[9, ["day", "at"]] = frame.loc[3, ["day", "at"]].to_numpy()
    frame.loc[frame.index[:150], "y"] = "yes"
    frame.to_csv(tmp_path / "t.csv", index=False)
    done = validated(tmp_path / "t.csv", storage, validate=rule)
    assert kind in {seen.kind for seen in done.inspection.refused}
    plain = validated(tmp_path / "t.csv", storage)
    assert not plain.is_refused


def test_a_key_of_two_columns_names_both(tmp_path, storage):
    frame = clean_frame(300, 3)
    frame.loc[9, ["day", "at"]] = frame.loc[3, ["day", "at"]].to_numpy()
    frame.to_csv(tmp_path / "t.csv", index=False)
    done = validated(tmp_path / "t.csv", storage, validate={"unique": [["day", "at"]]})
    (seen,) = [o for o in done.observations if o.kind == "duplicate_key"]
    assert (seen.rule, seen.count, seen.examples[0].row) == ("day with at names one row", 1, 9)


# Written schemas


@pytest.fixture
def written(tmp_path, storage) -> Path:
    clean_frame(400, 4).to_csv(tmp_path / "first.csv", index=False)
    path = tmp_path / "schema.yaml"
    path.write_text(to_yaml(describe(validated(tmp_path / "first.csv", storage).inspection)))
    return path


def test_a_schema_is_read_as_it_was_written(written, tmp_path, storage):
    described = describe(validated(tmp_path / "first.csv", storage).inspection)
    assert read_schema(str(written)) == described
    assert described.columns["city"].allowed == ("Bern", "Oslo", "Paris", "Rome")
    assert described.columns["dice"].model_dump() == {
        "kind": "numeric", "dtype": "integer", "nullable": False, "min": 1, "max": 6, "allowed": None,
        "on_violation": None,
    }  # fmt: skip
    assert described.columns["gaps"].nullable


def test_the_table_that_a_schema_was_written_of_keeps_to_it(written, tmp_path, storage):
    done = validated(tmp_path / "first.csv", storage, validate={"schema": str(written)})
    assert [o for o in done.observations if o.kind == "schema"] == [] and not done.is_refused


@pytest.fixture
def changed(tmp_path) -> Path:
    frame = clean_frame(400, 4)
    frame.loc[7, "dice"] = 8
    frame.loc[[10, 11], "city"] = ["Atlantis", "Atlantis"]
    frame.loc[20, "normal"] = np.nan
    frame["poisson"] = frame["poisson"].astype(object)
    frame.loc[30:35, "poisson"] = ["a", "b", "c", "d", "e", "f"]
    frame = frame.drop(columns="member").assign(extra=np.arange(400) % 7)
    frame.to_csv(tmp_path / "second.csv", index=False)
    return tmp_path / "second.csv"


def broken(done) -> dict:
    return {o.column: o for o in done.observations if o.kind == "schema"}


def test_what_another_table_breaks_is_counted_with_its_rows(written, changed, storage):
    done = validated(changed, storage, validate={"schema": str(written)})
    found = broken(done)
    assert set(found) == {"dice", "city", "normal", "poisson", "member", "extra"}
    rows = {name: [example.row for example in seen.examples] for name, seen in found.items()}
    assert rows["dice"] == [7] and rows["city"] == [10, 11] and rows["normal"] == [20]
    assert (found["poisson"].count, rows["poisson"]) == (6, [30, 31, 32, 33, 34])
    assert found["member"].told == "the table has no such column"
    assert done.is_refused and {seen.level for seen in found.values()} == {"fail"}


def test_a_schema_that_warns_refuses_nothing(written, changed, storage):
    written.write_text(written.read_text().replace("on_violation: fail", "on_violation: warn"))
    done = validated(changed, storage, validate={"schema": str(written)})
    assert not done.is_refused and done.prepared is not None
    assert {seen.action for seen in broken(done).values()} == {"warn"}


def test_a_run_does_what_the_schema_says_of_a_column(written, tmp_path, storage):
    frame = clean_frame(400, 4)
    frame.loc[[7, 8], "dice"] = [8, 9]
    frame.to_csv(tmp_path / "third.csv", index=False)
    text = written.read_text()
    config = config_of(tmp_path / "third.csv", validate={"schema": str(written)})
    with pytest.raises(DataError, match="at most 6") as caught:
        prepare(config, storage, LocalEngine())
    assert "dice" in str(caught.value) and "third.csv" in str(caught.value)
    written.write_text(text.replace("max: 6}", "max: 6, on_violation: drop}"))
    assert sum(prepare(config, storage, LocalEngine()).num_rows.values()) == 398
    written.write_text(text.replace("max: 6}", "max: 6, on_violation: 'null'}"))
    assert sum(prepare(config, storage, LocalEngine()).num_rows.values()) == 400


def test_a_run_tells_of_a_column_that_the_schema_has_and_the_table_hasnt(written, tmp_path, storage):
    clean_frame(400, 4).drop(columns="dice").to_csv(tmp_path / "third.csv", index=False)
    config = config_of(tmp_path / "third.csv", validate={"schema": str(written)})
    with pytest.raises(DataError, match="the table has no such column") as caught:
        prepare(config, storage, LocalEngine())
    assert caught.value.where == "column dice"


def test_the_schema_is_part_of_a_stages_key(written, tmp_path):
    config = config_of(tmp_path / "first.csv", validate={"schema": str(written)})
    before = prepare_key(config)
    assert before == prepare_key(config) != prepare_key(config_of(tmp_path / "first.csv"))
    written.write_text(written.read_text().replace("nullable: true", "nullable: false", 1))
    assert prepare_key(config) != before


@pytest.mark.parametrize("text", ["columns: 3", "colums: {}", "columns: {x: {kind: nothing, dtype: integer}}", "{"])
def test_a_file_that_is_no_schema(tmp_path, text):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ConfigError, match="a schema is one that distml wrote"):
        read_schema(str(tmp_path / "s.yaml"))
    with pytest.raises(ConfigError, match="a schema is a file"):
        read_schema(str(tmp_path / "none.yaml"))


def test_a_private_column_is_written_without_its_values(tmp_path, storage):
    pd.DataFrame({"name": ["ann", "bob"] * 60, "age": [31, 47] * 60, "y": [0, 1, 1] * 40}).to_csv(
        tmp_path / "p.csv", index=False
    )
    done = validated(tmp_path / "p.csv", storage, data={"private": ["name", "age"]})
    text = to_yaml(describe(done.inspection)) + done.page() + str(done.to_dict())
    assert "ann" not in text.replace("cannot", "") and "bob" not in text
    assert "min" not in to_yaml(describe(done.inspection)).split("age:")[1].splitlines()[0]


def test_classes_of_a_private_target_are_not_shown(tmp_path, storage):
    rng = np.random.default_rng(0)
    pd.DataFrame({"x": rng.normal(size=200), "illness": rng.choice(["gout", "flu"], 200)}).to_csv(
        tmp_path / "p.csv", index=False
    )
    config = config_of(tmp_path / "p.csv", data={"target": "illness", "private": "illness"})
    done = validate(config, storage, LocalEngine())
    assert {split["target"] for split in done.splits} == {"(private)"}
    assert "gout" not in done.page() + str(done.to_dict())


def test_a_relative_schema_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = with_absolute_paths(config_of("t.csv", validate={"schema": "s.yaml"}))
    assert config.validation.schema_file == str(tmp_path / "s.yaml")
