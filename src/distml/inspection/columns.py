"""What a table's columns are for, its target aside: which name rows, which say when, which are of no use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from distml.arrays import whole
from distml.inspection import signs
from distml.inspection.remark import Remark
from distml.schema import Column, Schema
from distml.summary import as_numbers

_SAME_MOMENT = 0.999  # of the rank correlation with the time column
_MAX_DATES = 50  # distinct texts that look like dates and can still be told apart as categories


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns that are no features, each with the reason."""

    ids: tuple[Remark, ...] = ()
    time: Remark | None = None
    useless: tuple[Remark, ...] = ()

    @property
    def left_out(self) -> frozenset[str | None]:
        time = () if self.time is None else (self.time,)
        return frozenset(remark.column for remark in (*self.ids, *time, *self.useless))

    def with_unreadable(self, reasons: Mapping[str, str]) -> Columns:
        """These and columns of which no model's can be made."""
        told = (Remark(name, reason) for name, reason in reasons.items())
        return replace(self, useless=(*self.useless, *told))

    def without(self, names: Iterable[str]) -> Columns:
        """These but for columns that are excluded for a better reason."""
        gone = set(names)
        return replace(
            self,
            ids=tuple(remark for remark in self.ids if remark.column not in gone),
            time=None if self.time is None or self.time.column in gone else self.time,
            useless=tuple(remark for remark in self.useless if remark.column not in gone),
        )


def look_at_columns(cleaned: Any, schema: Schema) -> Columns:
    """The columns of a cleaned pyarrow table, its rows in the table's order, that are no features."""
    ids: list[Remark] = []
    useless: list[Remark] = []
    clocks: list[str] = []
    for column in schema.features:
        if column.kind in ("image", "text"):
            continue
        values = whole(cleaned.column(column.name))
        constant = signs.why_constant(values)
        if constant is not None:
            useless.append(Remark(column.name, constant))
        elif column.kind == "datetime" or _is_clock(column, values):
            clocks.append(column.name)
        else:
            _look_at_values(column, values, ids, useless)
    time, alike = _choose_time(cleaned, clocks)
    return Columns(ids=tuple(ids), time=time, useless=(*useless, *alike))


def _is_clock(column: Column, values: Any) -> bool:
    return column.dtype == "integer" and column.kind == "numeric" and signs.is_clock(column.name, as_numbers(values))


def _look_at_values(column: Column, values: Any, ids: list[Remark], useless: list[Remark]) -> None:
    if column.kind == "numeric":
        counter = signs.why_id_number(column.name, as_numbers(values)) if column.dtype == "integer" else None
        if counter is not None:
            ids.append(Remark(column.name, counter))
        return
    form = signs.odd_form(values)
    if form is not None and len(values.unique()) > _MAX_DATES:
        useless.append(Remark(column.name, f"holds {form}, which would be read as {len(values.unique()):,} categories"))
        return
    found = None if signs.are_mostly_numbers(values) else signs.why_text_id(column.name, values)
    if found is not None:
        reason, is_free_text = found
        (useless if is_free_text else ids).append(Remark(column.name, reason))


def _choose_time(cleaned: Any, clocks: list[str]) -> tuple[Remark | None, list[Remark]]:
    """When a row happened: the first such column, or one before it that moves with it; the others that move along."""
    from scipy.stats import spearmanr

    events = [name for name in clocks if signs.is_event_date(name)]
    if not events:
        return None, []
    moments = {name: as_numbers(whole(cleaned.column(name))) for name in events}
    chosen = events[0]
    alike = []
    for name in events[1:]:
        both = np.isfinite(moments[name]) & np.isfinite(moments[chosen])
        if both.sum() >= 20 and spearmanr(moments[name][both], moments[chosen][both]).statistic >= _SAME_MOMENT:
            earlier = np.median((moments[name] - moments[chosen])[both]) < 0
            alike.append(chosen if earlier else name)
            chosen = name if earlier else chosen
    reason = "says when a row happened" if len(events) == 1 else "says when a row happened, the first of several"
    told = f"moves with {chosen} and says no more alone; what may count is the difference, as a column of its own"
    return Remark(chosen, reason), [Remark(name, told) for name in alike]
