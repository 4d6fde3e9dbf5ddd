"""Tables on their way through preparation: raw blocks, cleaned tables on a shelf, and what planning must know of them.

A table on the shelf has two columns beside its own: each row's hash, `ROW`, and its number in the file, `PLACE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from distml.clean import Finding
from distml.data.dealing import Split, Strata
from distml.errors import DistmlError
from distml.reading.files import Fragment
from distml.reading.log import ReadLog
from distml.schema import RESERVED
from distml.summary import TableSummary

ROW, PLACE = RESERVED
TableName = Literal["source", "test"]
Summaries = dict[Split, TableSummary]
Hashes = Mapping[str, np.ndarray]
"""Hashes of columns' values, uint64 [n], by name."""


def no_hashes() -> np.ndarray:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, kw_only=True)
class RawBlock:
    """Raw rows of a fragment from its row `first` on, or, at its end, what reading it found."""

    first: int
    table: Any = None
    log: ReadLog | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """What planning must know of a table on the shelf: `rows` and all beside them are in the table's order."""

    name: str
    table: TableName
    fragment: int
    num_raw: int = 0  # rows before cleaning
    rows: np.ndarray = field(default_factory=no_hashes)  # uint64 [n], row hashes
    keys: np.ndarray = field(default_factory=no_hashes)  # uint64 [n], see `Dealing`
    strata: Strata = field(default_factory=Strata)
    findings: tuple[Finding, ...] = ()
    num_repeated: int = 0  # rows that stand earlier in the same block
    num_overlapping: int = 0  # source rows that equal a test row
    overlapping: np.ndarray = field(default_factory=no_hashes)  # hashes of those that are left out
    names: np.ndarray | None = None  # uint64 [n], what rows are named by `clean.duplicates_by`
    order: np.ndarray | None = None  # uint64 [n], which of one name is preferred, the least first
    inputs: np.ndarray | None = None  # uint64 [n], hashes of features and target alone, where they aren't all of a row
    foreseen: np.ndarray | None = None  # int8 [n], the splits that rows were summarised in; None where none was
    summaries: Summaries = field(default_factory=dict)
    waiting: Any = None  # pyarrow table of the rows that no split was foreseen for, in their order

    @property
    def num_rows(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """A table on the shelf, and which of its rows are left out because they stand in an earlier one."""

    name: str
    table: TableName
    dropped: np.ndarray  # int64, positions


def hashes_of(table: Any) -> np.ndarray:
    """The row hashes of a table on the shelf, uint64 [n]."""
    return table.column(ROW).to_numpy() if table.num_rows else no_hashes()


def columns_of(table: Any) -> Any:
    """A table on the shelf without what is not its own."""
    return table.drop_columns([ROW, PLACE])


def taken(table: Any, chosen: np.ndarray) -> Any:
    """Some rows of a pyarrow table, by ascending positions; all of them without a copy."""
    import pyarrow as pa

    return table if len(chosen) == table.num_rows else table.take(pa.array(chosen))


def with_rows(table: Any, rows: np.ndarray) -> Any:
    """A table with its row hashes in the column `ROW`."""
    import pyarrow as pa

    return table.append_column(ROW, pa.array(rows, pa.uint64()))


def placed(error: DistmlError, fragment: Fragment) -> DistmlError:
    """The same error, saying also which file it is about."""
    if error.where and fragment.path in error.where:
        return error
    where = f"{fragment.path}, {error.where}" if error.where else fragment.path
    return type(error)(error.rule, received=error.received, where=where, remedy=error.remedy)
