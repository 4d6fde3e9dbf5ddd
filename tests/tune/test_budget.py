import pytest

from distml.config import SearchConfig
from distml.tune.budget import Budget


@pytest.mark.parametrize(
    ("config", "num_devices"),
    [
        ({}, 1.0),
        ({"resources_per_trial": {"cpu": 4}}, 4.0),
        ({"resources_per_trial": {"cpu": 4, "gpu": 0.5}}, 0.5),
        ({"resources_per_trial": {"cpu": 2}, "workers_per_trial": 3}, 6.0),
    ],
)
def test_a_trials_devices_are_its_gpus_or_else_its_cpus(config, num_devices):
    budget = Budget.of(SearchConfig(device_hours=2, time_budget_s=60, **config))
    assert budget == Budget(time_s=60, device_hours=2, num_devices=num_devices)


def test_without_limits_nothing_is_ever_spent():
    assert not Budget().is_spent(1e9, [1e9])
    assert Budget().left_s(1e9, [1e9], num_running=3) is None


def test_hours_count_every_trial():
    budget = Budget(device_hours=1, num_devices=2)
    assert budget.used_h([600, 600]) == pytest.approx(2 / 3)
    assert not budget.is_spent(1e9, [600, 600, 599])
    assert budget.is_spent(0, [600, 600, 600])


def test_whichever_limit_is_nearer_counts():
    budget = Budget(time_s=100, device_hours=1 / 36)  # 100 device-seconds
    assert budget.left_s(10, [40], num_running=2) == pytest.approx(30)
    assert budget.left_s(95, [40], num_running=2) == pytest.approx(5)
    assert budget.left_s(0, [101], num_running=0) == 0
