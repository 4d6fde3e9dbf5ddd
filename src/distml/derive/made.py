"""A derived column of a cleaned table: the step between cleaning and features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from distml.derive.language import compile_expression
from distml.derive.own import call
from distml.derive.values import read, write
from distml.schema import Column, Schema


class Found(Protocol):
    """Notes a rule and the rows that break it: what cleaning, a floor higher, counts its findings by."""

    def __call__(self, rule: str, mask: Any, action: Any, shown: Any, remedy: str | None = None) -> Any: ...


def derive(column: Column, schema: Schema, columns: Mapping[str, Any], num_rows: int, found: Found) -> Any:
    """A derived column's values, a pyarrow array [n], from the cleaned columns that it uses (texts may be coded).

    Rows without a finite result are missing, and noted. Raises `CodeError` where a user's function fails.
    """
    used = [schema[name] for name in column.uses]
    if column.code is not None:
        return call(column, used, [columns[name] for name in column.uses], num_rows)
    assert column.derived is not None
    program = compile_expression(column.derived, {one.name: one.kind for one in used}, place_of(column.name))
    value = program.run({one.name: read(one, columns[one.name]) for one in used})
    if np.any(value.lost):
        lost = np.broadcast_to(value.lost, num_rows)
        found("a derived value is a finite number", lost, "null", _Shown(used, columns))
    return write(value, num_rows)


def place_of(name: str) -> str:
    """Where the config says what a derived column is."""
    return f"features.derived.{name}"


class _Shown:
    """The values that a row's derived one was to be made from, for the examples of a finding."""

    def __init__(self, used: list[Column], columns: Mapping[str, Any]) -> None:
        self._columns = {one.name: columns[one.name] for one in used}

    def __getitem__(self, row: int) -> _Row:
        return _Row({name: values[row].as_py() for name, values in self._columns.items()})


class _Row(dict[str, Any]):
    def as_py(self) -> dict[str, Any]:
        return dict(self)
