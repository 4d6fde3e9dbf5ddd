"""An inspection is the same whatever the files, blocks and the sample's size; what it says of lines and privacy."""

from __future__ import annotations

import numpy as np
import pytest

from distml.inspection import scan
from distml.inspection.page import grouped
from inspected import clean_frame, count, inspected, seen


@pytest.fixture(scope="module")
def faulty():
    frame = clean_frame(3000, 21)
    frame.loc[[5, 900, 2900], "city"] = "?"
    frame.loc[[6, 901, 2901, 7], "city"] = "PARIS"
    frame.loc[10:15, "dice"] = -999
    frame.loc[[20, 2000], "lognormal"] = [9e9, -4e9]
    frame.loc[1200:1500, "share"] = np.nan
    frame.loc[:700, "exponential"] = 1.5
    frame.loc[[50, 51], :] = frame.loc[[49, 49], :].to_numpy()
    return frame.astype(clean_frame(3, 21).dtypes.to_dict())


def told(found):
    places = {path: start for path, start, _ in found.source.files}
    return [
        (o.kind, o.column, o.level, o.count, [places[e.file] + e.row for e in o.examples if e.row is not None])
        for o in found.observations
    ]


def test_the_same_whatever_the_files(faulty, tmp_path):
    faulty.to_csv(tmp_path / "one.csv", index=False)
    (tmp_path / "many").mkdir()
    for k, (start, end) in enumerate([(0, 700), (700, 701), (701, 1300), (1300, 3000)]):
        faulty[start:end].to_csv(tmp_path / "many" / f"{k}.csv", index=False)
    one = inspected(tmp_path / "one.csv")
    assert {"missing_token", "spelling", "sentinel", "outlier", "null_spike", "stuck", "duplicate"} <= {
        o.kind for o in one.observations
    }
    assert told(inspected(tmp_path / "many")) == told(one)


def test_counts_are_exact_where_the_sample_is_a_part(faulty, tmp_path, monkeypatch):
    faulty.to_csv(tmp_path / "t.csv", index=False)
    whole = inspected(tmp_path / "t.csv")
    monkeypatch.setattr(scan, "MAX_ROWS", 2000)
    part = inspected(tmp_path / "t.csv")
    assert whole.source.is_whole and not part.source.is_whole and part.source.sample.num_rows == 2000
    exact = ("missing_token", "spelling", "sentinel", "outlier", "null_spike", "stuck", "duplicate")
    assert [o for o in told(part) if o[0] in exact] == [o for o in told(whole) if o[0] in exact]


def test_row_groups_of_a_file_are_placed_in_it(faulty, tmp_path):
    faulty.to_parquet(tmp_path / "t.parquet", row_group_size=500)
    found = inspected(tmp_path / "t.parquet")
    assert [example.row for example in seen(found, "missing_token", "city").examples] == [5, 900, 2900]


def test_columns_that_keep_their_values_to_themselves(faulty, tmp_path):
    faulty.to_csv(tmp_path / "t.csv", index=False)
    found = inspected(tmp_path / "t.csv", data={"private": ["city", "dice"]})
    token = seen(found, "missing_token", "city")
    assert (token.count, token.remedy) == (3, None)
    assert {example.value for example in token.examples} == {"(private)"}
    assert "999" not in str(seen(found, "sentinel", "dice"))


def test_what_a_config_declares_is_no_finding(faulty, tmp_path):
    faulty.to_csv(tmp_path / "t.csv", index=False)
    found = inspected(
        tmp_path / "t.csv",
        data={"source": {"missing": ["?"]}, "exclude": ["share", "exponential"]},
        clean={"replace": {"dice": {-999: None}, "city": {"PARIS": "Paris"}},
               "rules": {"lognormal": {"min": 0, "max": 1e6, "on_violation": "null"}}},
    )  # fmt: skip
    assert {o.kind for o in found.observations} <= {"cleaned", "duplicate"}
    assert count(found, "duplicate") == 2


def test_the_worst_comes_first_and_like_ones_together(faulty, tmp_path):
    faulty.assign(town=faulty["city"]).to_csv(tmp_path / "t.csv", index=False)
    found = inspected(tmp_path / "t.csv", validate={"tokens": "fail"})
    levels = [o.level for o in found.observations]
    assert levels == sorted(levels, key=["fail", "high", "medium", "low"].index) and levels[0] == "fail"
    groups = [group.columns for group in grouped(found.observations) if group.first.kind == "missing_token"]
    assert groups == [["city", "town"]]


def test_a_table_without_rows_or_of_one_class(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n" + "1,a\n" * 30)
    found = inspected(tmp_path / "t.csv")
    assert found.target is None and count(found, "constant", "x") == 30


def test_files_of_other_columns_are_told_as_a_run_tells_them(tmp_path):
    for name, header in (("a", "x,z,y"), ("b", "X,z,y"), ("c", "x,z,y")):
        lines = "\n".join(f"{i * 7 % 50},{i * 3 % 11},{'ab'[i * 5 % 7 % 2]}" for i in range(100))
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{lines}\n")
    found = inspected(tmp_path)
    (refused,) = found.refused
    assert refused.told.startswith("no column x, which ") and "rename: {X: x}" in refused.remedy
    assert [example.place for example in refused.examples] == ["b.csv"]
    change = seen(found, "schema_change")
    assert (change.count, change.unit, change.told) == (1, "file", "b.csv, unlike a.csv: has X, lacks x")


def test_a_key_is_not_given_twice_by_a_copy_that_is_dropped(tmp_path):
    rng = np.random.default_rng(5)
    numbers = 10_000 + rng.permutation(400)
    lines = [f"{k},{rng.normal():.4f},{rng.choice(['a', 'b'])}" for k in numbers]
    (tmp_path / "t.csv").write_text("Nr,x,y\n" + "\n".join([*lines, *lines[:2]]) + "\n")
    found = inspected(tmp_path / "t.csv")
    assert (count(found, "duplicate"), count(found, "duplicate_key", "Nr")) == (2, 0)
    other = f"{numbers[0]},9.5,a"
    (tmp_path / "t.csv").write_text("Nr,x,y\n" + "\n".join([*lines, other, *lines[:2]]) + "\n")
    about = seen(inspected(tmp_path / "t.csv"), "duplicate_key", "Nr")
    assert (about.count, about.examples[0].row) == (1, 400) and "data.roles.id" not in about.remedy
    declared = inspected(tmp_path / "t.csv", data={"roles": {"id": ["Nr"]}})
    assert "take it off data.roles.id" in seen(declared, "duplicate_key", "Nr").remedy


def test_a_derived_column_is_left_out_where_it_is_made(tmp_path):
    clean_frame(300, 9).to_csv(tmp_path / "t.csv", index=False)
    derived = {"same": "dice - dice + 1"}
    about = seen(inspected(tmp_path / "t.csv", features={"derived": derived}), "constant", "same")
    assert "features.derived" in about.remedy and "exclude" not in about.remedy
