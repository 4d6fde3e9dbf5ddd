"""Large text files as ranges of whole records, so that several workers read one file.

A pass over the file's bytes finds where records end, so a range never begins within a quoted value, and every range
knows the rows and lines before it: they come to what one read would. What is compressed, or in an encoding whose
characters have several bytes other than utf-8's, has no place to enter at, and stays one fragment.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from distml.config.source import SourceConfig
from distml.reading.breaks import ROW
from distml.reading.files import Fragment, is_compressed
from distml.reading.jsons import LINES, is_lines, read_json
from distml.reading.lines import is_single_byte, is_utf8, read_blocks
from distml.reading.log import ReadLog
from distml.reading.text import read_text

SPLIT_BYTES = 64 << 20  # files of less are one fragment
RANGE_BYTES = 32 << 20
_NUM_THREADS = 8


def with_ranges(fragments: Sequence[Fragment], source: SourceConfig, filesystem: Any) -> list[Fragment]:
    """The fragments, those of large text files as several, each with its first row and line."""
    large = [fragment for fragment in fragments if can_be_split(fragment, source)]
    if not large:
        return list(fragments)
    changed = {info.path: info.mtime_ns for info in filesystem.get_file_info([fragment.path for fragment in large])}
    said = source.model_dump_json()
    with ThreadPoolExecutor(min(_NUM_THREADS, len(large))) as pool:
        found = pool.map(lambda fragment: _ranges(fragment, said, changed[fragment.path]), large)
    ranges = {fragment.path: parts for fragment, parts in zip(large, found, strict=True)}
    spread = [part for fragment in fragments for part in ranges.get(fragment.path, (fragment,))]
    return [replace(fragment, index=index) for index, fragment in enumerate(spread)]


def can_be_split(fragment: Fragment, source: SourceConfig) -> bool:
    """Whether a fragment is a text file that is large, and can be entered in the middle."""
    has_places = is_utf8(source.encoding) or is_single_byte(source.encoding)
    return (
        fragment.format in ("csv", "json")
        and fragment.size >= SPLIT_BYTES
        and not is_compressed(fragment.path)
        and has_places
    )


@lru_cache(maxsize=1024)
def _ranges(fragment: Fragment, said: str, changed_ns: int) -> tuple[Fragment, ...]:
    """The ranges of one file, found once for each state of it."""
    source = SourceConfig.model_validate_json(said)
    ranges: list[Fragment] = []
    start, line, row, rows_before = 0, 1, 0, 0
    end = 0
    is_json = fragment.format == "json"
    if is_json and not is_lines(fragment, source):
        return (fragment,)
    is_headed = source.header and not is_json
    for block in read_blocks(fragment, source, raw=True, signs=LINES if is_json else None):
        num_rows = int((block.records.kinds == ROW).sum())
        if is_headed and num_rows:
            num_rows, is_headed = num_rows - 1, False
        row += num_rows
        end = block.start + len(block.data)
        if end - start >= RANGE_BYTES and not is_headed:
            ranges.append(_range(fragment, start, end, line, rows_before))
            start, line, rows_before = end, int(block.lines[0]) + block.records.num_breaks, row
    if end > start or not ranges:
        ranges.append(_range(fragment, start, end, line, rows_before))
    return _numbered(ranges, source) if _drops_rows(source) else tuple(ranges)


def _range(fragment: Fragment, start: int, end: int, line: int, row: int) -> Fragment:
    return replace(fragment, start=start, end=end, size=end - start, first_line=line, first_row=row)


def _drops_rows(source: SourceConfig) -> bool:
    return bool({source.ragged, source.undecodable} & {"drop", "quarantine"})


def _numbered(ranges: Sequence[Fragment], source: SourceConfig) -> tuple[Fragment, ...]:
    """The ranges with their first rows where only parsing tells which lines are rows."""
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda part: _num_rows(part, source), ranges))
    firsts = np.cumsum([0, *counts[:-1]])
    return tuple(replace(part, first_row=int(first)) for part, first in zip(ranges, firsts, strict=True))


def _num_rows(part: Fragment, source: SourceConfig) -> int:
    reader = read_json if part.format == "json" else read_text
    return sum(table.num_rows for table in reader(part, source, ReadLog()))
