"""What `distml plan` prints, and that it refuses what never fits."""

from __future__ import annotations

import orjson
import pytest

from commands import TINY, distml, document


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def test_plan_tells_stages_trials_and_resources_and_leaves_nothing(folder):
    told = document(distml("plan", "tiny.yaml", "--json", cwd=folder))
    assert [(stage["stage"], stage["state"]) for stage in told["stages"]] == [
        ("prepare", "runs"), ("tune", "runs"), ("train", "runs"), ("evaluate", "depends"), ("gate", "runs"),
    ]  # fmt: skip
    assert told["cluster"]["address"] is None
    assert told["trials"]["num_samples"] == 2
    assert told["trials"]["resources"] == {"cpu": 1, "gpu": 0}
    assert 1 <= told["trials"]["at_once"] <= 2
    assert told["rows"]["source"]["num_rows"] == 569
    assert told["seconds"] is None
    assert [path.name for path in folder.iterdir()] == ["tiny.yaml"]


def test_plan_after_a_run_finds_what_it_left(folder):
    assert distml("run", "tiny.yaml", "--engine", "local", cwd=folder).returncode == 0
    done = distml("plan", "tiny.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[3:8]] == [
        ["prepare", "cached"], ["tune", "cached"], ["train", "cached"], ["evaluate", "cached"], ["gate", "runs"],
    ]  # fmt: skip
    assert "seconds: all is there" in done.stdout


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("search.resources_per_trial.cpu=100000", ["100000 CPU", "search.resources_per_trial"]),
        ("search.resources_per_trial.gpu=64", ["64 GPU", "search.resources_per_trial"]),
        ("serve.num_cpus=100000", ["100000 CPU", "serve.num_cpus"]),
    ],
)
def test_what_this_machine_never_holds_is_refused_by_name(folder, override, said):
    done = distml("plan", "tiny.yaml", "-s", override, "--json", cwd=folder)
    assert done.returncode == 2
    error = orjson.loads(done.stdout)["error"]
    assert error["type"] == "ConfigError"
    for text in said:
        assert text in f"{error['received']} {error['where']}"
    assert len(done.stderr.strip().splitlines()) == 1
