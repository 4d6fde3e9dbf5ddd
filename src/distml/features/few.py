"""Few rows, as requests have them: cleaned and encoded value by value, which is sooner than a table of them.

Only rows with which nothing is wrong are taken, whose values cleaning would leave as they are; all others go the way of
tables, which says what is wrong. What is taken comes out as it would there, bit for bit: numbers go through the same
transforms, as arrays of few.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distml.batch import FeatureBatch
from distml.clean import RowCleaner, as_text
from distml.clean.convert import names_by_number
from distml.config.clean import RuleConfig
from distml.features.pipeline import FeaturePipeline
from distml.schema import Column, Schema

MAX_ROWS = 16  # of which this is sooner
_PLAIN = frozenset(string.ascii_letters + string.digits + string.punctuation)  # that nobody strips
_EXACT = 2**53


class _Unusual(Exception):
    """A value that cleaning might change or refuse."""


Check = Callable[[Any], Any]
"""A raw value as cleaning leaves it; raises `_Unusual`."""


@dataclass(frozen=True)
class FewRows:
    """The features of few JSON rows by a pipeline."""

    pipeline: FeaturePipeline
    checks: Mapping[str, Check]
    others: RowCleaner | None  # of columns that are cleaned as tables all the same: dates, texts

    @classmethod
    def of(cls, pipeline: FeaturePipeline) -> FewRows | None:
        """None for a pipeline that needs what a row's values alone don't tell: derived columns, images."""
        cleaner = pipeline.cleaner
        features = cleaner.schema.features
        if any(column.derived is not None or column.kind == "image" for column in features):
            return None
        plain = {c.name: _check(c, cleaner) for c in features if c.kind in ("numeric", "categorical", "boolean")}
        rest = tuple(column for column in features if column.name not in plain)
        others = replace(cleaner, schema=Schema(rest)) if rest else None
        return cls(pipeline, plain, others)

    def encode(self, records: Sequence[Mapping[str, Any]]) -> FeatureBatch | None:
        """A batch of the rows; None where one of them has to go the way of tables."""
        try:
            columns: dict[str, Any] = {
                name: [check(record[name]) for record in records] for name, check in self.checks.items()
            }
            if self.others is not None:
                columns |= self._cleaned(records)
        except (_Unusual, KeyError):
            return None
        return self.pipeline.encode_few(columns, len(records))

    def _cleaned(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        import pyarrow as pa

        assert self.others is not None
        raw: dict[str, Any] = {}
        for column in self.others.schema.columns:
            values = [record[column.name] for record in records]
            if not all(value is None or type(value) is str for value in values):
                raise _Unusual
            raw[column.name] = pa.array(values, pa.string())
        cleaned = self.others.apply(pa.table(raw), roles=("feature",))
        if cleaned.findings:
            raise _Unusual
        return {name: cleaned.table.column(name).combine_chunks() for name in raw}


def _check(column: Column, cleaner: RowCleaner) -> Check:
    rule = cleaner.rules.get(column.name)
    replaced = {as_text(old) for old in cleaner.replace.get(column.name, {})}
    if column.kind == "numeric":
        return _number(rule, replaced)
    is_truth = column.kind == "boolean" or column.dtype == "boolean"
    unusual = replaced | set(cleaner.missing) | {""}
    return _category(rule, unusual, is_truth=is_truth, strip=cleaner.strip, by_number=names_by_number(column))


def _number(rule: RuleConfig | None, replaced: set[str]) -> Check:
    low = -math.inf if rule is None or rule.min is None else rule.min
    high = math.inf if rule is None or rule.max is None else rule.max
    allowed = None if rule is None or rule.allowed is None else {float(value) for value in rule.allowed}

    def check(value: Any) -> float | None:
        if value is None:
            return None
        if type(value) is int and -_EXACT < value < _EXACT:
            value = float(value)
        if type(value) is not float or not math.isfinite(value) or not low <= value <= high:
            raise _Unusual
        if (allowed is not None and value not in allowed) or (replaced and as_text(value) in replaced):
            raise _Unusual
        return value

    return check


def _category(rule: RuleConfig | None, unusual: set[str], *, is_truth: bool, strip: bool, by_number: bool) -> Check:
    allowed = None if rule is None or rule.allowed is None else {as_text(value) for value in rule.allowed}

    def check(value: Any) -> str | None:
        if value is None:
            return None
        if type(value) is bool:
            value = "true" if value else "false"
        if type(value) is not str or value in unusual or (allowed is not None and value not in allowed):
            raise _Unusual
        if is_truth and value not in ("true", "false"):
            raise _Unusual
        if by_number and "." in value:
            raise _Unusual
        if strip and not (_is_plain(value[0]) and _is_plain(value[-1])):
            raise _Unusual
        return value

    return check


def _is_plain(character: str) -> bool:
    return character in _PLAIN or character.isalnum()
