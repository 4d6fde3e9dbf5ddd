"""The machine: GPUs, shared memory, disks and memory, against what Ray was told of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from distml.cluster.capacity import Node
from distml.lifecycle.doctor.check import Check
from distml.sizes import size

GB = 10**9
FULL = 0.95  # of a disk or of memory: there Ray spills no more, and ends workers
_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_LOOK = "import torch; print(torch.cuda.device_count(), torch.version.cuda or torch.version.hip or '')"


def gpus(told: Node) -> Check:
    """Torch is asked in a process of its own: Ray hides the GPUs from a task that reserves none."""
    has_device = any(Path(device).exists() for device in _DEVICES)
    if not has_device and not told.gpu:
        return Check(name="gpu", state="ok", found="none")
    environment = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    count, build = done.stdout.strip("\n").split(" ")
    return gpu_finding(told.gpu, int(count), is_cpu_build=not build)


def gpu_finding(told: float, seen: int, *, is_cpu_build: bool) -> Check:
    """told: GPUs that Ray gives out; seen: those that torch finds."""
    if seen == told:
        return Check(name="gpu", state="ok", found=f"{seen}, which torch sees")
    if is_cpu_build:
        found, remedy = f"Ray has {told:g}, and torch is a build without CUDA", "install torch's CUDA build here"
        return Check(name="gpu", state="fail" if told else "warn", found=found, remedy=remedy)
    if seen < told:
        found, remedy = f"Ray has {told:g}, and torch sees {seen}", "look at `nvidia-smi`, and at the driver's version"
        return Check(name="gpu", state="fail", found=found, remedy=remedy)
    found, remedy = f"torch sees {seen}, and Ray gives out {told:g}", f"start Ray with --num-gpus {seen} to use all"
    return Check(name="gpu", state="warn", found=found, remedy=remedy)


def shared_memory(told: Node) -> Check:
    if sys.platform != "linux":
        return Check(name="shared memory", state="ok", found=f"not needed on {sys.platform}")
    known = os.statvfs("/dev/shm")
    return shared_memory_finding(known.f_frsize * known.f_blocks, told.object_store)


def shared_memory_finding(num_bytes: int, object_store: int) -> Check:
    """num_bytes: of /dev/shm; object_store: what Ray was told to keep there."""
    if num_bytes >= object_store:
        found = f"{size(num_bytes)} for an object store of {size(object_store)}"
        return Check(name="shared memory", state="ok", found=found)
    found = f"/dev/shm has {size(num_bytes)}, and the object store is of {size(object_store)}: Ray keeps it on disk"
    remedy = (
        f"give the container --shm-size={-(-object_store // GB)}g (Kubernetes: an emptyDir of medium Memory at "
        "/dev/shm), or start Ray with a smaller --object-store-memory"
    )
    return Check(name="shared memory", state="warn", found=found, remedy=remedy)


def spill_disk(folder: str) -> Check:
    """Where Ray keeps its session and spills objects, which it does until the disk is 95 % full."""
    known = shutil.disk_usage(_existing(folder))
    return disk_finding("disk for Ray", folder, known.free, known.total, usable_by_ray(known.free, known.total))


def usable_by_ray(num_free: int, num_total: int) -> float:
    """Bytes until the disk is as full as Ray lets it become: 4 % of a large disk are many bytes, and none of Ray's.

    >>> usable_by_ray(40 * GB, 1000 * GB) < 0 < usable_by_ray(60 * GB, 1000 * GB)
    True
    """
    return num_free - (1 - FULL) * num_total


def storage_disk(root: str) -> Check:
    known = shutil.disk_usage(_existing(root))
    return disk_finding("disk for storage", root, known.free, known.total, known.free)


def disk_finding(name: str, path: str, num_free: int, num_total: int, num_usable: float) -> Check:
    """num_usable: bytes until nothing more is written."""
    found = f"{path}: {size(num_free)} free of {size(num_total)}"
    remedy = f"free space on the disk of {path} (`distml gc` frees storage), or use another"
    if num_usable < 0.1 * GB:
        return Check(name=name, state="fail", found=f"{found}, which is too little to write", remedy=remedy)
    if num_usable < 5 * GB:
        return Check(name=name, state="warn", found=f"{found}, which is little", remedy=remedy)
    return Check(name=name, state="ok", found=found)


def memory() -> Check:
    """Of this machine or container, by Ray's own reckoning, because it is Ray that ends workers when it is used up."""
    from ray._common.utils import get_system_memory
    from ray._private.utils import get_used_memory

    limit = float(os.environ.get("RAY_memory_usage_threshold", FULL))  # noqa: SIM112 - Ray's own spelling
    return memory_finding(get_used_memory(), get_system_memory(), limit)


def memory_finding(used: int, total: int, limit: float) -> Check:
    """limit: the share of memory in use past which Ray ends workers."""
    left = limit * total - used
    found = f"{size(max(0, total - used))} free of {size(total)}"
    remedy = "end what uses it, or use a machine with more"
    if left <= 0:
        text = f"{found}: Ray ends workers past {limit:.0%} in use"
        return Check(name="memory", state="fail", found=text, remedy=remedy)
    if left < GB:
        return Check(name="memory", state="warn", found=f"{found}, which is little", remedy=remedy)
    return Check(name="memory", state="ok", found=found)


def _existing(path: str) -> Path:
    """The path, or the nearest folder above it that is there."""
    place = Path(path)
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
