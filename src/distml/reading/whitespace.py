"""Texts whose values are parted by runs of spaces or tabs, as tables that are to be looked at are written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from distml.reading.breaks import CR, LF, Records, Signs, quoted_at

RUNS = "whitespace"
"""The delimiter that stands for any number of spaces and tabs."""
SIGNS = b" \t"
TAB = 9


def squeezed(data: bytes, records: Records, signs: Signs) -> tuple[bytes, Records]:
    r"""Rows with one tab for every run of white space outside quotes, and none at their ends.

    >>> from distml.reading.breaks import find_records
    >>> signs = Signs(delimiter=SIGNS)
    >>> squeezed(b' 1  2\t\n3\t "a  b"\n', find_records(b' 1  2\t\n3\t "a  b"\n', signs, is_last=True), signs)[0]
    b'1\t2\n3\t"a  b"\n'
    """
    array = np.frombuffer(data, np.uint8)
    white = ((array == SIGNS[0]) | (array == SIGNS[1])) & ~quoted_at(data, array, signs)
    steps = np.diff(np.concatenate([[0], white.astype(np.int8), [0]]))
    firsts, afters = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    is_break = np.isin(np.arange(256), (CR, LF))
    leads = (firsts == 0) | is_break[array[np.maximum(firsts - 1, 0)]]
    trails = (afters == len(array)) | is_break[array[np.minimum(afters, len(array) - 1)]]
    between = firsts[~leads & ~trails]
    tabbed, kept = array.copy(), ~white
    tabbed[between], kept[between] = TAB, True
    lengths = np.add.reduceat(kept, records.starts, dtype=np.int64)
    ends = np.cumsum(lengths)
    return tabbed[kept].tobytes(), replace(records, starts=ends - lengths, ends=ends)
