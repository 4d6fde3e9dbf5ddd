import sys

import pytest

from distml.errors import UsageError
from distml.tracking.system.mlflow import system_reader


def test_the_machine_is_read_under_mlflows_names():
    pytest.importorskip("psutil")
    values = system_reader()()
    assert 0 <= values["system/cpu_utilization_percentage"] <= 100
    assert 0 < values["system/system_memory_usage_percentage"] <= 100
    assert all(isinstance(value, float) for value in values.values())


def test_system_metrics_without_psutil_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(UsageError, match=r"psutil is not installed.*distml\[system\]"):
        system_reader()
