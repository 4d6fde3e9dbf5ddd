"""Dates that come after another one in nearly every row, and in a few don't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from distml.inspection.probe import Probe, Test
from distml.inspection.suspect import Suspect
from distml.inspection.view import View

_MAX_COLUMNS = 8  # whose pairs are looked at


def suspect_sequences(view: View) -> Iterator[Suspect]:
    """Dates that come after another one in nearly every row, and in a few don't."""
    names = [c.name for c in view.cleaner.schema.kept if c.kind == "datetime" and c.name in view.columns]
    moments = {name: view.numbers(name) for name in names[:_MAX_COLUMNS]}
    for i, first in enumerate(moments):
        for second in list(moments)[i + 1 :]:
            yield from _sequence(first, second, moments[second] - moments[first])


def _sequence(first: str, second: str, difference: np.ndarray) -> Iterator[Suspect]:
    known: Any = difference[~np.isnan(difference)]
    if len(known) < 100:
        return
    later, earlier = (known > 0).mean(), (known < 0).mean()
    if later < earlier:
        first, second, later, earlier = second, first, earlier, later
    if later < 0.95 or earlier > 0.02:
        return
    same = 1 - later - earlier
    test: Test = "not_after" if same <= 0.02 else "before"
    yield Suspect(
        kind="impossible", rule=f"{second} comes after {first}", column=second, level="high",
        told=f"no later than {first}" if test == "not_after" else f"earlier than {first}",
        remedy="correct the table, or drop such rows before it is read",
        probe=Probe(column=second, test=test, values=(first,)),
    )  # fmt: skip
