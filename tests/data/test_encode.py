"""The second pass: the tables on the shelf dealt to splits, encoded, written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from distml.batch import FeatureBatch
from distml.config import SplitConfig
from distml.data import SPLITS, SplitPlan, plan_split
from distml.data.dealing import Dealing
from distml.data.encode import Dealer, Encode, SummariseAgain, SummariseDropped
from distml.data.ingest import Summarise
from distml.data.parts import PLACE, ROW, PartTask, with_rows
from distml.data.split import with_folds
from distml.hashing import row_hashes
from distml.ipc import from_ipc
from distml.storage import Storage
from distml.summary import TableSummary
from tables import cleaner_of, raw_table

DEALING = Dealing(kind="stratified", column="y")
KINDS = {"size": "numeric", "color": "categorical"}
EMPTY = TableSummary(KINDS, sample_size=50)


def shelved(n: int, seed: int) -> pa.Table:
    raw = raw_table(n, seed)
    table = cleaner_of(raw).apply(raw).table
    return with_rows(table, row_hashes(table)).append_column(PLACE, pa.array(range(n), pa.int64()))


TABLES = [shelved(60, 0), shelved(40, 1), shelved(30, 2)]
TASKS = [
    PartTask(name="a", table="source", dropped=np.array([3, 5])),
    PartTask(name="b", table="source", dropped=np.empty(0, np.int64)),
    PartTask(name="c", table="test", dropped=np.empty(0, np.int64)),
]


def planned(num_folds: int | None = None) -> SplitPlan:
    table = pa.concat_tables(TABLES[:2])
    rows = table.column(ROW).to_numpy()
    keys, strata = DEALING.keys(table, rows), DEALING.strata(table)
    plan = plan_split(DEALING, keys, strata, SplitConfig(), has_test_table=True)
    return with_folds(plan, rows, keys, strata, num_folds)


DEALER = Dealer(plan=planned())


def test_rows_are_dealt_once_and_dropped_ones_never():
    dealt = [DEALER.deal(table, task) for table, task in zip(TABLES, TASKS, strict=True)]
    assert [set(part) for part in dealt] == [{"train", "validation"}, {"train", "validation"}, {"test"}]
    for table, task, part in zip(TABLES, TASKS, dealt, strict=True):
        found = np.concatenate([rows for _, rows in part.values()])
        assert sorted(found) == sorted(np.delete(table.column(ROW).to_numpy(), task.dropped))
        for chosen, rows in part.values():
            assert row_hashes(chosen).tolist() == rows.tolist()


def test_an_empty_table_has_no_rows_to_deal():
    assert DEALER.deal(pa.table({}), TASKS[1]) == {}
    assert SummariseAgain(dealer=DEALER, summarise=Summarise(empty=EMPTY))(pa.table({}), TASKS[1]) == {}


def test_summaries_are_of_each_splits_rows():
    again = SummariseAgain(dealer=DEALER, summarise=Summarise(empty=EMPTY))
    found = [again(table, task) for table, task in zip(TABLES, TASKS, strict=True)]
    for split in SPLITS:
        wanted = EMPTY.fresh() if split == "train" else EMPTY.plain()
        for table, task in zip(TABLES, TASKS, strict=True):
            if split in (dealt := DEALER.deal(table, task)):
                wanted.update(*dealt[split])
        merged = wanted.fresh().merge(*(part[split] for part in found if split in part))
        assert merged.columns["color"].categories == wanted.columns["color"].categories
        assert merged.columns["size"].nulls == wanted.columns["size"].nulls
        assert merged.sample_hashes.tolist() == wanted.sample_hashes.tolist()
    assert EMPTY.count == 0


def test_what_is_dropped_is_summarised_by_the_split_that_it_would_have_got():
    dropped = SummariseDropped(dealer=DEALER, summarise=Summarise(empty=EMPTY))(TABLES[0], TASKS[0])
    assert sum(summary.count for summary in dropped.values()) == 2
    splits = DEALER.plan.deal(TABLES[0], TABLES[0].column(ROW).to_numpy())[[3, 5]]
    assert sorted(dropped) == sorted({SPLITS[code] for code in splits})


def encode_size(table: pa.Table, rows: np.ndarray, *, is_training: bool) -> FeatureBatch:
    numeric = table.column("size").to_numpy().astype(np.float32)[:, None]
    codes = np.full((len(rows), 1), int(is_training), np.int64)
    return FeatureBatch(numeric=numeric, categorical=codes, rows=rows)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


def encode(storage: Storage, plan: SplitPlan) -> list[dict]:
    work = Encode(
        dealer=Dealer(plan=plan), storage=storage, prefix="out", encoders={"one": encode_size, "two": encode_size},
        edges=TableSummary(KINDS, edges={"size": np.array([-1.0, 0.0, 1.0])}),
    )  # fmt: skip
    return [work(table, task) for table, task in zip(TABLES, TASKS, strict=True)]


def features(storage: Storage, split: str) -> FeatureBatch:
    folder = f"out/features/one/{split}"
    return FeatureBatch.concat(
        [FeatureBatch.from_bytes(storage.read_bytes(f"{folder}/{n}")) for n in storage.list(folder)]
    )


def test_features_and_held_out_rows_are_written_by_split(storage):
    encode(storage, planned())
    assert storage.list("out/features") == ["one", "two"]
    for split in SPLITS:
        dealt = [DEALER.deal(*known).get(split) for known in zip(TABLES, TASKS, strict=True)]
        wanted = sorted(row for part in dealt if part for row in part[1])
        batch = features(storage, split)
        assert sorted(batch.rows) == wanted
        assert set(batch.categorical[:, 0].tolist()) == {int(split == "train")}, "training rows are known as such"
        assert batch.fold is None
        names = storage.list(f"out/splits/{split}")
        held_out = [from_ipc(storage.read_bytes(f"out/splits/{split}/{name}")) for name in names]
        assert sorted(row for table in held_out for row in table.column(ROW).to_pylist()) == (
            [] if split == "train" else wanted
        )


def test_training_rows_are_counted_over_the_bins(storage):
    bins = encode(storage, planned())
    training = features(storage, "train")
    values = training.numeric[:, 0]
    wanted = [(values < -1).sum(), ((values >= -1) & (values < 0)).sum(), ((values >= 0) & (values <= 1)).sum()]
    assert sum(part["size"] for part in bins if part).tolist() == [*wanted, (values > 1).sum()]
    assert bins[2] == {}, "of a test table"


def test_folds_are_written_with_the_rows_that_have_one(storage):
    plan = planned(num_folds=3)
    encode(storage, plan)
    assert features(storage, "test").fold is None
    table = pa.concat_tables(TABLES[:2])
    rows = table.column(ROW).to_numpy()
    wanted = dict(zip(rows.tolist(), plan.fold(table, rows).tolist(), strict=True))
    for split in ("train", "validation"):
        batch = features(storage, split)
        assert batch.fold.tolist() == [wanted[row] for row in batch.rows.tolist()]
        assert set(batch.fold.tolist()) == {0, 1, 2}
