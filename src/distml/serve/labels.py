"""Labels that come later, checked as the training table's were: by the same cleaning, against the same classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from distml.clean import as_text
from distml.errors import DataError
from distml.package import ModelPackage
from distml.schema import Column, Schema
from distml.target import ClassTarget

MAX_ROW = 2**31 - 1
_LONGEST_ID = 128


class Labelled(Protocol):
    """What is told of one row of an earlier request; row: its place in the request, from 0."""

    @property
    def request_id(self) -> str: ...
    @property
    def row(self) -> int: ...
    @property
    def label(self) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class CheckedLabel:
    """A label as the training table has it after cleaning: a class as its text, or a number."""

    request_id: str
    row: int
    label: str | float


def checked(labels: Sequence[Labelled], package: ModelPackage) -> list[CheckedLabel]:
    """The labels, cleaned as the training table's target was.

    Raises `DataError` for a place that is none, a label of another type, one that cleaning would not keep, and a class
    that the model doesn't know. Labels of a private target are not quoted.
    """
    for place, told in enumerate(labels):
        _check_place(place, told)
    values = _cleaned([told.label for told in labels], package)
    return [
        CheckedLabel(request_id=told.request_id, row=told.row, label=value)
        for told, value in zip(labels, values, strict=True)
    ]


def _check_place(place: int, told: Labelled) -> None:
    if type(told.request_id) is not str or not 0 < len(told.request_id) <= _LONGEST_ID:
        raise DataError(f"a request_id is a text of 1 to {_LONGEST_ID} characters", received=_shown(told.request_id),
                        where=f"label {place}")  # fmt: skip
    if type(told.row) is not int or not 0 <= told.row <= MAX_ROW:
        raise DataError("a row is a whole number from 0", received=_shown(told.row), where=f"label {place}")


def _cleaned(labels: list[Any], package: ModelPackage) -> list[Any]:
    cleaner, target = package.members[0].pipeline.cleaner, package.postprocess.target
    column = replace(cleaner.schema.target, derived=None, uses=(), code=None)  # what it is derived from isn't told
    given = _as_column(labels, column, is_class=isinstance(target, ClassTarget))
    cleaned = replace(cleaner, schema=Schema((column,))).apply(given, roles=("target",))
    for broken in cleaned.broken:
        raise _refused(broken.text.removeprefix(f"{column.name}: "), int(broken.mask.argmax()), labels, column)
    values = cleaned.table[column.name].to_pylist()
    if None in values:
        raise _refused("a label is not missing", values.index(None), labels, column)
    if isinstance(target, ClassTarget):
        _require_known(values, target, labels, column)
    return values


def _as_column(labels: list[Any], column: Column, *, is_class: bool) -> Any:
    """A pyarrow table whose only column they are, as texts or numbers."""
    import pyarrow as pa

    kinds, wanted = (
        ((str, bool, int, float), "a text, a number, true or false") if is_class else ((int, float), "a number")
    )
    for place, label in enumerate(labels):
        if type(label) not in kinds:
            raise _refused(f"a label is {wanted}", place, labels, column)
    if is_class:
        return pa.table({column.name: pa.array(map(as_text, labels), pa.string())})
    try:
        return pa.table({column.name: pa.array(map(float, labels), pa.float64())})
    except OverflowError:
        raise DataError("a label lies within the range of a 64-bit float", where="the labels") from None


def _require_known(values: list[str], target: ClassTarget, labels: list[Any], column: Column) -> None:
    known = {as_text(label) for label in target.labels}
    for place, value in enumerate(values):
        if value not in known:
            classes = ", ".join(map(repr, target.labels[:20]))
            raise _refused(
                "a label is one of the classes that training saw", place, labels, column, f"classes: {classes}"
            )


def _refused(rule: str, place: int, labels: list[Any], column: Column, remedy: str | None = None) -> DataError:
    where = f"label {place}"
    if column.private:
        return DataError(rule, received="(private)", where=where)
    return DataError(rule, received=_shown(labels[place]), where=where, remedy=remedy)


def _shown(value: Any) -> str:
    text = repr(value) if type(value) is not int or value.bit_length() < 200 else "a very long number"
    return text if len(text) <= 60 else text[:57] + "..."
