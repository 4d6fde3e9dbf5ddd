"""Reads how busy a machine is with MLflow's own monitors."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from distml.errors import UsageError


def system_reader() -> Callable[[], Mapping[str, float]]:
    """Reads processor, memory, disk, network and GPUs of this machine, under the names that MLflow's pages know.

    Raises `UsageError` without psutil; GPUs are read where nvidia-ml-py is installed and finds one.
    """
    try:
        importlib.import_module("psutil")
    except ImportError as error:
        raise UsageError(
            "system metrics are read by psutil",
            received="psutil is not installed",
            where="tracking.system_metrics",
            remedy="pip install 'distml[system]', or tracking.system_metrics: false",
        ) from error
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    with contextlib.suppress(ImportError, RuntimeError):  # no nvidia-ml-py, or no GPU
        monitors.append(GPUMonitor())

    def read() -> dict[str, float]:
        values: dict[str, float] = {}
        for monitor in monitors:
            monitor.collect_metrics()
            values |= {f"system/{name}": float(value) for name, value in monitor.aggregate_metrics().items()}
            monitor.clear_metrics()
        return values

    return read
