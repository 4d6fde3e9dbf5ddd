"""How a text table writes numbers: what stands before their fractions and between their thousands.

A mark is told only where some value leaves no doubt: 1,234 alone may be either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from distml.reading.decimals import number_pattern
from distml.reading.header import IS_NUMBER, MISSING_TOKENS

DecimalMark = Literal[".", ","]

_ALMOST_ALL = 0.95
_WAYS: tuple[tuple[DecimalMark, str | None], ...] = (
    (".", ","), (".", "'"), (".", " "), (".", "_"), (",", None), (",", "."), (",", " "), (",", "'")
)  # fmt: skip


def find_marks(records: Sequence[Sequence[str]]) -> tuple[DecimalMark, str | None]:
    """The decimal mark and the one between thousands (None for none) of records of stripped values.

    >>> find_marks([["1,5", "x"], ["1.234,25", "y"]]), find_marks([["1,234", "0.5"], ["1,234,567", "2"]])
    ((',', '.'), ('.', ','))
    >>> find_marks([["1.5", "x"]]), find_marks([["1,234"]]), find_marks([["0,234"], ["1,234"]])
    (('.', None), ('.', None), (',', None))
    """
    width = len(records[0])
    columns = [_present([record[i] for record in records if i < len(record)]) for i in range(width)]
    numbers = [values for values in columns if values and not all(map(IS_NUMBER.fullmatch, values))]
    has_points = any(_has_fractions(values) for values in columns if values and values not in numbers)
    votes = {way: sum(_is_written(values, *way) for values in numbers) for way in _WAYS}
    if has_points:
        votes = {way: count for way, count in votes.items() if way[0] == "."}
    best = max(votes, key=lambda way: votes[way])  # of ways that fit alike the first
    return best if votes[best] else (".", None)


def _present(values: Sequence[str]) -> list[str]:
    return [value for value in values if value and value.lower() not in MISSING_TOKENS]


def _has_fractions(values: Sequence[str]) -> bool:
    return any("." in value for value in values)


def _is_written(values: Sequence[str], decimal: str, thousands: str | None) -> bool:
    """Whether values are numbers in one way of writing them, one at least beyond doubt."""
    fitting = re.compile(number_pattern(decimal, thousands))
    count = sum(fitting.fullmatch(value) is not None for value in values)
    return count >= _ALMOST_ALL * len(values) and any(_is_sure(value, decimal, thousands) for value in values)


def _is_sure(value: str, decimal: str, thousands: str | None) -> bool:
    """Whether a number can be read in no other way than this."""
    whole, mark, fraction = value.partition(decimal)
    if thousands is None or thousands not in value:
        digits = whole.lstrip("+-")
        is_no_group = len(fraction) != 3 or len(digits) > 3 or digits.startswith("0")
        return decimal == "," and bool(mark) and is_no_group
    groups = whole.count(thousands)
    return thousands not in ",." or bool(mark) or groups > 1
