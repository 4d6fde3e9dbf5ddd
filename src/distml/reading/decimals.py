"""Numbers that a text writes with a decimal comma, or with marks between thousands, as others write them: 1234.5."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from distml.config.source import SourceConfig
from distml.reading.log import ReadLog


def with_points(table: Any, source: SourceConfig, log: ReadLog, path: str) -> Any:
    """A pyarrow table of texts, those that are numbers in the source's way written as numbers are.

    Other texts stay as they are. With a decimal comma a text such as 1.5 is no number of the table; it is left and
    counted, as it would be read as one.
    """
    if source.decimal == "." and not source.thousands:
        return table
    names = table.column_names
    named = zip(names, table.columns, strict=True)
    return table.from_arrays([_column(name, values, source, log, path) for name, values in named], names=names)


def number_pattern(decimal: str, thousands: str | None) -> str:
    """The regular expression of a number that is written with these marks, white space around it included.

    >>> bool(re.fullmatch(number_pattern(",", "."), "1.234,5")), bool(re.fullmatch(number_pattern(",", "."), "1.23,5"))
    (True, False)
    """
    whole = r"\d+"
    if thousands:
        whole = rf"(?:\d{{1,3}}(?:{_class(thousands)}\d{{3}})+|\d+)"
    point = re.escape(decimal)
    return rf"\s*[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?\s*"


def _class(thousands: str) -> str:
    """The mark between thousands; a space is also one that doesn't break."""
    return "[ \u00a0\u202f]" if thousands == " " else re.escape(thousands)


def _column(name: str, values: Any, source: SourceConfig, log: ReadLog, path: str) -> Any:
    import pyarrow.compute as pc

    coded = values.combine_chunks().dictionary_encode()
    words = coded.dictionary
    is_number = pc.match_substring_regex(words, rf"^(?:{number_pattern(source.decimal, source.thousands)})$")
    if source.decimal != ".":
        odd = pc.and_not(pc.match_substring_regex(words, r"^\s*[+-]?\d*\.\d+\s*$"), is_number)
        _note(name, coded, odd, source, log, path)
    if not pc.any(is_number).as_py():
        return values
    plain = words
    if source.thousands:
        plain = pc.replace_substring_regex(plain, _class(source.thousands), "")
    if source.decimal != ".":
        plain = pc.replace_substring(plain, source.decimal, ".")
    return pc.if_else(is_number, plain, words).take(coded.indices)


def _note(name: str, coded: Any, odd: Any, source: SourceConfig, log: ReadLog, path: str) -> None:
    mask = odd.take(coded.indices).to_numpy(zero_copy_only=False)
    if mask.any():
        log.note(
            f"a number is written with {source.decimal!r} before its fraction", "keep", path, int(np.sum(mask)),
            column=name, remedy="check data.source.decimal and thousands",
        )  # fmt: skip
