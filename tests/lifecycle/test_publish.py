import pytest

from distml.config import RunConfig
from distml.data import LocalEngine
from distml.lifecycle.prepare import prepare
from distml.lifecycle.publish import datasets
from distml.lifecycle.result import RunResult
from distml.storage import Storage
from tables import raw_table

SPLITS = ("train", "validation", "test")


def inputs_of(folder, tables, pattern="*.csv"):
    """What a run logs as its inputs, by split, for tables in files of a folder."""
    folder.mkdir()
    for name, table in tables.items():
        table.to_csv(folder / name, index=False)
    config = RunConfig.model_validate(
        {"name": "demo", "storage": str(folder), "data": {"source": {"uri": f"{folder}/{pattern}"}, "target": "y"}}
    )
    storage = Storage(folder / "store")
    prepared = prepare(config, storage, LocalEngine())
    result = RunResult(run="r", config=config, storage=storage, seconds={}, prepared=prepared)
    return {dataset.context: dataset for dataset in datasets(result).datasets}


@pytest.fixture(scope="module")
def table():
    return raw_table(400).to_pandas()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, table):
    return inputs_of(tmp_path_factory.mktemp("inputs") / "one", {"churn.csv": table}, "churn.csv")


def contents(inputs):
    return {split: dataset.sha256 for split, dataset in inputs.items()}


def test_each_split_is_an_input(inputs, table):
    assert tuple(inputs) == SPLITS
    assert all(dataset.name == "churn" and len(dataset.sha256) == 64 for dataset in inputs.values())
    assert sum(dataset.num_rows for dataset in inputs.values()) <= len(table)
    assert set(inputs["train"].kinds) == set(table.columns)
    assert len(set(contents(inputs).values())) == 3


def test_the_same_rows_in_other_files_and_another_order_are_the_same_input(inputs, table, tmp_path):
    shuffled = table.sample(frac=1.0, random_state=0)
    others = inputs_of(tmp_path / "two", {"a.csv": shuffled[:150], "b.csv": shuffled[150:]})
    assert contents(others) == contents(inputs)


def test_one_value_that_changed_makes_another_input(inputs, table, tmp_path):
    changed = table.copy()
    column = next(name for name in table.columns if name != "y" and table[name].dtype.kind == "f")
    changed.loc[changed.index[7], column] = 12345.678
    others = inputs_of(tmp_path / "two", {"churn.csv": changed})
    assert sum(others[split].sha256 != inputs[split].sha256 for split in SPLITS) in (1, 2)
