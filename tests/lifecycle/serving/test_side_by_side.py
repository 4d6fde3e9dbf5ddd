"""Models served side by side from processes of their own, through the real commands on real clusters."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from commands import TINY, command, distml, document, environment, processes_of
from distml.storage import Storage
from load import Load
from processes import until

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with the models adult and bike, and one that wants bike's route."""
    folder = tmp_path_factory.mktemp("beside")
    (folder / "config.yaml").write_text(TINY)
    for name, route in (("adult", "/adult"), ("bike", "/bike"), ("rival", "/bike")):
        settings = (f"name={name}", f"serve.route={route}", "storage=store", "serve.port=8391")
        overrides = [part for setting in settings for part in ("-s", setting)]
        document(distml("run", "config.yaml", "--engine", "local", "--json", *overrides, cwd=folder))
    return folder


@contextmanager
def deploying(home: Path, name: str, *options: str) -> Iterator[Service]:
    """A process that serves a model, ended by SIGTERM if it has not ended."""
    with (home / f"{name}.err").open("w") as errors:
        process = subprocess.Popen(
            command("deploy", name, "--storage", "store", *options),
            cwd=home, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    try:
        yield Service(home, name, process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


class Service:
    """A model's process, and what it says."""

    def __init__(self, home: Path, name: str, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._home = home
        self._name = name

    @property
    def said(self) -> str:
        return (self._home / f"{self._name}.err").read_text()

    @property
    def record(self) -> dict[str, Any]:
        return Storage(self._home / "store").read_json(f"live/{self._name}.json")

    @property
    def is_holder(self) -> bool:
        return bool(self.record["cluster"]["pid"] == self.process.pid)

    def url(self) -> str:
        """Once it answers."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+", line)
        assert found, f"{line}\n{self.said}"
        return found.group(0).rstrip("/")


def status(url: str) -> int:
    return httpx.get(f"{url}/readyz").status_code


def test_two_that_start_at_once_share_a_cluster_and_each_goes_alone(home: Path) -> None:
    with deploying(home, "adult") as adult, deploying(home, "bike") as bike:
        adult_url, bike_url = adult.url(), bike.url()
        assert (adult_url, bike_url) == ("http://127.0.0.1:8391/adult", "http://127.0.0.1:8391/bike")
        holder, guest = (adult, bike) if adult.is_holder else (bike, adult)
        assert (holder.is_holder, guest.is_holder) == (True, False)
        assert holder.record["cluster"] == guest.record["cluster"]

        refused = distml("deploy", "rival", "--storage", "store", cwd=home)
        assert refused.returncode == 2
        assert "/bike for rival, which is bike's" in refused.stderr

        gone, stays = (adult_url, bike_url) if holder is adult else (bike_url, adult_url)
        name, other = gone.rpartition("/")[2], stays.rpartition("/")[2]
        with Load(f"{stays}/readyz", threads=2) as load:
            ended = document(distml("down", name, "--storage", "store", "--json", cwd=home))
            assert ended == [{"name": name, "how": "ended"}]
            assert status(gone) == 404
            seen = load.num_requests
            until(lambda: load.num_requests > seen + 100)
        assert set(load.outcomes) == {200}, load.failures
        assert holder.process.poll() is None
        assert f"{name} is no longer served. {other} is still served by this cluster" in holder.said

        with deploying(home, name) as again:  # its former process goes on holding the cluster for both
            assert again.url() == gone
            assert not again.is_holder
            again.process.kill()
            until(lambda: status(gone) == 404)
            assert status(stays) == 200

        holder.process.kill()
        assert guest.process.wait(60) == 1
        assert f"process {holder.process.pid}, which held it, is gone" in guest.said
    served = document(distml("status", "--storage", "store", "--json", cwd=home))
    assert {model["name"]: model["served"] for model in served} == {"adult": None, "bike": None, "rival": None}
    until(lambda: not processes_of(home))


def test_down_ends_all_guests_first_and_an_interrupted_holder_waits_for_its_guest(home: Path) -> None:
    with deploying(home, "adult") as adult:
        adult_url = adult.url()
        with deploying(home, "bike") as bike:
            bike_url = bike.url()
            with deploying(home, "rival", "--port", "8392") as apart:  # another port is another cluster
                assert apart.url() == "http://127.0.0.1:8392/bike"
                assert apart.is_holder
                adult.process.send_signal(signal.SIGINT)
                until(lambda: status(adult_url) == 404)
                assert [status(bike_url), adult.process.poll()] == [200, None]
                bike.process.send_signal(signal.SIGINT)
                assert [bike.process.wait(60), adult.process.wait(60)] == [0, 0]
                assert status("http://127.0.0.1:8392/bike") == 200
            assert apart.process.wait(60) == 0
    document(distml("deploy", "adult", "--storage", "store", "--detach", "--json", cwd=home))
    told = document(distml("deploy", "bike", "--storage", "store", "--detach", "--json", cwd=home))
    assert told["endpoint"] == bike_url
    assert (status(adult_url), status(bike_url)) == (200, 200)
    ended = document(distml("down", "--storage", "store", "--json", cwd=home))
    assert ended == [{"name": "bike", "how": "ended"}, {"name": "adult", "how": "ended"}]
    assert not processes_of(home)
    assert not list((home / "store" / "live").glob("*.json"))
