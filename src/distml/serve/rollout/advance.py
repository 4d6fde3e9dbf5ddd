"""`advance`: what becomes of a rollout by what was seen. The same rollout, sight and time give the same answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from distml.serve.rollout.evidence import NOTHING, Totals, verdict
from distml.serve.rollout.rollout import Measured, Phase, Rollout

LOAD_TIMEOUT_S = 120.0
_MOST_STRETCHES = 10  # that a watch is judged in
ITSELF = "rollout"  # who ends a rollout that nobody ended


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What replicas and their monitor say. totals: by version; is_loaded: every running replica has the traffic that
    was asked for; refused: why one of them won't serve the challenger."""

    totals: Mapping[int, Totals]
    is_loaded: bool
    refused: str | None = None


def advance(rollout: Rollout, sight: Sight, now: float) -> Rollout:
    """The rollout after a look, the same where nothing is to be done. now: seconds since 1970."""
    totals = totals_of(rollout, sight)
    if rollout.is_over:
        return rollout.counting(now, totals) if rollout.served_at is None and sight.is_loaded else rollout
    rollout = _based(rollout, totals)
    why = _objection(rollout, sight, totals, now)
    if why is not None:
        return rollout.entering("rolled back", now, totals, ended_for=why, ended_by=ITSELF)
    if rollout.served_at is None:
        return rollout.counting(now, totals) if sight.is_loaded else rollout
    if awaited(rollout, totals, now) is None:
        return _passed(rollout, totals, now)
    return _judged_anew(rollout, totals, now)


def totals_of(rollout: Rollout, sight: Sight) -> Measured:
    before = rollout.before.version if rollout.before is not None else rollout.challenger.version
    return Measured(
        challenger=sight.totals.get(rollout.challenger.version, NOTHING), before=sight.totals.get(before, NOTHING)
    )


def awaited(rollout: Rollout, totals: Measured, now: float) -> str | None:
    """What a step that is under way still waits for, in a few words; None once it is passed."""
    if rollout.entered_at is None:
        return "replicas load it"
    plan = rollout.plan
    if rollout.phase == "share":
        return "goes on until it is ended"
    duration = {"shadow": plan.shadow_s, "canary": plan.step_s, "watch": plan.watch_s}.get(rollout.phase, 0.0)
    if now - rollout.entered_at < duration:
        return f"{now - rollout.entered_at:.0f} of {duration:g} s"
    done = measured_in(rollout, totals).challenger.requests
    if rollout.phase != "watch" and done < plan.min_requests:
        return f"waits for requests: {done} of {plan.min_requests}"
    return None


def measured_in(rollout: Rollout, totals: Measured) -> Measured:
    """What both versions did since the phase or step began to count."""
    return (totals.since(rollout.entered) if rollout.entered else None) or Measured()


def _based(rollout: Rollout, totals: Measured) -> Rollout:
    """With totals to compare later ones with: those of the first look, and the first of a monitor begun anew."""
    if rollout.base is not None and totals.since(rollout.base) is not None:
        return rollout
    return replace(rollout, base=totals, entered=totals)


def _objection(rollout: Rollout, sight: Sight, totals: Measured, now: float) -> str | None:
    """Why the version before is to come back; None where nothing speaks against the challenger."""
    if sight.refused is not None:
        return f"a replica refused it: {sight.refused}"
    if rollout.served_at is None and not sight.is_loaded and now - rollout.asked_at > LOAD_TIMEOUT_S:
        return f"it was not loaded within {LOAD_TIMEOUT_S:g} s"
    if rollout.action == "rollback" or rollout.before in (None, rollout.challenger) or rollout.base is None:
        return None  # there is nowhere better to go
    stretch = totals.since(rollout.base)
    return None if stretch is None else verdict(stretch.challenger, rollout.plan.rollback_on, rollout.stretch)


def _passed(rollout: Rollout, totals: Measured, now: float) -> Rollout:
    phase, step = _next(rollout)
    if phase == "done":
        return rollout.entering("done", now, totals, ended_by=ITSELF)
    return rollout.entering(phase, now, totals, step=step)


def _next(rollout: Rollout) -> tuple[Phase, int]:
    if rollout.phase == "shadow":
        return "canary", 0
    if rollout.phase == "canary" and rollout.step + 1 < len(rollout.plan.canary):
        return "canary", rollout.step + 1
    return ("watch", 0) if rollout.phase == "canary" else ("done", 0)


def _judged_anew(rollout: Rollout, totals: Measured, now: float) -> Rollout:
    """A phase without a number of requests to reach is judged in stretches, so that a late fault counts in full."""
    if rollout.phase not in ("watch", "share") or rollout.stretch_at is None or rollout.base is None:
        return rollout
    plan = rollout.plan
    stretch = totals.since(rollout.base)
    is_long = now - rollout.stretch_at >= max(plan.step_s, plan.watch_s / _MOST_STRETCHES, 1.0)
    if is_long and stretch is not None and stretch.challenger.requests >= max(1, plan.min_requests):
        return rollout.judged_anew(now, totals)
    return rollout
