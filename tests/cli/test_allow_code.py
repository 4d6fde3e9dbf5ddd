"""`--allow-code` where it counts: on the command line, on Ray's workers, in replicas."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from commands import distml, document, processes_of, serving
from distml.cli.app import app
from distml.cli.code import CODABLE
from distml.cli.remote import _arguments
from own_code import write_package

COMMANDS = typer.main.get_command(app).commands
CONFIG = """
name: mine
storage: store
data: {source: {uri: rows.parquet}, target: sold, engine: ray}
features:
  derived: {each: a / b}
  functions: {score: {function: "PACKAGE.features:score", columns: [a, each]}}
model: {factory: "PACKAGE.nets:build", train_fn: "PACKAGE.loops:loop"}
search: {num_samples: 2, space: {own: {width: {choice: [4, 8]}}}}
train: {max_epochs: 2}
serve: {port: PORT}
"""


def rows(n: int = 300) -> pa.Table:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=n), rng.integers(0, 5, n)
    return pa.table({"a": a, "b": b, "sold": np.where(a + rng.normal(0, 0.3, n) > 0, "yes", "no")})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder to work in: a config, its table, and the package that it names a function of."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pq.write_table(rows(), tmp_path / "rows.parquet")
    write_package(tmp_path, "mine_own")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("PACKAGE", "mine_own").replace("PORT", str(port)))
    return tmp_path


def test_every_command_that_may_import_code_takes_the_option():
    assert {n for n, c in COMMANDS.items() if "allow_code" in [param.name for param in c.params]} == CODABLE


def test_jobs_are_told_what_is_allowed(monkeypatch):
    monkeypatch.delenv("DISTML_ALLOW_CODE", raising=False)
    context = COMMANDS["run"].make_context("run", ["a.yaml", "--allow-code", "one", "--allow-code", "two"])
    assert _arguments(context, context.params) == ["--engine", "ray", "--allow-code", "one", "--allow-code", "two"]
    monkeypatch.setenv("DISTML_ALLOW_CODE", "one,two")
    context = COMMANDS["deploy"].make_context("deploy", ["mine"])
    assert _arguments(context, context.params)[-2:] == ["--allow-code", "one,two"]


def test_what_is_not_allowed_is_told_with_what_to_type(home):
    refused = distml("run", "config.yaml", "--engine", "local", cwd=home)
    assert refused.returncode == 2
    assert refused.stderr.strip().count("\n") == 0
    assert "features.functions.score" in refused.stderr
    assert "add --allow-code mine_own, or set DISTML_ALLOW_CODE=mine_own" in refused.stderr
    assert not (home / "store").exists()


@pytest.mark.ray
def test_the_same_values_on_workers_in_replicas_and_in_a_file(home, tmp_path_factory, monkeypatch):
    code = ("--allow-code", "mine_own")
    told = document(distml("run", "config.yaml", "--json", *code, cwd=home))
    assert told["version"] == 1
    refused = distml("deploy", "mine/1", "--storage", "store", cwd=home)
    assert refused.returncode == 2
    assert "add --allow-code mine_own" in refused.stderr
    pq.write_table(rows(40).drop_columns(["sold"]), home / "in.parquet")
    scored = distml(
        "predict", "mine/1", "--in", "in.parquet", "--out", "out.parquet", "--storage", "store", *code, cwd=home
    )
    assert scored.returncode == 0, scored.stderr
    wanted = pq.read_table(home / "out.parquet").column("probability_yes").to_pylist()
    elsewhere = tmp_path_factory.mktemp("elsewhere")  # where the package is found by PYTHONPATH alone
    monkeypatch.setenv("PYTHONPATH", f"{home}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with serving("deploy", "mine/1", "--storage", home / "store", *code, cwd=elsewhere) as (_, url):
        assert set(httpx.get(f"{url}/schema").json()["properties"]) == {"a", "b"}
        answer = httpx.post(f"{url}/predict", json={"rows": rows(40).drop_columns(["sold"]).to_pylist()}).json()
    assert [shares["yes"] for shares in answer["probabilities"]] == wanted
    assert not processes_of(home)
