"""What sets a table's files apart from each other, and a test table from its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from distml.hashing import hash_column
from distml.inspection.counts import NumberCounts, TextCounts
from distml.inspection.leaks import as_array
from distml.inspection.observation import file_name
from distml.inspection.probe import Probe
from distml.inspection.remark import shown
from distml.inspection.suspect import Suspect
from distml.inspection.targets import respelt_as
from distml.inspection.view import View
from distml.schema import Column

RATE = 0.001  # of false alarms over all columns
_NUM_BINS = 10


def suspect_files(view: View) -> Iterator[Suspect]:
    """Files with other columns, or columns of other types, than the table's first file."""
    known = [(found, index) for index, found in enumerate(view.scanned) if found.layout]
    if not known:
        return
    first = known[0][0]
    seen = {first.path}
    for found, index in known[1:]:
        if found.path in seen:
            continue
        seen.add(found.path)
        changes = list(_changes(found.layout, first.layout))
        if changes:
            yield Suspect(
                kind="schema_change", rule="the files of a table have the same columns", level="high",
                column=changes[0][0] if len(changes) == 1 else None,
                told=f"{file_name(found.path)}, unlike {file_name(first.path)}: "
                + ", ".join(told for _, told in changes),
                remedy="name the files of one layout by data.source.uri, or write them alike",
                rows=np.arange(view.starts[index], view.starts[index] + found.num_rows) if found.num_rows else None,
                files=() if found.num_rows else (found.path,),
            )  # fmt: skip


def _changes(layout: Mapping[str, str], first: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Columns that one file has, lacks or holds as another type, each with that in words."""
    for name, kind in layout.items():
        if name not in first:
            yield name, f"has {name}"
        elif kind != first[name]:
            yield name, f"has {name} as {kind}, not {first[name]}"
    yield from ((name, f"lacks {name}") for name in first if name not in layout)


def suspect_test(source: View, test: View, min_psi: float) -> Iterator[Suspect]:
    """A test table's columns that its source doesn't have, and columns whose values are others; `test` is told."""
    theirs, own = (next((dict(f.layout) for f in view.scanned if f.layout), {}) for view in (test, source))
    for name in theirs:
        if name not in own:
            yield Suspect(
                kind="schema_change", rule="train and test tables have the same columns", column=name, level="low",
                told="only the test table has it", remedy="none is needed: it is left out", count=test.num_rows,
            )  # fmt: skip
    shared = [c for c in (*source.features, source.target) if c.name in test.columns and c.name in source.columns]
    for column in shared:
        if column.kind == "image":
            continue
        unknown = list(_unknown(source, test, column))
        yield from unknown
        if not unknown or column.role == "feature":
            yield from _shifted(source, test, column, min_psi, RATE / len(shared))


def _unknown(source: View, test: View, column: Column) -> Iterator[Suspect]:
    counts, theirs = source.columns[column.name].counts, test.columns[column.name].counts
    if not isinstance(counts, TextCounts) or not isinstance(theirs, TextCounts):
        return
    if not (counts.is_whole and theirs.is_whole):
        return
    new = [text for text in theirs.rows if text not in counts.rows]
    if not new:
        return
    is_target = column.role == "target"
    written = respelt_as(new, counts.rows)
    pairs = ", ".join(f'"{a}": "{b}"' for a, b in list(written.items())[:6])
    yield Suspect(
        kind="new_category", rule="a test table's categories are those of the source", column=column.name,
        level="high" if is_target else "low", told=", ".join(map(shown, new[:6])),
        remedy=f"clean: {{replace: {{{column.name}: {{{pairs}}}}}}}" if written else
        "they are read as unknown" if not is_target else "correct the labels",
        probe=Probe(column=column.name, test="in", values=tuple(new)),
    )  # fmt: skip


def _shifted(source: View, test: View, column: Column, min_psi: float, rate: float) -> Iterator[Suspect]:
    psi, p_value = drift_between(*(as_values(view, column) for view in (source, test)))
    if psi >= min_psi and p_value <= rate:
        yield Suspect(
            kind="drift", rule="train and test tables are drawn alike", column=column.name,
            level="high" if column.role == "target" else "medium", told=f"population stability index {psi:.2f}",
            remedy="scores on the test table tell what the model meets there; see the histograms of both",
            count=test.num_rows,
        )  # fmt: skip


def as_values(view: View, column: Column) -> np.ndarray:
    """A column's sample as float64 [n] with NaN, or for texts as hashes, int64 [n], alike in both tables."""
    values = view.values(column.name)
    if isinstance(view.columns[column.name].counts, NumberCounts):
        return as_array(values)
    return hash_column(values).view(np.int64)


def drift_between(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The population stability index of two samples less its mean under no drift, and the p-value of Pearson's test.

    Numbers are cut at the deciles of the first one, missing values are a bin of their own, and of categories the rare
    ones are one bin.

    >>> rng = np.random.default_rng(0)
    >>> psi, p = drift_between(rng.normal(size=2000), rng.normal(size=2000))
    >>> bool(psi < 0.05), bool(p > 0.001)
    (True, True)
    >>> bool(drift_between(rng.normal(size=2000), rng.normal(1, size=2000))[0] > 0.5)
    True
    """
    from scipy.stats import chi2

    both = np.stack(_binned(a, b)).astype(float)
    n, m = both.sum(axis=1)
    if not n or not m:
        return 0.0, 1.0
    common = both.sum(axis=0) * min(n, m) / (n + m) >= 5  # what the chi-squared approximation asks for
    pooled = np.column_stack([both[:, common], both[:, ~common].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    if pooled.shape[1] < 2:
        return 0.0, 1.0
    fitted = pooled.sum(axis=1, keepdims=True) * pooled.sum(axis=0) / pooled.sum()
    p_value = float(chi2.sf(np.sum((pooled - fitted) ** 2 / fitted), pooled.shape[1] - 1))
    first, second = ((row + 0.5) / (row + 0.5).sum() for row in pooled)
    psi = float(np.sum((second - first) * np.log(second / first))) - (pooled.shape[1] - 1) * (1 / n + 1 / m)
    return max(psi, 0.0), p_value


def _binned(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if a.dtype.kind in "iu":
        values, place = np.unique(np.concatenate([a, b]), return_inverse=True)
        return (
            np.bincount(place[: len(a)], minlength=len(values)), np.bincount(place[len(a) :], minlength=len(values)),
        )  # fmt: skip
    known = a[np.isfinite(a)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _NUM_BINS + 1)[1:-1])) if len(known) else np.empty(0)
    bins = [np.where(np.isfinite(x), np.searchsorted(edges, x, side="right") + 1, 0) for x in (a, b)]
    return np.bincount(bins[0], minlength=len(edges) + 2), np.bincount(bins[1], minlength=len(edges) + 2)
