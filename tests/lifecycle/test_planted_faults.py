"""Ten faults planted in a clean table of two files and a test table: each is found with its file and row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from distml.data import LocalEngine
from distml.inspection.observation import Observation
from distml.lifecycle.validate import Validation, validate
from distml.storage import Storage
from inspected import clean_frame, config_of

N = 900


class Tables:
    """Two files of a table and a test table, to be written as they are or with a fault."""

    def __init__(self, folder: Path):
        self.folder = folder
        frame = clean_frame(2 * N, 11)
        frame.insert(0, "order_id", [f"r{k:05d}" for k in np.random.default_rng(1).permutation(2 * N)])
        self.first, self.second = frame[:N].copy(), frame[N:].reset_index(drop=True)
        self.test = clean_frame(600, 12)
        self.test.insert(0, "order_id", [f"t{k:05d}" for k in range(600)])

    def write(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        self.first.to_csv(self.folder / "data" / "a.csv", index=False)
        self.second.to_csv(self.folder / "data" / "b.csv", index=False)
        self.test.to_csv(self.folder / "test.csv", index=False)

    def change(self, file: str, line: int, change: Callable[[bytes], bytes]) -> None:
        """Changes a line, counted from 1, of a file that is written."""
        path = self.folder / "data" / file
        lines = path.read_bytes().splitlines(keepends=True)
        lines[line - 1] = change(lines[line - 1])
        path.write_bytes(b"".join(lines))

    def validate(self) -> Validation:
        data = {"test": {"uri": str(self.folder / "test.csv")}, "roles": {"id": ["order_id"]}}
        config = config_of(self.folder / "data", data=data)
        return validate(config, Storage(self.folder / "scratch"), LocalEngine())


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


def found(tables: Tables, **wanted: Any) -> Observation:
    """The observation with the given fields; the others that the fault brought are no more than two."""
    told = [o for o in tables.validate().observations if o.kind != "cleaned"]
    chosen = [o for o in told if all(getattr(o, key) == value for key, value in wanted.items())]
    assert len(chosen) == 1, told
    assert len(told) <= 3, told
    return chosen[0]


def places(observation: Observation) -> list[tuple[str, int | None]]:
    return [(Path(example.file).name, example.row) for example in observation.examples]


def test_without_a_fault_there_is_no_finding(tables):
    tables.write()
    done = tables.validate()
    assert [o for o in done.observations if o.kind != "cleaned"] == []
    assert not done.is_refused and done.prepared is not None


def test_type(tables):
    tables.second["poisson"] = tables.second["poisson"].astype(object)
    tables.second.loc[[70, 71], "poisson"] = ["many", "3 or so"]
    tables.write()
    seen = found(tables, column="poisson", level="fail")
    assert (seen.count, places(seen)) == (2, [("b.csv", 70), ("b.csv", 71)])
    assert [example.value for example in seen.examples] == ["'many'", "'3 or so'"]


def test_type_in_the_rows_that_the_schema_is_inferred_from(tables):
    tables.first["poisson"] = tables.first["poisson"].astype(object)
    tables.first.loc[[5, 6, 7, 8], "poisson"] = ["many", "few", "some", "3 or so"]
    tables.write()
    seen = found(tables, kind="type", column="poisson")
    assert (seen.count, places(seen)[0]) == (4, ("a.csv", 5))
    assert seen.told.startswith("4 of ") and '{poisson: {"many": null, "few": null' in seen.remedy


def test_null_spike(tables):
    tables.first.loc[300:420, "share"] = np.nan
    tables.write()
    seen = found(tables, kind="null_spike", column="share")
    assert (seen.count, places(seen)[0]) == (121, ("a.csv", 300))
    assert "a.csv:300 to a.csv:420" in seen.told


def test_range(tables):
    tables.second.loc[17, "normal"] = 5000.0
    tables.second.loc[[20, 21], "normal"] = [-900.0, -901.5]
    tables.write()
    told = [o for o in tables.validate().observations if o.kind == "outlier"]
    assert [(o.column, o.count, places(o)) for o in told] == [
        ("normal", 2, [("b.csv", 20), ("b.csv", 21)]),
        ("normal", 1, [("b.csv", 17)]),
    ]
    assert "min: " in told[0].remedy and "max: " in told[1].remedy


def test_new_category(tables):
    tables.test.loc[[3, 9], "city"] = "Atlantis"
    tables.write()
    seen = found(tables, kind="new_category", column="city")
    assert (seen.count, seen.table, places(seen)) == (2, "test", [("test.csv", 3), ("test.csv", 9)])
    assert "'Atlantis'" in seen.told


def test_leak(tables):
    for frame in (tables.first, tables.second, tables.test):
        rng = np.random.default_rng(len(frame))
        frame["outcome"] = np.where(frame["y"] == "yes", 5.0, 1.0) + rng.normal(0, 0.3, len(frame))
    tables.write()
    seen = found(tables, kind="leakage", column="outcome")
    assert seen.level == "high" and places(seen)[0] == ("a.csv", 0)
    assert seen.remedy == "data: {exclude: [outcome]}"


def test_split_overlap(tables):
    columns = [name for name in tables.test.columns if name != "order_id"]
    tables.test.loc[:9, columns] = tables.second.loc[40:49, columns].to_numpy()
    tables.test = tables.test.astype(tables.second.dtypes.to_dict())
    tables.write()
    seen = found(tables, kind="overlap")
    assert (seen.count, seen.action) == (10, "drop")
    assert places(seen) == [("b.csv", 40 + k) for k in range(5)]


def test_duplicate_keys(tables):
    tables.second.loc[[100, 200, 300], "order_id"] = tables.first.loc[[1, 2, 3], "order_id"].to_numpy()
    tables.write()
    seen = found(tables, kind="duplicate_key", column="order_id")
    assert (seen.count, places(seen)) == (3, [("b.csv", 100), ("b.csv", 200), ("b.csv", 300)])


def test_encoding(tables):
    tables.write()
    tables.change("b.csv", 31, lambda line: line.replace(b",Rome,", b",M\xfcnchen,").replace(b",Paris,", b",K\xf6ln,")
                  .replace(b",Oslo,", b",Z\xfcrich,").replace(b",Bern,", b",Gen\xe8ve,"))  # fmt: skip
    seen = found(tables, kind="encoding", column=None)
    assert (seen.level, seen.count) == ("fail", 1)
    assert [(Path(e.file).name, e.line) for e in seen.examples] == [("b.csv", 31)]


def test_ragged_line(tables):
    tables.write()
    tables.change("a.csv", 12, lambda line: line.replace(b",", b",,", 1))
    seen = found(tables, kind="ragged")
    assert (seen.level, seen.count) == ("fail", 1)
    assert [(Path(e.file).name, e.line) for e in seen.examples] == [("a.csv", 12)]


def test_schema_change_between_files(tables):
    tables.second = tables.second.rename(columns={"dice": "die"})
    tables.write()
    seen = found(tables, kind="schema_change")
    assert "b.csv" in seen.told and "has die" in seen.told and "lacks dice" in seen.told
    assert places(seen)[0][0] == "b.csv"
    assert tables.validate().is_refused


def test_a_column_of_another_type_in_one_file(tables):
    tables.first["member"] = tables.first["member"] == "true"
    for name, frame in (("a", tables.first), ("b", tables.second.assign(member="maybe"))):
        path = tables.folder / "data" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        frame.to_parquet(path)
    tables.test.to_csv(tables.folder / "test.csv", index=False)
    assert isinstance(pd.read_parquet(tables.folder / "data" / "a.parquet")["member"][0], np.bool_)
    told = tables.validate().observations
    changed = next(o for o in told if o.kind == "schema_change")
    assert changed.column == "member" and "b.parquet" in changed.told
    refused = next(o for o in told if o.kind == "type" and o.column == "member")
    assert (refused.level, refused.count, places(refused)[0]) == ("fail", N, ("b.parquet", 0))
