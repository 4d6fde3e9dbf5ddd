import queue
import time

import pytest

from distml.config import TrackingConfig
from distml.tracking.system import Sampler


def test_readings_are_points_by_the_second_of_the_run():
    put = queue.Queue()
    since = time.time() - 100
    with Sampler(lambda: {"system/cpu": 50.0}, put.put, interval_s=0.01, since_s=since):
        entries = [put.get(timeout=20), put.get(timeout=20)]
    points = [point for entry in entries for point in entry.points]
    assert [(entry.run, point.metric, point.value) for entry, point in zip(entries, points, strict=True)] == [
        ("", "system/cpu", 50.0)
    ] * 2
    assert all(100 <= point.step <= time.time() - since for point in points)


def test_nothing_is_read_after_its_end():
    put = queue.Queue()
    with Sampler(lambda: {"x": 1.0}, put.put, interval_s=0.001, since_s=0.0):
        put.get(timeout=20)
    num_left = put.qsize()
    time.sleep(0.05)
    assert put.qsize() == num_left


def test_nothing_is_read_unless_the_config_says_so():
    put = queue.Queue()
    with Sampler.of(TrackingConfig(), put.put, since_s=0.0) as sampler:
        assert not sampler._thread.is_alive()
    assert put.empty()


def test_the_machine_is_read_when_the_config_says_so():
    pytest.importorskip("psutil")
    put = queue.Queue()
    config = TrackingConfig(system_metrics=True, system_interval_s=0.05)
    with Sampler.of(config, put.put, since_s=0.0):
        entry = put.get(timeout=20)
    assert "system/cpu_utilization_percentage" in {point.metric for point in entry.points}
