"""Labels that come later, checked as the training table's were: by the same cleaning, against the same classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from distml.clean import as_text
from distml.errors import DataError
from distml.package import ModelPackage
from distml.schema import Schema
from distml.target import ClassTarget

MAX_ROW = 2**31 - 1
_LONGEST_ID = 128
_CLASSES = ((str, bool, int, float), "a text, a number, true or false")
_NUMBERS = ((int, float), "a number")


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


Where = Callable[[int], str]  # the place among the labels -> what an error calls it


def checked(
    labels: Sequence[Labelled], package: ModelPackage, where: Where = lambda place: f"label {place}"
) -> list[CheckedLabel]:
    """The labels, cleaned as the training table's target was.

    Raises `DataError` for a place that is none, a label of another type, one that cleaning would not keep, and a class
    that the model doesn't know. Labels of a private target are not quoted.
    """
    for place, told in enumerate(labels):
        _check_place(told, where(place))
    values = _Values([told.label for told in labels], package, where).cleaned()
    return [
        CheckedLabel(request_id=told.request_id, row=told.row, label=value)
        for told, value in zip(labels, values, strict=True)
    ]


def _check_place(told: Labelled, where: str) -> None:
    if type(told.request_id) is not str or not 0 < len(told.request_id) <= _LONGEST_ID:
        rule = f"a request_id is a text of 1 to {_LONGEST_ID} characters"
        raise DataError(rule, received=_shown(told.request_id), where=where)
    if type(told.row) is not int or not 0 <= told.row <= MAX_ROW:
        raise DataError("a row is a whole number from 0", received=_shown(told.row), where=where)


class _Values:
    """Labels on their way to what the target's column would hold."""

    def __init__(self, given: list[Any], package: ModelPackage, where: Where) -> None:
        self._given = given
        self._where = where
        self._target = package.postprocess.target
        self._cleaner = package.members[0].pipeline.cleaner
        # What a derived target is made from isn't told: the label is what would come of it.
        self._column = replace(self._cleaner.schema.target, derived=None, uses=(), code=None)

    def cleaned(self) -> list[Any]:
        cleaner = replace(self._cleaner, schema=Schema((self._column,)))
        cleaned = cleaner.apply(self._table(), roles=("target",))
        for broken in cleaned.broken:
            raise self._refused(broken.text.removeprefix(f"{self._column.name}: "), int(broken.mask.argmax()))
        values = cleaned.table[self._column.name].to_pylist()
        if None in values:
            raise self._refused("a label is not missing", values.index(None))
        if isinstance(self._target, ClassTarget):
            self._require_known(values, self._target.labels)
        return values

    def _table(self) -> Any:
        """A pyarrow table whose only column they are, as texts or numbers."""
        import pyarrow as pa

        is_class = isinstance(self._target, ClassTarget)
        kinds, wanted = _CLASSES if is_class else _NUMBERS
        for place, label in enumerate(self._given):
            if type(label) not in kinds:
                raise self._refused(f"a label is {wanted}", place)
        if is_class:
            return pa.table({self._column.name: pa.array(map(as_text, self._given), pa.string())})
        return pa.table({self._column.name: pa.array(map(self._float, range(len(self._given))), pa.float64())})

    def _float(self, place: int) -> float:
        try:
            return float(self._given[place])
        except OverflowError:
            raise self._refused("a label lies within the range of a 64-bit float", place) from None

    def _require_known(self, values: list[str], labels: Sequence[Any]) -> None:
        known = {as_text(label) for label in labels}
        for place, value in enumerate(values):
            if value not in known:
                remedy = f"classes: {', '.join(map(repr, labels[:20]))}"
                raise self._refused("a label is one of the classes that training saw", place, remedy)

    def _refused(self, rule: str, place: int, remedy: str | None = None) -> DataError:
        if self._column.private:
            return DataError(rule, received="(private)", where=self._where(place))
        return DataError(rule, received=_shown(self._given[place]), where=self._where(place), remedy=remedy)


def _shown(value: Any) -> str:
    text = repr(value) if type(value) is not int or value.bit_length() < 200 else "a very long number"
    return text if len(text) <= 60 else text[:57] + "..."
