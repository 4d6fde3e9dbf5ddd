"""A question of every row of a table, asked where the rows are: a picklable value, and the pass that counts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from distml.arrays import whole
from distml.clean import MAX_EXAMPLES, RowCleaner
from distml.clean.convert import as_mask
from distml.config.source import SourceConfig
from distml.errors import DistmlError
from distml.inspection.remark import shown
from distml.reading.files import Fragment
from distml.reading.source import read_fragment
from distml.summary import as_numbers

Test = Literal["in", "not_in", "below", "above", "missing", "present", "matches", "not_matches", "not_after", "before"]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Which rows of a cleaned table it is true of.

    `column` is `in` `values`, `below` or `above` the number values[0], `missing` or `present`, `matches` the regular
    expression values[0], or is `not_after` (`before`) the other column named values[0]. Missing values break no test
    but that of `missing`.
    """

    column: str
    test: Test
    values: tuple[Any, ...] = ()

    def mask(self, table: Any) -> np.ndarray:
        """bool [n] for a cleaned pyarrow table."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = whole(table.column(self.column))
        match self.test:
            case "missing":
                return as_mask(column.is_null())
            case "present":
                return as_mask(column.is_valid())
            case "in" | "not_in" if pa.types.is_string(column.type):
                found = as_mask(pc.is_in(column, value_set=pa.array(self.values, pa.string())))
                return found if self.test == "in" else as_mask(column.is_valid()) & ~found
            case "matches" | "not_matches":
                found = pc.match_substring_regex(column, self.values[0])
                return as_mask(found if self.test == "matches" else pc.invert(found))
        numbers = as_numbers(column)
        with np.errstate(invalid="ignore"):
            match self.test:
                case "in":
                    return np.isin(numbers, np.asarray(self.values, float))
                case "not_in":
                    return ~np.isnan(numbers) & ~np.isin(numbers, np.asarray(self.values, float))
                case "below":
                    return numbers < self.values[0]
                case "above":
                    return numbers > self.values[0]
                case "not_after":
                    return numbers <= as_numbers(whole(table.column(self.values[0])))
                case _:
                    return numbers < as_numbers(whole(table.column(self.values[0])))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Rows that a probe is true of: how many, and the first ones, each a row of its fragment and the value there."""

    count: int = 0
    examples: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Count:
    """The pass: every probe's tally over a fragment, its rows read and cleaned as they were scanned."""

    source: SourceConfig
    cleaner: RowCleaner
    probes: tuple[Probe, ...] = field(default=())

    def __call__(self, fragment: Fragment) -> list[Tally]:
        tallies = [Tally() for _ in self.probes]
        seen = 0
        try:
            for raw in read_fragment(fragment, self.source):
                cleaned = self.cleaner.apply(raw)
                rows = np.flatnonzero(cleaned.kept) + seen
                tallies = tally(self.probes, cleaned.table, rows, self.cleaner, tallies)
                seen += raw.num_rows
        except DistmlError:
            pass  # the scan has told it; what could be read is counted
        return tallies


def tally(
    probes: Sequence[Probe], table: Any, rows: np.ndarray, cleaner: RowCleaner, before: Sequence[Tally] = ()
) -> list[Tally]:
    """Tallies with those of a cleaned table's rows added; `rows` int64 [n] are their places."""
    found = []
    for probe, known in zip(probes, before or [Tally()] * len(probes), strict=True):
        mask = probe.mask(table)
        places = np.flatnonzero(mask)
        examples = known.examples
        if len(places) and len(examples) < MAX_EXAMPLES:
            new = places[: MAX_EXAMPLES - len(examples)]
            examples += tuple(
                (int(rows[i]), value) for i, value in zip(new, _values(probe, table, new, cleaner), strict=True)
            )
        found.append(Tally(count=known.count + len(places), examples=examples))
    return found


def _values(probe: Probe, table: Any, rows: np.ndarray, cleaner: RowCleaner) -> list[str]:
    names = (probe.column, *probe.values) if probe.test in ("not_after", "before") else (probe.column,)
    taken = table.select(list(names)).take(rows)
    columns = [[told(value, cleaner, name) for value in taken.column(name).to_pylist()] for name in names]
    return [", ".join(row) for row in zip(*columns, strict=True)]


def told(value: Any, cleaner: RowCleaner, name: str) -> str:
    """A value as an example shows it; a private column's never."""
    return "(private)" if cleaner.schema[name].private else shown(value)
