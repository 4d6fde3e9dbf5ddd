"""A rollout on the command line: the plan that options ask for, and what is told of it."""

import pytest

from distml.cli.rollout import Lines, plan_of
from distml.config.rollout import RolloutConfig
from distml.errors import UsageError


def about(phase="canary", percent=5.0, history=(), awaited=None, ended_for=None):
    return {"phase": phase, "percent": percent, "history": list(history), "awaited": awaited, "ended_for": ended_for}


def step(phase, percent, requests, differing=None):
    measured = {"requests": requests, "faults": 0, "p99_ms": 20.0, "differing": differing}
    return {"phase": phase, "percent": percent, "challenger": measured, "before": None}


def test_options_go_over_the_config():
    config = RolloutConfig(canary=(50, 100), step_s=9, watch_s=7)
    assert plan_of(config, None, None, None) == config
    plan = plan_of(config, 30, "5,25,100", 0)
    assert (plan.shadow_s, plan.canary, plan.step_s, plan.watch_s) == (30, (5, 25, 100), 0, 7)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((None, "25,5,100", None), "--canary: percentages rise from above 0 to 100"),
        ((None, "5,half", None), "--canary: Input should be a valid number"),
        ((-1, None, None), "--shadow: Input should be greater than or equal to 0"),
        ((None, None, -1), "--step-s: Input should be greater than or equal to 0"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        plan_of(RolloutConfig(), *options)


def test_each_change_is_told_once():
    lines = Lines("shop/3")
    shadow = step("shadow", 0.0, 900, differing=0.0125)
    told = [
        lines.of(one)
        for one in (
            about("shadow", 0.0),
            about("shadow", 0.0, awaited="12 of 60 s"),
            about("shadow", 0.0, awaited="waits for requests: 3 of 50"),
            about("shadow", 0.0, awaited="waits for requests: 4 of 50"),
            about("canary", 5.0, [shadow]),
            about("rolled back", 0.0, [shadow, step("canary", 5.0, 1200)], ended_for="it failed 40 of 1,200 requests"),
        )
    ]
    assert told == [
        ["shop/3: shadow: is asked too, and nobody hears it"],
        [],
        ["shop/3: waits for requests: 3 of 50"],
        [],
        [
            "shop/3: shadow: 900 requests, 0 failed, p99 20 ms, 1.25% of the rows answered otherwise",
            "shop/3: canary, 5 % of the requests",
        ],
        [
            "shop/3: canary 5 %: 1,200 requests, 0 failed, p99 20 ms",
            "shop/3: rolled back: it failed 40 of 1,200 requests",
        ],
    ]
