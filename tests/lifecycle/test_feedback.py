"""Labels from tables into the log."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distml.config import SourceConfig
from distml.errors import DataError
from distml.inference_log import read_feedback
from distml.lifecycle.feedback import keep_feedback
from distml.predictor import with_golden
from distml.registry import StoreRegistry, Version
from distml.schema import Schema
from distml.storage import Storage
from packages import package_of, table_of


def registered(home: Path, task: str, *, private: bool = False) -> tuple[Storage, Version]:
    storage = Storage(home)
    package = with_golden(package_of(task, epochs=1), table_of(task, 10))
    if private:
        schema = Schema(tuple(replace(column, private=column.role == "target") for column in package.schema.columns))
        (member,) = package.members
        cleaner = replace(member.pipeline.cleaner, schema=schema)
        members = (replace(member, pipeline=replace(member.pipeline, cleaner=cleaner)),)
        package = replace(package, schema=schema, members=members)
    package.save(home / "trained" / "a" / "package")
    version = StoreRegistry(storage).register("shop", package="trained/a/package", package_id="a", run="r", metrics={})
    return storage, version


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return registered(tmp_path_factory.mktemp("shop"), "binary")


@pytest.fixture(scope="module")
def prices(tmp_path_factory):
    return registered(tmp_path_factory.mktemp("prices"), "regression")


def keep(model, path):
    storage, version = model
    storage.delete("log")
    kept = keep_feedback(storage, version, SourceConfig(uri=str(path)))
    return kept, {(row["request_id"], row["row"]): row["label"] for row in read_feedback(storage, "shop").to_pylist()}


def csv(folder, text):
    (folder / "labels.csv").write_text(text)
    return folder / "labels.csv"


def test_a_text_file_of_classes(shop, tmp_path):
    kept, labels = keep(shop, csv(tmp_path, "request_id,when,row,label\n4711,x,0,yes\nb,x, 2, no\nc,x,0,\n"))
    assert (kept.num_labels, kept.num_missing, len(kept.segments)) == (2, 1, 1)
    assert labels == {("4711", 0): "yes", ("b", 2): "no"}


def test_a_text_file_of_numbers(prices, tmp_path):
    _, labels = keep(prices, csv(tmp_path, "request_id,label\na,3\nb,2.5\n"))
    assert labels == {("a", 0): 3.0, ("b", 0): 2.5}


def test_a_table_with_types(prices, tmp_path):
    table = pa.table({"request_id": [1, 2, 3], "row": pa.array([0, 1, None], pa.float64()), "label": [1.5, 2, None]})
    pq.write_table(table.slice(0, 2), tmp_path / "labels.parquet")
    _, labels = keep(prices, tmp_path / "labels.parquet")
    assert labels == {("1", 0): 1.5, ("2", 1): 2.0}


def test_of_a_row_told_twice_the_last_counts(shop, tmp_path):
    kept, labels = keep(shop, csv(tmp_path, "request_id,label\na,yes\na,no\n"))
    assert (kept.num_labels, labels) == (2, {("a", 0): "no"})


@pytest.mark.parametrize(
    ("lines", "rule", "received", "row"),
    [
        ("a,0,yes\nb,0,maybe\n", "a label is one of the classes that training saw", "'maybe'", 1),
        ("a,0,yes\nb,0,\nc,one,no\n", "a row is a whole number from 0", "'one'", 2),
        ("a,-1,yes\n", "a row is a whole number from 0", "-1", 0),
        (",0,yes\n", "a request_id is a text of 1 to 128 characters", "''", 0),
    ],
)
def test_what_is_wrong_is_named_and_nothing_kept(shop, tmp_path, lines, rule, received, row):
    path = csv(tmp_path, f"request_id,row,label\n{lines}")
    with pytest.raises(DataError) as caught:
        keep(shop, path)
    assert (caught.value.rule, caught.value.received) == (rule, received)
    assert caught.value.where == f"{path}, row {row}"
    assert not shop[0].exists("log")


def test_a_number_that_is_none(prices, tmp_path):
    with pytest.raises(DataError, match="a label is a number; received 'many'"):
        keep(prices, csv(tmp_path, "request_id,label\na,1\nb,many\n"))


def test_a_column_that_is_not_there(shop, tmp_path):
    with pytest.raises(DataError, match=r"received no 'request_id'.*rename 'request-id' to 'request_id'"):
        keep(shop, csv(tmp_path, "request-id,label\na,yes\n"))


def test_a_private_target_is_not_quoted(tmp_path):
    model = registered(tmp_path, "binary", private=True)
    with pytest.raises(DataError) as caught:
        keep(model, csv(tmp_path, "request_id,label\na,secret\n"))
    assert caught.value.received == "(private)" and "secret" not in str(caught.value)
