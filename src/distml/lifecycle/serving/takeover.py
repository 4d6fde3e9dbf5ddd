"""A version that is to take over in a model's service: what commands want, written down for the model's keeper.

No replica is spoken to here, and no Ray is needed: what is wanted is in effect a second or two after it is written.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from distml import code
from distml.config.rollout import RolloutConfig
from distml.errors import DistmlError, UsageError
from distml.lifecycle.serving import rollouts
from distml.lifecycle.serving.live import LiveRecord
from distml.package import require_code
from distml.registry import Decision, StoreRegistry, Version
from distml.registry.base import find
from distml.serve.rollout.advance import ITSELF
from distml.serve.rollout.rollout import Action, Phase, Rollout
from distml.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A version, how it is to take over, what becomes of the champion then, and who wants it why.

    shared: percentage of an A/B test, which isn't a way to take over; None: the plan's way.
    """

    version: Version
    plan: RolloutConfig
    action: Action
    by: str
    reasons: tuple[str, ...] = ()
    shared: float | None = None

    def __post_init__(self) -> None:
        if self.shared is not None and not 0 < self.shared < 100:
            raise UsageError("a share is a percentage between 0 and 100", received=f"{self.shared:g}")

    @property
    def phase(self) -> Phase:
        """With which it begins."""
        if self.shared is not None:
            return "share"
        if self.plan.is_at_once:
            return "watch"
        return "shadow" if self.plan.shadow_s else "canary"


def at_once(plan: RolloutConfig) -> RolloutConfig:
    """A plan's watch without its steps."""
    return plan.model_copy(update={"shadow_s": 0.0, "canary": (100.0,)})


def without_watch(plan: RolloutConfig) -> RolloutConfig:
    """A way back: there is nowhere better to go, so nothing is watched."""
    return at_once(plan).model_copy(update={"watch_s": 0.0})


def take_over(storage: Storage, wish: Wish, check: Callable[[], None] | None = None) -> tuple[Rollout, str] | None:
    """Begins a rollout in a model's service; its first traffic is in effect when this returns, with the service's URL.

    None where the model isn't served. check: is called before anything changes, and may raise. A rollout that is under
    way ends. Raises `DistmlError` when a replica refuses the version: traffic is then where it was.
    """
    version = wish.version
    running = LiveRecord(storage, version.name).read()
    if running is None:
        return None
    require_code(storage, version.package)
    if check is not None:
        check()
    served = find(StoreRegistry(storage).versions(version.name), version.name, running["version"])
    rollout = rollouts.begin(
        storage, version.name, lambda last: _begun(storage, wish, last, served), f"for {version.label}", wish.by
    )
    if not rollout.is_at_once:
        _record(storage, wish)
    return _in_effect(storage, rollout), running["url"]


def _begun(storage: Storage, wish: Wish, last: Rollout | None, served: Version) -> Rollout:
    """A rollout that goes out from what answers now."""
    challenger = rollouts.deployed(wish.version)
    before = last.main if last is not None else rollouts.deployed(served)
    if before == challenger:
        if wish.phase != "watch":
            raise UsageError(
                "a version takes over from another one", received=f"{wish.version.label}, which answers already",
                remedy="name another version",
            )  # fmt: skip
        before = last.before if last is not None and last.before is not None else challenger
    champion = StoreRegistry(storage).champion(wish.version.name)
    now = time.time()
    return Rollout(
        name=wish.version.name,
        challenger=challenger,
        before=before,
        plan=wish.plan,
        phase=wish.phase,
        action=wish.action,
        expected=champion.number if champion is not None else None,
        shared=wish.shared or 0.0,
        salt=secrets.token_hex(8),
        allow_code=tuple(sorted({*code.allowed(), *(last.allow_code if last is not None else ())})),
        by=wish.by,
        reasons=wish.reasons,
        begun_at=now,
        asked_at=now,
    )


def _record(storage: Storage, wish: Wish) -> None:
    """Notes in the audit log that a version begins to take over step by step."""
    plan = wish.plan
    steps = ", ".join(f"{percent:g}" for percent in plan.canary)
    shadow = f"shadow for {plan.shadow_s:g} s, then " if plan.shadow_s else ""
    how = f"shares {wish.shared:g} %" if wish.shared is not None else f"{shadow}{steps} %"
    number, reasons = wish.version.number, (how, *wish.reasons)
    decision = Decision(name=wish.version.name, version=number, action="roll out", reasons=reasons, by=wish.by)
    StoreRegistry(storage).record(decision)


def _in_effect(storage: Storage, rollout: Rollout) -> Rollout:
    """The rollout once replicas have its first traffic and the champion is where it says."""
    registry = StoreRegistry(storage)

    def is_there(now: Rollout) -> bool:
        if now.served_at is None or not now.takes_champion:
            return now.served_at is not None
        champion = registry.champion(now.name)
        return champion is not None and champion.number == now.challenger.version

    now = rollouts.wait(storage, rollout, is_there)
    if now.phase == "rolled back" and now.ended_by == ITSELF:
        raise DistmlError(
            "a version loads and reproduces its golden rows before it serves",
            received=now.ended_for,
            where=now.label,
            remedy="the version before goes on answering",
        )
    return now


def turn_back(storage: Storage, name: str, reason: str, by: str) -> Rollout | None:
    """Ends a rollout that is under way, its version having no requests any more when this returns; None without one."""
    _, now = rollouts.read(storage, name)
    if now is None or now.is_over or now.action == "rollback" or LiveRecord(storage, name).read() is None:
        return None
    aborted = rollouts.abort(storage, name, reason, by)
    return None if aborted is None else rollouts.wait(storage, aborted, lambda rollout: rollout.is_settled)


def follow(storage: Storage, rollout: Rollout, poll_s: float = 0.5) -> Iterator[dict[str, Any]]:
    """`rollouts.current` of a rollout whenever that has changed, until it is settled or another took its place."""
    last = None
    while True:
        _, now = rollouts.read(storage, rollout.name)
        assert now is not None, "it was written"
        if now.salt != rollout.salt:
            return
        about = rollouts.current(storage, rollout.name)
        if about is not None and about != last:
            yield about
            last = about
        if now.is_settled:
            return
        time.sleep(poll_s)
