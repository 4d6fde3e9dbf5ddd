"""What `distml doctor` prints of this machine."""

from __future__ import annotations

import re

import orjson
import pytest

from commands import TINY, distml


def by_name(done):
    return {check["name"]: check for check in orjson.loads(done.stdout)["checks"]}


def test_a_sound_machine_is_told_of_and_left_as_it_was(tmp_path):
    done = distml("doctor", "--json", cwd=tmp_path)
    told = by_name(done)
    machine = {"python", "packages", "haproxy", "gpu", "shared memory", "memory", "disk for Ray", "disk for storage"}
    assert machine < set(told)
    assert set(told) - machine == {
        "storage", "endpoint's port", "head's ports", "authentication", "token", "tracking", "working directory",
    }  # fmt: skip
    assert [told[name]["state"] for name in ("python", "packages", "storage", "tracking")] == ["ok"] * 4
    assert all((check["remedy"] is None) == (check["state"] == "ok") for check in told.values())
    states = {check["state"] for check in told.values()}
    assert done.returncode == (1 if "fail" in states else 0)
    assert list(tmp_path.iterdir()) == []


def test_findings_for_people_have_their_remedy_below(tmp_path):
    (tmp_path / "file").write_text("")
    done = distml("doctor", "--storage", "file/store", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"^fail  storage .*storage must be writable.*\n +→ \S", done.stdout, re.MULTILINE)
    assert re.search(r"^ok    python +3\.1", done.stdout, re.MULTILINE)
    assert re.search(r"^this machine: \d+ ok, \d+ warn, [1-9] fail$", done.stdout, re.MULTILINE)


def test_a_configs_tracking_server_is_asked_for_seconds_only(tmp_path):
    (tmp_path / "tiny.yaml").write_text(f"{TINY}tracking: {{uri: 'http://127.0.0.1:1'}}\n")
    done = distml("doctor", "tiny.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert by_name(done)["tracking"]["found"] == "http://127.0.0.1:1: nothing answers"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nothing.yaml"], "no file nothing.yaml"), (["-s", "seed=1"], "name the config")],
)
def test_a_wrong_command_is_no_finding(arguments, said, tmp_path):
    done = distml("doctor", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
