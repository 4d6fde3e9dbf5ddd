"""`Seen`: what one version's requests were since it was last asked, noted on the request path and summarised off it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from distml.clean import Cleaned
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.records import table_from_records
from distml.window import MAX_NAMES, OTHERS, Counts, Window

# What is held until it is summarised, in values (rows times columns). It bounds memory where a flush is late, to some
# 30 MB of Python's objects and 8 MB of Arrow, and the time of a flush to some tens of milliseconds. Rows beyond it are
# counted, as answered and as in no summary.
MAX_FEW_VALUES = 500_000
MAX_TABLE_VALUES = 1_000_000
MAX_COMPARED = 50_000  # calls of a shadow
# Python's objects are summarised with the interpreter held, which requests wait for: so many rows take about 2 ms.
_SLICE_ROWS = 1000
_GIVE_WAY_S = 0.005
_MAX_NAME = 100  # characters of a column's name that a client made up

_Few = tuple[Sequence[dict[str, Any]], Prediction]


class Seen:
    """Touched on the request path by one thread, so that it only counts and appends; `window` is for another thread,
    when no request under way can add to it. is_shadow: the version listens, and somebody else answers."""

    def __init__(self, *, is_shadow: bool = False) -> None:
        self._is_shadow = is_shadow
        self._counts = Counts()
        self._few: list[_Few] = []
        self._tables: list[tuple[Any, Prediction]] = []
        self._compared: list[tuple[Prediction, Prediction]] = []
        self._room_for_few = MAX_FEW_VALUES
        self._room_for_tables = MAX_TABLE_VALUES

    def answered(self, records: Sequence[dict[str, Any]], prediction: Prediction) -> None:
        """Rows that were predicted without a table."""
        n = len(records)
        self._counts.rows += n
        self._room_for_few -= n * len(records[0])
        if self._room_for_few >= 0:
            self._few.append((records, prediction))
        else:
            self._counts.unsummarised += n

    def answered_table(self, cleaned: Cleaned, prediction: Prediction) -> None:
        """Rows that were predicted as a table, as cleaning left them; images as their brightness."""
        table = cleaned.table
        self._counts.rows += table.num_rows
        self._room_for_tables -= table.num_rows * table.num_columns
        if self._room_for_tables >= 0:
            self._tables.append((table, prediction))
        else:
            self._counts.unsummarised += table.num_rows

    def request(self, milliseconds: float, problem: str | None = None, *, is_fault: bool = False) -> None:
        """One request that ended: `Counts.request`."""
        self._counts.request(milliseconds, problem, is_fault=is_fault)

    def batch(self, num_requests: int, num_rows: int) -> None:
        """One call of the model, and how many requests it answered."""
        self._counts.batches.add(num_requests)

    def waited(self, milliseconds: float) -> None:
        """How long one request waited for its batch."""
        self._counts.waits.add(round(1000 * milliseconds))

    def ignored(self, column: str, num_rows: int) -> None:
        """A column that the schema doesn't have."""
        _count(self._counts.ignored, column, num_rows)

    def absent(self, column: str, num_rows: int) -> None:
        """An optional column that wasn't there."""
        _count(self._counts.absent, column, num_rows)

    def compared(self, live: Prediction, shadow: Prediction) -> None:
        """The same rows' predictions by the version that answered and by this one, which only listened."""
        if len(self._compared) < MAX_COMPARED:
            self._compared.append((live, shadow))

    def skipped(self, num_requests: int) -> None:
        """Requests that a shadow wasn't asked, as it was busy."""
        self._counts.skipped += num_requests

    def window(self, version: int, predictor: Predictor) -> Window:
        """All of it as a window."""
        baseline = predictor.package.baseline
        window = Window.like(version, baseline.inputs, baseline.predictions, is_shadow=self._is_shadow)
        window.include(self._counts)
        window.summarise([table for table, _ in self._tables], [prediction for _, prediction in self._tables])
        for few in _slices(self._few):
            records = [row for rows, _ in few for row in rows]
            cleaned = predictor.clean(table_from_records(records, predictor.schema))
            window.summarise([cleaned.table], [prediction for _, prediction in few])
            time.sleep(_GIVE_WAY_S)
        if self._compared:
            _compare(self._compared, window)
        return window


def _slices(few: list[_Few]) -> Iterator[list[_Few]]:
    """Requests one after the other, some rows of them at a time."""
    taken: list[_Few] = []
    num_rows = 0
    for rows, prediction in few:
        taken.append((rows, prediction))
        num_rows += len(rows)
        if num_rows >= _SLICE_ROWS:
            yield taken
            taken, num_rows = [], 0
    if taken:
        yield taken


def _count(counts: dict[str, int], column: str, num_rows: int) -> None:
    """Names are made up by clients, so only so many are told apart."""
    name = column[:_MAX_NAME]
    if name not in counts and len(counts) >= MAX_NAMES:
        name = OTHERS
    counts[name] = counts.get(name, 0) + num_rows


def _compare(pairs: Sequence[tuple[Prediction, Prediction]], counts: Counts) -> None:
    """Answers differ where labels do, or numbers by more than rounding."""
    live, shadow = (np.concatenate([pair[side].values for pair in pairs]) for side in (0, 1))
    scores = [np.concatenate([pair[side].score for pair in pairs]) for side in (0, 1)]
    are_numbers = live.dtype == shadow.dtype == np.float64
    differ = ~np.isclose(live, shadow, rtol=1e-6, atol=0.0) if are_numbers else live != shadow
    differences = np.abs(scores[0] - scores[1])
    counts.compared += len(live)
    counts.differing += int(np.count_nonzero(differ))
    counts.difference += float(differences.sum())
    counts.max_difference = max(counts.max_difference, float(differences.max()))
