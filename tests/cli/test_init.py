"""The command init: a table becomes a config that the other commands take."""

from pathlib import Path

import orjson
import pytest

from commands import distml, document
from distml.config import load_config


def _line(i: int) -> str:
    size = i * 37 % 101
    return f"{i},{size / 10},{'?' if i % 9 == 0 else 'ab'[i % 2]},{'yes' if size > 60 else 'no'}\n"


LINES = "".join(map(_line, range(300)))
CSV = "row,size,color,bought\n" + LINES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Sales 2024.csv").write_text(CSV)
    return tmp_path


def test_a_config_is_written_and_runs(folder: Path) -> None:
    done = distml("init", "Sales 2024.csv", "--target", "bought", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sales_2024.yaml: a run config for Sales 2024.csv (300 rows)\n")
    assert "missing" in done.stdout and "distml validate sales_2024.yaml" in done.stdout
    config = load_config(folder / "sales_2024.yaml")
    assert (config.name, config.data.source.uri, config.data.positive) == ("sales_2024", "Sales 2024.csv", "yes")
    checked = document(distml("validate", "sales_2024.yaml", "--json", cwd=folder))
    assert checked["task"] == "binary"
    assert {column["name"]: column["role"] for column in checked["columns"]}["row"] == "id"
    fast = ["-s", "search.num_samples=2", "-s", "train.max_epochs=3", "-s", "model.families=[linear]"]
    ran = document(distml("run", "sales_2024.yaml", "--json", "--engine", "local", *fast, cwd=folder))
    assert ran["name"] == "sales_2024"


def test_the_findings_as_one_document(folder: Path) -> None:
    found = document(distml("init", "Sales 2024.csv", "--target", "4", "--out", "sub/x.yaml", "--json", cwd=folder))
    assert (found["config"], found["name"]) == ("sub/x.yaml", "x")
    assert (found["task"], found["target"], found["positive"], found["rows"]) == ("binary", "bought", "yes", 300)
    assert found["missing"] == {"?": {"color": 34}}
    assert [item["column"] for item in found["suspected_ids"]] == ["row"]
    assert [(item["column"], item["excluded"]) for item in found["suspected_leaks"]] == [("size", True)]
    assert found["roles"]["id"] == ["row"]
    assert (folder / "sub" / "x.yaml").is_file()


def test_nothing_is_written_over_unless_told(folder: Path) -> None:
    (folder / "sales_2024.yaml").write_text("mine")
    done = distml("init", "Sales 2024.csv", "--target", "bought", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "sales_2024.yaml is there already" in done.stderr
    assert "--force" in done.stderr
    assert (folder / "sales_2024.yaml").read_text() == "mine"
    again = distml("init", "Sales 2024.csv", "--target", "bought", "--force", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "sales_2024.yaml").read_text().startswith("# A run config")


def test_names_and_a_test_table(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(LINES)
    (tmp_path / "test.csv").write_text("#made up\n" + LINES.replace("yes", "yes.").replace("no", "no."))
    options = ["--columns", "row, size, color, bought", "--test", "test.csv", "--target", "bought"]
    done = distml("init", "train.csv", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = load_config(tmp_path / "train.yaml")
    assert config.data.source.columns == ("row", "size", "color", "bought")
    assert config.data.test is not None
    assert config.data.test.comment == "#"
    assert config.clean.replace == {"bought": {"yes.": "yes", "no.": "no"}}


REFUSED = {
    "unknown target": (CSV, ["--target", "bougt"], ["bougt", "did you mean 'bought'?"]),
    "empty file": ("", ["--target", "y"], ["at least one row", "empty file"]),
    "only a header": ("a,b\n", ["--target", "a"], ["at least one row"]),
    "binary file": ("\x00\x00\x08\x01\x00", ["--target", "y"], ["an idx file of bytes, as MNIST has", "Parquet"]),
    "constant target": (CSV.replace("yes", "no"), ["--target", "bought"], ["at least two values", "column bought"]),
    "wrong number of names": (CSV, ["--target", "a", "--columns", "a,b"], ["2 names for 4 columns"]),
    "missing test table": (CSV, ["--target", "bought", "--test", "none.csv"], ["nothing at none.csv"]),
    "out is a folder": (CSV, ["--target", "bought", "--out", "."], ["is there already", "name a file"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_is_said_in_one_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    content, options, said = REFUSED[name]
    (tmp_path / "t.csv").write_text(content)
    done = distml("init", "t.csv", *options, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert (done.stdout, len(done.stderr.strip().splitlines())) == ("", 1), done.stderr
    for text in said:
        assert text in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("table", "said"), [("none.csv", "at least one file"), ("empty", "at least one file"), ("*.x", "at least one file")]
)
def test_tables_that_are_not_there(table: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = distml("init", table, "--target", "y", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert said in orjson.loads(done.stdout)["error"]["rule"]
