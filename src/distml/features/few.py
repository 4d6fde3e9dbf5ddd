"""Few rows, as requests have them: cleaned and encoded value by value, which is sooner than a table of them.

Only rows with which nothing is wrong are taken, whose values cleaning would leave as they are; all others go the way of
tables, which says what is wrong. What is taken comes out as it would there, bit for bit: numbers go through the same
transforms, many columns at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import RowCleaner
from distml.features.categories import CodedTransform
from distml.features.number_block import NumberBlock
from distml.features.numeric import NumericTransform
from distml.features.pipeline import FeaturePipeline
from distml.features.plain import Check, Unusual, check_of, range_of
from distml.features.transforms import Transform
from distml.schema import Column, Schema

MAX_ROWS = 256  # of which this is sooner

Records = Sequence[Mapping[str, Any]]
Cleaned = Mapping[str, Any]  # arrow arrays of the columns that are cleaned as tables all the same


@dataclass(frozen=True)
class _Part:
    """A transform, where its columns are in the output, and how its values are read from rows."""

    transform: Transform
    columns: slice
    read: Callable[[Records, Cleaned], Any]

    def write(self, records: Records, cleaned: Cleaned, out: np.ndarray) -> None:
        self.transform.write(self.read(records, cleaned), out[:, self.columns])


@dataclass(frozen=True)
class FewRows:
    """The features of few JSON rows by a pipeline."""

    block: NumberBlock | None
    numeric: tuple[_Part, ...]  # beside the block
    categorical: tuple[_Part, ...]
    widths: tuple[int, int]  # of numbers and of codes
    others: RowCleaner | None  # of columns that are cleaned as tables all the same: dates, texts

    @classmethod
    def of(cls, pipeline: FeaturePipeline) -> FewRows | None:
        """None for a pipeline that needs what a row's values alone don't tell: derived columns, images."""
        cleaner = pipeline.cleaner
        features = cleaner.schema.features
        if any(column.derived is not None or column.kind == "image" for column in features):
            return None
        checks = {c.name: check_of(c, cleaner) for c in features if c.kind in ("numeric", "categorical", "boolean")}
        rest = tuple(column for column in features if column.name not in checks)
        parts = _parts(pipeline.numeric, checks)
        block, parts = _blocked(parts, {column.name: column for column in features}, cleaner)
        return cls(
            block=block,
            numeric=parts,
            categorical=_parts(pipeline.categorical, checks),
            widths=(sum(t.width for t in pipeline.numeric), len(pipeline.categorical)),
            others=replace(cleaner, schema=Schema(rest)) if rest else None,
        )

    def encode(self, records: Records) -> FeatureBatch | None:
        """A batch of the rows; None where one of them has to go the way of tables."""
        if set(map(type, records)) != {dict}:
            return None
        n, (num_numbers, num_codes) = len(records), self.widths
        numeric, categorical = np.empty((n, num_numbers), np.float32), np.empty((n, num_codes), np.int64)
        try:
            cleaned = {} if self.others is None else _cleaned(self.others, records)
            if self.block is not None:
                self.block.write(self.block.read(records), numeric)
            for part in self.numeric:
                part.write(records, cleaned, numeric)
            for part in self.categorical:
                part.write(records, cleaned, categorical)
        except (Unusual, KeyError):
            return None
        return FeatureBatch(numeric=numeric, categorical=categorical)


def _parts(transforms: Sequence[Transform], checks: Mapping[str, Check]) -> tuple[_Part, ...]:
    ends = list(accumulate(t.width for t in transforms))
    return tuple(
        _Part(t, slice(end - t.width, end), _reader(t, checks.get(t.column)))
        for t, end in zip(transforms, ends, strict=True)
    )


def _blocked(
    parts: Sequence[_Part], features: Mapping[str, Column], cleaner: RowCleaner
) -> tuple[NumberBlock | None, tuple[_Part, ...]]:
    """What can be done at once, and the other parts."""
    chosen: list[tuple[_Part, NumericTransform, tuple[float, float]]] = []
    for part in parts:
        transform = part.transform
        if isinstance(transform, NumericTransform) and not transform.edges:
            ends = range_of(features[transform.column], cleaner)
            if ends is not None:
                chosen.append((part, transform, ends))
    if not chosen:
        return None, tuple(parts)
    taken = {id(part) for part, _, _ in chosen}
    block = NumberBlock([t for _, t, _ in chosen], [p.columns.start for p, _, _ in chosen], [e for _, _, e in chosen])
    return block, tuple(part for part in parts if id(part) not in taken)


def _reader(transform: Transform, check: Check | None) -> Callable[[Records, Cleaned], Any]:
    """How a transform's values are read: from cleaned columns where there is no check of single values."""
    name = transform.column
    if check is None:
        return lambda records, cleaned: transform.read(cleaned[name])
    if isinstance(transform, CodedTransform):
        return _coded(transform, check)
    return lambda records, cleaned: transform.read_few([check(record[name]) for record in records])


def _coded(transform: CodedTransform, check: Check) -> Callable[[Records, Cleaned], np.ndarray]:
    """Codes of words: of a usual one that is known by one look."""
    name, codes = transform.column, transform.code_by_word
    usual = {word: code for word, code in codes.items() if _is_usual(word, check)}
    unknown = transform.unknown

    def read(records: Records, cleaned: Cleaned) -> np.ndarray:
        try:
            found = [usual[record[name]] for record in records]
        except (KeyError, TypeError):  # an unusual value, or a list in a word's place
            found = [codes.get(check(record[name]), unknown) for record in records]
        return np.array(found, np.int64)

    return read


def _is_usual(word: str | None, check: Check) -> bool:
    try:
        return check(word) == word
    except Unusual:
        return False


def _cleaned(cleaner: RowCleaner, records: Records) -> Cleaned:
    """Columns of dates and texts, cleaned as a table of them; `Unusual` where that changes anything."""
    import pyarrow as pa

    raw: dict[str, Any] = {}
    for column in cleaner.schema.columns:
        values = [record[column.name] for record in records]
        if not all(value is None or type(value) is str for value in values):
            raise Unusual
        raw[column.name] = pa.array(values, pa.string())
    cleaned = cleaner.apply(pa.table(raw), roles=("feature",))
    if cleaned.findings:
        raise Unusual
    return {name: cleaned.table.column(name).combine_chunks() for name in raw}
