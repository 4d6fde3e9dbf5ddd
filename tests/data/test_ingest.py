"""The first pass: a fragment's blocks read, cleaned, hashed and summarised as far as their split is sure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from distml.clean import RowCleaner
from distml.config import SourceConfig, SplitConfig
from distml.data import SPLITS
from distml.data.dealing import Dealing
from distml.data.ingest import Ingest, Summarise
from distml.data.parts import PLACE, ROW, Part, columns_of, hashes_of
from distml.data.split import UNDECIDED, SplitPlan
from distml.errors import DataError
from distml.hashing import mix, row_hashes
from distml.ipc import from_ipc
from distml.reading.source import list_fragments
from distml.storage import Storage
from distml.summary import TableSummary
from tables import cleaner_of, raw_table

TRAIN, VALIDATION, TEST = range(3)
STRATIFIED = Dealing(kind="stratified", column="y")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "store")


def write_csv(path: Path, table: pa.Table) -> SourceConfig:
    table.to_pandas().to_csv(path, index=False)
    return SourceConfig(uri=str(path))


def ingest_of(storage: Storage, source: SourceConfig, cleaner: RowCleaner, **settings: Any) -> Ingest:
    empty = TableSummary({column.name: column.kind for column in cleaner.schema.kept}, sample_size=50)
    defaults = {
        "table": "source", "dealing": STRATIFIED, "split": SplitConfig(), "inherited": None, "has_test_table": False,
        "drops_repeats": True, "drops_overlaps": True,
    }  # fmt: skip
    return Ingest(
        storage=storage, prefix="p", source=source, cleaner=cleaner, summarise=Summarise(empty=empty),
        **{**defaults, **settings},
    )  # fmt: skip


def made(ingest: Ingest) -> list[tuple[Part, pa.Table]]:
    """What becomes of the blocks of the source's one fragment, the last of which is what reading found."""
    (fragment,) = list_fragments(ingest.source)
    return [ingest.make(fragment, number, raw) for number, raw in enumerate(ingest.read(fragment))]


@pytest.fixture
def one(storage, tmp_path):
    """The only block's part and table of a raw table that was written as CSV."""

    def of(raw: pa.Table, cleaner: RowCleaner | None = None, **settings: Any) -> tuple[Part, pa.Table]:
        source = write_csv(tmp_path / "rows.csv", raw)
        found, _ = made(ingest_of(storage, source, cleaner or cleaner_of(raw), **settings))
        return found

    return of


def test_a_block_is_cleaned_and_hashed(one):
    raw = raw_table(50)
    part, table = one(raw)
    wanted = cleaner_of(raw).apply(raw).table
    kept = columns_of(table)
    for name in wanted.column_names:
        assert kept.column(name).to_pylist() == wanted.column(name).to_pylist()
    assert hashes_of(table).tolist() == part.rows.tolist() == row_hashes(wanted).tolist()
    assert table.column(PLACE).to_pylist() == list(range(50))
    assert (part.num_rows, part.num_raw, part.inputs, part.num_repeated, part.num_overlapping) == (50, 50, None, 0, 0)
    assert [part.strata.labels[code] for code in part.strata.codes] == raw.column("y").to_pylist()
    assert part.keys.tolist() == STRATIFIED.keys(table, part.rows).tolist()


def test_reading_ends_with_what_was_found(storage, tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n1,a\n2,b,c\n3,b\n")
    raw = pa.table({"x": [1, 2], "y": ["a", "b"]})
    source = SourceConfig(uri=str(tmp_path / "rows.csv"), ragged="quarantine")
    blocks = made(ingest_of(storage, source, cleaner_of(raw)))
    assert [part.num_rows for part, _ in blocks] == [2, 0]
    (finding,) = blocks[-1][0].findings
    assert (finding.count, finding.action, finding.table) == (1, "quarantine", "source")
    (name,) = storage.list("p/quarantine")
    assert from_ipc(storage.read_bytes(f"p/quarantine/{name}")).num_rows == 1


def test_inputs_are_features_and_target_alone(one):
    raw = raw_table(20)
    cleaner = cleaner_of(raw, roles={"id": "count"}, exclude="size")
    part, _ = one(raw, cleaner, table="test", has_test_table=True)
    cleaned = cleaner.apply(raw).table
    assert part.inputs.tolist() == row_hashes(cleaned.select(["color", "flag", "at", "value", "y"])).tolist()
    assert (part.foreseen == TEST).all()


def test_excluded_columns_tell_rows_apart_where_they_are_there(one):
    raw = pa.table({"x": [1, 1, 1, 2], "e": ["a", "b", "a", "a"], "y": ["u", "u", "u", "v"]})
    cleaner = cleaner_of(raw, exclude="e")
    part, table = one(raw, cleaner)
    assert (table.column(PLACE).to_pylist(), part.num_repeated) == ([0, 1, 3], 1)
    part, table = one(raw.drop_columns("e"), cleaner)
    assert (table.column(PLACE).to_pylist(), part.num_repeated) == ([0, 3], 2)


def test_repeats_within_a_block_are_left_out_if_they_are_to_be(one):
    raw = pa.concat_tables([raw_table(20), raw_table(20).slice(4, 3), raw_table(20).slice(5, 1)])
    part, _ = one(raw)
    assert (part.num_rows, part.num_repeated) == (20, 4)
    kept, table = one(raw, drops_repeats=False)
    assert (kept.num_rows, kept.num_repeated) == (24, 4)
    assert table.column(PLACE).to_pylist() == list(range(24))


@pytest.mark.parametrize("drops", [True, False])
def test_rows_that_equal_a_test_row_are_told(one, drops):
    raw = raw_table(20)
    inputs = one(raw, table="test", has_test_table=True)[0].inputs[[3, 8]]
    part, table = one(raw, has_test_table=True, test_inputs=inputs, drops_overlaps=drops)
    assert part.num_overlapping == 2
    assert part.num_rows == len(table) == (18 if drops else 20)
    assert part.overlapping.tolist() == (row_hashes(cleaner_of(raw).apply(raw).table)[[3, 8]].tolist() if drops else [])


def test_rows_without_a_target_are_left_out_and_counted(one):
    part, table = one(pa.table({"x": [1, 2, 3], "y": ["a", None, "b"]}))
    assert table.column("x").to_pylist() == [1, 3]
    assert table.column(PLACE).to_pylist() == [0, 2]
    assert part.num_raw == 3
    assert [(f.rule, f.column, f.count, f.action, f.table) for f in part.findings if f.action == "drop"] == [
        ("a row to learn from has a target", "y", 1, "drop", "source")
    ]


def test_findings_have_rows_of_the_file(storage, tmp_path):
    long = "z" * 900
    lines = [f"{long},a" if i % 2 else f"{long},b" for i in range(40_000)]
    lines[5] = lines[19_000] = lines[39_999] = f"{long} ,a"
    (tmp_path / "rows.csv").write_text("x,y\n" + "\n".join(lines))
    raw = pa.table({"x": ["z", "w"], "y": ["a", "b"]})
    source = SourceConfig(uri=str(tmp_path / "rows.csv"))
    blocks = made(ingest_of(storage, source, cleaner_of(raw), drops_repeats=False))
    assert len(blocks) > 2
    assert sum(part.num_raw for part, _ in blocks) == sum(part.num_rows for part, _ in blocks) == 40_000
    found = [finding for part, _ in blocks for finding in part.findings]
    assert sum(finding.count for finding in found) == 3
    assert [row for finding in found for row, _ in finding.examples] == [5, 19_000, 39_999]
    assert {finding.file for finding in found} == {str(tmp_path / "rows.csv")}
    places = np.concatenate([table.column(PLACE).to_numpy() for part, table in blocks if part.num_rows])
    assert places.tolist() == list(range(40_000))


def test_quarantined_rows_are_set_aside_as_they_were(storage, one):
    raw = raw_table(30)
    clean = {"rules": {"count": {"max": 4, "on_violation": "quarantine"}}}
    part, table = one(raw, cleaner_of(raw, clean))
    bad = [i for i, count in enumerate(raw.column("count").to_pylist()) if count > 4]
    (name,) = storage.list("p/quarantine")
    aside = from_ipc(storage.read_bytes(f"p/quarantine/{name}"))
    assert aside.column("count").to_pylist() == [str(raw.column("count")[i].as_py()) for i in bad]
    assert set(aside.column("distml_reason").to_pylist()) == {"count: at most 4"}
    assert table.column(PLACE).to_pylist() == [i for i in range(30) if i not in bad]
    assert part.num_rows == 30 - len(bad)


def test_nothing_is_set_aside_where_nothing_is_wrong(storage, one):
    one(raw_table(30))
    assert storage.list("p/quarantine") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [("x,y\n1,a\n1\n", "every line has 2 values"), ("x\n1\n", "every column that the schema names")],
)
def test_an_error_names_the_file(storage, tmp_path, content, message):
    (tmp_path / "rows.csv").write_text(content)
    cleaner = cleaner_of(pa.table({"x": [1, 2], "y": ["a", "b"]}))
    with pytest.raises(DataError, match=message) as caught:
        made(ingest_of(storage, SourceConfig(uri=str(tmp_path / "rows.csv")), cleaner))
    assert caught.value.where.count(str(tmp_path / "rows.csv")) == 1


def test_rows_out_of_order_have_rows_of_the_file(one):
    raw = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "g": ["a", None, None, "b"], "y": ["u", "u", None, "v"]})
    part, _ = one(raw, dealing=Dealing(kind="group", column="g"))
    (finding,) = [finding for finding in part.findings if finding.rule == "a row belongs to a group"]
    assert (finding.count, finding.examples, finding.table) == (1, ((1, "(missing)"),), "source")
    assert finding.file.endswith("rows.csv")
    private, _ = one(raw, cleaner_of(raw, private="g"), dealing=Dealing(kind="predefined", column="g"))
    (finding,) = [finding for finding in private.findings if finding.action == "fail"]
    assert finding.examples == ((0, "(private)"), (1, "(missing)"), (3, "(private)"))
    in_test, _ = one(raw, table="test", has_test_table=True, dealing=Dealing(kind="group", column="g"))
    assert not [finding for finding in in_test.findings if finding.rule == "a row belongs to a group"]


# Summaries


def test_rows_whose_split_is_sure_are_summarised_and_the_others_told(one):
    part, table = one(raw_table(3000))
    sure = part.foreseen != UNDECIDED
    assert 0.3 < sure.mean() < 0.95
    assert part.waiting.equals(table.drop_columns([ROW, PLACE]).filter(pa.array(~sure)))
    assert {name: summary.count for name, summary in part.summaries.items()} == {
        name: int((part.foreseen == code).sum()) for code, name in enumerate(SPLITS)
    }
    assert (
        part.summaries["train"].sample_hashes.tolist() == np.sort(mix(part.rows[part.foreseen == TRAIN]))[:50].tolist()
    )
    assert part.summaries["test"].sample is None


def test_an_inherited_plan_leaves_nothing_unsure(one):
    plan = SplitPlan(dealing=STRATIFIED, cuts={"": (2**62, 2**63)})
    part, table = one(raw_table(300), inherited=plan)
    assert part.foreseen.tolist() == plan.deal(table, part.rows).tolist()
    assert part.waiting.num_rows == 0


def test_a_block_of_which_too_much_is_unsure_is_left_for_another_pass(one, monkeypatch):
    from distml.data import ingest

    monkeypatch.setattr(ingest, "_FEW_ROWS", 10)
    part, table = one(raw_table(300), dealing=Dealing(kind="time", column="at"))
    assert (part.foreseen, part.summaries, part.waiting) == (None, {}, None)
    assert (part.num_rows, table.num_rows) == (300, 300)


def test_rows_to_leave_out_are_in_no_summary():
    table, empty = raw_table(6).select(["size", "color"]), TableSummary({"size": "numeric", "color": "categorical"})
    splits = np.array([0, -1, 2, 0, UNDECIDED, 2], np.int8)
    found = Summarise(empty=empty)(table, np.arange(6, dtype=np.uint64), splits)
    assert {split: summary.count for split, summary in found.items()} == {"train": 2, "test": 2}
    assert empty.count == 0
