"""What a detector suspects: told in words, with the probe or the rows that make it a count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distml.clean import MAX_EXAMPLES
from distml.clean.findings import Taken
from distml.data.engine import Engine
from distml.inspection.observation import Example, Level, Observation
from distml.inspection.probe import Probe, Tally
from distml.inspection.view import View


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """An observation to be. Its rows are those that `probe` is true of, or `rows`, int64 [k] of the table; or there
    are `count` of them, for none is an example of it; or it is of whole `files`, by path."""

    kind: str
    rule: str
    column: str | None
    level: Level
    told: str = ""
    remedy: str | None = None
    probe: Probe | None = None
    rows: np.ndarray | None = None
    count: int = 0
    action: Taken = "warn"
    files: tuple[str, ...] = ()


def observe(view: View, suspects: list[Suspect], engine: Engine) -> list[Observation]:
    """Suspects counted over all rows of a table; one that no row bears out is dropped."""
    probed = [suspect for suspect in suspects if suspect.probe is not None]
    found = dict(zip(map(id, probed), view.count([s.probe for s in probed if s.probe], engine), strict=True))
    seen = [_observation(view, suspect, found.get(id(suspect))) for suspect in suspects]
    return [observation for observation in seen if observation.count]


def _observation(view: View, suspect: Suspect, tally: Tally | None) -> Observation:
    count = suspect.count
    examples: tuple[Example, ...] = ()
    if tally is not None:
        count, examples = tally.count, tuple(view.example(row, value) for row, value in tally.examples)
    elif suspect.rows is not None:
        count = len(suspect.rows)
        examples = tuple(view.example(int(row), "") for row in suspect.rows[:MAX_EXAMPLES])
    elif suspect.files:
        count = len(suspect.files)
        examples = tuple(Example(file=path, row=None, value="") for path in suspect.files[:MAX_EXAMPLES])
    schema = view.cleaner.schema
    column = schema[suspect.column] if suspect.column is not None and suspect.column in schema else None
    is_private = column is not None and column.private
    remedy = suspect.remedy
    if column is not None and column.derived is not None and (remedy or "").startswith("data: "):
        remedy = f"leave it out of features.derived, or correct what columns.{column.name} is made of"
    return Observation(
        kind=suspect.kind, rule=suspect.rule, column=suspect.column, level=suspect.level, count=count,
        share=count / max(view.num_rows, 1), action=suspect.action, table=view.name, examples=examples,
        told="in a private column, whose values aren't shown" if is_private else suspect.told,
        remedy=None if is_private else remedy, unit="file" if suspect.files else "row",
    )  # fmt: skip
