"""Commands as jobs of a cluster started by `ray start --head` with token authentication."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from commands import TINY, command, distml, document, environment, processes_of
from distml.cluster.submit import Cluster, _checked, _lines, _text_of, _working_dir
from distml.config import parse_config
from distml.errors import ConfigError, UsageError

BIN = Path(sys.executable).parent
JOBS = Path(__file__).parents[2] / "jobs"


async def pieces(*texts):
    for text in texts:
        yield text


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        ((), []),
        (("a\nb\n",), ["a", "b"]),
        (("a", "b\n", "c"), ["ab", "c"]),
        (("\n\n",), ["", ""]),
        (('\x1e{"a":1}\nb',), ['\x1e{"a":1}', "b"]),
    ],
)
def test_a_log_that_comes_in_pieces_is_read_in_lines(texts, lines):
    async def read():
        return [line async for line in _lines(pieces(*texts))]

    assert asyncio.run(read()) == lines


@pytest.mark.parametrize("address", ["http://head:8265", "https://head", "http://10.0.0.1:8265/"])
def test_an_address_is_that_of_a_dashboard(address):
    assert _checked(address) == address.rstrip("/")


@pytest.mark.parametrize("address", ["head:8265", "ray://head:10001", "http://", "", "10.0.0.1:6379"])
def test_other_addresses_are_refused_with_the_form(address):
    with pytest.raises(ConfigError, match="http://HOST:8265"):
        _checked(address)


def test_where_nothing_listens_is_told_at_once():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ConfigError, match="a cluster's dashboard listens at its address"):
        Cluster(address)


def test_a_password_is_not_sent():
    config = parse_config(TINY + '\ntracking: {uri: "http://ann:secret@host"}')
    with pytest.raises(UsageError, match="a submitted config holds no password") as caught:
        _text_of(config)
    assert "secret" not in str(caught.value)


def test_the_name_of_a_passwords_variable_is():
    config = parse_config(TINY + '\ntracking: {uri: "http://ann:${PW}@host"}', environ={"PW": "secret"})
    assert orjson.loads(_text_of(config))["tracking"]["uri"] == "http://ann:${PW}@host"


def test_a_large_folder_is_refused_and_its_largest_part_named(tmp_path):
    with (tmp_path / "movie.bin").open("wb") as stream:
        stream.truncate(200 << 20)
    with pytest.raises(UsageError, match=r"movie\.bin 209\.7 MB"):
        _working_dir(tmp_path, None)
    (tmp_path / "data").mkdir()
    (tmp_path / "movie.bin").rename(tmp_path / "data" / "movie.bin")
    assert "/data" in _working_dir(tmp_path, None)["excludes"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Head:
    """A cluster's head, and the commands that are told of it."""

    def __init__(self, folder):
        self.folder = folder
        self.work = folder / "work"  # Ray's own files are beside it: they are not to be sent with a job
        self.work.mkdir()
        self.address = f"http://127.0.0.1:{free_port()}"
        self.token = folder / "token"
        self.token.write_text("a" * 64)
        self.environment = {
            **environment(), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0", "PATH": f"{BIN}:{os.environ['PATH']}",
        }  # fmt: skip

    def start(self):
        port = self.address.rpartition(":")[2]
        options = {
            "port": free_port(), "dashboard-port": port, "dashboard-host": "127.0.0.1", "num-cpus": 2,
            "node-ip-address": "127.0.0.1", "dashboard-agent-listen-port": free_port(),
            "temp-dir": self.folder / "ray",
        }  # fmt: skip
        arguments = [f"--{name}={value}" for name, value in options.items()]
        log = (self.folder / "head.log").open("w")
        self.process = subprocess.Popen(
            [BIN / "ray", "start", "--head", "--block", *arguments], env=self.environment, stdout=log, stderr=log
        )
        end = time.monotonic() + 120
        while self.run("runs", "--address", self.address).returncode != 0:
            assert time.monotonic() < end, (self.folder / "head.log").read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        end = time.monotonic() + 60
        while processes_of(self.folder) and time.monotonic() < end:
            time.sleep(0.2)
        assert processes_of(self.folder) == []

    def run(self, *arguments, **variables):
        return subprocess.run(
            command(*arguments), cwd=self.work, env={**self.environment, **variables}, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip

    def ray(self, group, command, *arguments):
        return subprocess.run(
            [BIN / "ray", group, command, "--address", self.address, *arguments], cwd=self.work, env=self.environment,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def head():
    # Not in pytest's own folder: Ray adds much to the path of a unix socket, which may have 107 characters.
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="distml-head-", dir="/tmp"))
    found = Head(folder)
    (found.work / "tiny.yaml").write_text(TINY)
    shutil.copytree(JOBS, found.work / "jobs")
    found.start()
    yield found
    found.stop()
    shutil.rmtree(folder)


slow_on_ray = [pytest.mark.slow, pytest.mark.ray]


class TestOnACluster:
    pytestmark = slow_on_ray

    def test_a_run_comes_to_what_it_comes_to_here(self, head, tmp_path):
        (tmp_path / "tiny.yaml").write_text(TINY)
        here = document(distml("run", "tiny.yaml", "--json", cwd=tmp_path))
        there = document(head.run("run", "tiny.yaml", "--json", "--address", head.address))
        for key in ("name", "version", "verdict", "metrics", "baselines", "best", "trials"):
            assert there[key] == here[key], key
        assert there["report"].startswith(str(head.work / "distml-store"))

    def test_a_gate_that_refuses_is_told_by_the_exit_code(self, head):
        refused = head.run("run", "tiny.yaml", "-s", "name=strict", "-s", "gates.log_loss.threshold=0.0001",
                           "--address", head.address)  # fmt: skip
        assert refused.returncode == 3
        assert "strict/1 not promoted" in refused.stdout

    def test_an_error_there_is_the_error_here(self, head):
        failed = head.run("run", "tiny.yaml", "-s", "data.target=nothing", "--json", "--address", head.address)
        assert failed.returncode == 2
        assert orjson.loads(failed.stdout)["error"]["type"] == "DataError"
        assert "Traceback" not in failed.stderr

    @pytest.mark.parametrize(
        ("variables", "rule"),
        [
            ({"RAY_AUTH_MODE": "disabled"}, "is given its token"),
            ({"RAY_AUTH_TOKEN_PATH": "/nothing"}, "is given its token"),
            ({"RAY_AUTH_TOKEN_PATH": "", "RAY_AUTH_TOKEN": "b" * 64}, "is given its token"),
        ],
    )
    def test_without_its_token_nothing_is_submitted(self, head, variables, rule):
        refused = head.run("run", "tiny.yaml", "--address", head.address, **variables)
        assert refused.returncode == 2
        assert rule in refused.stderr
        assert "job" not in refused.stderr

    def test_storage_that_the_cluster_cannot_write_is_named(self, head):
        refused = head.run("run", "tiny.yaml", "-s", "storage=/proc/nothing", "--address", head.address)
        assert refused.returncode == 2
        assert f"in /proc/nothing, on the cluster at {head.address}" in refused.stderr

    def test_ctrl_c_detaches_and_the_job_goes_on(self, head):
        process = subprocess.Popen(
            command("run", "tiny.yaml", "-s", "name=left", "--address", head.address), cwd=head.work,
            env=head.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        told = ""
        while "run left-" not in told:
            told = process.stderr.readline()
            assert told, "it ended"
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "detached; the job goes on" in rest
        job = rest.split("`ray job logs --follow ")[1].split()[0]
        assert f"`ray job stop {job} --address {head.address}`" in rest
        followed = head.ray("job", "logs", "--follow", job)
        assert "left/1 promoted" in followed.stdout + followed.stderr

    def test_a_stopped_job_is_resumed(self, head):
        long = ("-s", "name=stopped", "-s", "search.num_samples=500")
        process = subprocess.Popen(
            command("tune", "tiny.yaml", *long, "--address", head.address), cwd=head.work, env=head.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        job = run = None
        for line in process.stderr:
            job = job or (line.split()[2] if line.startswith("distml: job") else None)
            run = run or (line.split()[3] if "run stopped-" in line else None)
            if "trial 3/500" in line:
                break
        head.ray("job", "stop", job)
        process.communicate(timeout=60)
        (before,) = (r for r in document(head.run("runs", "--name", "stopped", "--json")) if r["run"] == run)
        assert before["state"] in ("interrupted", "lost")
        resumed = document(head.run("resume", run, "--json", "--address", head.address))
        assert (resumed["run"], sum(resumed["trials"].values())) == (run, 500)

    def test_the_scripts_do_what_the_commands_do(self, head):
        done = head.ray("job", "submit", "--working-dir", ".", "--", "python", "jobs/prepare.py", "--config",
                        "tiny.yaml", "-s", "name=script", "-s", f"storage={head.work}/distml-store")  # fmt: skip
        assert "397 train rows" in done.stdout + done.stderr

    def test_a_model_is_served_by_a_job_until_it_is_taken_down(self, head):
        document(head.run("run", "tiny.yaml", "--json", "--address", head.address))
        port = free_port()
        told = document(
            head.run("deploy", "tiny", "--port", str(port), "--detach", "--json", "--address", head.address)
        )
        assert told["endpoint"] == f"http://127.0.0.1:{port}/tiny"
        (status,) = (
            s for s in document(head.run("status", "--json", "--address", head.address)) if s["name"] == "tiny"
        )
        assert (status["served"], status["endpoint"]) == (told["version"], told["endpoint"])
        head.run("down", "tiny", "--address", head.address)
        after = document(head.run("status", "--json", "--address", head.address))
        assert [s["served"] for s in after if s["name"] == "tiny"] == [None]
