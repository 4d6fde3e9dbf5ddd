"""Signs in one column of what it is for: identifier, code, constant, free text, date, values with a meaning.

Each function gives the reason for what it supposes, in words for a config's comment, or None. Nothing here knows the
target or the other columns.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from distml.inspection.remark import shown
from distml.inspection.tokens import numbers_mask

_ID_NAME = re.compile(
    r"(?i:(?:^|[_\W])(?:id|uuid|guid|key|index|number|no|nr)$|^(?:id|uuid|guid)(?:$|[_\W]))|[a-z](?:ID|Id)$"
)
_CODE_NAME = re.compile(
    r"(?i:(?:^|[_\W])(?:id|code|type|zip|zipcode|zip_code|postcode|postal_code)$)|[a-z](?:ID|Id|Code|Type)$"
)
_CLOCK_NAME = re.compile(
    r"(?i:(?:^|[_\W])(?:time|timestamp|date|datetime|ts|epoch|unix)(?:$|[_\W]))|[a-z](?:Time|Date)$"
)
_OTHER_DATE_NAME = re.compile(r"(?i:birth|dob|expir|due|until|valid)")
MOSTLY = 0.9  # numbers among texts
_ALMOST_ALL = 0.95
_FEW = 5
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})"
_ZONED = rf":.*{_ZONE}$"
DATE = rf"^\d{{4}}-\d{{2}}-\d{{2}}(?:[ T]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,6}})?)?{_ZONE}?)?$"
_MIXED_TIMES = "times, not all of them with a time zone or in whole microseconds"
_FORMS = {
    r"^[+-]?\d+,\d+$": ("numbers with a decimal comma", True),
    r"^[+-]?\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?$": ("numbers with marks between thousands", True),
    r"^[+-]?[$€£¥]\s?\d[\d,' ]*(?:\.\d+)?$": ("amounts with a currency sign", True),
    r"^[+-]?\d+(?:[.,]\d+)?\s?%$": ("percentages", True),
    r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:.*$": (_MIXED_TIMES, False),
    r"^\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}(?:[ T]\d.*)?$": ("dates that aren't ISO 8601 (2024-01-31)", False),
}
"""Pattern of texts that are neither numbers nor dates as they are -> what they look like, and whether like numbers."""


def is_named_id(name: str) -> bool:
    """Whether a column's name says that it names rows.

    >>> is_named_id("customer_id"), is_named_id("idea")
    (True, False)
    """
    return _ID_NAME.search(name) is not None


def why_constant(values: Any) -> str | None:
    """Why a cleaned column tells rows hardly apart: nothing but one value, or all rows but a few."""
    import pyarrow.compute as pc

    num_rows = len(values)
    counts = pc.value_counts(values)
    rows = counts.field("counts").to_numpy()
    top = int(rows.argmax())
    value = counts.field("values")[top].as_py()
    told = "no value" if value is None else f"the value {shown(value)}"
    if rows[top] == num_rows:
        return "has no value at all" if value is None else f"has {told} in every row"
    others = num_rows - int(rows[top])
    return f"has {told} in all rows but {others}" if num_rows >= 100 and others < _FEW else None


def why_id_number(name: str, numbers: np.ndarray) -> str | None:
    """Why whole numbers [n], in the table's order, look like they name rows."""
    n = len(numbers)
    if n < 20 or np.isnan(numbers).any() or len(np.unique(numbers)) < n:
        return None
    if (np.diff(numbers) > 0).all():
        return f"counts up from row to row, {numbers[0]:.0f} to {numbers[-1]:.0f}, never twice the same"
    # Independent draws from a range this wide would have met each other this often (the birthday problem).
    meetings = n * n / 2 / (numbers.max() - numbers.min() + 1)
    if meetings >= 10:
        return f"{n:,} whole numbers, each there once, where chance would have repeated about {meetings:,.0f}"
    return "is named like an identifier and never twice the same" if _ID_NAME.search(name) else None


def is_clock(name: str, numbers: np.ndarray) -> bool:
    """Whether whole numbers [n] look like seconds or milliseconds since 1970 under a name that says so."""
    present = numbers[~np.isnan(numbers)]
    if not len(present) or not _CLOCK_NAME.search(name):
        return False
    return any(low <= present.min() and present.max() <= high for low, high in ((5e8, 4e9), (5e11, 4e12)))


def is_event_date(name: str) -> bool:
    """Whether a date may be when the row happened, and not one that it speaks of, as a date of birth.

    >>> is_event_date("pickup_datetime"), is_event_date("date_of_birth")
    (True, False)
    """
    return not _OTHER_DATE_NAME.search(name)


def why_text_id(name: str, texts: Any) -> tuple[str, bool] | None:
    """Why texts hardly repeat, and whether they are free text rather than names of rows."""
    import pyarrow.compute as pc

    present = texts.drop_null()
    distinct = pc.count_distinct(present).as_py()
    if len(present) < 20 or distinct < _ALMOST_ALL * len(present):
        return None
    words = pc.mean(pc.add(pc.count_substring(present, " "), 1)).as_py()
    told = "no value comes twice" if distinct == len(present) else f"{distinct:,} of {len(present):,} values differ"
    is_free_text = words >= 3 and not _ID_NAME.search(name)
    if is_free_text:
        told += f", about {words:.0f} words each: free text, read by its words where data.kinds says text"
    return told, is_free_text


def why_code(name: str, numbers: np.ndarray, texts: Any | None) -> str | None:
    """Why whole numbers look like names of categories: zeros in front, or a name that says so and values that repeat.

    `texts`: how the table writes them, where it is text.
    """
    import pyarrow.compute as pc

    if texts is not None and pc.any(pc.match_substring_regex(texts, r"^0\d")).as_py():
        return "is written with zeros in front, as codes are"
    present = numbers[~np.isnan(numbers)]
    distinct = len(np.unique(present))
    if _CODE_NAME.search(name) and 2 < distinct <= 1000 and len(present) >= 20 * distinct:
        return f"is named like a code, and has {distinct} values"
    return None


def odd_form(texts: Any) -> str | None:
    """What keeps texts from being read as the numbers or dates that they look like.

    Those that are written as numbers or dates are don't tell: one bad word among them is no form.

    >>> import pyarrow as pa
    >>> odd_form(pa.array(["1,200.5", "300"])), odd_form(pa.array(["0.5"] * 99 + ["oops"]))
    ('numbers with marks between thousands', None)
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    present = texts.drop_null()
    is_number, is_date = numbers_mask(present), dates_mask(present)
    odd = present.filter(pa.array(~is_number & ~is_date))
    zoned = pc.sum(pc.match_substring_regex(present.filter(pa.array(is_date)), _ZONED)).as_py() or 0
    if 0 < zoned < is_date.sum() and is_date.sum() >= _ALMOST_ALL * len(present):
        return _MIXED_TIMES
    if not len(odd):
        return None
    for pattern, (what, are_numbers) in _FORMS.items():
        matched = pc.sum(pc.match_substring_regex(odd, pattern)).as_py()
        beside = int((is_number if are_numbers else is_date).sum())
        if matched >= _ALMOST_ALL * len(odd) and matched + beside >= _ALMOST_ALL * len(present):
            return what
    return None


def are_mostly_numbers(values: Any) -> bool:
    """Whether texts are numbers, or dates, but for some odd ones, for which all are read as texts."""
    present = values.drop_null()
    shares = [float(mask(present).mean()) for mask in (numbers_mask, dates_mask)] if len(present) else [0.0]
    return any(MOSTLY <= share < 1 for share in shares)


def dates_mask(values: Any) -> np.ndarray:
    """Which texts of a pyarrow array are ISO dates, or times to the microsecond, bool [n]; null is none."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.match_substring_regex(values, DATE), False).to_numpy(zero_copy_only=False)


def sentinel(numbers: np.ndarray) -> tuple[float, int] | None:
    """A number that may stand for a missing one, and its rows: -1, -99, 999 and the like, far from the rest of [n]."""
    return sentinel_of(*np.unique(numbers[~np.isnan(numbers)], return_counts=True))


def sentinel_of(values: np.ndarray, rows: np.ndarray) -> tuple[float, int] | None:
    """As `sentinel`, from distinct values in ascending order and the rows of each; those at the ends are enough."""
    if len(values) < 3:
        return None
    for value, next_value, count in ((values[0], values[1], rows[0]), (values[-1], values[-2], rows[-1])):
        nines = re.fullmatch(r"-9+|-1|99+", f"{value:.0f}") if value == round(value) else None
        is_far = value < 0 <= next_value if value < 0 else value >= 1.5 * max(next_value, 1)
        if value == -1 and next_value == 0:  # in line with the others: a code only where it is far more frequent
            is_far = len(values) >= 10 and count >= 10 * rows[1:4].max()
        if nines and count >= _FEW and (is_far or (value < -1 and value <= 1.5 * next_value)):
            return float(value), int(count)
    return None


def cap(numbers: np.ndarray) -> tuple[float, int] | None:
    """The largest number and its rows where far more rows stand there than just below: values cut off."""
    present = numbers[~np.isnan(numbers)]
    return cap_of(*np.unique(present, return_counts=True), len(present))


def cap_of(values: np.ndarray, rows: np.ndarray, num_rows: int) -> tuple[float, int] | None:
    """As `cap`, from distinct values in ascending order, the rows of each, and the rows of all."""
    if len(values) < 30 or rows[-1] < max(20, 0.005 * num_rows):
        return None
    if rows[-1] < 4 * rows[-6:-1].max():  # the nearest, as some slopes rise to their end
        return None
    return float(values[-1]), int(rows[-1])
