"""What a table's run config should be: a look at a sample of its rows, and the reason for each thing supposed.

What leaves no doubt goes into the config with its reason; what may be otherwise stays as it is and is named. The
sample is cleaned and typed by the code that a run uses, so what is found is what a run will meet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distml.arrays import whole
from distml.clean import RowCleaner
from distml.clean.tidy import HEAD_ROWS, tidied
from distml.config import CleanConfig, DataConfig, RolesConfig
from distml.config.base import Kind
from distml.errors import DataError
from distml.hashing import row_hashes
from distml.inspection import Remark, signs
from distml.inspection.columns import Columns, look_at_columns
from distml.inspection.leaks import Leaks, find_leaks
from distml.inspection.scan import tolerant
from distml.inspection.targets import Target, look_at_target, resolve_column
from distml.inspection.tokens import Tokens, trimmed
from distml.proposal.remarks import are_cases, remarks_on
from distml.proposal.splits import find_split
from distml.proposal.tables import Table, altered, data_of, ragged_lines, tokens_of
from distml.reading.source import read_head
from distml.schema import Schema, infer_schema
from distml.summary import as_numbers

_FEWEST = 4  # rows, of which validation and test get one each


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A config's sections about data, and what was found that they follow from."""

    name: str
    data: DataConfig
    clean: CleanConfig
    num_rows: int  # looked at
    is_whole: bool
    target: Target
    tokens: Tokens
    columns: Columns
    leaks: Leaks
    kinds: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)  # files
    is_named: bool = True  # whether the files name their columns
    aligned: Mapping[str, str] = field(default_factory=dict)  # files of other columns, with what differs
    ragged: str = ""  # lines that a run would end at
    split: Remark | None = None  # of the column that deals the rows

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what was found, without how a config writes it."""
        leaks, columns = self.leaks, self.columns
        return {
            "name": self.name,
            "table": self.data.source.uri,
            "rows": self.num_rows,
            "is_whole": self.is_whole,
            "target": self.data.target,
            "task": self.data.task,
            "positive": self.data.positive,
            "classes": dict(self.target.counts),
            "roles": self.data.roles.model_dump(mode="json"),
            "kinds": dict(self.data.kinds),
            "missing": self.tokens.missing,
            "missing_in_column": self.tokens.replaced,
            "maybe_missing": self.tokens.doubtful,
            "suspected_ids": [remark.to_dict() for remark in columns.ids],
            "suspected_leaks": [
                {**remark.to_dict(), "excluded": remark in leaks.certain} for remark in (*leaks.certain, *leaks.likely)
            ],
            "excluded": [remark.to_dict() for remark in (*leaks.certain, *columns.useless)],
            "remarks": [remark.to_dict() for remark in (*self.kinds, *self.remarks)],
            "files_left_out": dict(self.left_out),
            "files_aligned": dict(self.aligned),
            "ragged": self.ragged,
        }


@dataclass(frozen=True, kw_only=True)
class _Typed:
    """A table whose target and kinds are settled, and its sample cleaned by them."""

    data: DataConfig
    clean: CleanConfig
    target: Target
    tokens: Tokens
    kinds: tuple[Remark, ...]
    schema: Schema
    cleaned: Any


def propose(uri: str, target: str, *, columns: Sequence[str] | None = None, test: str | None = None) -> Proposal:
    """A config for the table at a URI, whose `target` is named or counted from 1.

    `columns` names a file's columns over what it says itself; `test` is the URI of a test table.
    Raises `DataError` for a table that can't be read, and for a target that nothing can be learned of.
    """
    table = Table.open(uri, target, columns)
    target = resolve_column(target, table.columns, uri, is_named=table.found.is_named)
    typed = _typed(table, None if test is None else Table.open(test, target, columns), target)
    _refuse_few(typed, table, uri)
    split, told_split = find_split(typed.cleaned, typed.schema, has_test_table=test is not None)
    found = look_at_columns(typed.cleaned, typed.schema).with_unreadable(table.unreadable)
    leaks = find_leaks(typed.cleaned, typed.schema, typed.target, found)
    found = found.without(leaks.columns)
    features = frozenset(c.name for c in typed.schema.features) - found.left_out - set(leaks.columns)
    features -= {split}
    _refuse_without(features | set(table.images), found, uri)
    remarks = remarks_on(table.sample, typed.cleaned, typed.schema, features, typed.target, typed.tokens)
    return Proposal(
        name=name_of(uri),
        data=_with_roles(typed.data, found, leaks, split),
        clean=altered(typed.clean, duplicates="keep") if are_cases(table.sample.table) else typed.clean,
        num_rows=table.sample.num_rows,
        is_whole=table.sample.is_whole,
        target=typed.target,
        tokens=typed.tokens,
        columns=found,
        leaks=leaks,
        kinds=typed.kinds,
        remarks=(*_told_images(table), *([told_split] if told_split and not split else []), *remarks),
        left_out=table.found.left_out,
        is_named=table.found.is_named,
        aligned=table.found.aligned,
        ragged=ragged_lines(table),
        split=told_split if split else None,
    )


def name_of(uri: str) -> str:
    """A model's name from where its table lies.

    >>> name_of("data/Bank-Full.csv.gz"), name_of("sklearn:iris"), name_of("taxi/trips_*.csv"), name_of("s3://b/a b/")
    ('bank-full', 'iris', 'trips', 'a_b')
    """
    last = os.path.basename(uri.rstrip("/")).removeprefix("sklearn:").split(".")[0]
    if not re.search("[A-Za-z0-9]", last):
        last = os.path.basename(os.path.dirname(os.path.abspath(uri)))
    name = re.sub(r"[^a-z0-9_-]+", "_", last.lower()).strip("_-")[:63]
    return name or "table"


def _typed(table: Table, test: Table | None, target: str) -> _Typed:
    tokens = tokens_of(table, test)
    data = data_of(table, test, target, tokens)
    clean = CleanConfig(replace={name: dict.fromkeys(texts) for name, texts in tokens.replaced.items()})
    aim = _look_at_target(table, test, data, clean)
    data = altered(data, task=aim.task, positive=aim.positive)
    if aim.respelt:
        nulled = clean.replace.get(target, {})
        clean = altered(clean, replace={**clean.replace, target: {**nulled, **aim.respelt}})
    rows = tidied(table.sample.table, data.source, clean)
    inferred = infer_schema(rows, data)
    kinds = _kinds(inferred, rows, test, data, clean)
    data = altered(data, kinds={str(remark.column): kind for remark, kind in kinds})
    schema = Schema(tuple(replace(c, kind=data.kinds.get(c.name, c.kind)) for c in inferred.columns))
    cleaned = RowCleaner.from_config(schema, data.source, clean).apply(table.sample.table).table
    return _Typed(
        data=data, clean=clean, target=aim, tokens=tokens, kinds=tuple(remark for remark, _ in kinds),
        schema=schema, cleaned=cleaned,
    )  # fmt: skip


def _look_at_target(table: Table, test: Table | None, data: DataConfig, clean: CleanConfig) -> Target:
    rows = tidied(table.sample.table.select([data.target]), data.source, clean)
    schema = infer_schema(rows, DataConfig(source=data.source, target=data.target))
    in_test = None
    if test is not None and data.test is not None:
        in_test = whole(tidied(test.named_as(data.test).select([data.target]), data.source, clean).column(0))
    return look_at_target(
        data.target, whole(rows.column(0)), schema.target.dtype, in_test, is_whole=table.sample.is_whole
    )


def _kinds(
    schema: Schema, rows: Any, test: Table | None, data: DataConfig, clean: CleanConfig
) -> list[tuple[Remark, Kind]]:
    """Kinds that a run wouldn't infer by itself: of codes, and where its first rows look otherwise than the others."""
    found: dict[str, tuple[str, Kind]] = {}
    for column in schema.features:
        if column.kind == "numeric" and column.dtype == "integer":
            values = whole(rows.column(column.name))
            numbers = as_numbers(values.cast("double"))
            reason = signs.why_code(column.name, numbers, trimmed(values))
            if reason is not None:
                found[column.name] = (reason, "categorical")
    if test is not None and data.test is not None:
        in_test = infer_schema(tidied(test.named_as(data.test), data.source, clean), data)
        for column in schema.features:
            kind = in_test[column.name].kind
            if kind == "categorical" != column.kind and column.name not in found:
                found[column.name] = (f"is {column.kind} here, but not in the test table", "categorical")
    head = infer_schema(tidied(read_head(tolerant(data.source), HEAD_ROWS), data.source, clean), data)
    for column in schema.features:
        if head[column.name].kind != column.kind and column.name not in found:
            found[column.name] = (f"would be read as {head[column.name].kind} from the first rows alone", column.kind)
    return [(Remark(name, reason), kind) for name, (reason, kind) in found.items()]


def _told_images(table: Table) -> list[Remark]:
    return [Remark(name, f"images of {shape}, read as such; not looked at") for name, shape in table.images.items()]


def _with_roles(data: DataConfig, columns: Columns, leaks: Leaks, split: str | None) -> DataConfig:
    exclude = [*leaks.columns, *(str(remark.column) for remark in columns.useless)]
    ids = tuple(str(remark.column) for remark in columns.ids)
    exclude = [name for name in exclude if name != split]
    roles = RolesConfig(id=ids, time=None if columns.time is None else columns.time.column, split=split)
    kinds = {name: kind for name, kind in data.kinds.items() if name not in exclude}
    return altered(data, roles=roles.model_dump(), exclude=exclude, kinds=kinds)


def _refuse_few(typed: _Typed, table: Table, uri: str) -> None:
    """Raises `DataError` where rows that differ are too few to be dealt to training, validation and test."""
    import pyarrow as pa

    target = whole(typed.cleaned.column(typed.target.name))
    rows = row_hashes(typed.cleaned)
    if table.images and len(rows) == table.sample.num_rows:
        rows = row_hashes(table.sample.table)
    differ = pa.table({"row": rows, "y": target}).filter(target.is_valid()).group_by(["row", "y"])
    classes = [None] if typed.target.task == "regression" else list(typed.target.counts)
    distinct = differ.aggregate([]).column("y").to_pylist()
    most = len(distinct) if classes == [None] else max(map(distinct.count, classes))
    if most < _FEWEST:
        raise DataError(
            f"a table has at least {_FEWEST} rows that differ, of one class where there are classes",
            received=f"{len(distinct)} that differ among {len(target):,}",
            where=uri,
        )


def _refuse_without(features: frozenset[str], columns: Columns, uri: str) -> None:
    if not features:
        time = () if columns.time is None else (columns.time,)
        reasons = "; ".join(f"{remark.column} {remark.text}" for remark in (*columns.useless, *columns.ids, *time)[:4])
        raise DataError(
            "a table has at least one feature beside its target",
            received=reasons or "the target alone",
            where=uri,
            remedy="bring more columns, or write numbers as 1.5 and dates as 2024-01-31",
        )
