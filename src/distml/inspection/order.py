"""What changes along a table: a column that stands still at first, a stretch of missing values, drift."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from distml.clean import as_text
from distml.inspection.columns import Columns
from distml.inspection.leaks import as_array
from distml.inspection.observation import file_name
from distml.inspection.probe import Probe
from distml.inspection.remark import shown
from distml.inspection.scores import score_columns
from distml.inspection.stretch import at_most, chance_of_stretch
from distml.inspection.suspect import Suspect
from distml.inspection.targets import Target
from distml.inspection.view import View

RATE = 0.001  # of false alarms over all columns of a table
_MIN_RUN, _MIN_SHARE = 50, 0.01  # rows, and their share of a table, worth telling
_MIN_MISSING = 10  # rows of a stretch
_MIN_ROWS = 200
_ORDERED = 0.1  # skill, of a row's place in the table, that is worth telling
_MANY_CHANGES = 0.05  # share of rows that differ from the one before: below it a column stands still everywhere


def suspect_order(view: View, target: Target | None, columns: Columns) -> Iterator[Suspect]:
    yield from _stretches(view)
    yield from _runs(view)
    if target is not None:
        yield from _target_drift(view, target)
    yield from _drift(view, columns)


def _stretches(view: View) -> Iterator[Suspect]:
    """Stretches of rows in which far more values are missing than elsewhere."""
    for name, scan in view.columns.items():
        found = scan.stretch
        length = found.end - found.start
        if not found.best or length >= scan.num_rows or found.best < _MIN_MISSING:
            continue
        inside = (found.best + 0.25 * length) / 1.25  # the rows missing in it, from its score
        rest = scan.num_rows - length
        outside = max(scan.nulls - inside, 0) / rest
        if chance_of_stretch(found.best, at_most(outside, rest), scan.num_rows) * len(view.columns) > RATE:
            continue
        rows = view.rows.place[[found.start, found.end - 1]]
        (first, at), (last, to) = (view.place(int(row)) for row in rows)
        yield Suspect(
            kind="null_spike", rule="values are missing evenly along the table", column=name, level="high",
            told=f"missing in {inside / length:.0%} of the rows from {file_name(first)}:{at} to "
            f"{file_name(last)}:{to}, elsewhere in {outside:.2%}{_by_file(view, name)}",
            remedy=f"find out why; a column that came later is left out by data: {{exclude: [{name}]}}",
            probe=Probe(column=name, test="missing"),
        )  # fmt: skip


def _by_file(view: View, name: str) -> str:
    """The file in which most of a column is missing, where there are several."""
    shares = {
        found.path: found.columns[name].nulls / max(found.columns[name].num_rows, 1)
        for found in view.scanned if name in found.columns
    }  # fmt: skip
    worst = max(shares, key=lambda path: shares[path])
    return f"; most in {file_name(worst)}, {shares[worst]:.0%}" if len(shares) > 1 else ""


def _runs(view: View) -> Iterator[Suspect]:
    """Columns that keep one value in the table's first or last rows and then change from row to row."""
    for name, scan in view.columns.items():
        run = scan.run
        for length, is_first in ((run.leading, True), (run.trailing, False)):
            rest = run.num_rows - length
            if min(length, rest) < max(_MIN_RUN, _MIN_SHARE * run.num_rows) or run.changes < _MANY_CHANGES * rest:
                continue
            # As if each row kept the value of the one before with the chance that rows of the rest do.
            kept = 1 - run.changes / rest
            if length * np.log(max(kept, 1e-9)) > np.log(RATE / (2 * len(view.columns) * run.num_rows)):
                continue
            row = int(view.rows.place[0 if is_first else run.num_rows - 1])
            border = int(view.rows.place[length - 1 if is_first else run.num_rows - length])
            value = _value(view, name, row)
            if value == "None":  # told as a stretch of missing values
                continue
            file, place = view.place(border)
            yield Suspect(
                kind="stuck", rule="a column changes along the table", column=name, level="high",
                told=f"{value} in {'each of the first' if is_first else 'each of the last'} {length:,} rows, "
                f"{'up to' if is_first else 'from'} {file_name(file)}:{place}: not measured there?",
                remedy="leave those rows out, or the column by data.exclude",
                rows=np.arange(length) if is_first else np.arange(run.num_rows - length, run.num_rows),
            )  # fmt: skip


def _value(view: View, name: str, row: int) -> str:
    """A row's value, or that of the sample's row next to it."""
    k = min(int(np.searchsorted(view.sample_rows, row)), len(view.sample_rows) - 1)
    return shown(view.values(name)[k].as_py())


def _target_drift(view: View, target: Target) -> Iterator[Suspect]:
    values = view.values(target.name)
    present = values.is_valid().to_numpy(zero_copy_only=False)
    position = view.position[present]
    if len(position) < _MIN_ROWS:
        return
    wanted = target.encode(values.drop_null())
    skill = score_columns({"": position}, wanted, target.task)[0].skill
    if skill >= beyond_chance(target):
        yield Suspect(
            kind="target_drift", rule="the target doesn't change along the table", column=target.name, level="medium",
            told=told_by_tenth(position, wanted, target),
            remedy="where the order is that of time: split: {kind: time}, and data: {roles: {time: …}}",
            count=view.num_rows,
        )  # fmt: skip


def beyond_chance(target: Target) -> float:
    """A skill that a row's place reaches by chance hardly ever: four standard errors of 2 AUC - 1, which Mann and
    Whitney (1947) give for two classes, and at least what is worth telling."""
    if not target.counts:
        return _ORDERED
    few, total = target.num_others, sum(target.counts.values())
    return max(_ORDERED, float(8 * np.sqrt((total + 1) / (12 * few * max(total - few, 1)))))


def told_by_tenth(position: np.ndarray, wanted: np.ndarray, target: Target) -> str:
    """The target in each tenth of a table: the positive class's share, or the mean."""
    tenth = np.minimum((np.argsort(np.argsort(position)) * 10) // len(position), 9)
    if target.task == "multiclass":
        return "its classes stand together"
    if target.task == "binary":
        assert target.positive is not None
        label, shares = as_text(target.positive), target.as_positive(wanted)
        return f"share of {shown(label)} by tenth: " + " ".join(f"{shares[tenth == k].mean():.2g}" for k in range(10))
    means = (float(f"{wanted[tenth == k].mean():.4g}") for k in range(10))
    return "mean by tenth: " + " ".join(f"{mean:,.10g}" for mean in means)


def _drift(view: View, columns: Columns) -> Iterator[Suspect]:
    """Features that tell where in the table a row stands; columns that count rows or tell the time always do."""
    names = [c.name for c in view.features if c.kind not in ("datetime", "image") and c.name not in columns.left_out]
    if view.sample.num_rows < _MIN_ROWS or not names:
        return
    scores = score_columns({name: as_array(view.sample.column(name)) for name in names}, view.position, "regression")
    for lone in scores:
        if lone.skill >= max(_ORDERED, 30 / view.sample.num_rows):
            yield Suspect(
                kind="drift", rule="a column doesn't change along the table", column=lone.column, level="low",
                told="tells by itself where in the table a row stands",
                remedy="where the order is that of time, split by time, or scores come out too high",
                count=view.num_rows,
            )  # fmt: skip
