"""Repairs of one column's values: replacements, bounds, finite numbers. Each notes what it did through `found`."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from distml.clean.convert import as_text, is_number
from distml.clean.findings import Taken
from distml.config.base import Scalar
from distml.config.clean import CleanConfig, RuleConfig
from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.schema import Column


class Found(Protocol):
    """Notes a finding where a mask is true, and returns the mask as bool [n]."""

    def __call__(self, rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray: ...


def check_rule(column: Column, rule: RuleConfig) -> None:
    where = f"clean.rules.{column.name}"
    if column.kind == "image":
        raise DataError(
            "clean.rules are for numbers, dates and categories", received=f"column {column.name} is image", where=where,
            remedy="set clean.images",
        )  # fmt: skip
    if column.kind not in ("numeric", "datetime") and (rule.min is not None or rule.max is not None):
        raise DataError(
            "min and max are for numbers",
            received=f"column {column.name} is {column.kind}",
            where=where,
            remedy="use `allowed`, or declare the column numeric in data.kinds",
        )
    if column.kind == "datetime" and rule.allowed is not None:
        raise DataError(
            "allowed is for numbers and categories", received=f"column {column.name} is datetime", where=where,
            remedy="use `min` and `max`, in seconds since 1970",
        )  # fmt: skip
    if column.kind == "numeric":
        for value in rule.allowed or ():
            if not is_number(value):
                raise DataError("the allowed values of a numeric column are numbers", received=value, where=where)


def check_replacements(
    column: Column, pairs: dict[Scalar, Scalar | None], source: SourceConfig, clean: CleanConfig
) -> None:
    """Refuses replacements that a second cleaning would change again: cleaned rows are served, and cleaned, too."""
    where = f"clean.replace.{column.name}"
    if column.kind == "image":
        raise DataError("an image has no values to replace", received=column.name, where=where)
    replaced = {as_text(old): new for old, new in pairs.items()}
    for old, new in pairs.items():
        if new is None:
            continue
        text = as_text(new)
        if column.kind == "numeric" and not is_number(new):
            raise DataError(
                "a value of a numeric column is replaced by a number or null", received=f"{old!r}: {new!r}",
                where=where, remedy=f"declare data.kinds.{column.name}: categorical",
            )  # fmt: skip
        if (clean.strip and text != text.strip()) or text in source.missing or replaced.get(text, new) != new:
            raise DataError(
                "a replaced value stays as it is when it is cleaned again", received=f"{old!r}: {new!r}",
                where=where, remedy="write null for a missing value, and the last value of a chain for each before it",
            )  # fmt: skip


def replace_values(values: Any, pairs: dict[Scalar, Scalar | None], found: Found) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    original = values
    for old, new in pairs.items():
        try:
            before = pa.scalar(as_text(old)).cast(values.type)
            after = pa.scalar(None if new is None else as_text(new), pa.string()).cast(values.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue  # a text among numbers, say: no value can be equal to it
        mask = pc.equal(original, before)
        found(f"{old!r} is written {new!r}", mask, "replace", original)
        values = pc.if_else(pc.fill_null(mask, False), after, values)
    return values


def null_non_finite(values: Any, found: Found) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    finite = pc.is_finite(values)
    if pc.all(finite, min_count=0).as_py():
        return values
    found("numbers are finite", pc.is_inf(values), "null", values)
    return pc.if_else(finite, values, pa.scalar(None, values.type))


def enforce(rule: RuleConfig, values: Any, kept: np.ndarray, found: Found) -> Any:
    """Applies one column's rule; rows that are not to be kept are struck from `kept` in place."""
    import pyarrow as pa
    import pyarrow.compute as pc

    assert rule.on_violation is not None
    low, high = (_bound(bound, values.type) for bound in (rule.min, rule.max))
    broken = np.zeros(len(values), bool)
    if low is not None:
        broken |= found(f"at least {as_text(low.as_py())}", pc.less(values, low), rule.on_violation, values)
    if high is not None:
        broken |= found(f"at most {as_text(high.as_py())}", pc.greater(values, high), rule.on_violation, values)
    if rule.allowed is not None:
        is_text = pa.types.is_string(values.type)
        allowed = pa.array([as_text(v) if is_text else float(v) for v in rule.allowed], values.type)
        outside = pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=allowed)))
        broken |= found(f"one of {list(rule.allowed)}", outside, rule.on_violation, values)
    if rule.on_violation == "null":
        return pc.if_else(pa.array(broken), pa.scalar(None, values.type), values)
    if rule.on_violation == "clip":
        values = values if low is None else pc.max_element_wise(values, low, skip_nulls=False)
        return values if high is None else pc.min_element_wise(values, high, skip_nulls=False)
    kept &= ~broken
    return values


def _bound(bound: float | None, kind: Any) -> Any:
    """A rule's bound as a scalar of the column's type; for dates it is seconds since 1970."""
    import pyarrow as pa

    if bound is None:
        return None
    return pa.scalar(int(bound * 1e6), kind) if pa.types.is_timestamp(kind) else pa.scalar(bound, kind)
