"""What a config's tables are like, and what a run would make of them, without training: the command `validate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from distml.clean import RowCleaner
from distml.config import RunConfig
from distml.data.engine import Engine
from distml.errors import DataError
from distml.inspection.inspect import Inspection, inspect
from distml.inspection.observation import Observation
from distml.inspection.page import render
from distml.inspection.profile import profile
from distml.inspection.scan import tolerant
from distml.lifecycle.prepare import check_source, prepare
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.rules import schema_rules
from distml.monitor.drift import compare
from distml.reading.changes import RULES_OF_FILES
from distml.storage import Storage
from distml.summary import TableSummary

RATE = 0.001  # of false alarms over the columns of a split


@dataclass(frozen=True, kw_only=True)
class Validation:
    """An inspection and, unless the table is refused, what preparation comes to."""

    name: str
    inspection: Inspection
    prepared: Prepared | None
    splits: tuple[dict[str, Any], ...] = ()  # name, rows, target, drifted
    done: tuple[Observation, ...] = ()  # what fitting features does by itself: no fault of the table
    columns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def observations(self) -> tuple[Observation, ...]:
        return self.inspection.observations

    @property
    def is_refused(self) -> bool:
        return bool(self.inspection.refused)

    def to_dict(self) -> dict[str, Any]:
        found, target = self.inspection, self.inspection.target
        schema = found.source.cleaner.schema
        described = {column["name"]: column for column in self.columns}
        rows = self.prepared.num_rows if self.prepared else {"source": found.source.num_rows}
        return {
            "name": self.name,
            "task": self.prepared.target.task if self.prepared else target and target.task,
            "rows": rows,
            "read": {view.name: view.num_raw for view in (found.source, found.test) if view is not None},
            "refused": self.is_refused,
            "columns": [{**asdict(column), **described.get(column.name, {})} for column in schema.columns],
            "splits": list(self.splits),
            "findings": [observation.to_dict() for observation in self.observations],
            "done": [observation.to_dict() for observation in self.done],
        }

    def page(self) -> str:
        return render(self.inspection, self.name, self.splits, self.columns)


def validate(config: RunConfig, scratch: Storage, engine: Engine) -> Validation:
    """Looks at a config's tables, and prepares them as a run would. What a run would refuse is an observation.

    Raises `DataError` for a table that isn't there, or lacks a column that the config names.
    """
    found = inspect(config, fit_cleaner(config), engine, schema_rules(config))
    prepared = None
    if not found.refused:
        try:
            prepared = prepare(config, scratch, engine)
        except DataError as error:
            found = found.with_observations([refusal(error)])
    splits = tuple(compare_splits(prepared, config.validation.drift.min_psi)) if prepared else ()
    if prepared is not None:
        compared = [split for split in splits if found.test is None or split["name"] != "test"]
        found = found.with_observations(_of_splits(compared, prepared))
    done = () if prepared is None else tuple(_of_preparing(prepared, found))
    return Validation(
        name=config.name, inspection=found, prepared=prepared, splits=splits, columns=profile(found), done=done
    )


def fit_cleaner(config: RunConfig) -> RowCleaner:
    """The cleaner of a run's rows, from the first rows read on past what a run would end at."""
    tables = {name: tolerant(table) for name in ("source", "test") if (table := getattr(config.data, name)) is not None}
    return check_source(config.model_copy(update={"data": config.data.model_copy(update=tables)}))


def refusal(error: DataError) -> Observation:
    """What a run would end with."""
    told = "; in ".join(part for part in (error.received, error.where) if part)
    return Observation(
        kind="refused", rule=error.rule, column=None, level="fail", count=1, action="fail",
        told=f"a run ends here: {error.rule}" + (f"; received {told}" if told else ""), remedy=error.remedy, table=None,
    )  # fmt: skip


def _of_preparing(prepared: Prepared, found: Inspection) -> list[Observation]:
    """Findings of preparation that the inspection hasn't: those of fitting features."""
    known = {(seen.rule, seen.column) for seen in found.observations}
    kinds = {seen.kind for seen in found.observations}
    return [
        Observation(
            kind="prepared", rule=finding.rule, column=finding.column, level="low", count=finding.count,
            action=finding.action, remedy=finding.remedy, table=finding.table,
            unit="file" if finding.rule in RULES_OF_FILES else "row",
        )
        for finding in prepared.findings
        if (finding.rule, finding.column) not in known and not ("overlap" in kinds and "test row" in finding.rule)
    ]  # fmt: skip


def compare_splits(prepared: Prepared, min_psi: float) -> Iterable[dict[str, Any]]:
    """Each split's rows and target, and the columns that are drawn otherwise than in training."""
    baseline = prepared.baseline
    yield {"name": "train", "rows": prepared.num_rows["train"], "target": _target(prepared, baseline), "drifted": []}
    for split in ("validation", "test"):
        table, _ = prepared.rows(split)
        summary = baseline.fresh()
        summary.update(table.select(list(summary.columns)))
        drifted = (
            compare(baseline, summary, false_alarm_rate=RATE, min_effect=min_psi).drifted if table.num_rows else []
        )
        yield {"name": split, "rows": table.num_rows, "target": _target(prepared, summary), "drifted": drifted}


def _target(prepared: Prepared, summary: TableSummary) -> str:
    """A split's target in words: the mean, or the shares of its classes."""
    column = summary.columns[prepared.schema.target.name]
    if prepared.schema.target.private:
        return "(private)"
    if column.is_number:
        return f"mean {column.mean:.6g}" if column.present else "–"
    counts = column.categories or {}
    top = sorted(counts, key=lambda label: (-counts[label], label))[:3]
    return ", ".join(f"{label} {counts[label] / column.present:.1%}" for label in top)


def _of_splits(splits: Iterable[dict[str, Any]], prepared: Prepared) -> list[Observation]:
    told = {column.name for column in (*prepared.schema.features, prepared.schema.target)}
    return [
        Observation(
            kind="split_drift", rule="splits are drawn alike", column=name, level="medium", count=split["rows"],
            told=f"{split['name']} rows are drawn otherwise than training rows", table=None,
            remedy="of a split by time that is the truth; else see data.roles.group, and whether rows repeat",
        )
        for split in splits
        for name in split["drifted"]
        if name in told
    ]  # fmt: skip
