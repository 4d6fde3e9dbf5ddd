"""Where the records of delimited text end: at line breaks that stand in no quoted value, found without parsing.

Exact, as the parser behind it (Arrow's) understands quotes: one opens a value at the value's very start only, two are
one within it, and elsewhere a quote is a sign like any other. Comments end at their line's break, whatever quotes they
hold. Nothing here decodes: the signs are single bytes, in every encoding that is read so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

LF, CR = 10, 13


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What decides where a record ends, in bytes: any of `delimiter`; where there is no `quote`, nothing is quoted."""

    delimiter: bytes = b","
    quote: bytes | None = b'"'
    escape: bytes | None = None
    comment: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Records:
    """The whole records of a block that begins with one.

    `starts` and `ends` int64 [n] are their first bytes and those after their line breaks, `lines` int64 [n] counts the
    line breaks of the block before each, `kinds` says ROW, BLANK (white space alone) or COMMENT. `open_quote` is where
    a value begins that the block doesn't end.
    """

    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray
    kinds: np.ndarray  # int8 [n]
    num_breaks: int  # in the records
    has_quoted_breaks: bool
    open_quote: int | None

    @property
    def num_rows(self) -> int:
        return int((self.kinds == ROW).sum())


ROW, BLANK, COMMENT = 0, 1, 2


def find_records(data: bytes, signs: Signs, *, is_last: bool) -> Records:
    """The records of a block. What follows the last record's break belongs to the next block, unless this `is_last`.

    >>> found = find_records(b'a,b\\n"1\\n2",3\\n\\n4', Signs(), is_last=True)
    >>> found.ends.tolist(), found.lines.tolist(), found.kinds.tolist()
    ([4, 12, 13, 14], [0, 1, 3, 4], [0, 0, 1, 0])
    """
    array = np.frombuffer(data, np.uint8)
    breaks = _breaks(data, array, signs, is_last=is_last)
    comments = _starts_of_comments(data, signs)
    toggles = _toggles(data, array, breaks, comments, signs)
    order = np.arange(len(breaks))
    if len(toggles):
        outside = np.searchsorted(toggles, breaks) % 2 == 0
        ends, order = breaks[outside] + 1, order[outside]
    else:
        ends = breaks + 1
    is_open = len(toggles) % 2 == 1
    if is_last and not is_open and len(data) > (ends[-1] if len(ends) else 0):
        ends, order = np.append(ends, len(data)), np.append(order, len(breaks))
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    lines = np.concatenate([[0], order[:-1] + 1]) if len(ends) else order
    return Records(
        starts=starts, ends=ends, lines=lines, kinds=_kinds(array, starts, ends, comments, signs),
        num_breaks=int(min(order[-1] + 1, len(breaks))) if len(order) else 0,
        has_quoted_breaks=len(ends) > 0 and bool(order[-1] + 1 > len(order)),
        open_quote=int(toggles[-1]) if is_open else None,
    )  # fmt: skip


def quoted_at(data: bytes, array: np.ndarray, signs: Signs) -> np.ndarray:
    """Whether each byte of rows, among which are no comments, is within a quoted value or its quotes, bool [n]."""
    none = np.empty(0, np.int64)
    toggles = _toggles(data, array, _breaks(data, array, signs, is_last=True), none, signs)
    steps = np.zeros(len(array) + 1, np.int8)
    steps[toggles[0::2]] = 1
    steps[toggles[1::2] + 1] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8) > 0


def _breaks(data: bytes, array: np.ndarray, signs: Signs, *, is_last: bool) -> np.ndarray:
    """Every line break's last byte: of LF, CRLF, and of a CR alone."""
    breaks = np.flatnonzero(array == LF)
    if b"\r" in data:
        returns = np.flatnonzero(array == CR)
        following = array[np.minimum(returns + 1, len(array) - 1)]
        alone = (following != LF) & ((returns + 1 < len(array)) | is_last)
        if alone.any():
            breaks = np.sort(np.concatenate([breaks, returns[alone]]))
    return breaks if signs.escape is None else breaks[~escaped(array, breaks, signs.escape)]


def escaped(array: np.ndarray, places: np.ndarray, escape: bytes) -> np.ndarray:
    """Whether each place follows an odd number of escapes."""
    others = np.flatnonzero(array != escape[0])
    before = np.searchsorted(others, places) - 1
    last_other = np.where(before >= 0, others[before], -1) if len(others) else np.full(len(places), -1)
    return (places - 1 - last_other) % 2 == 1


def _starts_of_comments(data: bytes, signs: Signs) -> np.ndarray:
    """Line starts that look like a comment's; within a quoted value they are none."""
    if not signs.comment or signs.comment not in data:
        return np.empty(0, np.int64)
    pattern = rb"(?:\A|(?<=[\r\n]))" + re.escape(signs.comment)
    return np.array([found.start() for found in re.finditer(pattern, data)], np.int64)


def _toggles(data: bytes, array: np.ndarray, breaks: np.ndarray, comments: np.ndarray, signs: Signs) -> np.ndarray:
    """Where the text goes into a quoted value and out of it, in turn."""
    if signs.quote is None or signs.quote not in data:
        return np.empty(0, np.int64)
    quotes = np.flatnonzero(array == signs.quote[0])
    if signs.escape is not None:
        quotes = quotes[~escaped(array, quotes, signs.escape)]
    ends_of_comments = np.append(breaks, len(data))[np.searchsorted(breaks, comments)]
    outer = quotes
    if len(comments):
        outer = quotes[np.searchsorted(comments, quotes, "right") <= np.searchsorted(ends_of_comments, quotes)]
    comments_stand_alone = not (np.searchsorted(outer, comments) % 2).any()
    if comments_stand_alone and _are_regular(array, outer, signs):
        return outer
    return _walk(quotes, _begin_values(array, quotes, signs), comments, ends_of_comments)


def _begin_values(array: np.ndarray, quotes: np.ndarray, signs: Signs) -> np.ndarray:
    """Whether each quote stands where a value begins."""
    before = np.maximum(quotes - 1, 0)
    begins = np.isin(np.arange(256), [*signs.delimiter, LF, CR])[array[before]]
    if signs.escape is not None:
        begins &= ~escaped(array, before, signs.escape)
    return begins | (quotes == 0)


def _are_regular(array: np.ndarray, quotes: np.ndarray, signs: Signs) -> bool:
    """Whether every other quote opens a value or goes on with one, so that the quotes' parity says where values are."""
    openers = quotes[0::2]
    opens = _begin_values(array, openers, signs)
    opens[1:] |= openers[1:] - 1 == quotes[1::2][: len(openers) - 1]  # the second of two that are one
    return bool(opens.all())


def _walk(quotes: np.ndarray, begins: np.ndarray, comments: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The toggles, quote by quote, where some quotes are signs like any other."""
    ends_of = dict(zip(comments.tolist(), ends.tolist(), strict=True))
    can_open = dict(zip(quotes.tolist(), begins.tolist(), strict=True))
    toggles: list[int] = []
    skip_to, is_in = 0, False
    for place in sorted(can_open.keys() | ends_of.keys()):
        if place < skip_to:
            continue
        if place in ends_of and not is_in:
            skip_to = ends_of[place]
        elif place not in can_open:
            continue  # what looks like a comment, in a value
        elif is_in and place + 1 in can_open:
            skip_to = place + 2
        elif is_in or can_open[place]:
            is_in = not is_in
            toggles.append(place)
    return np.array(toggles, np.int64)


def _kinds(array: np.ndarray, starts: np.ndarray, ends: np.ndarray, comments: np.ndarray, signs: Signs) -> np.ndarray:
    kinds = np.zeros(len(ends), np.int8)
    if not len(ends):
        return kinds
    first = array[starts]
    white = np.isin(np.arange(256), [byte for byte in b" \t\r\n" if signs.delimiter != bytes([byte])])
    maybe = white[first]
    if maybe.any():
        num_signs = np.add.reduceat(~white[array[: ends[-1]]], starts, dtype=np.int32)
        kinds[maybe & (num_signs == 0)] = BLANK
    if len(comments):
        kinds[np.isin(starts, comments)] = COMMENT
    return kinds
