from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from distml.lifecycle import prepare
from inspected import count, inspected, seen


def look(tmp_path, x, **sections):
    n = len(x)
    y = np.random.default_rng(9).normal(size=n)
    pd.DataFrame({"x": x, "y": y}).to_csv(tmp_path / "t.csv", index=False)
    return inspected(tmp_path / "t.csv", **sections)


def drawn(values, n=400):
    return np.random.default_rng(0).choice(values, n).astype(object)


@pytest.mark.parametrize("token", ["?", "NA", "n/a", "-", "NULL", "#N/A"])
def test_a_missing_token_among_categories(tmp_path, token):
    x = drawn(["red apple", "green pear", "blue plum"])
    x[[4, 8]] = token
    found = seen(look(tmp_path, x, data={"source": {"missing": []}}), "missing_token", "x")
    assert (found.count, [e.row for e in found.examples]) == (2, [4, 8])


def test_a_declared_token_is_no_finding(tmp_path):
    x = drawn(["red", "green", "blue"])
    x[[4, 8]] = "?"
    found = look(tmp_path, x, data={"source": {"missing": ["?"]}})
    assert [o.kind for o in found.observations] == ["cleaned"]


def test_one_category_written_in_several_ways(tmp_path):
    x = drawn(["Yes", "No"])
    x[:3], x[5], x[6] = "YES", "yes", " no"
    found = look(tmp_path, x)
    spelling = seen(found, "spelling", "x")
    assert spelling.count == 5
    assert spelling.remedy == 'clean: {replace: {x: {"YES": "Yes", "yes": "Yes", "no": "No"}}}'
    assert count(found, "cleaned", "x") == 1  # the white space


def test_white_space_within_and_around_a_category(tmp_path):
    x = drawn(["New York", "Rome"])
    x[3], x[4] = "New  York", "new york "
    found = look(tmp_path, x, clean={"strip": False})
    assert count(found, "spelling", "x") == 2


def test_texts_of_another_encoding(tmp_path):
    x = drawn(["Köln", "Rome", "Oslo"])
    x[[2, 3]] = "K\u00c3\u00b6ln"
    found = seen(look(tmp_path, x), "encoding", "x")
    assert (found.count, [e.row for e in found.examples]) == (2, [2, 3])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1,5", "2,7", "3,25"], "decimal comma"),
        (["$5", "$7.50"], "currency"),
        (["5%", "7%"], "percent"),
        (["31/01/2024", "01/02/2024"], "ISO"),
    ],
)
def test_numbers_and_dates_that_are_read_as_categories(tmp_path, values, told):
    found = seen(look(tmp_path, drawn(values)), "type", "x")
    assert (found.count, found.level) == (400, "high") and told in found.told


def test_numbers_that_begin_after_the_first_rows(tmp_path, monkeypatch):
    (tmp_path / "t").mkdir()
    y = np.arange(300.0)
    pd.DataFrame({"x": [None] * 300, "y": y}).to_csv(tmp_path / "t" / "a.csv", index=False)
    pd.DataFrame({"x": np.arange(300) % 50 / 2, "y": y}).to_csv(tmp_path / "t" / "b.csv", index=False)
    monkeypatch.setattr(prepare, "HEAD_ROWS", 200)
    found = inspected(tmp_path / "t")
    assert count(found, "type", "x") == 300
    assert seen(found, "type", "x").remedy == "data: {kinds: {x: numeric}}"


def test_numbers_declared_to_be_categories_are_what_they_are(tmp_path):
    found = look(tmp_path, drawn([1, 2, 3]), data={"kinds": {"x": "categorical"}})
    assert found.observations == ()


@pytest.mark.parametrize(
    ("value", "kind", "what"),
    [(lambda i: f"{i * 0.37:.3f}", "numeric", "number"), (lambda i: f"2024-01-{1 + i % 28:02d}", "datetime", "date")],
)
def test_one_bad_word_is_what_is_told(tmp_path, value, kind, what):
    lines = [f"{'oops' if i == 120 else value(i)},{'ab'[i * 7 % 3 % 2]}" for i in range(300)]
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    found = inspected(tmp_path / "t.csv")
    (about,) = [o for o in found.observations if o.column == "x" and o.kind != "leakage"]
    assert (about.kind, about.count, [e.row for e in about.examples]) == ("type", 1, [120])
    assert about.told == f"1 of 300 is no {what}: 'oops'; so all are read as categories"
    mended = inspected(tmp_path / "t.csv", clean={"replace": {"x": {"oops": None}}})
    assert about.remedy == 'clean: {replace: {x: {"oops": null}}}'
    assert mended.source.cleaner.schema["x"].kind == kind
