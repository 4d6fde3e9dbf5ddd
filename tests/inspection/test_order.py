from __future__ import annotations

import numpy as np
import pytest

from inspected import clean_frame, count, inspected, seen


def look(tmp_path, frame):
    frame.to_csv(tmp_path / "t.csv", index=False)
    return inspected(tmp_path / "t.csv")


@pytest.mark.parametrize(("start", "end"), [(0, 200), (1500, 2000)])
def test_a_column_that_stands_still_at_one_end(tmp_path, start, end):
    frame = clean_frame(2000, 51)
    frame.loc[start : end - 1, "share"] = 0.25
    found = seen(look(tmp_path, frame), "stuck", "share")
    assert found.count == end - start and "0.25 in each of the " in found.told


def test_a_sorted_column_and_one_of_few_changes_stand_still_nowhere(tmp_path):
    frame = clean_frame(2000, 52).assign(
        batch=np.repeat(np.arange(20), 100), shown=np.arange(2000) // 500 * 7 % 5, rare=np.r_[[1] * 3, [0] * 1997]
    )
    assert not [o for o in look(tmp_path, frame).observations if o.kind == "stuck"]


def test_a_stretch_is_told_even_where_values_are_missing_elsewhere_too(tmp_path):
    frame = clean_frame(2000, 53)
    frame.loc[800:860, "gaps"] = np.nan
    found = seen(look(tmp_path, frame), "null_spike", "gaps")
    first = int(found.told.split("t.csv:")[1].split()[0])
    assert 790 <= first <= 800 and found.count == int(frame["gaps"].isna().sum())


def test_drift_of_the_target_and_of_columns(tmp_path):
    frame = clean_frame(2000, 54, "number")
    frame["y"] += np.linspace(0, 12, 2000)
    frame["normal"] += np.linspace(0, 60, 2000)
    found = look(tmp_path, frame)
    assert seen(found, "target_drift", "y").told.startswith("mean by tenth: ")
    assert [o.column for o in found.observations if o.kind == "drift"] == ["normal"]


def test_classes_one_after_the_other(tmp_path):
    frame = clean_frame(900, 55, "three").sort_values("y")
    assert seen(look(tmp_path, frame), "target_drift", "y").told == "its classes stand together"


# Between tables


def both(tmp_path, source, test):
    source.to_csv(tmp_path / "t.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    return inspected(tmp_path / "t.csv", data={"test": {"uri": str(tmp_path / "test.csv")}})


def test_a_test_table_drawn_otherwise(tmp_path):
    test = clean_frame(1000, 57)
    test["normal"] += 10
    test["city"] = np.where(np.arange(1000) % 3 == 0, "Rome", test["city"])
    found = both(tmp_path, clean_frame(2000, 56), test)
    drifted = {o.column: o.level for o in found.observations if o.kind == "drift"}
    assert drifted == {"normal": "medium", "city": "medium"}


def test_a_column_that_only_the_test_table_has(tmp_path):
    test = clean_frame(1000, 57).assign(more=1)
    found = both(tmp_path, clean_frame(2000, 56), test)
    assert count(found, "schema_change", "more", "test") == 1000


def test_a_test_table_without_a_feature_is_refused(tmp_path):
    found = both(tmp_path, clean_frame(500, 56), clean_frame(300, 57).drop(columns="dice"))
    (refused,) = found.refused
    assert (refused.kind, refused.table) == ("unreadable", "test") and "dice" in refused.told
    assert refused.examples[0].file.endswith("test.csv")


def test_categories_that_a_test_table_writes_otherwise(tmp_path):
    test = clean_frame(1000, 57)
    test["city"] = test["city"].str.upper()
    found = seen(both(tmp_path, clean_frame(2000, 56), test), "new_category", "city", "test")
    assert found.count == 1000 and '"ROME": "Rome"' in found.remedy
