"""Pass 2: the tables on the shelf are dealt to splits by the plan and turned into features, written as shards.

Shards are made durable all at once, by who runs the pass, before the stage's result says that they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from distml.batch import FeatureBatch
from distml.data.dealing import SPLITS, Split
from distml.data.ingest import Summarise
from distml.data.parts import PartTask, Summaries, columns_of, hashes_of, taken, with_rows
from distml.data.split import SplitPlan
from distml.ipc import to_ipc
from distml.storage import Storage
from distml.summary import TableSummary, as_numbers

Bins = dict[str, np.ndarray]
"""Counts of a column's values below, within and above given edges, int64 [b + 2], by name."""


@dataclass(frozen=True, kw_only=True)
class Dealer:
    """Deals the rows of a table on the shelf to splits. A test table's rows are all test rows."""

    plan: SplitPlan

    def splits(self, table: Any, task: PartTask) -> np.ndarray:
        """Each row's index into `SPLITS`, int8 [n]; -1 for rows to leave out."""
        if not table.num_rows:
            return np.empty(0, np.int8)
        if task.table == "test":
            splits = np.full(table.num_rows, SPLITS.index("test"), np.int8)
        else:
            splits = self.plan.deal(table, hashes_of(table))
        splits[task.dropped] = -1
        return splits

    def deal(self, table: Any, task: PartTask) -> dict[Split, tuple[Any, np.ndarray]]:
        """Split -> (cleaned pyarrow table, row hashes)."""
        splits, rows = self.splits(table, task), hashes_of(table)
        dealt: dict[Split, tuple[Any, np.ndarray]] = {}
        for code, split in enumerate(SPLITS):
            chosen = np.flatnonzero(splits == code)
            if len(chosen):
                dealt[split] = (taken(columns_of(table), chosen), rows[chosen])
        return dealt


@dataclass(frozen=True, kw_only=True)
class SummariseAgain:
    """Summaries of a table whose rows' splits weren't foreseen."""

    dealer: Dealer
    summarise: Summarise

    def __call__(self, table: Any, task: PartTask) -> Summaries:
        splits = self.dealer.splits(table, task)
        return self.summarise(columns_of(table), hashes_of(table), splits) if len(splits) else {}


@dataclass(frozen=True, kw_only=True)
class SummariseDropped:
    """Summaries of those rows of a table that were summarised, and are left out as copies."""

    dealer: Dealer
    summarise: Summarise

    def __call__(self, table: Any, task: PartTask) -> Summaries:
        copies = taken(table, task.dropped)
        return SummariseAgain(dealer=self.dealer, summarise=self.summarise)(
            copies, replace(task, dropped=task.dropped[:0])
        )


class Encoder(Protocol):
    """What `encode` needs of a feature pipeline whose target and weight are settled."""

    def __call__(self, cleaned: Any, rows: np.ndarray, /, *, is_training: bool) -> FeatureBatch: ...


@dataclass(frozen=True, kw_only=True)
class Encode:
    """A table's features per recipe and split, written as shards, and its training rows counted over given bins."""

    dealer: Dealer
    storage: Storage
    prefix: str
    encoders: Mapping[str, Encoder]
    edges: TableSummary  # whose columns have the bins

    def __call__(self, table: Any, task: PartTask) -> Bins:
        bins: Bins = {}
        plan = self.dealer.plan
        for split, (chosen, rows) in self.dealer.deal(table, task).items():
            fold = plan.fold(chosen, rows) if plan.folds and split != "test" else None
            for recipe, encode in self.encoders.items():
                batch = replace(encode(chosen, rows, is_training=split == "train"), fold=fold)
                key = f"{self.prefix}/features/{recipe}/{split}/{task.name}.safetensors"
                self.storage.write_bytes(key, batch.to_bytes(), durable=False)
            if split == "train":
                bins = self._bins(chosen)
            else:  # what evaluation, baselines and golden rows are made from
                key = f"{self.prefix}/splits/{split}/{task.name}.arrow"
                self.storage.write_bytes(key, to_ipc(with_rows(chosen, rows)), durable=False)
        return bins

    def _bins(self, table: Any) -> Bins:
        counts = self.edges.plain()
        for name, column in counts.columns.items():
            if column.edges is not None:
                column.count_bins(as_numbers(table.column(name).combine_chunks().drop_null()))
        return {name: column.bins for name, column in counts.columns.items() if column.bins is not None}
