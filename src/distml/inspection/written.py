"""A table's schema as a file that people review and commit, and what another table breaks of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from distml.clean import as_text
from distml.config.base import Kind, Scalar, Section
from distml.errors import ConfigError
from distml.inspection.counts import NumberCounts, TextCounts
from distml.inspection.inspect import Inspection
from distml.inspection.observation import Level
from distml.inspection.probe import Probe
from distml.inspection.remark import shown
from distml.inspection.suspect import Suspect
from distml.inspection.view import View
from distml.schema import Column, Dtype
from distml.secrets import without_password

MAX_ALLOWED = 50  # categories that are written out
_IS_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"

Violation = Literal["warn", "fail", "drop", "null", "clip", "quarantine"]


class WrittenColumn(Section):
    """What one column's values may be."""

    kind: Kind
    dtype: Dtype
    nullable: bool = True
    min: float | None = None
    max: float | None = None
    allowed: tuple[Scalar, ...] | None = None
    on_violation: Violation | None = Field(None, description="null: what the schema says")


class WrittenSchema(Section):
    """A table's columns, and what happens to values and columns that are not as written."""

    source: str = ""
    rows: int = 0
    on_violation: Violation = "fail"
    columns: dict[str, WrittenColumn]

    def action(self, name: str) -> Violation:
        column = self.columns.get(name)
        return (column.on_violation if column else None) or self.on_violation


def describe(found: Inspection) -> WrittenSchema:
    """The schema that an inspected source shows. Nothing is written of a private column's values."""
    view = found.source
    columns = {
        column.name: _written(view, column)
        for column in view.cleaner.schema.kept if column.name in view.columns and column.derived is None
    }  # fmt: skip
    return WrittenSchema(source=without_password(view.source.uri), rows=view.num_rows, columns=columns)


def _written(view: View, column: Column) -> WrittenColumn:
    scan = view.columns[column.name]
    known: dict[str, Any] = {"kind": column.kind, "dtype": column.dtype, "nullable": scan.nulls > 0}
    counts = scan.counts
    if column.private or column.role == "id":
        return WrittenColumn(**known)
    if isinstance(counts, NumberCounts) and counts.present and column.kind == "numeric":
        known |= {"min": float(counts.values[0]), "max": float(counts.values[-1])}
    if isinstance(counts, TextCounts) and counts.is_whole and 0 < len(counts.rows) <= MAX_ALLOWED:
        known["allowed"] = tuple(sorted(counts.rows))
    return WrittenColumn(**known)


def to_yaml(schema: WrittenSchema) -> str:
    """The text of a schema file.

    >>> print(to_yaml(WrittenSchema(rows=2, columns={"x": WrittenColumn(kind="numeric", dtype="integer", min=1)})))
    # What a table's columns are and what their values may be: review it, commit it, and name it in a run config
    # by `validate: {schema: FILE}`. on_violation: warn, fail, drop, null, clip or quarantine, also for one column.
    source: ''
    rows: 2
    on_violation: fail
    columns:
      x: {kind: numeric, dtype: integer, nullable: true, min: 1}
    <BLANKLINE>
    """
    head = (
        "# What a table's columns are and what their values may be: review it, commit it, and name it in a run config\n"
        "# by `validate: {schema: FILE}`. on_violation: warn, fail, drop, null, clip or quarantine, also for one "
        "column."
    )
    values = schema.model_dump(mode="json")
    columns = values.pop("columns")
    lines = [head, *(f"{key}: {_flow([item])[1:-1]}" for key, item in values.items())]
    lines += ["columns:" if columns else "columns: {}"]
    for name, column in columns.items():
        told = {key: _plain(item) for key, item in column.items() if item is not None}
        lines.append(f"  {_flow([name])[1:-1]}: {_flow(told)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    return yaml.dump(
        value, Dumper=_OneLine, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
    ).strip()  # fmt: skip


class _OneLine(yaml.SafeDumper):
    """Quotes what would take several lines, or what no reader would take as it is, so that it is written by escapes."""

    def represent_text(self, text: str) -> yaml.Node:
        style = None if text.isascii() and text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_OneLine.add_representer(str, _OneLine.represent_text)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_schema(path: str) -> WrittenSchema:
    """Raises `ConfigError` for a file that is no schema."""
    try:
        values = yaml.safe_load(Path(path).read_text("utf-8"))
        return WrittenSchema.model_validate(values)
    except OSError as error:
        raise ConfigError("a schema is a file", received=f"no file {path}", where="validate.schema",
                          remedy="write one: distml validate CONFIG --write-schema FILE") from error  # fmt: skip
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error).splitlines()[0]
        raise ConfigError("a schema is one that distml wrote", received=told, where=path,
                          remedy="write it again: distml validate CONFIG --write-schema FILE") from error  # fmt: skip


def suspect_schema(view: View, schema: WrittenSchema) -> Iterator[Suspect]:
    """What a table breaks of a written schema, column by column."""
    kept = [column for column in view.cleaner.schema.kept if column.derived is None]  # the table's own
    own = {column.name: column for column in kept if column.name in view.columns}
    excluded = {column.name for column in view.cleaner.schema.of_role("excluded")}
    for name in schema.columns:
        if name not in own and name not in excluded:
            yield _broken(schema, name, "a column of the schema is there", "the table has no such column",
                          count=max(view.num_rows, 1))  # fmt: skip
    for name, column in own.items():
        if name not in schema.columns:
            yield _broken(schema, name, "a column is one of the schema", f"a new column, {column.kind}",
                          count=view.num_rows)  # fmt: skip
        else:
            yield from _values(schema, name, column, schema.columns[name])


def _values(schema: WrittenSchema, name: str, column: Column, written: WrittenColumn) -> Iterator[Suspect]:
    if column.kind != written.kind or (column.dtype, written.dtype) in (("string", "integer"), ("string", "number")):
        told = f"{column.kind} of {column.dtype}s, where the schema has {written.kind} of {written.dtype}s"
        number = written.kind == "numeric" and column.arrow_type == "string"
        probe = Probe(column=name, test="not_matches", values=(_IS_NUMBER,)) if number else None
        yield _broken(schema, name, "a column is of the schema's type", told, probe=probe, count=1)
        return
    if not written.nullable:
        yield _broken(schema, name, "no value is missing", "missing, where the schema has none",
                      probe=Probe(column=name, test="missing"))  # fmt: skip
    if written.kind in ("numeric", "datetime"):
        bounds: tuple[tuple[float | None, Literal["below", "above"], str], ...] = (
            (written.min, "below", "at least"), (written.max, "above", "at most"),
        )  # fmt: skip
        for bound, test, word in bounds:
            if bound is not None:
                yield _broken(schema, name, f"{word} {shown(bound)}", f"{test} {shown(bound)}",
                              probe=Probe(column=name, test=test, values=(bound,)))  # fmt: skip
    elif written.allowed is not None:
        allowed = tuple(as_text(value) for value in written.allowed)
        yield _broken(schema, name, "a category is one of the schema", "categories that the schema doesn't have",
                      probe=Probe(column=name, test="not_in", values=allowed))  # fmt: skip


def _broken(
    schema: WrittenSchema, name: str, rule: str, told: str, *, probe: Probe | None = None, count: int = 0
) -> Suspect:
    action = schema.action(name)
    level: Level = "fail" if action == "fail" else "high"
    return Suspect(
        kind="schema", rule=rule, column=name, level=level, told=told, probe=probe, count=count, action=action,
        remedy=f"correct the table, or the schema's columns.{name}",
    )  # fmt: skip


def rules_of(schema: WrittenSchema) -> dict[str, dict[str, Any]]:
    """The schema's bounds and categories as `clean.rules`, for columns whose values are to be acted on in a run."""
    rules: dict[str, dict[str, Any]] = {}
    for name, column in schema.columns.items():
        action = schema.action(name)
        bounds = {"min": column.min, "max": column.max, "allowed": column.allowed}
        told = {key: value for key, value in bounds.items() if value is not None}
        if told and action != "warn" and not (action == "clip" and "allowed" in told):
            rules[name] = {**told, "on_violation": action}
    return rules
