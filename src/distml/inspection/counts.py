"""Exact, mergeable counts of a column's values: all of them where they are few, the outermost where they are many."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NUM_TAIL = 512  # distinct values kept at either end of a number column that has too many
_NO_VALUES, _NO_ROWS = np.empty(0), np.empty(0, np.int64)


@dataclass(frozen=True, kw_only=True)
class NumberCounts:
    """Distinct numbers in ascending order, float64 [m], and the rows of each, int64 [m].

    Past `most` distinct ones `is_whole` is False and only the `NUM_TAIL` least and largest stay: their counts are
    exact still, because a value among a table's least ones is among the least of every part that has it.
    """

    most: int
    values: np.ndarray = field(default_factory=lambda: _NO_VALUES)
    rows: np.ndarray = field(default_factory=lambda: _NO_ROWS)
    is_whole: bool = True
    present: int = 0
    total: float = 0.0  # sum of all values

    @classmethod
    def of(cls, numbers: np.ndarray, most: int) -> NumberCounts:
        """The counts of float64 [n] without NaN."""
        values, rows = np.unique(numbers, return_counts=True)
        total = float(numbers.sum()) if len(numbers) else 0.0
        return cls(most=most, values=values, rows=rows, present=len(numbers), total=total)._bounded()

    def merge(self, other: NumberCounts) -> NumberCounts:
        values, place = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        rows = np.bincount(place, np.concatenate([self.rows, other.rows]), len(values)).astype(np.int64)
        both = NumberCounts(
            most=self.most, values=values, rows=rows, is_whole=self.is_whole and other.is_whole,
            present=self.present + other.present, total=self.total + other.total,
        )  # fmt: skip
        return both._bounded()

    def _bounded(self) -> NumberCounts:
        if self.is_whole and len(self.values) <= self.most:
            return self
        n = min(NUM_TAIL, len(self.values) // 2)
        ends = np.r_[0:n, len(self.values) - n : len(self.values)]
        return NumberCounts(
            most=self.most, values=self.values[ends], rows=self.rows[ends], is_whole=False,
            present=self.present, total=self.total,
        )  # fmt: skip

    @property
    def low(self) -> tuple[np.ndarray, np.ndarray]:
        """The least values, ascending, and their rows: all of them where the counts are whole."""
        n = len(self.values) if self.is_whole else len(self.values) // 2
        return self.values[:n], self.rows[:n]

    @property
    def high(self) -> tuple[np.ndarray, np.ndarray]:
        """The largest values, ascending, and their rows."""
        n = 0 if self.is_whole else len(self.values) // 2
        return self.values[n:], self.rows[n:]


@dataclass(frozen=True, kw_only=True)
class TextCounts:
    """Rows of each text; past `most` distinct ones none are kept and `is_whole` is False."""

    most: int
    rows: dict[str, int] = field(default_factory=dict)
    is_whole: bool = True
    present: int = 0

    @classmethod
    def of(cls, texts: object, most: int) -> TextCounts:
        """The counts of a pyarrow array of texts without nulls."""
        import pyarrow.compute as pc

        found = pc.value_counts(texts)
        counts = found.field("counts").to_numpy()
        present = int(counts.sum())
        if len(found) > most:
            return cls(most=most, is_whole=False, present=present)
        pairs = zip(found.field("values").to_pylist(), counts.tolist(), strict=True)
        return cls(most=most, rows=dict(pairs), present=present)

    def merge(self, other: TextCounts) -> TextCounts:
        present = self.present + other.present
        rows = dict(self.rows)
        for text, count in other.rows.items():
            rows[text] = rows.get(text, 0) + count
        if not (self.is_whole and other.is_whole) or len(rows) > self.most:
            return TextCounts(most=self.most, is_whole=False, present=present)
        return TextCounts(most=self.most, rows=rows, present=present)
