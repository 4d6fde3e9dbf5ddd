"""Counts and durations in words for people."""

from __future__ import annotations

import math


def numbered(count: int, noun: str) -> str:
    """A count with its noun, which takes an s where it isn't one.

    >>> numbered(1, "row"), numbered(1200, "row"), numbered(0, "epoch")
    ('1 row', '1,200 rows', '0 epochs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """Seconds in the unit that fits, rounded up: a wait is told rather too long than too short.

    >>> [duration(value) for value in (None, 0, 0.4, 59.4, 90, 7200)]
    ['?', '0 s', '1 s', '60 s', '2 min', '2.0 h']
    """
    if seconds is None:
        return "?"
    if seconds <= 60:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
