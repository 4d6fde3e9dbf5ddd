"""The passes over a table, each a plain function of one fragment or part that any engine can map.

`ingest` reads and cleans a fragment and writes it as parts; `summarise` reads a part's rows of each split; `encode`
turns them into features. Parts are Arrow IPC files that carry each row's hash in the column `ROW`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import Cleaned, Finding, RowCleaner, merge_findings
from distml.config.source import SourceConfig
from distml.data.source import Fragment, read_fragment
from distml.data.split import SPLITS, Split, SplitPlan
from distml.errors import DistmlError
from distml.hashing import hash_column, row_hashes
from distml.storage import Storage
from distml.summary import TableSummary

ROW = "__row__"
TableName = Literal["source", "test"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A cleaned piece of a table in storage, and what planning must know of it."""

    key: str
    table: TableName
    num_rows: int
    rows: np.ndarray  # uint64 [n], row hashes
    strata: np.ndarray  # texts [n], the target's value where the split is stratified
    inputs: np.ndarray  # uint64 [n], hashes of features and target alone, for overlaps


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What became of one fragment."""

    parts: list[Part] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    num_rows: int = 0
    error: DistmlError | None = None


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Pass 1: a fragment, read, cleaned, hashed and written."""

    storage: Storage
    prefix: str
    table: TableName
    source: SourceConfig
    cleaner: RowCleaner
    stratify: bool

    def __call__(self, fragment: Fragment) -> Ingested:
        parts: list[Part] = []
        findings: list[Finding] = []
        skipped: Counter[str] = Counter()
        seen = 0
        try:
            for number, raw in enumerate(read_fragment(fragment, self.source, skipped)):
                cleaned = self.cleaner.apply(raw)
                findings += [finding.placed(self.table, seen) for finding in cleaned.findings]
                parts.append(self._write(fragment, number, raw, cleaned, findings))
                seen += raw.num_rows
        except DistmlError as error:
            # As a value, because an exception would reach the driver inside forty lines of Ray's frames.
            return Ingested(error=placed(error, fragment), num_rows=seen)
        findings += [
            Finding(rule=rule, column=None, count=count, action="drop", table=self.table)
            for rule, count in skipped.items()
            if count
        ]
        return Ingested(parts=parts, findings=merge_findings(findings), num_rows=seen)

    def _write(self, fragment: Fragment, number: int, raw: Any, cleaned: Cleaned, findings: list[Finding]) -> Part:
        name = f"{self.table}-{fragment.index:05d}-{number:05d}"
        if len(cleaned.quarantined):
            self._quarantine(name, raw, cleaned)
        table = cleaned.table
        schema = self.cleaner.schema
        rows = self._row_hashes(raw, cleaned)
        has_target = table.column(schema.target.name).is_valid().to_numpy()
        if not has_target.all():
            count = int((~has_target).sum())
            findings.append(
                Finding(
                    rule="a row to learn from has a target",
                    column=schema.target.name,
                    count=count,
                    action="drop",
                    table=self.table,
                )
            )
            table, rows = table.filter(has_target), rows[has_target]
        strata = np.full(table.num_rows, "", object)
        if self.stratify:
            strata = table.column(schema.target.name).to_numpy().astype(object)
        inputs = [column.name for column in (*schema.features, schema.target)]
        key = f"{self.prefix}/rows/{name}.arrow"
        self.storage.write_bytes(key, to_ipc(_with_rows(table, rows)))
        return Part(
            key=key, table=self.table, num_rows=table.num_rows, rows=rows, strata=strata.astype(str),
            inputs=row_hashes(table.select(inputs)),
        )  # fmt: skip

    def _row_hashes(self, raw: Any, cleaned: Cleaned) -> np.ndarray:
        """Hashes of whole rows: cleaned values, and excluded columns as they were, where the table has them."""
        hashes = row_hashes(cleaned.table)
        for column in self.cleaner.schema.of_role("excluded"):
            if column.name in raw.column_names:
                hashes = hashes * np.uint64(31) + hash_column(raw.column(column.name))[cleaned.kept]
        return hashes

    def _quarantine(self, name: str, raw: Any, cleaned: Cleaned) -> None:
        import pyarrow as pa

        rows = cleaned.quarantined
        reasons = pa.array(cleaned.reasons(rows, "quarantine"), pa.string())
        aside = raw.take(rows).append_column("distml_reason", reasons)
        self.storage.write_bytes(f"{self.prefix}/quarantine/{name}.arrow", to_ipc(aside))


def placed(error: DistmlError, fragment: Fragment) -> DistmlError:
    """The same error, saying also which file it is about."""
    if error.where and fragment.path in error.where:
        return error
    where = f"{fragment.path}, {error.where}" if error.where else fragment.path
    return type(error)(error.rule, received=error.received, where=where, remedy=error.remedy)


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """A part, and which of its rows are left out as duplicates or overlaps."""

    part: Part
    dropped: np.ndarray  # int64, positions


@dataclass(frozen=True, kw_only=True)
class Dealer:
    """Reads a part's rows of each split. A test table's rows are all test rows."""

    storage: Storage
    plan: SplitPlan

    def deal(self, task: PartTask) -> dict[Split, tuple[Any, np.ndarray]]:
        """Split -> (cleaned pyarrow table without the hash column, row hashes)."""
        table = from_ipc(self.storage.read_bytes(task.part.key))
        rows = table.column(ROW).to_numpy()
        codes = np.full(len(rows), SPLITS.index("test"), np.int8)
        if task.part.table == "source":
            codes = self.plan.assign(rows, task.part.strata)
        codes[task.dropped] = -1
        table = table.drop_columns([ROW])
        dealt = {}
        for code, split in enumerate(SPLITS):
            chosen = codes == code
            if chosen.any():
                dealt[split] = (table.filter(chosen), rows[chosen])
        return dealt


@dataclass(frozen=True, kw_only=True)
class Summarise:
    """Pass 2: summaries of a part's rows by split."""

    dealer: Dealer
    empty: TableSummary

    def __call__(self, task: PartTask) -> dict[Split, TableSummary]:
        summaries = {}
        for split, (table, rows) in self.dealer.deal(task).items():
            summaries[split] = self.empty.fresh()
            summaries[split].update(table, rows)
        return summaries


class Encoder(Protocol):
    """What `encode` needs of a feature pipeline whose target and weight are settled."""

    def __call__(self, cleaned: Any, rows: np.ndarray) -> FeatureBatch: ...


@dataclass(frozen=True, kw_only=True)
class Encode:
    """Pass 3: a part's features per recipe and split, written as shards, and exact counts over given bins."""

    dealer: Dealer
    storage: Storage
    prefix: str
    encoders: Mapping[str, Encoder]
    empty: TableSummary  # with edges

    def __call__(self, task: PartTask) -> TableSummary:
        counts = self.empty.fresh()
        name = task.part.key.rsplit("/", 1)[-1].removesuffix(".arrow")
        for split, (table, rows) in self.dealer.deal(task).items():
            for recipe, encode in self.encoders.items():
                key = f"{self.prefix}/features/{recipe}/{split}/{name}.safetensors"
                self.storage.write_bytes(key, encode(table, rows).to_bytes())
            if split == "train":
                counts.update(table)
            else:  # what evaluation, baselines and golden rows are made from
                self.storage.write_bytes(f"{self.prefix}/splits/{split}/{name}.arrow", to_ipc(_with_rows(table, rows)))
        return counts


def _with_rows(table: Any, rows: np.ndarray) -> Any:
    import pyarrow as pa

    return table.append_column(ROW, pa.array(rows, pa.uint64()))


def to_ipc(table: Any) -> bytes:
    """A pyarrow table as an Arrow IPC file."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def from_ipc(content: bytes) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(pa.BufferReader(content)).read_all()
