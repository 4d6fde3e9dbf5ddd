"""What a table's columns hold: figures, histograms, categories, and what each tells of the target."""

from __future__ import annotations

from typing import Any

import numpy as np

from distml.inspection.counts import NumberCounts, TextCounts
from distml.inspection.inspect import Inspection
from distml.inspection.numbers import moment
from distml.inspection.targets import Target
from distml.inspection.view import View
from distml.schema import Column

NUM_BINS = 30
NUM_CATEGORIES = 12


def profile(found: Inspection) -> list[dict[str, Any]]:
    """Each column of an inspection, JSON-ready. A private column's values, and what bounds them, are left out."""
    skill = {lone.column: lone.told for lone in found.leaks.scores}
    views = [view for view in (found.source, found.test) if view is not None]
    columns = []
    for column in found.source.cleaner.schema.kept:
        if column.name not in found.source.columns:
            continue
        edges = _edges(found.source, column)
        columns.append(
            {
                "name": column.name, "kind": column.kind, "dtype": column.dtype, "role": column.role,
                "private": column.private, "alone": skill.get(column.name),
                "tables": {view.name: _figures(view, column, edges, found.target) for view in views
                           if column.name in view.columns},
            }
        )  # fmt: skip
    return columns


def _figures(view: View, column: Column, edges: np.ndarray | None, target: Target | None) -> dict[str, Any]:
    scan = view.columns[column.name]
    known: dict[str, Any] = {
        "rows": scan.num_rows, "missing": scan.nulls, "missing_share": scan.nulls / max(scan.num_rows, 1),
    }  # fmt: skip
    counts = scan.counts
    if column.private or column.kind == "image":
        return known
    if isinstance(counts, NumberCounts):
        known["distinct"] = len(counts.values) if counts.is_whole else None
        if counts.present:
            known |= _numbers(view, column, counts)
        if edges is not None:
            known["histogram"] = _histogram(view, column, counts, edges, target)
    else:
        known["distinct"] = len(counts.rows) if counts.is_whole else None
        known["top"] = _top(view, column, counts, target)
    return known


def _numbers(view: View, column: Column, counts: NumberCounts) -> dict[str, Any]:
    sample = view.numbers(column.name)
    median = float(np.nanmedian(sample)) if np.isfinite(sample).any() else float("nan")
    figures = {"min": counts.values[0], "mean": counts.total / counts.present, "median": median,
               "max": counts.values[-1]}  # fmt: skip
    if column.kind == "datetime":
        return {name: moment(float(value)) for name, value in figures.items()}
    values, rows = counts.low
    return {
        **{name: float(value) for name, value in figures.items()},
        "zeros": int(rows[values == 0].sum()), "negative": int(rows[values < 0].sum()),
    }  # fmt: skip


def _edges(view: View, column: Column) -> np.ndarray | None:
    """Edges of a histogram, float64 [b + 1]: one bin a value for few whole numbers, else equal ones over the inner
    99 % and what lies within half their width of them."""
    counts = view.columns[column.name].counts
    if not isinstance(counts, NumberCounts) or not counts.present or column.private:
        return None
    values = counts.values
    if counts.is_whole and len(values) <= NUM_BINS and (values == np.round(values)).all() and column.kind == "numeric":
        steps = np.diff(values).min() if len(values) > 1 else 1.0
        if len(values) < 2 or np.ptp(values) / steps <= NUM_BINS + 6:
            return np.append(np.arange(values[0], values[-1] + steps / 2, steps), values[-1] + steps) - steps / 2
    sample = view.numbers(column.name)
    low, high = np.nanquantile(sample, [0.005, 0.995])
    near = sample[np.abs(sample - (low + high) / 2) <= high - low]
    low, high = (near.min(), near.max()) if len(near) else (low, high)
    return np.linspace(low, high if high > low else low + 1, NUM_BINS + 1)


def _histogram(
    view: View, column: Column, counts: NumberCounts, edges: np.ndarray, target: Target | None
) -> dict[str, Any]:
    """Rows below, within and above the bins; where the table is large, those of its sample."""
    sample = view.numbers(column.name)
    if counts.is_whole:
        values, rows = counts.values, counts.rows
    else:
        values = sample[np.isfinite(sample)]
        rows = np.ones(len(values), np.int64)
    place = np.clip(np.searchsorted(edges, values, side="right"), 0, len(edges))
    place[values == edges[-1]] = len(edges) - 1
    within = np.bincount(place, rows, len(edges) + 1).astype(np.int64)
    bins = np.searchsorted(edges, sample, side="right") - 1
    bins[(sample == edges[-1])] = len(edges) - 2
    inside = np.isfinite(sample) & (bins >= 0) & (bins < len(edges) - 1)
    return {
        "edges": edges.tolist(), "counts": within[1:-1].tolist(), "below": int(within[0]), "above": int(within[-1]),
        "is_exact": counts.is_whole,
        "target": _target_by(view, np.where(inside, bins, -1), len(edges) - 1, target, column),
    }  # fmt: skip


def _top(view: View, column: Column, counts: TextCounts, target: Target | None) -> list[dict[str, Any]]:
    """The most frequent categories, counted in the sample where there are too many to count."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = view.values(column.name)
    known = counts.rows if counts.is_whole else TextCounts.of(values.drop_null(), len(values)).rows
    top = sorted(known, key=lambda text: (-known[text], text))[:NUM_CATEGORIES]
    total = sum(known.values())
    codes = pc.fill_null(pc.index_in(values, value_set=pa.array(top, pa.string())), -1)
    by = _target_by(view, codes.to_numpy(zero_copy_only=False), len(top), target, column) or [None] * len(top)
    return [
        {"value": text, "rows": known[text], "share": known[text] / max(total, 1), "target": mean}
        for text, mean in zip(top, by, strict=True)
    ]


def _target_by(
    view: View, bins: np.ndarray, num_bins: int, target: Target | None, column: Column
) -> list[float | None] | None:
    """The mean target of each bin's rows, or the share of the positive class; None where there is no such number."""
    if target is None or target.task == "multiclass" or column.name == target.name or view.name == "test":
        return None
    values = view.values(target.name)
    present = values.is_valid().to_numpy(zero_copy_only=False) & (bins >= 0)
    wanted = target.encode(values.filter(present)).astype(float)
    if target.task == "binary":
        wanted = target.as_positive(wanted)
    chosen = bins[present]
    rows = np.bincount(chosen, minlength=num_bins)
    sums = np.bincount(chosen, wanted, num_bins)
    return [float(total / count) if count else None for total, count in zip(sums, rows, strict=True)]
