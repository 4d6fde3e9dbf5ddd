from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from distml.batch import FeatureBatch
from distml.clean import RowCleaner
from distml.config import SourceConfig, SplitConfig
from distml.data import SPLITS, plan_split
from distml.data.passes import (
    ROW,
    Dealer,
    Encode,
    Ingest,
    Ingested,
    PartTask,
    Summarise,
    from_ipc,
    to_ipc,
)
from distml.data.source import list_fragments
from distml.errors import DataError
from distml.hashing import row_hashes
from distml.storage import Storage
from distml.summary import TableSummary
from tables import cleaner_of, raw_table

NOTHING = np.empty(0, np.int64)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


def write_csv(path: Path, table: pa.Table) -> SourceConfig:
    table.to_pandas().to_csv(path, index=False)
    return SourceConfig(uri=str(path))


def ingested(storage: Storage, source: SourceConfig, cleaner: RowCleaner, table="source", stratify=True) -> Ingested:
    ingest = Ingest(storage=storage, prefix="p", table=table, source=source, cleaner=cleaner, stratify=stratify)
    (fragment,) = list_fragments(source)
    return ingest(fragment)


def rows_of(storage: Storage, result: Ingested) -> pa.Table:
    return pa.concat_tables([from_ipc(storage.read_bytes(part.key)) for part in result.parts])


@pytest.mark.parametrize("table", [raw_table(20), raw_table(20).slice(3, 4), raw_table(1).slice(0, 0)])
def test_ipc_comes_back(table):
    assert from_ipc(to_ipc(table)).equals(table)


def test_a_fragment_is_cleaned_hashed_and_written(storage, tmp_path):
    raw = raw_table(50)
    cleaner = cleaner_of(raw)
    result = ingested(storage, write_csv(tmp_path / "rows.csv", raw), cleaner)
    wanted = cleaner.apply(raw).table
    written = rows_of(storage, result)
    assert written.drop_columns([ROW]).equals(wanted)
    assert written.column(ROW).to_pylist() == row_hashes(wanted).tolist()
    (part,) = result.parts
    assert part.rows.tolist() == row_hashes(wanted).tolist()
    assert part.strata.tolist() == raw.column("y").to_pylist()
    assert part.inputs.tolist() == row_hashes(wanted).tolist()  # every column is a feature or the target
    assert (part.num_rows, result.num_rows, result.error) == (50, 50, None)


def test_inputs_are_features_and_target_alone(storage, tmp_path):
    raw = raw_table(20)
    cleaner = cleaner_of(raw, roles={"id": "count"}, exclude="size")
    (part,) = ingested(storage, write_csv(tmp_path / "rows.csv", raw), cleaner, stratify=False).parts
    cleaned = cleaner.apply(raw).table
    assert part.inputs.tolist() == row_hashes(cleaned.select(["color", "flag", "at", "value", "y"])).tolist()
    assert set(part.strata.tolist()) == {""}


def test_excluded_columns_tell_rows_apart_where_they_are_there(storage, tmp_path):
    raw = pa.table({"x": [1, 1, 1, 2], "e": ["a", "b", "a", "a"], "y": ["u", "u", "u", "v"]})
    cleaner = cleaner_of(raw, exclude="e")
    (part,) = ingested(storage, write_csv(tmp_path / "a.csv", raw), cleaner).parts
    assert [int(np.flatnonzero(part.rows == row)[0]) for row in part.rows] == [0, 1, 0, 3]
    assert len(set(part.inputs.tolist())) == 2
    (without,) = ingested(storage, write_csv(tmp_path / "b.csv", raw.drop_columns("e")), cleaner, "test").parts
    assert len(set(without.rows.tolist())) == 2


def test_rows_without_a_target_are_left_out_and_counted(storage, tmp_path):
    raw = pa.table({"x": [1, 2, 3], "y": ["a", None, "b"]})
    result = ingested(storage, write_csv(tmp_path / "rows.csv", raw), cleaner_of(raw))
    assert rows_of(storage, result).column("x").to_pylist() == [1, 3]
    assert result.num_rows == 3
    assert [(f.rule, f.column, f.count, f.action, f.table) for f in result.findings if f.action == "drop"] == [
        ("a row to learn from has a target", "y", 1, "drop", "source")
    ]


def test_findings_are_counted_over_blocks_with_rows_of_the_file(storage, tmp_path):
    long = "z" * 900
    lines = [f"{long},a" if i % 2 else f"{long},b" for i in range(40_000)]
    lines[5] = lines[19_000] = lines[39_999] = f"{long} ,a"
    (tmp_path / "rows.csv").write_text("x,y\n" + "\n".join(lines))
    raw = pa.table({"x": ["z", "w"], "y": ["a", "b"]})
    result = ingested(storage, SourceConfig(uri=str(tmp_path / "rows.csv")), cleaner_of(raw))
    assert len(result.parts) > 1
    assert result.num_rows == sum(part.num_rows for part in result.parts) == 40_000
    (finding,) = result.findings
    assert (finding.count, [row for row, _ in finding.examples]) == (3, [5, 19_000, 39_999])


def test_quarantined_rows_are_set_aside_as_they_were(storage, tmp_path):
    raw = raw_table(30)
    clean = {"rules": {"count": {"max": 4, "on_violation": "quarantine"}}}
    result = ingested(storage, write_csv(tmp_path / "rows.csv", raw), cleaner_of(raw, clean))
    bad = [i for i, count in enumerate(raw.column("count").to_pylist()) if count > 4]
    (name,) = storage.list("p/quarantine")
    aside = from_ipc(storage.read_bytes(f"p/quarantine/{name}"))
    assert aside.column("count").to_pylist() == [str(raw.column("count")[i].as_py()) for i in bad]
    assert set(aside.column("distml_reason").to_pylist()) == {"count: at most 4"}
    assert rows_of(storage, result).num_rows == 30 - len(bad)


def test_nothing_is_set_aside_where_nothing_is_wrong(storage, tmp_path):
    raw = raw_table(30)
    ingested(storage, write_csv(tmp_path / "rows.csv", raw), cleaner_of(raw))
    assert storage.list("p/quarantine") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [("x,y\n1,a\n1\n", "every line has 2 values"), ("x\n1\n", "every column that the schema names")],
)
def test_an_error_is_a_value_that_names_the_file(storage, tmp_path, content, message):
    (tmp_path / "rows.csv").write_text(content)
    raw = pa.table({"x": [1, 2], "y": ["a", "b"]})
    result = ingested(storage, SourceConfig(uri=str(tmp_path / "rows.csv")), cleaner_of(raw))
    assert isinstance(result.error, DataError)
    assert message in result.error.rule
    assert result.error.where.count(str(tmp_path / "rows.csv")) == 1


# Later passes


@pytest.fixture
def tasks(storage, tmp_path) -> list[PartTask]:
    """A source of two files and a test table, with two source rows left out."""
    cleaner = cleaner_of(raw_table())
    parts = []
    (tmp_path / "source").mkdir()
    write_csv(tmp_path / "source" / "a.csv", raw_table(60))
    write_csv(tmp_path / "source" / "b.csv", raw_table(40, seed=1))
    write_csv(tmp_path / "test.csv", raw_table(30, seed=2))
    for table, name in {"source": "source", "test": "test.csv"}.items():
        source = SourceConfig(uri=str(tmp_path / name))
        ingest = Ingest(storage=storage, prefix="p", table=table, source=source, cleaner=cleaner, stratify=True)
        parts += [part for fragment in list_fragments(source) for part in ingest(fragment).parts]
    dropped = [np.array([3, 5]), NOTHING, NOTHING]
    return [PartTask(part=part, dropped=rows) for part, rows in zip(parts, dropped, strict=True)]


@pytest.fixture
def dealer(storage, tasks) -> Dealer:
    kept = [(np.delete(t.part.rows, t.dropped), np.delete(t.part.strata, t.dropped)) for t in tasks[:2]]
    rows, strata = (np.concatenate(values) for values in zip(*kept, strict=True))
    return Dealer(storage=storage, plan=plan_split(rows, strata, SplitConfig(), 0, has_test_table=True))


def test_rows_are_dealt_once_and_dropped_ones_never(dealer, tasks):
    dealt = [dealer.deal(task) for task in tasks]
    assert [set(part) for part in dealt] == [{"train", "validation"}, {"train", "validation"}, {"test"}]
    for task, part in zip(tasks, dealt, strict=True):
        found = np.concatenate([rows for _, rows in part.values()])
        assert sorted(found) == sorted(np.delete(task.part.rows, task.dropped))
        for table, rows in part.values():
            assert row_hashes(table).tolist() == rows.tolist()


KINDS = {"size": "numeric", "color": "categorical"}


def test_summaries_are_of_each_splits_rows(dealer, tasks):
    empty = TableSummary(KINDS, sample_size=50)
    found = [Summarise(dealer=dealer, empty=empty)(task) for task in tasks]
    for split in SPLITS:
        tables = [dealer.deal(task)[split][0] for task in tasks if split in dealer.deal(task)]
        wanted = empty.fresh()
        for table in tables:
            wanted.update(table, row_hashes(table))
        merged = reduce(lambda a, b: a.merge(b), [part[split] for part in found if split in part])
        assert merged.columns["color"].categories == wanted.columns["color"].categories
        assert merged.columns["size"].nulls == wanted.columns["size"].nulls
        assert merged.sample_hashes.tolist() == wanted.sample_hashes.tolist()
    assert empty.count == 0


def encode_size(table: pa.Table, rows: np.ndarray) -> FeatureBatch:
    numeric = table.column("size").to_numpy().astype(np.float32)[:, None]
    return FeatureBatch(numeric=numeric, categorical=np.empty((len(rows), 0), np.int64), rows=rows)


def test_features_and_held_out_rows_are_written_by_split(storage, dealer, tasks):
    edges = {"size": np.array([-1.0, 0.0, 1.0])}
    encode = Encode(
        dealer=dealer, storage=storage, prefix="out", encoders={"one": encode_size, "two": encode_size},
        empty=TableSummary(KINDS, edges=edges),
    )  # fmt: skip
    counts = [encode(task) for task in tasks]
    assert storage.list("out/features") == ["one", "two"]
    for split in SPLITS:
        dealt = [dealer.deal(task).get(split) for task in tasks]
        wanted = sorted(row for part in dealt if part for row in part[1])
        names = storage.list(f"out/features/one/{split}")
        batches = [FeatureBatch.from_bytes(storage.read_bytes(f"out/features/one/{split}/{name}")) for name in names]
        assert sorted(np.concatenate([batch.rows for batch in batches])) == wanted
        held_out = [
            from_ipc(storage.read_bytes(f"out/splits/{split}/{name}")) for name in storage.list(f"out/splits/{split}")
        ]
        assert sorted(row for table in held_out for row in table.column(ROW).to_pylist()) == (
            [] if split == "train" else wanted
        )
    training = sum(
        table.num_rows for task in tasks for split, (table, _) in dealer.deal(task).items() if split == "train"
    )
    merged = reduce(lambda a, b: a.merge(b), counts)
    assert merged.count == training
    assert merged.columns["size"].bins.sum() == training - merged.columns["size"].nulls
