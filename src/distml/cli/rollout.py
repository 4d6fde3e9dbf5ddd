"""Rollouts on the command line: the plan that options ask for, and lines that follow one to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.cli.output import say

if TYPE_CHECKING:
    from distml.config.rollout import RolloutConfig
    from distml.serve.rollout.rollout import Rollout
    from distml.storage import Storage


def plan_of(plan: RolloutConfig, shadow_s: float | None, canary: str | None, step_s: float | None) -> RolloutConfig:
    """A config's plan with what options say instead. Raises `UsageError` for one that can't be followed."""
    from pydantic import ValidationError

    from distml.config.rollout import RolloutConfig
    from distml.errors import UsageError

    told = {"shadow_s": shadow_s, "canary": None if canary is None else canary.split(","), "step_s": step_s}
    changes = {name: value for name, value in told.items() if value is not None}
    try:
        return RolloutConfig.model_validate({**plan.model_dump(), **changes})
    except ValidationError as error:
        (first, *_) = error.errors()
        name = str(first["loc"][0])
        raise UsageError(
            f"--{name.replace('shadow_s', 'shadow').replace('_', '-')}: {first['msg'].removeprefix('Value error, ')}",
            received=str(canary if name == "canary" else changes[name]),
            remedy="for example --shadow 60 --canary 5,25,100 --step-s 60",
        ) from error  # fmt: skip


def follow(storage: Storage, rollout: Rollout) -> dict[str, Any]:
    """Tells each step of a rollout until it is over, or until Ctrl-C, which leaves it going on; what it came to."""
    from distml.lifecycle.serving import rollouts
    from distml.lifecycle.serving.takeover import follow as changes_of

    told = Lines(f"{rollout.name}/{rollout.challenger.version}")
    try:
        for about in changes_of(storage, rollout):
            for line in told.of(about):
                say(line)
    except KeyboardInterrupt:
        name = rollout.name
        say(f"distml: the rollout goes on; distml status {name} shows it, distml rollback {name} ends it")
    now = rollouts.current(storage, rollout.name)
    assert now is not None, "it was begun"
    return now


class Lines:
    """What is new in a rollout, line by line."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._num_steps = 0
        self._at: tuple[str, float] | None = None
        self._awaited = ""

    def of(self, about: dict[str, Any]) -> list[str]:
        """The lines that `rollouts.current` has more than the last time."""
        lines = [f"{self._label}: {step_line(step)}" for step in about["history"][self._num_steps :]]
        self._num_steps = len(about["history"])
        at = (about["phase"], about["percent"])
        if at != self._at:
            self._at, self._awaited = at, ""
            way_out = "; Ctrl-C leaves that going on" if about["phase"] == "watch" else ""
            lines.append(f"{self._label}: {phase_line(about)}{way_out}")
        awaited = about["awaited"] or ""
        if awaited.startswith("waits") and not self._awaited:
            self._awaited = awaited
            lines.append(f"{self._label}: {awaited}")
        return lines


def phase_line(about: dict[str, Any]) -> str:
    """Where a rollout is.

    >>> phase_line({"phase": "canary", "percent": 5.0, "ended_for": None})
    'canary, 5 % of the requests'
    >>> phase_line({"phase": "rolled back", "percent": 0.0, "ended_for": "it failed"})
    'rolled back: it failed'
    """
    if about["phase"] == "rolled back":
        return f"rolled back: {about['ended_for']}"
    if about["phase"] == "watch":
        return "has all requests, and is watched"
    if about["phase"] in ("canary", "share"):
        return f"{about['phase']}, {about['percent']:g} % of the requests"
    return {"shadow": "shadow: is asked too, and nobody hears it", "done": "done"}[about["phase"]]


def step_line(step: dict[str, Any]) -> str:
    """A step that is over, and what was measured in it.

    >>> step_line({"phase": "canary", "percent": 5.0, "before": None,
    ...            "challenger": {"requests": 1200, "faults": 1, "p99_ms": 20.0, "differing": None}})
    'canary 5 %: 1,200 requests, 1 failed, p99 20 ms'
    """
    name = f"{step['phase']} {step['percent']:g} %" if step["percent"] else step["phase"]
    measured = step["challenger"]
    if measured is None:
        return f"{name}: not measured"
    p99 = "" if measured["p99_ms"] is None else f", p99 {measured['p99_ms']:g} ms"
    differing = "" if measured["differing"] is None else f", {measured['differing']:.2%} of the rows answered otherwise"
    return f"{name}: {measured['requests']:,} requests, {measured['faults']:,} failed{p99}{differing}"
