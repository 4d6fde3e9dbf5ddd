"""Pass 1: raw blocks are read, cleaned, named by their hashes, and summarised as far as their split is sure already.

The tables stay on the engine's shelf. The driver finds duplicates and the split's cuts from what is told of them:
hashes, keys and counts. Rows whose split isn't sure are few, and are told whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distml.clean import Cleaned, Finding, RowCleaner, merge_findings
from distml.config.source import SourceConfig
from distml.config.split import SplitConfig
from distml.data.dealing import SPLITS, Dealing, Split
from distml.data.identity import Key, column_hashes, input_hashes, repeated, whole_hashes
from distml.data.parts import (
    PLACE,
    ROW,
    Hashes,
    Part,
    RawBlock,
    Summaries,
    TableName,
    no_hashes,
    placed,
    taken,
)
from distml.data.split import UNDECIDED, SplitPlan, foresee
from distml.errors import DistmlError
from distml.ipc import to_ipc
from distml.reading.files import Fragment
from distml.reading.log import ReadLog
from distml.reading.source import read_fragment
from distml.storage import Storage
from distml.summary import TableSummary

_FEW_ROWS = 5_000  # that are told whole whatever share of their block they are
_MAX_WAITING = 0.25  # the share of a block that is told whole; of more there is a pass over the tables
_MAX_BYTES = 16 << 20  # that are told whole, as the driver has those of all blocks at once


@dataclass(frozen=True, kw_only=True)
class Summarise:
    """Summaries of rows by split, that of training rows with a sample and distinct values."""

    empty: TableSummary

    def __call__(self, table: Any, rows: np.ndarray, splits: np.ndarray, hashes: Hashes | None = None) -> Summaries:
        """table: cleaned pyarrow table; rows: uint64 [n]; splits: int8 [n], negative for rows to leave out."""
        summaries: Summaries = {}
        for code, split in enumerate(SPLITS):
            chosen = np.flatnonzero(splits == code)
            if not len(chosen):
                continue
            some = None
            if split == "train" and hashes is not None:
                numbers = [name for name, column in self.empty.columns.items() if column.is_number]
                some = {name: hashes[name][chosen] for name in numbers}
            summaries[split] = self.fresh(split)
            summaries[split].update(taken(table, chosen), rows[chosen], some)
        return summaries

    def fresh(self, split: Split) -> TableSummary:
        """An empty summary of a split's rows."""
        return self.empty.fresh() if split == "train" else self.empty.plain()


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Reads a fragment's raw blocks, and makes a cleaned table of each."""

    storage: Storage
    prefix: str
    table: TableName
    source: SourceConfig
    cleaner: RowCleaner
    dealing: Dealing
    split: SplitConfig
    inherited: SplitPlan | None
    has_test_table: bool
    summarise: Summarise
    drops_repeats: bool
    drops_overlaps: bool
    key: Key | None = None
    test_inputs: np.ndarray | None = None  # uint64, of the test table's rows

    def read(self, fragment: Fragment) -> Iterator[RawBlock]:
        log = ReadLog(is_private=any(column.private for column in self.cleaner.schema.columns))
        first = 0
        try:
            for raw in read_fragment(replace(fragment, coded=True), self.source, log):
                yield RawBlock(first=first, table=raw if self.table == "source" else self._as_test(raw))
                first += raw.num_rows
        except DistmlError as error:
            raise placed(error, fragment) from error
        yield RawBlock(first=first, log=log)

    def _as_test(self, raw: Any) -> Any:
        """A test table's rows are test rows: it need not have a column that says so."""
        import pyarrow as pa

        for column in self.cleaner.schema.of_role("split"):
            if column.name not in raw.column_names:
                raw = raw.append_column(column.name, pa.nulls(raw.num_rows, pa.string()))
        return raw

    def make(self, fragment: Fragment, number: int, raw: RawBlock) -> tuple[Part, Any]:
        """A raw block as a part and its table."""
        name = f"{self.table}-{fragment.index:05d}-{number:05d}"
        try:
            if raw.log is not None:
                return self._noted(name, fragment, raw.log)
            return self._made(name, fragment, raw)
        except DistmlError as error:
            raise placed(error, fragment) from error

    def _noted(self, name: str, fragment: Fragment, log: ReadLog) -> tuple[Part, Any]:
        import pyarrow as pa

        if log.aside:
            self.storage.write_bytes(f"{self.prefix}/quarantine/{name}.arrow", to_ipc(log.aside_table()))
        findings = tuple(replace(finding, table=self.table) for finding in log.findings())
        return Part(name=name, table=self.table, fragment=fragment.index, findings=findings), pa.table({})

    def _made(self, name: str, fragment: Fragment, raw: RawBlock) -> tuple[Part, Any]:
        import pyarrow as pa

        cleaned = self.cleaner.apply(raw.table, coded=True)
        first = fragment.first_row + raw.first
        findings = [replace(f.placed(self.table, first), file=fragment.path) for f in cleaned.findings]
        if len(cleaned.quarantined):
            self._quarantine(name, raw.table, cleaned)
        hashes = column_hashes(cleaned.table, raw.table, cleaned.kept, self.cleaner.schema)
        rows = whole_hashes(hashes, raw.table, cleaned.kept, self.cleaner.schema)
        kept = self._with_target(cleaned.table, findings)
        findings += self._findings_of_order(fragment, first, cleaned, kept)
        inputs = input_hashes(hashes, self.cleaner.schema) if self.has_test_table or self._has_more else None
        overlapping = kept & _among(inputs, self.test_inputs)
        repeats = _repeats(rows, kept)
        left = kept & ~(repeats & self.drops_repeats) & ~(overlapping & self.drops_overlaps)
        chosen = np.flatnonzero(left)
        part = Part(
            name=name, table=self.table, fragment=fragment.index, num_raw=raw.table.num_rows, rows=rows[chosen],
            findings=tuple(merge_findings(findings)), num_repeated=int(repeats.sum()),
            num_overlapping=int(overlapping.sum()),
            overlapping=rows[overlapping & ~(repeats & self.drops_repeats)] if self.drops_overlaps else no_hashes(),
            inputs=inputs[chosen] if inputs is not None and (self.table == "test" or self._has_more) else None,
        )  # fmt: skip
        table = taken(cleaned.table, chosen)
        hashes = hashes if left.all() else {name: hashed[chosen] for name, hashed in hashes.items()}
        if self.key is not None:
            named = self.key.names(table, hashes, part.rows)
            part = replace(part, names=named, order=self.key.order(table))
        part = self._dealt(part, table, hashes)
        places = first + np.flatnonzero(cleaned.kept)[chosen]
        return part, table.append_column(ROW, pa.array(part.rows)).append_column(PLACE, pa.array(places, pa.int64()))

    @property
    def _has_more(self) -> bool:
        """Whether rows that differ may have the same features and target."""
        return bool(self.cleaner.schema.of_role("id", "time", "weight", "split", "excluded"))

    def _with_target(self, table: Any, findings: list[Finding]) -> np.ndarray:
        name = self.cleaner.schema.target.name
        has_target: np.ndarray = table.column(name).is_valid().to_numpy()
        missing = int(len(has_target) - has_target.sum())
        if missing:
            rule = "a row to learn from has a target"
            findings.append(Finding(rule=rule, column=name, count=missing, action="drop", table=self.table))
        return has_target

    def _findings_of_order(self, fragment: Fragment, first: int, cleaned: Cleaned, kept: np.ndarray) -> list[Finding]:
        if self.table == "test" or self.dealing.column is None:
            return []
        name = self.dealing.column
        ordered = taken(cleaned.table.select([name]), np.flatnonzero(kept))
        numbers = np.flatnonzero(cleaned.kept)[kept]
        found = self.dealing.findings(ordered, numbers, private=self.cleaner.schema[name].private)
        return [replace(finding.placed(self.table, first), file=fragment.path) for finding in found]

    def _dealt(self, part: Part, table: Any, hashes: Hashes) -> Part:
        """The part with the splits that its rows are sure to get, and their summaries."""
        if self.table == "test":
            splits = np.full(part.num_rows, SPLITS.index("test"), np.int8)
            return replace(part, foreseen=splits, summaries=self.summarise(table, part.rows, splits))
        keys, strata = self.dealing.keys(table, part.rows), self.dealing.strata(table)
        part = replace(part, keys=keys, strata=strata)
        if self.inherited is not None:
            splits = self.inherited.assign(keys, strata)
        else:
            splits = foresee(self.dealing, keys, strata, self.split, has_test_table=self.has_test_table)
        waiting = np.flatnonzero(splits == UNDECIDED)
        if len(waiting) > max(_FEW_ROWS, _MAX_WAITING * part.num_rows):
            return part
        told = taken(table, waiting)
        if told.nbytes > _MAX_BYTES:
            return part
        summaries = self.summarise(table, part.rows, splits, hashes)
        return replace(part, foreseen=splits, summaries=summaries, waiting=told)

    def _quarantine(self, name: str, raw: Any, cleaned: Cleaned) -> None:
        import pyarrow as pa

        rows = cleaned.quarantined
        reasons = pa.array(cleaned.reasons(rows, "quarantine"), pa.string())
        aside = raw.take(rows).append_column("distml_reason", reasons)
        self.storage.write_bytes(f"{self.prefix}/quarantine/{name}.arrow", to_ipc(aside))


def _among(inputs: np.ndarray | None, test_inputs: np.ndarray | None) -> np.ndarray | np.bool_:
    return np.bool_(False) if inputs is None or test_inputs is None else np.isin(inputs, test_inputs)


def _repeats(rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Which of the kept rows stand earlier among them, bool [n]."""
    is_repeat = np.zeros(len(rows), bool)
    is_repeat[np.flatnonzero(kept)[repeated(rows[kept])]] = True
    return is_repeat
