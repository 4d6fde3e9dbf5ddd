"""`inspect`: everything that can be said of a table without rules written for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distml.clean import MAX_EXAMPLES, Finding, RowCleaner
from distml.clean.cleaner import EVERY_COLUMN
from distml.config.run import RunConfig
from distml.data.engine import Engine
from distml.errors import DataError, DistmlError
from distml.inspection.columns import Columns, look_at_columns
from distml.inspection.leaks import Leaks, find_leaks
from distml.inspection.numbers import suspect_numbers
from distml.inspection.observation import Example, Level, Observation, worst_first
from distml.inspection.order import suspect_order
from distml.inspection.roles import suspect_classes, suspect_roles, target_of
from distml.inspection.rows import keys_of, suspect_overlap, suspect_rows
from distml.inspection.suspect import Suspect, observe
from distml.inspection.tables import suspect_files, suspect_test
from distml.inspection.targets import Target
from distml.inspection.texts import suspect_texts
from distml.inspection.view import View
from distml.reading.changes import check_same
from distml.reading.undecodable import NULL_BYTE, encoding_rule

RULES = {
    "missing_token": "tokens", "sentinel": "tokens", "type": "types", "encoding": "types",
    "impossible": "impossible", "spelling": "spelling", "constant": "constant", "id": "ids", "rare": "rare",
    "rare_class": "rare", "duplicate_key": "keys", "schema_change": "layout", "new_category": "layout",
    "null_spike": "stretches", "stuck": "stretches", "leakage": "leakage", "outlier": "outliers",
    "imbalance": "imbalance", "drift": "drift", "target_drift": "drift", "missing": "missing",
}  # fmt: skip
"""Kind of an observation -> the key of `validate` that says what is done about it."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A source and its test table looked at. `observations` are the worst first."""

    source: View
    test: View | None
    target: Target | None
    columns: Columns = field(default_factory=Columns)
    leaks: Leaks = field(default_factory=Leaks)
    observations: tuple[Observation, ...] = ()

    @property
    def refused(self) -> tuple[Observation, ...]:
        """What a rule of the config doesn't let pass."""
        return tuple(seen for seen in self.observations if seen.level == "fail")

    def with_observations(self, more: Iterable[Observation]) -> Inspection:
        return dataclasses.replace(self, observations=worst_first((*self.observations, *more)))


def inspect(
    config: RunConfig, cleaner: RowCleaner, engine: Engine, more: Callable[[View], Iterable[Suspect]] = lambda view: ()
) -> Inspection:
    """Looks at a config's tables, cleaned as a run would clean them; what can't be read is an observation too.

    `more` suspects what only the caller knows of, a written schema's rules for one.
    """
    keys = keys_of(config)
    source = View.open("source", config.data.source, cleaner, engine, keys)
    test = None
    if config.data.test is not None:
        test = View.open("test", config.data.test, cleaner, engine, keys)
    target = target_of(source, config)
    columns = look_at_columns(source.sample, cleaner.schema) if source.sample.num_rows else Columns()
    leaks = Leaks()
    if target is not None:
        leaks = find_leaks(source.sample, cleaner.schema, target, columns)
    suspects = list(_suspects(config, source, target, columns.without(leaks.columns), leaks))
    suspects += more(source)
    if test is not None:
        suspects += suspect_overlap(source, test, config)
    seen = [*told_by_reading(source, config), *observe(source, suspects, engine)]
    if test is not None:
        seen += [
            *told_by_reading(test, config),
            *observe(test, [*_suspects_of_test(config, source, test), *more(test)], engine),
        ]
    return Inspection(
        source=source, test=test, target=target, columns=columns, leaks=leaks,
        observations=worst_first(acted(observation, config) for observation in seen),
    )  # fmt: skip


def _suspects(
    config: RunConfig, view: View, target: Target | None, columns: Columns, leaks: Leaks
) -> Iterator[Suspect]:
    yield from _suspects_alone(config, view)
    yield from suspect_roles(view, columns, leaks)
    if target is not None:
        yield from suspect_classes(view, target, config.validation.imbalance.threshold)
    yield from suspect_order(view, target, columns)
    for column in view.features:
        scan = view.columns.get(column.name)
        if scan is not None and scan.num_rows and scan.nulls / scan.num_rows > config.validation.max_missing:
            yield Suspect(
                kind="missing", rule=f"at most {config.validation.max_missing:.0%} of a feature's values are missing",
                column=column.name, level="medium", count=scan.nulls,
                remedy=f"data: {{exclude: [{column.name}]}}, or raise validate.max_missing",
            )  # fmt: skip


def _suspects_alone(config: RunConfig, view: View) -> Iterator[Suspect]:
    """What either table shows without the other, and without the target."""
    outliers = config.validation.outliers
    yield from suspect_files(view)
    yield from suspect_rows(view, config)
    yield from suspect_texts(view)
    yield from suspect_numbers(view, outliers.method, outliers.threshold)


def _suspects_of_test(config: RunConfig, source: View, test: View) -> Iterator[Suspect]:
    yield from _suspects_alone(config, test)
    yield from suspect_test(source, test, config.validation.drift.min_psi)


def acted(seen: Observation, config: RunConfig) -> Observation:
    """An observation with what the config says is done about it."""
    rules = config.validation
    rule = getattr(rules, RULES.get(seen.kind, ""), None)
    action: Any = getattr(rule, "action", rule)
    if seen.kind == "duplicate":
        action = config.clean.duplicates if seen.table == "source" else "keep"
    if action == "drop" and seen.kind == "leakage" and seen.level != "high":
        action = "warn"  # a suspicion costs no column
    if action is None or (action == "fail" and seen.kind == "leakage" and seen.level != "high"):
        return seen
    return dataclasses.replace(seen, action=action, level="fail" if action == "fail" else seen.level)


def told_by_reading(view: View, config: RunConfig) -> list[Observation]:
    """What reading and cleaning a table came upon, and what they did about it."""
    merged: dict[tuple[Any, ...], Observation] = {}
    for found, start in zip(view.scanned, view.starts, strict=False):
        for finding in found.findings:
            _add(merged, _of_finding(view, finding, int(start)))
        for finding in found.reading:
            _add(merged, _of_line(view, finding, config))
        if found.error is not None:
            _add(merged, _of_error(found.error, found.path, found.num_rows, view))
    of_files = _of_files(view)
    if of_files is not None:  # a file that lacks a column is told by it, not by what cleaning it ended with
        merged = {key: seen for key, seen in merged.items() if seen.rule != EVERY_COLUMN}
    return [*merged.values(), *([] if of_files is None else [of_files])]


def _of_files(view: View) -> Observation | None:
    """What a run ends with at files of different columns, from what was read of each."""
    import pyarrow as pa

    told = [found for found in view.scanned if found.layout]
    if view.source.schema_changes != "fail" or not told:
        return None
    try:
        check_same({found.path: pa.schema([(name, pa.null()) for name in found.layout]) for found in told})
    except DataError as error:
        return _of_error(error, error.where or "", None, view)
    return None


def _add(merged: dict[tuple[Any, ...], Observation], seen: Observation) -> None:
    key = (seen.kind, seen.rule, seen.column, seen.action, seen.told)
    before = merged.get(key)
    if before is not None:
        seen = dataclasses.replace(
            before, count=before.count + seen.count, share=(before.share or 0) + (seen.share or 0),
            examples=(*before.examples, *seen.examples)[:MAX_EXAMPLES],
        )  # fmt: skip
    merged[key] = seen


_LEVELS: dict[str, Level] = {"fail": "fail", "quarantine": "medium", "drop": "medium"}


def _of_finding(view: View, finding: Finding, start: int) -> Observation:
    examples = tuple(view.example(row + start, value) for row, value in finding.examples)
    return Observation(
        kind="cleaned" if finding.action != "fail" else "type", rule=finding.rule, column=finding.column,
        level=_LEVELS.get(finding.action, "low"), count=finding.count, share=finding.count / max(view.num_raw, 1),
        action=finding.action, remedy=finding.remedy, table=view.name, examples=examples,
    )  # fmt: skip


def _of_line(view: View, finding: Finding, config: RunConfig) -> Observation:
    """What reading found: lines. What a run would end at is told so, although it was read on here."""
    table = config.data.source if view.name == "source" or config.data.test is None else config.data.test
    kind = "skipped"
    if finding.rule in (NULL_BYTE, encoding_rule(table)):
        kind = "encoding"
    elif finding.rule.startswith("every line has"):
        kind = "ragged"
    would_end = {"encoding": table.undecodable, "ragged": table.ragged}.get(kind) == "fail"
    is_private = any(column.private for column in view.cleaner.schema.columns)  # a line holds every column's values
    examples = tuple(
        Example(file=finding.file or "", row=None, line=line, value="(private)" if is_private else text)
        for line, text in finding.examples
    )
    return Observation(
        kind=kind, rule=finding.rule, column=finding.column, level="fail" if would_end else "low",
        count=finding.count, share=finding.count / max(view.num_raw, 1), action="fail" if would_end else finding.action,
        remedy=finding.remedy, table=view.name, examples=examples,
    )  # fmt: skip


def _of_error(error: DistmlError, path: str, num_rows: int | None, view: View) -> Observation:
    received = error.received or ""
    value = error.where if error.where and error.where != path else ""
    return Observation(
        kind="unreadable", rule=error.rule, column=None, level="fail", count=1, action="fail", told=received,
        remedy=error.remedy, table=view.name, examples=(Example(file=path, row=num_rows, value=value),),
    )  # fmt: skip
