"""Whether the first line of a text table names its columns, by what sets it apart from the lines below it."""

from __future__ import annotations

import re
from collections.abc import Sequence

MISSING_TOKENS = frozenset(
    ("?", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "-nan", "nat", "null", "(null)", "<null>", "nil", "missing",
     "\\n", "-", "--", "---", ".", "..", "#value!", "#ref!", "#div/0!", "#name?", "#null!", "#num!")
)  # fmt: skip
"""Texts, in lower case, that hardly ever mean anything but that a value is missing."""

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
IS_NUMBER = re.compile(NUMBER)
_IS_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d.*)?")


def has_header(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first of some records of stripped values names the columns.

    >>> has_header([["age", "city"], ["39", "Rome"], ["50", "Paris"]])
    True
    >>> has_header([["39", "Rome"], ["50", "Paris"], ["?", "Rome"]])
    False
    """
    first, rest = records[0], records[1:]
    if _is_count(first):
        return True
    columns = [[record[i] for record in rest if i < len(record) and record[i]] for i in range(len(first))]
    votes = [_vote(name, values) for name, values in zip(first, columns, strict=True) if values]
    strong = [vote for vote in votes if abs(vote) == 2]
    if strong:
        return sum(strong) > 0
    weak = sum(votes)
    looks_like_names = len(set(first)) == len(first) and not any(IS_NUMBER.fullmatch(name) for name in first)
    return weak > 0 or (weak == 0 and looks_like_names)


def _is_count(names: Sequence[str]) -> bool:
    """Whether names count the columns from 0 or 1, as pandas writes them; a few may do so by chance."""
    return len(names) >= 5 and list(names) in ([str(i + k) for i in range(len(names))] for k in (0, 1))


def _vote(name: str, values: Sequence[str]) -> int:
    """Whether one column's first value is its name: 2 yes, 1 probably, 0 can't be said, -1 and -2 no."""
    told = [value for value in values if value.lower() not in MISSING_TOKENS]
    if not name or name.lower() in MISSING_TOKENS or not told:
        return 0
    for pattern in (IS_NUMBER, _IS_DATE):
        if sum(bool(pattern.fullmatch(value)) for value in told) >= 0.9 * len(told):
            return -2 if pattern.fullmatch(name) else 2
    if name in told:
        return -1
    return 1 if len(set(told)) <= len(told) / 2 else 0
