"""A machine against what Ray was told of it: the boundaries."""

from __future__ import annotations

import pytest

from distml.cluster.capacity import Node
from distml.lifecycle.doctor import machine
from distml.lifecycle.doctor.machine import GB


@pytest.mark.parametrize(
    ("told", "seen", "is_cpu_build", "state", "said"),
    [
        (0, 0, False, "ok", "0, which torch sees"),
        (2, 2, False, "ok", "2, which torch sees"),
        (2, 0, True, "fail", "a build without CUDA"),
        (0, 1, False, "warn", "Ray gives out 0"),
        (4, 2, False, "fail", "Ray has 4, and torch sees 2"),
        (2, 4, False, "warn", "torch sees 4, and Ray gives out 2"),
    ],
)
def test_gpus(told, seen, is_cpu_build, state, said):
    found = machine.gpu_finding(told, seen, is_cpu_build=is_cpu_build)
    assert found.state == state
    assert said in found.found


def test_gpus_that_ray_was_told_of_and_torch_lacks_are_found_by_asking_torch():
    import torch

    told = torch.cuda.device_count() + 1
    found = machine.gpus(Node(name="a", cpu=1, gpu=told))
    assert found.state == "fail"
    assert f"Ray has {told}" in found.found


@pytest.mark.parametrize(
    ("num_bytes", "object_store", "state"), [(GB, GB, "ok"), (GB - 1, GB, "warn"), (64 * 2**20, 8 * GB, "warn")]
)
def test_shared_memory(num_bytes, object_store, state):
    assert machine.shared_memory_finding(num_bytes, object_store).state == state


def test_shared_memory_that_is_too_small_names_what_to_ask_for():
    remedy = machine.shared_memory_finding(64 * 2**20, 7 * GB + 1).remedy
    assert "--shm-size=8g" in remedy


@pytest.mark.parametrize(
    ("num_usable", "state"),
    [(5 * GB, "ok"), (5 * GB - 1, "warn"), (0.1 * GB, "warn"), (0.1 * GB - 1, "fail"), (-GB, "fail")],
)
def test_a_disk(num_usable, state):
    found = machine.disk_finding("disk", "/x", 20 * GB, 100 * GB, num_usable)
    assert found.state == state
    assert found.found.startswith("/x: 20.0 GB free of 100.0 GB")


def test_the_disk_of_a_folder_that_is_not_made_yet(tmp_path):
    found = machine.storage_disk(str(tmp_path / "a" / "b"))
    assert found.found.startswith(f"{tmp_path}/a/b: ")


@pytest.mark.parametrize(
    ("used", "state"),
    [(0, "ok"), (int(94.9 * GB) - GB, "ok"), (int(94.9 * GB), "warn"), (95 * GB, "fail"), (99 * GB, "fail")],
)
def test_memory(used, state):
    assert machine.memory_finding(used, 100 * GB, 0.95).state == state


def test_this_machine_is_looked_at():
    assert "free of" in machine.memory().found
    assert machine.shared_memory(Node(name="a", cpu=1, object_store=1)).state == "ok"
