"""Whether files of other columns are one table all the same: with a column renamed, added or left out over time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_SAME = 0.75  # of two files' columns together, those that both have
_FEWEST_LETTERS = 4  # of a name that a longer one begins with


def renamed_to(names: Sequence[str], usual: Sequence[str]) -> Mapping[str, str]:
    """A file's columns that another one's are taken for: written in another way, or shortened.

    Names that only resemble each other, as lag_1 and lag_2 do, are those of two columns.

    >>> renamed_to(["when", "temp", "lag_1"], ["when", "temperature", "lag_2"])
    {'temp': 'temperature'}
    """
    absent = [name for name in usual if name not in names]
    found = {name: [other for other in absent if _is_same(name, other)] for name in names if name not in usual}
    known = {name: others[0] for name, others in found.items() if len(others) == 1}
    return {name: other for name, other in known.items() if list(known.values()).count(other) == 1}


def are_one_table(names: Sequence[str], usual: Sequence[str]) -> bool:
    """Whether most of two files' columns are in both.

    >>> are_one_table(["when", "x", "y"], ["when", "x", "y", "z"]), are_one_table(["id", "y"], ["id", "a", "b"])
    (True, False)
    """
    both = set(names) & set(usual)
    return len(both) >= max(3, _SAME * len({*names, *usual}))


def _is_same(name: str, other: str) -> bool:
    short, long = sorted((re.sub(r"[\W_]+", "", text).lower() for text in (name, other)), key=len)
    is_beginning = len(short) >= _FEWEST_LETTERS and long.startswith(short)
    return bool(short) and (short == long or (is_beginning and long[len(short) :].isalpha()))
