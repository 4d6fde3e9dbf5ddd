"""One dirty table written in many ways, and all that preparation tells of it, to be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from distml.config import RunConfig
from distml.data import SPLITS, Engine, LocalEngine
from distml.lifecycle.prepare import Look, prepare
from distml.lifecycle.prepared import Prepared
from distml.storage import Storage
from distml.summary import TableSummary


def dirty_table(n: int = 1500, seed: int = 0, num_classes: int = 3) -> pa.Table:
    """Texts as a careless CSV has them: gaps, white space, variants, impossible values, rows that stand twice."""
    rng = np.random.default_rng(seed)
    amount, count = rng.normal(50, 20, n), rng.poisson(3, n)
    town = rng.choice(["Ulm", "Trier", "Hof", "Jena"], n, p=[0.5, 0.3, 0.15, 0.05])
    label = (4 * amount + count + rng.normal(size=n)).astype(int) % num_classes
    days = np.datetime64("1968-01-01") + rng.integers(0, 2000, n).astype("timedelta64[D]")
    columns = {
        "amount": with_gaps([f"{value:.3f}" for value in amount], rng, "?"),
        "count": with_gaps(count.astype(str), rng, "-7"),
        "town": with_gaps(np.where(rng.random(n) < 0.9, town, np.char.add(" ", np.char.upper(town))), rng),
        "day": with_gaps(days.astype(str), rng),
        "household": with_gaps((rng.integers(0, n // 6, n)).astype(str), rng),
        "weight": [f"{value:.2f}" for value in rng.uniform(0.5, 2, n)],
        "note": rng.choice(["a", "b"], n).tolist(),
        "label": with_gaps([f"label {code}" for code in label], rng),
    }
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return pa.concat_tables([table, table.take(rng.integers(0, n, n // 20))]).take(rng.permutation(n + n // 20))


def with_gaps(values: Any, rng: np.random.Generator, gap: str = "") -> list[str]:
    return np.where(rng.random(len(values)) < 0.04, gap, values).tolist()


def with_overlap(test: pa.Table, source: pa.Table) -> pa.Table:
    """A test table that some rows of the source stand in as well."""
    return pa.concat_tables([test, source.slice(3, 40)])


# Ways to write a table


def as_one_csv(folder: Path, table: pa.Table) -> None:
    pyarrow.csv.write_csv(table, folder / "a.csv")


def as_seven_csvs(folder: Path, table: pa.Table) -> None:
    for i, rows in enumerate(np.array_split(np.arange(table.num_rows), 7)):
        pyarrow.csv.write_csv(table.take(rows), folder / f"{i}.csv")


def as_shuffled_csvs(folder: Path, table: pa.Table) -> None:
    as_seven_csvs(folder, table.take(np.random.default_rng(1).permutation(table.num_rows)))


def as_unequal_csvs(folder: Path, table: pa.Table) -> None:
    """One row, no row, most rows, and the rest, backwards."""
    table = table.take(np.arange(table.num_rows)[::-1])
    for i, (start, end) in enumerate([(0, 1), (1, 1), (1, table.num_rows - 9), (table.num_rows - 9, table.num_rows)]):
        pyarrow.csv.write_csv(table.slice(start, end - start), folder / f"{i}.csv")


def as_parquet(folder: Path, table: pa.Table) -> None:
    pq.write_table(table, folder / "a.parquet", row_group_size=130)


Way = Callable[[Path, pa.Table], None]
WAYS: dict[str, Way] = {
    "one file": as_one_csv,
    "seven files": as_seven_csvs,
    "another order": as_shuffled_csvs,
    "unequal files": as_unequal_csvs,
    "row groups": as_parquet,
}


# What is told


@dataclass
class Told:
    """A preparation, and the summaries that it was made from."""

    prepared: Prepared
    summaries: dict[str, TableSummary] = field(default_factory=dict)

    @property
    def num_findings(self) -> Counter:
        found: Counter = Counter()
        for finding in self.prepared.findings:
            found[finding.rule, finding.column, finding.action, finding.table] += finding.count
        return found


def tell(
    folder: Path,
    way: Way,
    tables: dict[str, pa.Table],
    sections: dict[str, Any],
    engine: Engine | None = None,
    look: Callable[[Look], list] = lambda seen: [],
) -> Told:
    """Prepares tables, the source and perhaps a test table, written in some way."""
    data = {"target": "label", **sections.get("data", {})}
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        way(folder / name, table)
        data[name] = {"uri": str(folder / name), "missing": ["", "?"]}
    config = RunConfig.model_validate({"name": "demo", **sections, "data": data})
    told: dict[str, TableSummary] = {}

    def note(seen: Look) -> list:
        told.update(seen.summaries)
        return look(seen)

    prepared = prepare(config, Storage(folder / "store"), engine or LocalEngine(), note)
    return Told(prepared, told)


def assert_same(a: Told, b: Told) -> None:
    """Rows, splits, folds, summaries and findings are equal; what is fitted from moments nearly so."""
    assert a.num_findings == b.num_findings
    assert a.prepared.num_rows == b.prepared.num_rows
    assert a.prepared.plan == b.prepared.plan
    assert a.prepared.target == b.prepared.target or a.prepared.schema.target.kind == "numeric"
    for split in SPLITS:
        assert_same_summary(a.summaries[split], b.summaries[split])
        for recipe in a.prepared.pipelines:
            assert_same_features(a.prepared.features(recipe, split), b.prepared.features(recipe, split))
        if split != "train":
            (table, rows), (other, other_rows) = a.prepared.rows(split), b.prepared.rows(split)
            assert rows.tolist() == other_rows.tolist()
            assert table.equals(other)
    assert_same_summary(a.prepared.baseline, b.prepared.baseline)


def assert_same_summary(a: TableSummary, b: TableSummary) -> None:
    assert list(a.columns) == list(b.columns)
    for name, column in a.columns.items():
        other = b.columns[name]
        for known in ("count", "nulls", "categories", "min", "max"):
            assert getattr(column, known) == getattr(other, known), (name, known)
        for known in ("smallest", "edges", "bins"):
            np.testing.assert_array_equal(getattr(column, known), getattr(other, known), (name, known))
        np.testing.assert_allclose([column.mean, column.m2], [other.mean, other.m2], rtol=1e-12, err_msg=name)
    assert a.sample_hashes.tolist() == b.sample_hashes.tolist()
    assert (a.sample is None) == (b.sample is None)
    assert a.sample is None or a.sample.equals(b.sample)
    assert list(a.by_target) == list(b.by_target)
    for name, counts in a.by_target.items():
        cells, others = counts.cells, b.by_target[name].cells
        assert cells.drop_columns("total").equals(others.drop_columns("total"))
        np.testing.assert_allclose(cells.column("total"), others.column("total"), rtol=1e-12, atol=1e-9)


def assert_same_features(a: Any, b: Any) -> None:
    arrays, others = a.arrays(), b.arrays()
    assert list(arrays) == list(others)
    for name, array in arrays.items():
        assert array.dtype == others[name].dtype
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, others[name], rtol=1e-6, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(array, others[name], err_msg=name)
