"""The source and a test table as a config names them, and their rows as a run will see them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from distml.arrays import is_any_text, whole
from distml.config import DataConfig, SourceConfig
from distml.errors import DataError
from distml.images import Shape, common_shape, is_encoded, is_tensor, shown_shape
from distml.inspection.remark import shown
from distml.inspection.scan import tolerant
from distml.inspection.tokens import Tokens, find_tokens
from distml.reading.log import ReadLog
from distml.reading.sample import Sample, sample_table
from distml.reading.source import list_fragments, read_fragment
from distml.reading.survey import Survey, survey
from distml.wording import numbered


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

    @cached_property
    def images(self) -> dict[str, str]:
        """Columns of images, each with their shape. They are no part of the look: it takes no pixels."""
        shapes = {name: self._shape(name) for name in self._of_bytes}
        return {name: shown_shape(shape) for name, shape in shapes.items() if not isinstance(shape, DataError)}

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """Columns of which no model's can be made, each with the reason."""
        reasons = {
            field.name: f"holds {field.type}: no number, text, truth value or date"
            for field in self.sample.table.schema
            if not _is_readable(field.type) and field.name not in self.images
        }
        differ = {name: shape for name in self._of_bytes if isinstance(shape := self._shape(name), DataError)}
        told = {name: f"{error.received}; {error.remedy}" for name, error in differ.items() if "size" in error.rule}
        return reasons | {name: f"holds images of several sizes: {why}" for name, why in told.items()}

    @property
    def _of_bytes(self) -> list[str]:
        return [field.name for field in self.sample.table.schema if is_encoded(field.type) or is_tensor(field.type)]

    def _shape(self, name: str) -> Shape | DataError:
        try:
            return common_shape(whole(self.sample.table.column(name)), None, None, f"column {name}")
        except DataError as error:
            return error

    def named_as(self, source: SourceConfig) -> Any:
        """The rows looked at, under the names that a source config gives their columns."""
        return self.sample.table.rename_columns(list(source.columns)) if source.columns else self.sample.table


def ragged_lines(table: Table) -> str:
    """Lines with another number of values than the others, in words; counted where the table was looked at whole."""
    if not table.sample.ragged:
        return ""
    source, log = tolerant(table.source), ReadLog()
    is_counted = table.sample.is_whole and table.found.source.format in ("auto", "csv")
    for fragment in list_fragments(source) if is_counted else ():
        for _ in read_fragment(fragment, source, log):
            pass
    found = [finding for finding in log.findings() if finding.rule.startswith("every line has")]
    if not found:
        count, first = len(table.sample.ragged), shown(table.sample.ragged[0][:50])
        return f"{numbered(count, 'line')} of those looked at, such as {first}"
    places = [f"{os.path.basename(f.file or '')} line {line:,}" for f in found for line, _ in f.examples[:3]]
    return f"{numbered(sum(f.count for f in found), 'line')}: {', '.join(places[:4])}"


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
    if target in table.unreadable or target in table.images:
        kind = str(table.sample.table.schema.field(target).type)
        raise DataError("a target is a class or a number", received=kind, where=f"column {target}")
    second = None if test is None else _test_source(test, source, table)
    return DataConfig(source=source, test=second, target=target, exclude=(*table.unreadable, *table.images))


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
