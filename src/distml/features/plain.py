"""Which values of JSON rows are usual: such as cleaning would leave as they are, whatever else it can mend."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from typing import Any

from distml.clean import RowCleaner, as_text
from distml.clean.convert import names_by_number
from distml.config.clean import RuleConfig
from distml.schema import Column

EXACT = 2**53  # up to which a float holds every whole number
_PLAIN = frozenset(string.ascii_letters + string.digits + string.punctuation)  # that nobody strips


class Unusual(Exception):
    """A value that cleaning might change or refuse."""


Check = Callable[[Any], Any]
"""A raw value as cleaning leaves it; raises `Unusual`."""


def check_of(column: Column, cleaner: RowCleaner) -> Check:
    """What is usual in a column of numbers, categories or truth values."""
    rule = cleaner.rules.get(column.name)
    replaced = _replaced(column, cleaner)
    if column.kind == "numeric":
        return _number(rule, replaced)
    is_truth = column.kind == "boolean" or column.dtype == "boolean"
    unusual = replaced | set(cleaner.missing) | {""}
    return _category(rule, unusual, is_truth=is_truth, strip=cleaner.strip, by_number=names_by_number(column))


def range_of(column: Column, cleaner: RowCleaner) -> tuple[float, float] | None:
    """The ends of what is usual in a column of numbers; None where that isn't told by two ends."""
    rule = cleaner.rules.get(column.name)
    if column.kind != "numeric" or _replaced(column, cleaner) or (rule is not None and rule.allowed is not None):
        return None
    return _ends(rule)


def _replaced(column: Column, cleaner: RowCleaner) -> set[str]:
    return {as_text(old) for old in cleaner.replace.get(column.name, {})}


def _ends(rule: RuleConfig | None) -> tuple[float, float]:
    low = -math.inf if rule is None or rule.min is None else rule.min
    high = math.inf if rule is None or rule.max is None else rule.max
    return low, high


def _number(rule: RuleConfig | None, replaced: set[str]) -> Check:
    low, high = _ends(rule)
    allowed = None if rule is None or rule.allowed is None else {float(value) for value in rule.allowed}

    def check(value: Any) -> float | None:
        if value is None:
            return None
        if type(value) is int and -EXACT < value < EXACT:
            value = float(value)
        if type(value) is not float or not math.isfinite(value) or not low <= value <= high:
            raise Unusual
        if (allowed is not None and value not in allowed) or (replaced and as_text(value) in replaced):
            raise Unusual
        return value

    return check


def _category(rule: RuleConfig | None, unusual: set[str], *, is_truth: bool, strip: bool, by_number: bool) -> Check:
    allowed = None if rule is None or rule.allowed is None else {as_text(value) for value in rule.allowed}

    def check(value: Any) -> str | None:
        if value is None:
            return None
        if type(value) is bool:
            value = "true" if value else "false"
        if type(value) is not str or value in unusual or (allowed is not None and value not in allowed):
            raise Unusual
        if is_truth and value not in ("true", "false"):
            raise Unusual
        if by_number and "." in value:
            raise Unusual
        if strip and not (_is_plain(value[0]) and _is_plain(value[-1])):
            raise Unusual
        return value

    return check


def _is_plain(character: str) -> bool:
    return character in _PLAIN or character.isalnum()
