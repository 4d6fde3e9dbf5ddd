"""What a table's columns do to a model: tell the target, tell nothing, name rows; and how its classes are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from distml.clean import as_text
from distml.config.base import Task
from distml.config.run import RunConfig
from distml.inspection import signs
from distml.inspection.columns import Columns
from distml.inspection.counts import NumberCounts, TextCounts
from distml.inspection.leaks import Leaks
from distml.inspection.probe import Probe
from distml.inspection.remark import Remark, counted, shown
from distml.inspection.suspect import Suspect
from distml.inspection.targets import Target, positive_class
from distml.inspection.view import View
from distml.schema import Column

_FEW = 5  # rows that differ in a column that is nearly constant
_MANY_ROWS = 100
_EXTREME = 0.01  # share of the smaller class: "extreme" in Google's guide to imbalanced data, below 0.2 "moderate"
_FEW_ROWS = 10  # of a class
_TELLING, _NEARLY_ALL = 0.2, 0.9  # skills


def target_of(view: View, config: RunConfig) -> Target | None:
    """The target as its column was counted; None where it takes fewer than two values."""
    counts = view.columns[view.target.name].counts if view.target.name in view.columns else None
    if isinstance(counts, NumberCounts):
        numbers = view.numbers(view.target.name)
        numbers = numbers[np.isfinite(numbers)]
        if len(counts.values) < 2 or not len(numbers):
            return None
        quartiles = tuple(np.quantile(numbers, np.linspace(0, 1, 5)).tolist())
        return Target(name=view.target.name, task="regression", quartiles=quartiles)
    if counts is None or not counts.is_whole or len(counts.rows) < 2:
        return None
    rows = dict(sorted(counts.rows.items(), key=lambda pair: (-pair[1], pair[0])))
    positive: Any = config.data.positive
    if positive is None or as_text(positive) not in rows:
        positive = positive_class(rows)[0] if len(rows) == 2 else None
    task: Task = "binary" if len(rows) == 2 else "multiclass"
    return Target(name=view.target.name, task=task, counts=rows, positive=positive)


def suspect_roles(view: View, columns: Columns, leaks: Leaks) -> Iterator[Suspect]:
    yield from (_leak(remark) for remark in leaks.certain)
    yield from (_leak(remark, is_certain=False) for remark in leaks.likely if _stands_out(remark, leaks))
    constant = [suspect for column in view.features for suspect in _constant(view, column)]
    yield from constant
    known = {suspect.column for suspect in constant} | {remark.column for remark in leaks.certain}
    yield from (_id(remark) for remark in columns.ids if remark.column not in known)
    for remark in columns.useless:
        name = str(remark.column)
        if name not in known and name in view.columns and not _is_told(view, name):
            yield _useless(remark)


def _is_told(view: View, name: str) -> bool:
    """Whether what is wrong with a column that is of no use is told of its values."""
    values = view.values(name)
    is_text = isinstance(view.columns[name].counts, TextCounts)
    return signs.why_constant(values) is not None or (is_text and signs.odd_form(values) is not None)


def _stands_out(remark: Remark, leaks: Leaks) -> bool:
    """Whether a column tells more than others that tell something too: among noise, whatever is no noise stands out,
    and that is no finding (`distml init` asks of those, too)."""
    gone = {other.column for other in (*leaks.certain, *leaks.likely)}
    skill = {lone.column: lone.skill for lone in leaks.scores}
    others = max((value for name, value in skill.items() if name not in gone), default=0.0)
    return others >= _TELLING or skill.get(str(remark.column), 0.0) >= _NEARLY_ALL


def _leak(remark: Remark, *, is_certain: bool = True) -> Suspect:
    return Suspect(
        kind="leakage", rule="a feature doesn't tell the target by itself", column=remark.column,
        level="high" if is_certain else "medium", told=remark.text,
        remedy=remark.change or f"data: {{exclude: [{remark.column}]}}", probe=_present(remark),
    )  # fmt: skip


def _present(remark: Remark) -> Probe:
    assert remark.column is not None
    return Probe(column=remark.column, test="present")


def _id(remark: Remark) -> Suspect:
    return Suspect(
        kind="id", rule="a feature doesn't name rows", column=remark.column, level="medium", told=remark.text,
        remedy=f"data: {{roles: {{id: [{remark.column}]}}}}", probe=_present(remark),
    )  # fmt: skip


def _useless(remark: Remark) -> Suspect:
    return Suspect(
        kind="useless", rule="a feature says something alone", column=remark.column, level="low", told=remark.text,
        remedy=f"data: {{kinds: {{{remark.column}: text}}}}" if "free text" in remark.text else
        f"data: {{exclude: [{remark.column}]}}", probe=_present(remark),
    )  # fmt: skip


def _constant(view: View, column: Column) -> Iterator[Suspect]:
    """A feature of one value, or of none, in all rows or all but a few, missing ones being a value of their own."""
    scan = view.columns.get(column.name)
    if scan is None or not scan.num_rows:
        return
    counts = scan.counts
    if not counts.is_whole:
        return
    values = counts.values.tolist() if isinstance(counts, NumberCounts) else list(counts.rows)
    rows = counts.rows.tolist() if isinstance(counts, NumberCounts) else list(counts.rows.values())
    top = int(np.argmax([*rows, scan.nulls]))
    most = [*rows, scan.nulls][top]
    others = scan.num_rows - most
    if others and not (scan.num_rows >= _MANY_ROWS and others < _FEW):
        return
    told = "no value" if top == len(rows) else f"the value {shown(values[top])}"
    if others and top < len(rows):
        probe = Probe(column=column.name, test="in", values=(values[top],))
    elif others:
        probe = Probe(column=column.name, test="missing")
    else:
        probe = None
    yield Suspect(
        kind="constant", rule="a feature varies", column=column.name, level="medium", probe=probe, count=most,
        told=f"{told} in {'every row' if not others else f'all rows but {others}'}",
        remedy=f"data: {{exclude: [{column.name}]}}",
    )  # fmt: skip


def suspect_classes(view: View, target: Target, threshold: float) -> Iterator[Suspect]:
    """Classes so unequal that a model may overlook one, or so small that nothing is learned of them."""
    if not target.counts:
        return
    total = sum(target.counts.values())
    few = {label: count for label, count in target.counts.items() if count < _FEW_ROWS}
    if few and isinstance(view.columns[target.name].counts, TextCounts):
        yield Suspect(
            kind="rare_class", rule="a class has rows to learn it from", column=target.name, level="high",
            told=counted({shown(label): count for label, count in list(few.items())[:6]}),
            remedy="bring more rows of it, unite it with another by clean.replace, or drop it by clean.rules",
            probe=Probe(column=target.name, test="in", values=tuple(few)),
        )  # fmt: skip
    label, count = min(target.counts.items(), key=lambda pair: (pair[1], pair[0]))
    share = count / total
    error = np.sqrt(share * (1 - share) / total)
    if share + 2 * error < threshold * 2 / len(target.counts):  # and not by the luck of the draw
        yield Suspect(
            kind="imbalance", rule="classes are of like size", column=target.name,
            level="medium" if share < _EXTREME else "low",
            told=f"{shown(label)} has {share:.2g} of the rows: accuracy says little here",
            remedy="search: {metric: log_loss} or roc_auc; evaluate per class",
            probe=Probe(column=target.name, test="in", values=(label,)),
        )  # fmt: skip
