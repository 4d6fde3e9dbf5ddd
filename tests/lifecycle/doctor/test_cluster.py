"""Two nodes are asked, each by a task of its own: what differs between them is found and named."""

from __future__ import annotations

import os
import subprocess

import orjson
import pytest

from commands import TINY, command, environment

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory):
    """The address of a cluster that asks for no token. Its nodes work in folders of their own."""
    from ray.cluster_utils import Cluster

    before = os.getcwd()
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    try:
        os.chdir(folders[0])
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        os.chdir(folders[1])
        cluster.add_node(num_cpus=1)
    finally:
        os.chdir(before)
    yield cluster.address
    cluster.shutdown()


def doctor(address, *arguments, cwd, **variables):
    """Exit code and document of `distml doctor` for a cluster."""
    around = {**environment(), "RAY_ADDRESS": address, "RAY_AUTH_MODE": "disabled", **variables}
    done = subprocess.run(
        command("doctor", "--json", *arguments), cwd=cwd, env=around, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, orjson.loads(done.stdout)


def of(told, name):
    return [check for check in told["checks"] if check["name"] == name]


def test_every_node_is_asked(two_nodes, tmp_path):
    code, told = doctor(two_nodes, "--storage", tmp_path / "store", cwd=tmp_path)
    assert told["address"] == two_nodes
    assert len(told["nodes"]) == 2
    for name in ("versions", "python", "packages", "gpu", "shared memory", "memory", "disk for Ray", "storage"):
        assert {check["node"] for check in of(told, name)} == set(told["nodes"]), name
    assert {check["state"] for check in of(told, "versions")} == {"ok"}
    assert [check["state"] for check in of(told, "storage")] == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == []
    # It is open to other machines, and asks for no token.
    assert {check["state"] for check in of(told, "authentication")} == {"fail"}
    assert "gcs_server on port" in " ".join(check["found"] for check in of(told, "authentication"))
    assert code == 1


def test_a_path_that_each_node_has_to_itself_is_found_out(two_nodes, tmp_path):
    """/proc/self/cwd is another folder for each node's processes, as a local disk is on machines of their own."""
    code, told = doctor(two_nodes, "--storage", "/proc/self/cwd/store", cwd=tmp_path)
    first, second = of(told, "storage")
    assert {first["state"], second["state"]} == {"fail"}
    assert second["node"] in first["found"] and first["node"] in second["found"]
    assert "every node mounts" in first["remedy"]
    assert code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_does_not_begin_on_storage_that_is_not_shared(two_nodes, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    around = {**environment(), "RAY_ADDRESS": two_nodes, "RAY_AUTH_MODE": "disabled"}
    refused = subprocess.run(
        command("prepare", "tiny.yaml", "-s", "storage=/proc/self/cwd/store"), cwd=tmp_path, env=around,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stderr.startswith("distml: storage is one that every node reaches; received /proc/self/cwd/store: ")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_storage_that_nobody_can_write_is_said_by_every_node(two_nodes, tmp_path):
    (tmp_path / "file").write_text("")
    _, told = doctor(two_nodes, "--storage", tmp_path / "file" / "store", cwd=tmp_path)
    assert [check["state"] for check in of(told, "storage")] == ["fail", "fail"]
    assert {check["node"] for check in of(told, "storage")} == set(told["nodes"])


def test_without_a_storage_none_is_looked_at(two_nodes, tmp_path):
    _, told = doctor(two_nodes, cwd=tmp_path)
    (found,) = of(told, "storage")
    assert found["state"] == "warn"
    assert list(tmp_path.iterdir()) == []


def test_a_config_names_storage_and_port(two_nodes, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    _, told = doctor(two_nodes, "tiny.yaml", "-s", "serve.port=18123", cwd=tmp_path)
    assert [check["state"] for check in of(told, "storage")] == ["ok", "ok"]
    (endpoint,) = of(told, "endpoint's port")
    assert "127.0.0.1:18123" in endpoint["found"]
    assert endpoint["node"] in told["nodes"]


def test_a_node_whose_distml_is_broken_is_named(two_nodes, tmp_path):
    """A node with another distml first on its path answers with its versions, and is told of as unable to go on."""
    from ray.cluster_utils import Cluster

    (tmp_path / "distml").mkdir()
    (tmp_path / "distml" / "__init__.py").write_text("raise ImportError('this distml is broken')")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(tmp_path)})
        code, told = doctor(cluster.address, "--storage", tmp_path / "store", cwd=tmp_path.parent)
    finally:
        cluster.shutdown()
    (mute,) = of(told, "node")
    assert mute["state"] == "fail" and "this distml is broken" in mute["found"]
    assert len(of(told, "versions")) == 2
    assert [check["node"] for check in of(told, "storage")] != [mute["node"]]
    assert code == 1


def test_a_cluster_that_does_not_answer_is_a_finding_and_this_machine_is_looked_at(tmp_path):
    code, told = doctor("127.0.0.1:1", cwd=tmp_path)
    (found,) = of(told, "cluster")
    assert found["state"] == "fail" and "RAY_ADDRESS 127.0.0.1:1" in found["found"]
    assert of(told, "python")[0]["node"] is None
    assert code == 1
