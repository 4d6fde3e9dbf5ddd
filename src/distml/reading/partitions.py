"""Columns that folders' names give: year=2024/month=05/part.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment, PartitionValue, base_of

NULL = "__HIVE_DEFAULT_PARTITION__"


def with_partitions(fragments: Sequence[Fragment], source: SourceConfig) -> list[Fragment]:
    """The fragments, each with what its folders below the source's own say, where the source is so partitioned.

    Raises `DataError` where `data.source.hive` asks for it and files lie elsewhere, or under other keys.
    """
    if source.hive is False:
        return list(fragments)
    base = base_of(source.uri)
    pairs = {fragment.path: _pairs(fragment.path, base) for fragment in fragments}
    keys = {tuple(name for name, _ in found) for found in pairs.values()}
    if keys == {()} or len(keys) != 1:
        if source.hive:
            _refuse_uneven(pairs, source)
        return list(fragments)
    values: dict[str, list[str | None]] = {}
    for found in pairs.values():
        for name, value in found:
            values.setdefault(name, []).append(value)
    numbers = {name: _are_numbers(found) for name, found in values.items()}
    partitions = {
        path: tuple(PartitionValue(name, value, numbers[name]) for name, value in found)
        for path, found in pairs.items()
    }
    return [replace(fragment, partition=partitions[fragment.path]) for fragment in fragments]


def with_partition(table: Any, fragment: Fragment) -> Any:
    """A pyarrow table with its fragment's partition columns behind its own: whole numbers, or texts.

    Raises `DataError` where the file has such a column itself.
    """
    import pyarrow as pa

    for part in fragment.partition:
        if part.name in table.column_names:
            raise DataError(
                "a column is in the file or in its folder's name",
                received=f"{part.name} in both",
                where=fragment.path,
                remedy="set data.source.hive: false to go by the file's own",
            )
        kind = pa.int64() if part.is_number else pa.string()
        value = int(part.value) if part.is_number and part.value is not None else part.value
        table = table.append_column(part.name, pa.repeat(pa.scalar(value, kind), table.num_rows))
    return table


def partition_fields(fragment: Fragment) -> list[Any]:
    """The pyarrow fields of a fragment's partition columns."""
    import pyarrow as pa

    return [pa.field(part.name, pa.int64() if part.is_number else pa.string()) for part in fragment.partition]


def _pairs(path: str, base: str) -> list[tuple[str, str | None]]:
    """
    >>> _pairs("/d/year=2024/city=S%C3%A3o/x.csv", "/d")
    [('year', '2024'), ('city', 'São')]
    """
    folders = path.removeprefix(base).split("/")[:-1] if path != base else []
    named = [folder.partition("=") for folder in folders if folder]
    return [(unquote(name), None if value == NULL else unquote(value)) for name, sign, value in named if sign and name]


def _are_numbers(values: Sequence[str | None]) -> bool:
    """Whether all values are whole numbers of 64 bits, one at least."""
    known = [value for value in values if value is not None]
    return bool(known) and all(
        value.isascii() and value.removeprefix("-").isdigit() and len(value) < 19 for value in known
    )


def _refuse_uneven(pairs: dict[str, list[tuple[str, str | None]]], source: SourceConfig) -> None:
    usual = max(pairs.values(), key=len)
    names = [name for name, _ in usual]
    odd = next(path for path, found in pairs.items() if not found or [name for name, _ in found] != names)
    raise DataError(
        "every file lies in folders named key=value, of the same keys",
        received=f"{odd} not below {'/'.join(f'{name}=…' for name in names) or 'any'}",
        where=source.uri,
        remedy="name the folder above those, or set data.source.hive: false",
    )
