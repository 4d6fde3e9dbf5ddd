"""The source and a test table as a config names them, and their rows as a run will see them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from distml.arrays import is_any_text
from distml.config import DataConfig, SourceConfig
from distml.errors import DataError
from distml.inspection.tokens import Tokens, find_tokens
from distml.reading.sample import Sample, sample_table
from distml.reading.survey import Survey, survey


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's files and the rows of it that are looked at."""

    found: Survey
    sample: Sample

    @classmethod
    def open(cls, uri: str, target: str | None, columns: Sequence[str] | None) -> Table:
        """Raises `DataError` for what can't be read as a table."""
        found = survey(uri, target=target, columns=columns)
        return cls(found=found, sample=sample_table(found))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.sample.table.column_names)

    @property
    def source(self) -> SourceConfig:
        """How the table is read, its path as a config names it."""
        found = self.found.source
        return altered(found, uri=placed(found.uri), encoding=self.sample.encoding)

    @property
    def unreadable(self) -> dict[str, str]:
        """Columns of a type that no column of a model has, with the type."""
        return {field.name: str(field.type) for field in self.sample.table.schema if not _is_readable(field.type)}

    def named_as(self, source: SourceConfig) -> Any:
        """The rows looked at, under the names that a source config gives their columns."""
        return self.sample.table.rename_columns(list(source.columns)) if source.columns else self.sample.table


def _is_readable(kind: Any) -> bool:
    """Whether a pyarrow type is of numbers, texts, truth values or dates."""
    import pyarrow as pa

    t = pa.types
    if t.is_dictionary(kind):
        kind = kind.value_type
    checks = (t.is_boolean, t.is_integer, t.is_floating, t.is_decimal, t.is_timestamp, t.is_date, t.is_null)
    return any(check(kind) for check in checks) or is_any_text(kind)


def placed(uri: str) -> str:
    """A path as a config names it: relative to the current folder where it lies below, else absolute."""
    if "://" in uri or uri.startswith("sklearn:"):
        return uri
    path, here = os.path.abspath(os.path.expanduser(uri)), os.getcwd()
    return os.path.relpath(path, here) if path.startswith(here.rstrip("/") + "/") else path


def altered(section: Any, **values: Any) -> Any:
    """A config's section with other values, checked."""
    return type(section).model_validate({**section.model_dump(), **values})


def tokens_of(table: Table, test: Table | None) -> Tokens:
    """The tokens of the source, and a test table's that mean nothing else in the source."""
    tokens = find_tokens(table.sample.table)
    if test is None:
        return tokens
    theirs = find_tokens(test.sample.table).missing
    return replace(tokens, missing={**{k: v for k, v in theirs.items() if k not in tokens.doubtful}, **tokens.missing})


def data_of(table: Table, test: Table | None, target: str, tokens: Tokens) -> DataConfig:
    """The tables and the target; nothing supposed of the columns yet but which can't be read.

    Raises `DataError` for a target that can't be, and a test table that lacks a column.
    """
    source = altered(table.source, missing=tuple(tokens.missing))
    if target in table.unreadable:
        kind = table.unreadable[target]
        raise DataError("a target is a class or a number", received=kind, where=f"column {target}")
    second = None if test is None else _test_source(test, source, table)
    return DataConfig(source=source, test=second, target=target, exclude=tuple(table.unreadable))


def _test_source(test: Table, source: SourceConfig, table: Table) -> SourceConfig:
    """How the test table is read; its columns go by the source's names where it has none."""
    columns, theirs = test.source.columns, test.columns
    if not test.found.is_named and len(theirs) == len(table.columns):
        columns = theirs = table.columns
    absent = [name for name in table.columns if name not in theirs and name not in table.unreadable]
    if absent:
        raise DataError(
            "a test table has the columns of the source, the target too",
            received=f"no column {', '.join(absent[:8])}",
            where=test.source.uri,
            remedy="leave --test out: test rows are then dealt from the source",
        )
    return altered(test.source, missing=source.missing, columns=columns)
