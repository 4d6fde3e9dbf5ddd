"""What may be called in an expression, and what its operators do: on columns, vectorised, row by row.

A missing operand makes a missing result, but for `and`, `or`, `where`, `coalesce` and `isnull`. A number that is not
finite (a division by zero, the log of a negative number) is missing, and marked as lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from distml.config.base import Kind
from distml.derive.values import Value, as_texts, null_of

NUMBER: tuple[Kind, ...] = ("numeric", "boolean")
TRUTH: tuple[Kind, ...] = ("boolean",)
TEXT: tuple[Kind, ...] = ("categorical",)
WRITTEN: tuple[Kind, ...] = ("categorical", "boolean", "numeric")
DATE: tuple[Kind, ...] = ("datetime",)
ANY: tuple[Kind, ...] = ("numeric", "categorical", "boolean", "datetime")


@dataclass(frozen=True, kw_only=True)
class Function:
    """takes: kinds of each argument, the last one's also of further ones if it is `open`. gives: None for the kind
    that its arguments of any kind share."""

    usage: str
    takes: tuple[tuple[Kind, ...], ...]
    gives: Kind | None
    run: Callable[..., Value]
    is_open: bool = False


def numbers(compute: Callable[..., Any], gives: Kind = "numeric") -> Callable[..., Value]:
    """A function of float64 arrays as one of values: missing where an argument is, lost where it isn't finite."""

    def run(*values: Value) -> Value:
        with np.errstate(all="ignore"):
            data = compute(*(value.data for value in values))
        missing = _any(value.is_null for value in values)
        lost = _any(value.lost for value in values)
        finite = np.isfinite(data)
        if not np.all(finite) or np.any(missing):
            lost = lost | (~finite & ~missing)
            data = np.where(finite & ~missing, data, np.nan)
        return Value(gives, data, lost)

    return run


def _any(masks: Any) -> Any:
    return reduce(lambda a, b: a | b, masks)


def _compared(compute: Callable[[Any, Any], Any]) -> Callable[[Value, Value], Value]:
    def run(a: Value, b: Value) -> Value:
        missing = a.is_null | b.is_null
        truth = compute(a.data, b.data).astype(np.float64)
        return Value("boolean", np.where(missing, np.nan, truth), a.lost | b.lost)

    return run


def _equal(a: Value, b: Value) -> Value:
    if a.kind != "categorical":
        return _compared(np.equal)(a, b)
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(a.data, str) and isinstance(b.data, str):
        return Value("boolean", np.float64(a.data == b.data))
    truth = pc.cast(pc.equal(_scalar(a.data), _scalar(b.data)), pa.float64())
    return Value("boolean", truth.to_numpy(zero_copy_only=False), a.lost | b.lost)


def negated(a: Value) -> Value:
    return Value("boolean", 1.0 - a.data, a.lost)


def both(a: Value, b: Value) -> Value:
    """Kleene's and, as in SQL: false where one is false, whatever the other."""
    data = np.where((a.data == 0) | (b.data == 0), 0.0, a.data * b.data)
    return Value("boolean", data, (a.lost | b.lost) & np.isnan(data))


def either(a: Value, b: Value) -> Value:
    """Kleene's or, as in SQL: true where one is true, whatever the other."""
    data = np.where((a.data == 1) | (b.data == 1), 1.0, a.data * b.data)
    return Value("boolean", data, (a.lost | b.lost) & np.isnan(data))


def _where(condition: Value, then: Value, otherwise: Value) -> Value:
    """Missing where the condition is; what isn't chosen counts for nothing."""
    is_true, is_null = condition.data == 1, np.isnan(condition.data)
    lost = np.where(is_null, condition.lost, np.where(is_true, then.lost, otherwise.lost))
    chosen = _chosen(is_true, then, otherwise)
    return Value(then.kind, _chosen(~is_null, Value(then.kind, chosen), null_of(then.kind)), lost)


def _coalesce(first: Value, *others: Value) -> Value:
    value = first
    for other in others:
        is_null = value.is_null
        lost = is_null & (value.lost | other.lost) & other.is_null
        value = Value(value.kind, _chosen(~is_null, value, other), lost)
    return value


def _chosen(mask: Any, then: Value, otherwise: Value) -> Any:
    if then.kind != "categorical":
        return np.where(mask, then.data, otherwise.data)
    import pyarrow as pa
    import pyarrow.compute as pc

    if not np.ndim(mask) and all(value.data is None or isinstance(value.data, str) for value in (then, otherwise)):
        return then.data if mask else otherwise.data
    chosen = pa.array(np.atleast_1d(mask)) if np.ndim(mask) else pa.scalar(bool(mask))
    return pc.if_else(chosen, _scalar(then.data), _scalar(otherwise.data))


def _scalar(text: Any) -> Any:
    import pyarrow as pa

    return pa.scalar(text, pa.string()) if text is None or isinstance(text, str) else text


def _is_null(value: Value) -> Value:
    return Value("boolean", np.asarray(value.is_null, np.float64)[()])


def _joined(separator: str) -> Callable[..., Value]:
    def run(*values: Value) -> Value:
        import pyarrow.compute as pc

        texts = [as_texts(value) for value in values]
        lost = _any(value.lost for value in values)
        if all(isinstance(text, str) for text in texts):
            return Value("categorical", separator.join(texts), lost)
        joined = pc.binary_join_element_wise(*map(_scalar, texts), separator, null_handling="emit_null")
        return Value("categorical", joined, lost)

    return run


def _lower(value: Value) -> Value:
    import pyarrow.compute as pc

    data = value.data.lower() if isinstance(value.data, str) else pc.utf8_lower(value.data)
    return Value("categorical", data, value.lost)


def _length(value: Value) -> Value:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(value.data, str):
        return Value("numeric", np.float64(len(value.data)))
    counts = pc.cast(pc.utf8_length(value.data), pa.float64())
    return Value("numeric", counts.to_numpy(zero_copy_only=False), value.lost)


def _part(compute: Callable[[Any], Any]) -> Callable[[Value], Value]:
    """A part of dates: compute takes datetime64[us] without missing ones, and gives integers."""

    def run(value: Value) -> Value:
        missing = value.is_null
        parts = compute(np.where(missing, np.datetime64(0, "us"), value.data)).astype(np.float64)
        return Value("numeric", np.where(missing, np.nan, parts), value.lost)

    return run


def _days(dates: Any) -> Any:
    return dates.astype("datetime64[D]").astype(np.int64)


def _months(dates: Any) -> Any:
    return dates.astype("datetime64[M]").astype(np.int64)


def seconds_between(start: Value, end: Value) -> Value:
    missing = start.is_null | end.is_null
    return Value("numeric", np.where(missing, np.nan, (end.data - start.data) / np.timedelta64(1, "s")),
                 start.lost | end.lost)  # fmt: skip


OPERATORS: dict[str, Callable[..., Value]] = {
    "+": numbers(np.add),
    "-": numbers(np.subtract),
    "*": numbers(np.multiply),
    "/": numbers(np.divide),
    "//": numbers(np.floor_divide),
    "%": numbers(np.mod),
    "**": numbers(np.float_power),
    "<": _compared(np.less),
    "<=": _compared(np.less_equal),
    ">": _compared(np.greater),
    ">=": _compared(np.greater_equal),
    "==": _equal,
}


def _of_number(name: str, compute: Callable[..., Any]) -> Function:
    return Function(usage=f"{name}(number)", takes=(NUMBER,), gives="numeric", run=numbers(compute))


def _of_date(name: str, compute: Callable[[Any], Any]) -> Function:
    return Function(usage=f"{name}(date)", takes=(DATE,), gives="numeric", run=_part(compute))


FUNCTIONS: dict[str, Function] = {
    "log": _of_number("log", np.log),
    "log1p": _of_number("log1p", np.log1p),
    "exp": _of_number("exp", np.exp),
    "sqrt": _of_number("sqrt", np.sqrt),
    "abs": _of_number("abs", np.abs),
    "floor": _of_number("floor", np.floor),
    "min": Function(
        usage="min(number, number, ...)", takes=(NUMBER, NUMBER), gives="numeric", is_open=True,
        run=numbers(lambda *data: reduce(np.minimum, data)),
    ),
    "max": Function(
        usage="max(number, number, ...)", takes=(NUMBER, NUMBER), gives="numeric", is_open=True,
        run=numbers(lambda *data: reduce(np.maximum, data)),
    ),
    "clip": Function(
        usage="clip(number, low, high)", takes=(NUMBER, NUMBER, NUMBER), gives="numeric",
        run=numbers(lambda data, low, high: np.minimum(np.maximum(data, low), high)),
    ),
    "cross": Function(
        usage="cross(a, b, ...)", takes=(WRITTEN, WRITTEN), gives="categorical", is_open=True, run=_joined(" & ")
    ),
    "concat": Function(
        usage="concat(a, b, ...)", takes=(WRITTEN, WRITTEN), gives="categorical", is_open=True, run=_joined("")
    ),
    "lower": Function(usage="lower(text)", takes=(TEXT,), gives="categorical", run=_lower),
    "length": Function(usage="length(text)", takes=(TEXT,), gives="numeric", run=_length),
    "year": _of_date("year", lambda dates: dates.astype("datetime64[Y]").astype(np.int64) + 1970),
    "month": _of_date("month", lambda dates: _months(dates) % 12 + 1),
    "day": _of_date("day", lambda dates: _days(dates) - _days(dates.astype("datetime64[M]")) + 1),
    "hour": _of_date("hour", lambda dates: dates.astype("datetime64[h]").astype(np.int64) % 24),
    "weekday": _of_date("weekday", lambda dates: (_days(dates) + 3) % 7),  # Monday is 0; 1970 began on a Thursday
    "seconds_between": Function(
        usage="seconds_between(start, end)", takes=(DATE, DATE), gives="numeric", run=seconds_between
    ),
    "where": Function(usage="where(condition, then, otherwise)", takes=(TRUTH, ANY, ANY), gives=None, run=_where),
    "coalesce": Function(usage="coalesce(a, b, ...)", takes=(ANY, ANY), gives=None, is_open=True, run=_coalesce),
    "isnull": Function(usage="isnull(a)", takes=(ANY,), gives="boolean", run=_is_null),
}  # fmt: skip
