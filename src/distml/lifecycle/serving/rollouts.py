"""Rollouts in storage: `models/<name>/rollouts/000001.json` and on, one file per change, the newest counts.

Each is created exclusively, so of two that change a rollout one wins. What commands want, they write here; the model's
keeper, which alone speaks to the replicas, brings traffic and champion there. Beside lie, overwritten, what was
measured last (`models/<name>/rollout.json`) and what keeps the keeper from its work (`models/<name>/keeper.json`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from distml.errors import ConflictError, DistmlError, NotFoundError
from distml.registry import Version
from distml.serve.rollout.advance import Sight, awaited, measured_in, totals_of
from distml.serve.rollout.evidence import Totals
from distml.serve.rollout.rollout import Rollout
from distml.serve.traffic import Deployed
from distml.storage import Storage

_POLL_S = 0.1
_TIMEOUT_S = 150.0  # loading may take two minutes; then it goes back


def newest(storage: Storage, name: str) -> int:
    """The number of the newest change, 0 where there is none: one listing, nothing is read."""
    names = storage.list(f"models/{name}/rollouts")
    return int(names[-1].removesuffix(".json")) if names else 0


def read(storage: Storage, name: str) -> tuple[int, Rollout | None]:
    """The number of the newest change and what it says."""
    revision, value = storage.read_swapped(f"models/{name}/rollouts")
    return revision, None if value is None else Rollout.from_dict(value)


def write(storage: Storage, revision: int, rollout: Rollout) -> int:
    """The next change after `revision`, and its number; `ConflictError` where somebody changed it meanwhile."""
    return storage.swap_json(f"models/{rollout.name}/rollouts", revision, rollout.to_dict())


def begin(storage: Storage, name: str, make: Callable[[Rollout | None], Rollout], why: str, by: str) -> Rollout:
    """Begins a rollout, which ends one that is under way. make: is given the last one, ended, and may raise: then that
    goes on."""
    while True:
        revision, last = read(storage, name)
        ended = last.superseded(why, by, time.time()) if last is not None else None
        made = make(ended)
        try:
            if ended != last and ended is not None:
                revision = write(storage, revision, ended)
            write(storage, revision, made)
            return made
        except ConflictError:
            continue  # somebody got further


def abort(storage: Storage, name: str, why: str, by: str) -> Rollout | None:
    """Turns back a rollout that is under way; None where there is none."""
    while True:
        revision, last = read(storage, name)
        if last is None or last.is_over:
            return None
        aborted = last.aborted(why, by, time.time())
        try:
            write(storage, revision, aborted)
        except ConflictError:
            continue
        return aborted


def wait(storage: Storage, rollout: Rollout, until: Callable[[Rollout], bool]) -> Rollout:
    """The rollout once it is as wanted, or rolled back and that in effect.

    Raises `ConflictError` where another took its place, `DistmlError` where the keeper doesn't get there.
    """
    deadline, seen, now = time.monotonic() + _TIMEOUT_S, 0, rollout
    while time.monotonic() < deadline:
        if newest(storage, rollout.name) != seen:
            seen, found = read(storage, rollout.name)
            assert found is not None, "it was written"
            now = found
        if now.salt != rollout.salt:
            raise ConflictError(
                "a rollout goes on until another takes its place", received=f"{now.label}, begun by {now.by}",
                where=rollout.label, remedy=f"look at `distml status {rollout.name}`",
            )  # fmt: skip
        if now.is_settled or (now.phase != "rolled back" and until(now)):
            return now
        time.sleep(_POLL_S)
    raise DistmlError(
        "the keeper of a served model brings its replicas to what is wanted",
        received=f"{now.label}, in phase {now.phase!r}, not in effect after {_TIMEOUT_S:g} s",
        where=rollout.name,
        remedy=f"what is wanted stays wanted; {trouble(storage, rollout.name) or 'its keeper tells of no trouble'}",
    )


def tell_trouble(storage: Storage, name: str, told: str | None) -> None:
    """Keeps why a model's keeper can't go on, for whoever waits for it; None: it can."""
    storage.write_bytes(f"models/{name}/keeper.json", _dump({"trouble": told, "at": time.time()}), durable=False)


def trouble(storage: Storage, name: str) -> str | None:
    """Why a model's keeper couldn't go on when it last looked."""
    try:
        return storage.read_json(f"models/{name}/keeper.json")["trouble"]
    except NotFoundError:
        return None


def deployed(version: Version) -> Deployed:
    return Deployed(version=version.number, package=version.package)


def settled(rollout: Rollout) -> Rollout:
    """With traffic and champion as the rollout's end says."""
    return replace(rollout, is_settled=True)


def note(storage: Storage, rollout: Rollout, sight: Sight, now: float) -> None:
    """Keeps what was measured last, for whoever asks how far a rollout is."""
    totals = totals_of(rollout, sight)
    measured = measured_in(rollout, totals)
    picture = {
        "salt": rollout.salt,
        "at": now,
        "awaited": None if rollout.is_over else awaited(rollout, totals, now),
        "measured": {"challenger": summary(measured.challenger), "before": summary(measured.before)},
    }
    storage.write_bytes(f"models/{rollout.name}/rollout.json", _dump(picture), durable=False)


def current(storage: Storage, name: str) -> dict[str, Any] | None:
    """The newest rollout of a model in brief, for people; None where there never was one.

    phase, percent, challenger, before: versions; action, by, reasons, begun_at; is_served: replicas have what is
    wanted; ended_for, ended_by; awaited: what it waits for; trouble: why the keeper can't go on; measured: what both
    versions did in this step; history.
    """
    _, rollout = read(storage, name)
    if rollout is None:
        return None
    try:
        picture = storage.read_json(f"models/{name}/rollout.json")
    except NotFoundError:
        picture = {}
    is_of_this = picture.get("salt") == rollout.salt
    return {
        "name": name,
        "phase": rollout.phase,
        "is_over": rollout.is_over,
        "percent": rollout.percent,
        "challenger": rollout.challenger.version,
        "before": None if rollout.before is None else rollout.before.version,
        "action": rollout.action,
        "by": rollout.by,
        "reasons": list(rollout.reasons),
        "begun_at": rollout.begun_at,
        "is_served": rollout.served_at is not None,
        "ended_for": rollout.ended_for,
        "ended_by": rollout.ended_by,
        "awaited": picture["awaited"] if is_of_this and not rollout.is_over else None,
        "trouble": None if rollout.is_over else trouble(storage, name),
        "measured": picture["measured"] if is_of_this else None,
        "history": [_step(step) for step in rollout.history],
    }


def _step(step: Any) -> dict[str, Any]:
    measured = step.measured
    return {
        "phase": step.phase,
        "percent": step.percent,
        "began_at": step.began_at,
        "ended_at": step.ended_at,
        "challenger": None if measured is None else summary(measured.challenger),
        "before": None if measured is None else summary(measured.before),
    }


def summary(totals: Totals) -> dict[str, Any]:
    """What a version did, in four numbers; differing: share of the rows that a shadow answered otherwise."""
    return {
        "requests": totals.requests,
        "faults": totals.faults,
        "p99_ms": totals.p99_ms,
        "differing": totals.differing / totals.compared if totals.compared else None,
    }


def _dump(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value)
