"""What the first pass over a run's tables came to: their tables on shelves, and what becomes of each row.

The driver sees hashes, keys and counts alone. From these follow which rows are copies, the split's plan, and the
summary of each split: put together from the parts', with what they couldn't foresee added and copies taken out again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np

from distml.config.split import SplitConfig
from distml.data.dealing import SPLITS, Dealing, Split, Strata
from distml.data.duplicates import repeats, same_names
from distml.data.encode import Dealer, SummariseAgain, SummariseDropped
from distml.data.engine import Shelf
from distml.data.ingest import Summarise
from distml.data.parts import Part, PartTask, Summaries
from distml.data.split import UNDECIDED, SplitPlan, plan_split, with_folds
from distml.summary import TableSummary

Result = TypeVar("Result")
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """The source's shelf, and the test table's if there is one; `cpu` and `gpu` are what work on a table reserves."""

    shelves: tuple[Shelf[Part], ...]
    summarise: Summarise
    drops_repeats: bool
    cpu: float = 1
    gpu: float = 0

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for shelf in self.shelves for part in shelf.notes)

    @cached_property
    def source(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.table == "source")

    @cached_property
    def dropped(self) -> dict[str, np.ndarray]:
        """Part name -> positions of rows that are left out because they stand in an earlier part, or by their name."""
        if not self.drops_repeats:
            return {}
        return {
            part.name: np.union1d(self._repeats.get(part.name, _NONE), self.same_names.get(part.name, _NONE))
            for part in self.source
            if part.name in self._repeats or part.name in self.same_names
        }

    @cached_property
    def _repeats(self) -> dict[str, np.ndarray]:
        return repeats(self.source) if self.drops_repeats else {}

    @cached_property
    def same_names(self) -> dict[str, np.ndarray]:
        """Part name -> positions of rows that aren't exact repeats, and of whose name a preferred one is there."""
        return same_names(self.source, self._repeats)

    @cached_property
    def tasks(self) -> list[PartTask]:
        """Every table on the shelves."""
        return [PartTask(name=p.name, table=p.table, dropped=self.dropped.get(p.name, _NONE)) for p in self.parts]

    def map(self, function: Callable[[Any, PartTask], Result], tasks: Sequence[PartTask | None]) -> list[Result]:
        """A function of each table and its task; no task, no result."""
        results: list[Result] = []
        start = 0
        for shelf in self.shelves:
            end = start + len(shelf.notes)
            results += shelf.map(function, tasks[start:end], cpu=self.cpu, gpu=self.gpu)
            start = end
        return results

    def plan(
        self, dealing: Dealing, config: SplitConfig, *, has_test_table: bool, inherited: SplitPlan | None = None
    ) -> SplitPlan:
        """The split's cuts over all rows of the source that are left, or inherited ones with the folds wanted now."""
        rows, keys = (np.concatenate([getattr(p, name) for p in self.source]) for name in ("rows", "keys"))
        strata = Strata.concat([part.strata for part in self.source])
        if self.dropped:
            left = np.concatenate([_left(part, self.dropped) for part in self.source])
            rows, keys, strata = rows[left], keys[left], strata.take(left)
        plan = inherited or plan_split(dealing, keys, strata, config, has_test_table=has_test_table)
        return with_folds(plan, rows, keys, strata, config.folds)

    def num_twins(self, plan: SplitPlan) -> tuple[int, int]:
        """Held-out rows of the source whose features and target are a training row's, and held-out rows in all.

        None are counted in a table most of whose rows have the features and target of another: there it is chance.
        """
        parts = [part for part in self.source if part.num_rows and part.inputs is not None]
        if not parts:
            return 0, 0
        left = [_left(part, self.dropped) for part in parts]
        inputs = np.concatenate([_of(part.inputs)[kept] for part, kept in zip(parts, left, strict=True)])
        splits = np.concatenate([plan.assign(p.keys, p.strata)[kept] for p, kept in zip(parts, left, strict=True)])
        training = np.unique(inputs[splits == SPLITS.index("train")])
        held_out = inputs[splits != SPLITS.index("train")]
        if len(np.unique(inputs)) < len(inputs) / 2:
            return 0, len(held_out)
        return int(np.isin(held_out, training).sum()), len(held_out)

    def content(self, plan: SplitPlan) -> dict[Split, str]:
        """The sha256 of each split's rows, by their hashes: the same for the same rows, however they lie in files."""
        found: dict[Split, list[np.ndarray]] = {split: [] for split in SPLITS}
        for part in self.parts:
            splits = None if part.table == "test" else plan.assign(part.keys, part.strata)
            left = _left(part, self.dropped)
            for number, split in enumerate(SPLITS):
                chosen = left & (split == "test" if splits is None else splits == number)
                found[split].append(part.rows[chosen])
        return {split: sha256(np.sort(np.concatenate(rows)).tobytes()).hexdigest() for split, rows in found.items()}

    def summaries(self, plan: SplitPlan) -> dict[Split, TableSummary]:
        """The summary of each split's rows."""
        dealer = Dealer(plan=plan)
        splits = [None if p.table == "test" else plan.assign(p.keys, p.strata) for p in self.parts]
        # Rows of one name differ in what else they hold, so they can't be subtracted as copies can.
        differ = self.same_names if self.drops_repeats else {}
        foreseen = [
            part.name not in differ and _came_true(part, found) for part, found in zip(self.parts, splits, strict=True)
        ]
        found = [part.summaries for part, known in zip(self.parts, foreseen, strict=True) if known]
        found.append(self._of_waiting(splits, foreseen))
        again = [None if known else task for task, known in zip(self.tasks, foreseen, strict=True)]
        found += self.map(SummariseAgain(dealer=dealer, summarise=self.summarise), again)
        copies = self.map(
            SummariseDropped(dealer=dealer, summarise=self.summarise),
            [_summarised_copies(*known) for known in zip(self.parts, self.tasks, foreseen, strict=True)],
        )
        return {split: self._merged(split, found, copies) for split in SPLITS}

    def _of_waiting(self, splits: Sequence[np.ndarray | None], foreseen: Sequence[bool]) -> Summaries:
        """Summaries of the rows that parts told whole because their split wasn't sure."""
        import pyarrow as pa

        tables, rows, chosen = [], [], []
        for part, found, known in zip(self.parts, splits, foreseen, strict=True):
            if not known or part.waiting is None or not part.waiting.num_rows:
                continue
            assert found is not None and part.foreseen is not None
            waiting = part.foreseen == UNDECIDED
            found = np.where(_left(part, self.dropped), found, -1)
            tables.append(part.waiting)
            rows.append(part.rows[waiting])
            chosen.append(found[waiting])
        if not tables:
            return {}
        return self.summarise(pa.concat_tables(tables), np.concatenate(rows), np.concatenate(chosen))

    def _merged(self, split: Split, found: Sequence[Summaries], copies: Sequence[Summaries]) -> TableSummary:
        summary = self.summarise.fresh(split).merge(*(item[split] for item in found if split in item))
        for item in copies:
            if split in item:
                summary = summary.without(item[split])
        return summary

    def close(self) -> None:
        for shelf in self.shelves:
            shelf.close()


def _of(inputs: np.ndarray | None) -> np.ndarray:
    assert inputs is not None
    return inputs


def _left(part: Part, dropped: dict[str, np.ndarray]) -> np.ndarray:
    left = np.ones(part.num_rows, bool)
    left[dropped.get(part.name, _NONE)] = False
    return left


def _came_true(part: Part, splits: np.ndarray | None) -> bool:
    """Whether the summaries made of a part's rows are those of the splits that the rows got."""
    if part.foreseen is None:
        return part.num_rows == 0
    return splits is None or bool(((part.foreseen == splits) | (part.foreseen == UNDECIDED)).all())


def _summarised_copies(part: Part, task: PartTask, is_foreseen: bool) -> PartTask | None:
    """The rows of a part that are left out after all although they are in its summaries."""
    if not is_foreseen or part.foreseen is None or not len(task.dropped):
        return None
    decided = task.dropped[part.foreseen[task.dropped] != UNDECIDED]
    return PartTask(name=task.name, table=task.table, dropped=decided) if len(decided) else None
