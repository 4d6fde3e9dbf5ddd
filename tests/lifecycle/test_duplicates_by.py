"""Rows that a key names alike: one is kept, the same one however the table is cut, and everything follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distml.config import RunConfig
from distml.data import SPLITS, LocalEngine
from distml.errors import DataError
from distml.lifecycle.prepare import prepare
from distml.lifecycle.prepared import Prepared
from distml.storage import Storage


@pytest.fixture
def table() -> pd.DataFrame:
    """600 rows of 400 customers, some without a name, two of one customer at one time."""
    rng = np.random.default_rng(3)
    customer = [f"c{i}" for i in rng.integers(0, 400, 600)]
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(600), "h")
    frame = pd.DataFrame({"customer": customer, "at": at, "x": rng.normal(size=600), "y": rng.choice(["a", "b"], 600)})
    frame.loc[::50, "customer"] = None
    frame.loc[7, ["customer", "at"]] = frame.loc[9, ["customer", "at"]] = ["twin", pd.Timestamp("2025-01-01")]
    return frame


def prepared(
    folder: Path, table: pd.DataFrame, num_files: int, engine: LocalEngine | None = None, **clean: Any
) -> Prepared:
    source = folder / f"source-{num_files}-{len(list(folder.iterdir()))}"
    source.mkdir()
    for i, piece in enumerate(np.array_split(np.arange(len(table)), num_files)):
        table.iloc[piece].to_csv(source / f"{i}.csv", index=False)
    data = {"source": {"uri": str(source)}, "target": "y", "roles": {"time": "at", "id": "customer"}}
    clean = {"duplicates_by": "customer", **clean}
    config = RunConfig.model_validate({"name": "demo", "storage": str(folder), "data": data, "clean": clean})
    return prepare(config, Storage(folder / "store"), engine or LocalEngine())


def latest(table: pd.DataFrame) -> pd.DataFrame:
    named = table[table.customer.notna()].sort_values("at").drop_duplicates("customer", keep="last")
    return pd.concat([named, table[table.customer.isna()]])


def counted(found: Prepared) -> set[tuple[Any, ...]]:
    return {(finding.rule, finding.column, finding.count, finding.action) for finding in found.findings}


def num_rows(found: Prepared) -> int:
    return sum(found.num_rows.values())


def test_the_latest_of_a_name_is_kept_however_the_table_is_cut(tmp_path, table):
    found = [
        prepared(tmp_path, table, 1),
        prepared(tmp_path, table, 5),
        prepared(tmp_path, table.sample(frac=1, random_state=0), 3, LocalEngine(max_shelved_bytes=1, num_threads=4)),
    ]
    wanted = latest(table)
    finding = next(f for f in found[0].findings if f.rule == "no two rows have the same customer")
    assert (finding.count, finding.action) == (len(table) - len(wanted), "drop")
    for one in found:
        assert num_rows(one) == len(wanted)
        assert counted(one) == counted(found[0])
        for split in SPLITS:
            assert one.features("dense", split).rows.tolist() == found[0].features("dense", split).rows.tolist()
    held_out = pd.concat([found[0].rows(split)[0].to_pandas() for split in ("validation", "test")])
    kept = set(zip(wanted.customer.fillna(""), wanted.x.round(9), strict=True))
    assert set(zip(held_out.customer.fillna(""), held_out.x.round(9), strict=True)) - kept in (
        set(),
        {("twin", round(table.x[7], 9))},
        {("twin", round(table.x[9], 9))},
    )


def test_summaries_are_of_the_rows_that_are_kept(tmp_path, table):
    found = prepared(tmp_path, table.drop(index=9), 4)
    rows = found.features("dense", "train").rows
    assert found.baseline.count == len(rows) == found.num_rows["train"]
    held_out = pd.concat([found.rows(split)[0].to_pandas() for split in ("validation", "test")])
    wanted = latest(table.drop(index=9))
    training = wanted[~wanted.x.round(9).isin(held_out.x.round(9))]
    assert len(training) == len(rows)
    assert found.baseline.columns["x"].mean == pytest.approx(training.x.mean(), rel=1e-9)
    assert found.baseline.columns["x"].min == pytest.approx(training.x.min())
    assert found.baseline.columns["x"].bins.sum() == len(training)


def test_names_that_differ_change_nothing(tmp_path, table):
    table = latest(table).assign(customer=lambda frame: [f"c{i}" for i in range(len(frame))])
    assert num_rows(prepared(tmp_path, table, 2)) == len(table)


def test_kept_rows_are_counted_and_others_refused(tmp_path, table):
    found = prepared(tmp_path, table, 2, duplicates="keep")
    assert num_rows(found) == len(table)
    finding = next(f for f in found.findings if f.rule == "no two rows have the same customer")
    assert (finding.count, finding.action) == (len(table) - len(latest(table)), "keep")
    with pytest.raises(DataError, match="customer: no two rows have the same"):
        prepared(tmp_path, table, 2, duplicates="fail")


def test_a_name_is_of_columns_that_are_there(tmp_path, table):
    with pytest.raises(DataError, match=r"clean.duplicates_by names columns.*received client"):
        prepared(tmp_path, table, 1, duplicates_by=["client"])
