"""What sets the files of one table apart: columns that not all have, of other types or in another order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from distml.arrays import is_any_text
from distml.clean import MAX_EXAMPLES, Finding
from distml.clean.findings import Taken
from distml.config.source import SourceConfig
from distml.errors import DataError, did_you_mean

ABSENT = "every file has the table's columns"
EXTRA = "no file has columns that most don't"
RETYPED = "all files write a column as one type"
REORDERED = "all files have their columns in one order"
RULES_OF_FILES = frozenset((ABSENT, EXTRA, RETYPED, REORDERED))  # whose findings count files


def check_unique(names: Sequence[str], path: str) -> None:
    """Raises `DataError` for a file that has a column twice."""
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError("a table's column names differ", received=f"{repeated[0]} more than once", where=path)


def check_renamed(known: dict[str, Any], source: SourceConfig) -> None:
    """Raises `DataError` for a name to be changed that no file had: after renaming, its new name is in one."""
    names = sorted({name for schema in known.values() for name in schema.names})
    for old, new in source.rename.items():
        if new not in names:
            near = alike(old, names)
            raise DataError(
                "data.source.rename names a column of some file", received=old, where=source.uri,
                remedy=f"did you mean {near!r}?" if near else f"their columns: {', '.join(names[:40])}",
            )  # fmt: skip


def check_same(known: dict[str, Any]) -> None:
    """Raises `DataError` for the first column that the first file has and another lacks, or the other way round."""
    (first_path, first), *others = ((path, schema.names) for path, schema in known.items())
    for path, names in others:
        for there, here, owner, where in ((first, names, first_path, path), (names, first, path, first_path)):
            for name in there:
                if name not in here:
                    near = alike(name, [other for other in here if other not in there])
                    meant = f"where {near!r} is meant, set data.source.rename: {{{near}: {name}}}; " if near else ""
                    raise DataError(
                        "the files of a table have the same columns",
                        received=f"no column {name}, which {owner} has",
                        where=where,
                        remedy=f"{meant}set data.source.schema_changes: align, add the column, or give tables of "
                        "different columns one by one",
                    )


def changes(known: dict[str, Any], layout: Any) -> list[Finding]:
    """What sets files of some pyarrow schemas, by path, apart from their table's; counts are of files."""
    found: list[Finding] = []
    for field in layout:
        lacking = [path for path, schema in known.items() if field.name not in schema.names]
        if lacking:
            having = next(schema for schema in known.values() if field.name in schema.names)
            instead = [name for name in known[lacking[0]].names if name not in having.names]
            found.append(_finding(ABSENT, field.name, lacking, "null", _remedy(field.name, instead)))
        types = {path: schema.field(field.name).type for path, schema in known.items() if field.name in schema.names}
        is_text = is_any_text(field.type)
        other = [path for path, kind in types.items() if kind != field.type and not (is_text and is_any_text(kind))]
        if other:
            were = ", ".join(dict.fromkeys(str(types[path]) for path in other))
            found.append(_finding(RETYPED, field.name, other, "replace", f"read as {field.type}, not {were}"))
    extra = dict.fromkeys(name for schema in known.values() for name in schema.names if name not in layout.names)
    for name in extra:
        having = [path for path, schema in known.items() if name in schema.names]
        lacked = [other for other in layout.names if other not in known[having[0]].names]
        found.append(_finding(EXTRA, name, having, "ignore", _remedy(alike(name, lacked), [name])))
    order = layout.names
    mixed = [path for path, schema in known.items() if not _is_ordered(schema.names, order)]
    return [*found, *([_finding(REORDERED, None, mixed, "keep", None)] if mixed else [])]


def _is_ordered(names: Sequence[str], order: Sequence[str]) -> bool:
    places = [order.index(name) for name in names if name in order]
    return places == sorted(places)


def _remedy(wanted: str | None, candidates: Sequence[str]) -> str | None:
    near = None if wanted is None else alike(wanted, candidates)
    return None if near is None else f"where they are the same, set data.source.rename: {{{near}: {wanted}}}"


def _finding(rule: str, column: str | None, paths: Sequence[str], action: Taken, remedy: str | None) -> Finding:
    examples = tuple((1, path) for path in paths[:MAX_EXAMPLES])
    return Finding(
        rule=rule, column=column, count=len(paths), action=action, examples=examples, remedy=remedy, file=paths[0]
    )


def alike(name: str, others: Sequence[str]) -> str | None:
    """Another name that may mean the same: written in another case or with other signs, or nearly so.

    >>> alike("Fare Amount", ["fare_amount", "tip"]), alike("tip", ["fare"])
    ('fare_amount', None)
    """
    bare = {re.sub(r"[\W_]+", "", other).lower(): other for other in reversed(others)}
    return bare.get(re.sub(r"[\W_]+", "", name).lower()) or did_you_mean(name, list(others))
