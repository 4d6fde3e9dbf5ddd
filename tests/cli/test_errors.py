"""What the command line says to bad input: exit code 2, one paragraph, no stack trace, nothing left behind."""

import os
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest

from commands import distml

CSV = "age,city,target\n" + "".join(f"{20 + i % 50},{'ab'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(120))
CONFIG = """
name: case
storage: store
data: {{source: {{uri: table.csv}}, target: {target}, kinds: {{{kinds}}}}}
model: {{families: [linear]}}
search: {{num_samples: 1}}
train: {{max_epochs: 1}}
{more}
"""


def case(folder: Path, content: str | None = CSV, target: str = "target", kinds: str = "", more: str = "") -> Path:
    if content is not None:
        (folder / "table.csv").write_text(content)
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(target=target, kinds=kinds, more=more))
    return path


CASES = {
    "unknown key": ({"more": "serch: {}"}, ["serch", "did you mean 'search'?", "line 8"]),
    "unknown nested key": ({"more": "split: {tests: 0.1}"}, ["split.tests", "did you mean 'test'?"]),
    "missing file": ({"content": None}, ["table.csv", "data.source.uri"]),
    "missing target": ({"target": "targt"}, ["targt", "did you mean 'target'?"]),
    "target with one class": ({"content": CSV.replace("yes", "no")}, ["at least two values", "column target"]),
    "empty file": ({"content": ""}, ["at least one row"]),
    "only a header": ({"content": "age,city,target\n"}, ["at least one row"]),
    "text where numbers were declared": (
        {"content": CSV.replace("21,b", "twenty-one,b", 1), "kinds": "age: numeric"},
        ["a numeric column holds numbers", "twenty-one", "column age", "data.kinds.age"],
    ),
    "a bound on a text column": ({"more": "clean: {rules: {city: {min: 0}}}"}, ["min and max are for numbers", "city"]),
    "ragged line": ({"content": CSV + "1,2,3,4\n"}, ["every line has 3 values", "1,2,3,4"]),
    "yaml with an object tag": ({"more": "x: !!python/object/apply:os.system [echo]"}, ["no tags"]),
    "yaml that isn't": ({"more": "x: [1"}, ["valid YAML"]),
    "metric of another task": ({"more": "gates: {rmse: {threshold: 1}}"}, ["gates.rmse"]),
    "too few rows": ({"content": "age,city,target\n1,a,yes\n2,b,no\n"}, ["rows are left"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_paragraph_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    arguments, said = CASES[name]
    config = case(tmp_path, **arguments)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = distml("run", config, "--engine", "local", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for text in said:
        assert text in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_failing_command_with_json_prints_one_document(tmp_path: Path) -> None:
    done = distml("run", case(tmp_path, None), "--engine", "local", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert orjson.loads(done.stdout)["error"]["type"] == "DataError"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_storage_that_may_not_be_written(tmp_path: Path) -> None:
    config = case(tmp_path)
    tmp_path.chmod(0o500)
    try:
        done = distml("run", config, "--engine", "local", cwd=tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert done.returncode == 2
    assert "storage must be writable" in done.stderr


def test_storage_below_a_file(tmp_path: Path) -> None:
    config = case(tmp_path)
    done = distml("run", config, "--engine", "local", "-s", "storage=table.csv/store", cwd=tmp_path)
    assert done.returncode == 2
    assert "storage must be writable" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy", "nothing"], "known models: none"),
        (["show", "nothing"], "newest runs: none"),
        (["monitor", "nothing"], "distml deploy nothing"),
        (["down", "nothing"], "served before it is taken down"),
        (["predict", "nothing", "--in", "a.csv", "--out", "b.csv"], "known models: none"),
        (["run"], "Missing argument"),
        (["nonsense"], "No such command"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = distml(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_all_that_is_printed(tmp_path):
    done = distml("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{version('distml')}\n", "")
