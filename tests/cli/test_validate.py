"""The command `validate`: what it prints, the page and the schema that it writes, and how it ends."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from commands import distml, document
from inspected import clean_frame

CONFIG = "name: shop\ndata: {source: {uri: t.csv}, target: y}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame = clean_frame(500, 31)
    frame.loc[[3, 44], "city"] = "?"
    frame.loc[[7], "normal"] = 1e7
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def test_what_people_read(folder):
    done = distml("validate", "c.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"shop: binary target 'y'; 35\d train, 7\d validation, 7\d test rows", lines[0])
    start = lines.index("grave (2)")
    assert lines[start + 1 : start + 5] == [
        "  city: 2 rows, 0.4%",
        "      '?' is read as a value",
        "      at t.csv:3 '?'; t.csv:44 '?'",
        '      → data: {source: {missing: ["?"]}}',
    ]
    page = folder / "distml-store" / "profiles" / "shop.html"
    assert lines[-1] == f"profile: {page}" and page.is_file()


def test_one_complete_document(folder):
    found = document(distml("validate", "c.yaml", "--json", "--html", "p.html", cwd=folder))
    assert (found["name"], found["task"], found["refused"]) == ("shop", "binary", False)
    assert sum(found["rows"].values()) == 500 and found["read"] == {"source": 500}
    token = next(item for item in found["findings"] if item["kind"] == "missing_token")
    assert (token["column"], token["count"], token["share"], token["action"]) == ("city", 2, 2 / 500, "warn")
    assert [(Path(e["file"]).name, e["row"], e["value"]) for e in token["examples"]] == [
        ("t.csv", 3, "'?'"), ("t.csv", 44, "'?'"),
    ]  # fmt: skip
    columns = {column["name"]: column for column in found["columns"]}
    normal = columns["normal"]["tables"]["source"]
    assert (normal["missing"], normal["max"], sum(normal["histogram"]["counts"])) == (0, 1e7, 499)
    assert normal["histogram"]["above"] == 1
    assert columns["y"]["role"] == "target"
    assert [split["name"] for split in found["splits"]] == ["train", "validation", "test"]
    assert found["html"] == str(folder / "p.html") and (folder / "p.html").is_file()
    assert not (folder / "distml-store").exists()


def test_a_rule_that_fails_ends_with_2_and_the_whole_report(folder):
    done = distml("validate", "c.yaml", "-s", "validate.tokens=fail", "--json", cwd=folder)
    assert done.returncode == 2
    found = orjson.loads(done.stdout)
    assert found["refused"] and [item["kind"] for item in found["findings"]][:2] == ["missing_token", "outlier"]
    assert [item["level"] for item in found["findings"]][:2] == ["fail", "high"]


def test_a_schema_is_written_and_kept_to(folder):
    wrote = distml("validate", "c.yaml", "--write-schema", "s.yaml", cwd=folder)
    assert wrote.returncode == 0 and "s.yaml" in wrote.stderr
    kept = distml("validate", "c.yaml", "-s", "validate.schema=s.yaml", cwd=folder)
    assert kept.returncode == 0, kept.stdout
    frame = clean_frame(500, 32)
    frame.loc[9, "city"] = "Atlantis"
    frame.to_csv(folder / "t.csv", index=False)
    done = distml("validate", "c.yaml", "-s", "validate.schema=s.yaml", "--json", cwd=folder)
    assert done.returncode == 2
    broken = [item for item in orjson.loads(done.stdout)["findings"] if item["kind"] == "schema"]
    city = next(item for item in broken if item["column"] == "city")
    assert (city["count"], city["examples"][0]["row"], city["examples"][0]["value"]) == (1, 9, "'Atlantis'")


def test_nothing_to_remark(folder):
    clean_frame(500, 33).drop(columns=["gaps", "holes"]).to_csv(folder / "t.csv", index=False)
    done = distml("validate", "c.yaml", cwd=folder)
    assert done.returncode == 0 and "nothing to remark" in done.stdout
    assert "what a run does by itself" in done.stdout  # categories of hardly any row are taken as unknown


def test_what_a_run_would_refuse_beyond_the_table_itself(folder):
    clean_frame(100, 34).assign(y="always").to_csv(folder / "test.csv", index=False)
    done = distml("validate", "c.yaml", "-s", "data.test.uri=test.csv", cwd=folder)
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert lines[lines.index("refused (1)") + 2].startswith("      a run ends here: ")
    assert "new_category" not in done.stdout and "'always'" in done.stdout


def test_what_a_run_does_is_counted_in_rows_or_files(folder):
    frame = clean_frame(500, 35).drop(columns=["gaps", "holes"])
    frame.loc[[1, 2, 3], "y"] = None
    (folder / "parts").mkdir()
    frame[:250].to_csv(folder / "parts" / "a.csv", index=False)
    frame[250:][list(reversed(frame.columns))].to_csv(folder / "parts" / "b.csv", index=False)
    done = distml("validate", "c.yaml", "-s", "data.source.uri=parts", cwd=folder)
    lines = done.stdout[done.stdout.index("what a run does by itself") :].splitlines()
    told = dict(pairwise(lines))
    assert told["  y: 3 rows"].startswith("      a row to learn from has a target")
    assert told["  the table: 1 file"].startswith("      all files have their columns in one order")
