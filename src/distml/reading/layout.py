"""The columns that the files of one table share, told from footers and headers before any row is read.

What differs between files is found and counted, and refused or aligned as the source says. Aligned, a table has the
columns that at least half of its files have; where a file lacks one its values are missing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from distml.clean import Finding
from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.changes import changes, check_renamed, check_same, check_unique
from distml.reading.files import Fragment


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A table's columns as a pyarrow schema, the fragments that deliver them, and what differs between files.

    Findings count files; their examples are (line, path).
    """

    schema: Any
    fragments: list[Fragment]
    findings: tuple[Finding, ...] = ()


def lay_out(fragments: Sequence[Fragment], schemas: dict[str, Any], source: SourceConfig) -> Layout:
    """The layout of files of some pyarrow schemas, by path; a file without columns has no rows and is passed over.

    Raises `DataError` naming file and column where a file has one twice, and where the source says `fail`, one more
    or fewer than the first file, or one of a type that doesn't go with the other files'.
    """
    import pyarrow as pa

    for path, schema in schemas.items():
        check_unique(schema.names, path)
    known = {path: plain(schema) for path, schema in schemas.items() if schema.names}
    if not known:
        return Layout(schema=pa.schema([]), fragments=list(fragments))
    check_renamed(known, source)
    if source.schema_changes == "fail":
        check_same(known)
    names = _names(known)
    layout = pa.schema([_field(name, known, as_texts=source.schema_changes == "align") for name in names])
    changed = {path for path, schema in known.items() if not schema.equals(layout)}
    aligned = [
        replace(part, layout=layout) if source.schema_changes == "align" and part.path in changed else part
        for part in fragments
    ]
    return Layout(schema=layout, fragments=aligned, findings=tuple(changes(known, layout)))


def renamed(table: Any, source: SourceConfig) -> Any:
    """A pyarrow table or schema with the names that the source gives its columns."""
    import pyarrow as pa

    if not source.rename or not any(name in source.rename for name in _names_of(table)):
        return table
    names = [source.rename.get(name, name) for name in _names_of(table)]
    if isinstance(table, pa.Schema):
        return pa.schema([field.with_name(name) for field, name in zip(table, names, strict=True)])
    return table.rename_columns(names)


def aligned(table: Any, layout: Any) -> Any:
    """A raw pyarrow table with a layout's columns in its order, those that it lacks all missing.

    A value that the layout's type can't hold leaves the column as it is: what is wrong with it is cleaning's to say.
    """
    import pyarrow as pa

    columns = []
    for field in layout:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(field.name)
        if pa.types.is_dictionary(column.type) and column.type.value_type == field.type:
            columns.append(column)
            continue
        try:
            columns.append(column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            columns.append(column)
    return pa.table(columns, names=layout.names)


def in_layout(table: Any, layout: Any) -> Any:
    """A raw pyarrow table with the columns of a layout, in its order and of its types.

    Raises `DataError` for a value that the type can't hold exactly.
    """
    import pyarrow as pa

    columns = []
    for field in layout:
        try:
            columns.append(table.column(field.name).cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(
                "the files of a table write a column's values alike",
                received=str(error).splitlines()[0],
                where=f"column {field.name}, {field.type} in another file",
                remedy="write the column as one type in all files",
            ) from None
    return pa.Table.from_arrays(columns, schema=layout)


def plain(schema: Any) -> Any:
    """A pyarrow schema with what codes stand for in the place of codes, as each file has codes of its own."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])


def _names_of(table: Any) -> list[str]:
    return list(table.names if hasattr(table, "names") else table.column_names)


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if pa.types.is_string_view(kind) else kind


def _names(known: dict[str, Any]) -> list[str]:
    """The columns of at least half of the files, those of the first file first."""
    counts: dict[str, int] = {}
    for schema in known.values():
        for name in schema.names:
            counts[name] = counts.get(name, 0) + 1
    return [name for name, count in counts.items() if 2 * count >= len(known)]


def joined(tables: Sequence[Any]) -> Any:
    """Raw tables of one source as one, each column of a type that holds all its values: texts at last."""
    import pyarrow as pa

    schemas = [table.schema for table in tables]
    if all(schema.equals(schemas[0]) for schema in schemas):
        return pa.concat_tables(tables)
    known = {str(index): plain(schema) for index, schema in enumerate(schemas)}
    names = list(dict.fromkeys(name for schema in schemas for name in schema.names))
    layout = pa.schema([_field(name, known, as_texts=True) for name in names])
    return pa.concat_tables([aligned(table, layout) for table in tables])


def _field(name: str, known: dict[str, Any], *, as_texts: bool) -> Any:
    """A column's field, of a type that holds the values of all files."""
    import pyarrow as pa

    found = None
    for path, schema in known.items():
        if name not in schema.names:
            continue
        field = pa.field(name, schema.field(name).type)
        if found is None or field.type == found.type:
            found = field
            continue
        try:
            (found,) = pa.unify_schemas([pa.schema([found]), pa.schema([field])], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            if not (as_texts and _is_scalar(found.type) and _is_scalar(field.type)):
                raise DataError(
                    "the files of a table write a column's values alike",
                    received=f"{field.type}, in files before it {found.type}",
                    where=f"{path}, column {name}",
                    remedy="write the column as one type in all files, or set data.source.schema_changes: align, "
                    "which reads it as texts where there is one",
                ) from None
            found = pa.field(name, pa.string())
    return found


def _is_scalar(kind: Any) -> bool:
    """Whether values of a type can be written as texts."""
    import pyarrow as pa

    t = pa.types
    checks = (t.is_boolean, t.is_integer, t.is_floating, t.is_decimal, t.is_temporal, t.is_string, t.is_large_string)
    return any(check(kind) for check in checks)
