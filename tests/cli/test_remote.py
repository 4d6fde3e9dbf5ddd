"""What a command is told on a cluster, and the scripts in jobs/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from commands import TINY, command, environment
from distml.cli.app import app
from distml.cli.remote import _arguments

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.py"))
COMMANDS = typer.main.get_command(app).commands


def told(name, *arguments):
    context = COMMANDS[name].make_context(name, list(arguments))
    return _arguments(context, context.params)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (["run", "a.yaml", "-s", "seed=1", "--deploy", "--json"], ["--json", "--deploy", "--engine", "ray"]),
        (["runs", "--storage", "s3://bucket/store"], ["--storage", "s3://bucket/store"]),
        (["deploy", "adult/3", "--detach", "--port", "8001", "--storage", "/s"],
         ["adult/3", "--port", "8001", "--storage", "/s"]),
    ],
)  # fmt: skip
def test_what_was_written_is_told_but_what_is_done_here(written, wanted):
    assert told(*written) == wanted


def test_paths_are_those_of_the_workstation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = told("predict", "adult", "--in", "rows/*.csv", "--out", "scored/")
    assert f"{tmp_path}/rows/*.csv" in arguments
    assert f"{tmp_path}/scored/" in arguments
    assert arguments[arguments.index("--storage") + 1] == f"{tmp_path}/distml-store"


def test_every_command_but_those_about_files_here_takes_an_address():
    without = {name for name, known in COMMANDS.items() if "address" not in [param.name for param in known.params]}
    assert without == {"init", "schema", "render", "token"}


@pytest.mark.parametrize("script", JOBS, ids=lambda path: path.stem)
def test_every_script_is_a_command_of_few_lines(script):
    text = script.read_text()
    assert len(text.splitlines()) < 40
    assert script.stem in COMMANDS
    assert f'run_command("{script.stem}")' in text


def test_a_script_takes_its_config_as_an_option(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    script = next(path for path in JOBS if path.stem == "prepare")
    done = subprocess.run(
        [sys.executable, script, "-s", "seed=3", "--config", "tiny.yaml", "--engine", "local"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "397 train rows" in done.stdout


def test_where_no_cluster_answers_nothing_is_done(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    refused = subprocess.run(
        command("run", "tiny.yaml", "--address", "http://127.0.0.1:9"), cwd=tmp_path, env=environment(),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stderr.startswith("distml: a cluster's dashboard listens at its address; received ")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]
