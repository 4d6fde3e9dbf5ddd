import pytest
from pydantic import ValidationError

from distml.config.rollout import RolloutConfig


def test_a_new_version_takes_over_at_once_unless_told_otherwise():
    plan = RolloutConfig()
    assert plan.is_at_once
    assert (plan.canary, plan.rollback_on.error_rate, plan.rollback_on.latency_p99_ms) == ((100,), 0.01, None)
    assert not RolloutConfig(canary=[5, 100]).is_at_once
    assert not RolloutConfig(shadow_s=1).is_at_once
    assert RolloutConfig(canary=100).canary == (100,)


@pytest.mark.parametrize("canary", [[], [50], [5, 5, 100], [25, 5, 100], [0, 100], [-5, 100], [5, 100, 101]])
def test_percentages_rise_to_a_hundred(canary):
    with pytest.raises(ValidationError, match="percentages rise from above 0 to 100"):
        RolloutConfig(canary=canary)


@pytest.mark.parametrize(
    "section",
    [{"step_s": -1}, {"shadow_s": -1}, {"watch_s": -1}, {"min_requests": -1}, {"rollback_on": {"error_rate": 1}},
     {"rollback_on": {"latency_p99_ms": 0}}, {"key": "x y"}, {"key": ""}, {"canaries": [100]}],
)  # fmt: skip
def test_nonsense_is_refused(section):
    with pytest.raises(ValidationError):
        RolloutConfig(**section)


def test_a_header_is_named_in_any_case():
    assert RolloutConfig(key="X-User-Id").key == "x-user-id"
