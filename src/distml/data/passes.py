"""The two passes over a table, as plain functions of a block or table that any engine can apply.

`Ingest` cleans a raw block, names its rows by their hashes, and summarises those whose split is sure already; the
tables it makes stay on the engine's shelf, each row's hash in the column `ROW`. `Encode` turns them into features.
In between the driver finds duplicates and the split's cuts from what `Ingest` tells: hashes, keys and counts. Rows
whose split wasn't sure are few, and are told whole; where they are many, `Summarise` goes over their tables again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import Cleaned, Finding, RowCleaner
from distml.config.source import SourceConfig
from distml.config.split import SplitConfig
from distml.data.dealing import Dealing, Strata
from distml.data.source import Fragment, read_fragment
from distml.data.split import SPLITS, UNDECIDED, Split, SplitPlan, foresee
from distml.errors import DistmlError
from distml.hashing import combine, hash_column
from distml.storage import Storage
from distml.summary import TableSummary

ROW = "__row__"
TableName = Literal["source", "test"]
Summaries = dict[Split, TableSummary]
_FEW_ROWS = 5_000  # that are told whole whatever share of their block they are
_MAX_WAITING = 0.25  # the share of a block that is told whole


@dataclass(frozen=True, kw_only=True)
class Part:
    """What planning must know of a table on the shelf. `rows` and all beside them are in the table's order."""

    table: TableName
    fragment: int
    number: int  # of the block within the fragment
    num_raw: int  # rows before cleaning
    rows: np.ndarray  # uint64 [n], row hashes
    keys: np.ndarray  # uint64 [n], see `Dealing`
    strata: Strata
    findings: tuple[Finding, ...]
    num_repeated: int = 0  # rows left out because they stand earlier in the same block
    num_overlapping: int = 0  # source rows that equal a test row, left out or not
    inputs: np.ndarray | None = None  # uint64 [n], hashes of features and target alone, of a test table's rows
    foreseen: np.ndarray | None = None  # int8 [n], the splits that rows were summarised in; None where they weren't
    summaries: Summaries = field(default_factory=dict)
    waiting: Any = None  # pyarrow table of the rows that no split was foreseen for, in their order

    @property
    def name(self) -> str:
        return f"{self.table}-{self.fragment:05d}-{self.number:05d}"

    @property
    def num_rows(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Pass 1: reads a fragment's raw blocks, and makes a cleaned table of each."""

    storage: Storage
    prefix: str
    table: TableName
    source: SourceConfig
    cleaner: RowCleaner
    dealing: Dealing
    split: SplitConfig
    plan: SplitPlan | None  # inherited, so that every row's split is sure
    has_test_table: bool
    empty: TableSummary
    drops_repeats: bool
    drops_overlaps: bool
    test_inputs: np.ndarray | None = None  # uint64, the test table's, ascending

    def read(self, fragment: Fragment) -> Iterator[Any]:
        """A fragment's raw pyarrow tables. Lines that are no rows are counted in the last one's metadata."""
        skipped: Counter[str] = Counter()
        try:
            for block in read_fragment(fragment, self.source, skipped):
                told, skipped_so_far = dict(skipped), skipped.clear()
                yield block.replace_schema_metadata({SKIPPED: repr(told)}) if told else block
        except DistmlError as error:
            raise placed(error, fragment) from error

    def make(self, fragment: Fragment, number: int, first: int, raw: Any) -> tuple[Part, Any]:
        """A raw block, whose first row is the fragment's row `first`, as a part and its table."""
        try:
            cleaned = self.cleaner.apply(raw, coded=True)
            findings = [finding.placed(self.table, first) for finding in cleaned.findings]
            if len(cleaned.quarantined):
                self._quarantine(f"{self.table}-{fragment.index:05d}-{number:05d}", raw, cleaned)
            return self._made(_Rows.of(self, raw, cleaned, findings), fragment, number, raw.num_rows)
        except DistmlError as error:
            raise placed(error, fragment) from error
