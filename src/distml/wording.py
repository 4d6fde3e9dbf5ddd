"""Counts in words for people."""

from __future__ import annotations


def numbered(count: int, noun: str) -> str:
    """A count with its noun, which takes an s where it isn't one.

    >>> numbered(1, "row"), numbered(1200, "row"), numbered(0, "epoch")
    ('1 row', '1,200 rows', '0 epochs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
