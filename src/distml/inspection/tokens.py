"""Which texts of a table mean that a value is missing, and which only may.

A text is taken for missing where its column leaves no doubt: among numbers or dates, or where it is one of the texts
that mean nothing else. A word such as "unknown" among words stays what it is, a category, and is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.arrays import is_text
from distml.reading.header import MISSING_TOKENS, NUMBER

MISSING_WORDS = frozenset(
    ("unknown", "unk", "none", "unspecified", "undefined", "not available", "not applicable", "no data")
)
_MAX_ODD = 3  # distinct texts among numbers that can be taken for missing; more are values of another kind

Counts = dict[str, dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """`missing`: text to {column: rows}, wherever it stands. `replaced`: column to {text: rows}, there alone.
    `doubtful`: text to {column: rows}, left as they are."""

    missing: Counts = field(default_factory=dict)
    replaced: Counts = field(default_factory=dict)
    doubtful: Counts = field(default_factory=dict)


def find_tokens(table: Any) -> Tokens:
    """The tokens of a raw pyarrow table's text columns, white space around them left out.

    >>> import pyarrow as pa
    >>> find_tokens(pa.table({"age": ["1", "?", "3"], "job": ["a", "?", "unknown"]}))
    Tokens(missing={'?': {'age': 1, 'job': 1}}, replaced={}, doubtful={'unknown': {'job': 1}})
    """
    taken: Counts = {}
    doubtful: Counts = {}
    for name in table.column_names:
        for text, count, is_missing in _tokens_of(table.column(name)):
            (taken if is_missing else doubtful).setdefault(text, {})[name] = count
    # What means something in one column can't be struck from all of them.
    replaced: Counts = {}
    for text in [text for text in taken if text in doubtful or text.lower() not in MISSING_TOKENS]:
        for name, count in taken.pop(text).items():
            replaced.setdefault(name, {})[text] = count
    return Tokens(missing=taken, replaced=replaced, doubtful=doubtful)


def trimmed(column: Any) -> Any:
    """A column's texts without white space around them; None where it has no texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return pc.utf8_trim_whitespace(column) if is_text(column.type) else None


def _tokens_of(column: Any) -> Iterator[tuple[str, int, bool]]:
    """(text, rows, whether it means missing) of a column."""
    import pyarrow.compute as pc

    texts = trimmed(column)
    if texts is not None:
        counts = pc.value_counts(texts.drop_null())
        yield from tokens_in(counts.field("values"), counts.field("counts").to_numpy())


def tokens_in(values: Any, rows: np.ndarray) -> Iterator[tuple[str, int, bool]]:
    """(text, rows, whether it means missing) of a column's distinct texts, a pyarrow array, with the rows of each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lowered = pc.utf8_lower(values)
    is_token = pc.is_in(lowered, pa.array([*MISSING_TOKENS, *MISSING_WORDS], values.type)).to_numpy(
        zero_copy_only=False
    )
    is_told = ~is_token & (pc.binary_length(values).to_numpy() > 0)
    is_odd = _odd(values, rows, is_told)
    told = values.filter(pa.array(is_told & ~is_odd))
    is_typed = len(told) == 0 or bool(is_odd.any()) or _is_typed(told)
    for i in np.flatnonzero(is_token | is_odd):
        text = values[int(i)].as_py()
        is_missing = is_typed or (text.lower() in MISSING_TOKENS and not _is_like(text, told))
        yield text, int(rows[i]), is_missing


def _odd(values: Any, rows: np.ndarray, is_told: np.ndarray) -> np.ndarray:
    """Which distinct texts stand alone in a column of numbers, bool [n]."""
    is_number = numbers_mask(values)
    odd = is_told & ~is_number
    numbers = is_told & is_number
    is_alone = 0 < odd.sum() <= _MAX_ODD and numbers.sum() >= 10 and rows[odd].sum() <= 0.05 * rows[is_told].sum()
    return odd if is_alone else np.zeros(len(odd), bool)


def numbers_mask(values: Any) -> np.ndarray:
    """Which texts of a pyarrow array are numbers, bool [n]; null is none."""
    import pyarrow.compute as pc

    mask = pc.match_substring_regex(values, f"^(?:{NUMBER}|[+-]?(?i:inf|infinity))$")
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False)


def _is_typed(told: Any) -> bool:
    """Whether texts are all numbers, all truth values or all ISO dates."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if (
        numbers_mask(told).all()
        or pc.all(pc.is_in(pc.utf8_lower(told), pa.array(["true", "false"], told.type))).as_py()
    ):
        return True
    try:
        pc.cast(told, pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True


def _is_like(text: str, told: Any) -> bool:
    """Whether most values are written as the token is: NA among the codes of countries, - beside +."""
    shapes = [_shape(value) for value in told.slice(0, 1000).to_pylist()]
    return text != "?" and shapes.count(_shape(text)) > len(shapes) / 2


def _shape(text: str) -> str:
    """A text's kinds of characters.

    >>> _shape("NA"), _shape("n/a"), _shape("+")
    ('AA', 'a.a', '.')
    """
    return "".join("A" if c.isupper() else "a" if c.islower() else "0" if c.isdigit() else "." for c in text)
