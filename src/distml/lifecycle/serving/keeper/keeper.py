"""`Keeper`: one look after another at a model's rollout. All it needs is in storage, so it may be killed at any point.

What is decided is written first, then brought about; and whatever is brought about may be brought about again: traffic
is a value that is asked for, and a champion is moved only from where the rollout says it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from distml.errors import ConflictError, NotFoundError
from distml.lifecycle.serving import rollouts
from distml.lifecycle.serving.live import LiveRecord
from distml.registry import Decision, StoreRegistry, Version
from distml.registry.base import find
from distml.serve.rollout.advance import ITSELF, Sight, advance
from distml.serve.rollout.rollout import Rollout
from distml.storage import Storage


class Service(Protocol):
    """The replicas of a model."""

    def is_there(self) -> bool:
        """Whether the model is served."""
        ...

    def apply(self, rollout: Rollout) -> None:
        """Asks the replicas for a rollout's traffic; returns before they have it."""
        ...

    def look(self, rollout: Rollout) -> Sight: ...

    def mirror(self, version: Version) -> None:
        """Moves the champion's alias in MLflow, in its own time."""
        ...


class Keeper:
    """Of one model. clock: seconds since 1970."""

    def __init__(
        self, storage: Storage, name: str, service: Service, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._storage = storage
        self._name = name
        self._service = service
        self._clock = clock
        self._registry = StoreRegistry(storage)
        self._applied: tuple[object, ...] | None = None
        self._nothing_to_do_at: int | None = None  # the change of the record that needs nothing more

    def look(self) -> bool:
        """Looks once; whether replicas are waited for, so that the next look is to be soon.

        Where nothing is under way that is one listing of a folder.
        """
        if rollouts.newest(self._storage, self._name) == self._nothing_to_do_at:
            return False
        revision, rollout = rollouts.read(self._storage, self._name)
        if rollout is None or rollout.is_settled or not self._service.is_there():
            self._nothing_to_do_at = revision
            return False
        try:
            return self._carry_on(revision, rollout)
        except ConflictError:
            return True  # somebody changed it meanwhile: the next look has theirs

    def _carry_on(self, revision: int, rollout: Rollout) -> bool:
        self._apply(rollout)
        sight = self._service.look(rollout)
        after = advance(rollout, sight, self._clock())
        if after != rollout:
            revision = rollouts.write(self._storage, revision, after)
            self._apply(after)
        rollouts.note(self._storage, after, sight, self._clock())
        if after.served_at is None:
            return True
        self._tell_live(after)
        failed = self._move_champion(after)
        if failed is not None and after.phase != "rolled back":
            back = after.entering("rolled back", self._clock(), ended_for=failed, ended_by=ITSELF)
            rollouts.write(self._storage, revision, back)
            return True
        if after.is_over:
            self._record_end(after, failed)
            self._nothing_to_do_at = rollouts.write(self._storage, revision, rollouts.settled(after))
        return False

    def _apply(self, rollout: Rollout) -> None:
        wanted = (rollout.traffic(), rollout.configured_by)
        if wanted != self._applied:
            self._service.apply(rollout)
            self._applied = wanted

    def _tell_live(self, rollout: Rollout) -> None:
        """Notes in the service's own record which version answers, unless it is ending."""
        live = LiveRecord(self._storage, self._name)
        last = live.last()
        if last is not None and last["version"] != rollout.main.version:
            live.update_version(self._version(rollout.main.version))

    def _version(self, number: int) -> Version:
        return find(self._registry.versions(self._name), self._name, number)

    def _move_champion(self, rollout: Rollout) -> str | None:
        """Brings the champion to what the rollout says; why that can't be."""
        champion = self._registry.champion(self._name)
        is_champion = champion is not None and champion.number == rollout.challenger.version
        try:
            if rollout.takes_champion and not is_champion:
                self._crown(rollout)
            elif rollout.gives_champion_back and is_champion:
                self._uncrown(rollout)
        except NotFoundError as error:
            return f"the champion was not moved: {error}"
        except ConflictError as error:
            return f"the champion was changed meanwhile: {error}"
        return None

    def _crown(self, rollout: Rollout) -> None:
        number, expected = rollout.challenger.version, rollout.expected
        last = LiveRecord(self._storage, self._name).last()
        reasons = (*rollout.reasons, *([f"served at {last['url']}"] if last is not None else []))
        if rollout.action == "rollback":
            self._registry.rollback(self._name, expected=expected, reasons=reasons, by=rollout.by)
            return
        by = rollout.by if rollout.is_at_once else ITSELF
        self._registry.promote(self._name, number, expected=expected, reasons=reasons, by=by)
        if not rollout.is_at_once:  # a command that does it at once is there to do this too
            self._service.mirror(self._version(number))

    def _uncrown(self, rollout: Rollout) -> None:
        why = (f"{rollout.label}: {rollout.ended_for}",)
        version = self._registry.rollback(
            self._name, expected=rollout.challenger.version, reasons=why, by=rollout.ended_by
        )  # fmt: skip
        self._service.mirror(version)

    def _record_end(self, rollout: Rollout, failed: str | None) -> None:
        """Notes in the audit log, once, that a version didn't take over."""
        if rollout.phase != "rolled back" or self._is_recorded(rollout):
            return
        failing = rollout.ended_by == ITSELF
        why = f"{rollout.label}, {rollout.action} begun by {rollout.by}: {rollout.ended_for}"
        decision = Decision(
            name=self._name,
            version=(rollout.challenger if failing else rollout.main).version,
            action="refuse" if failing else "rollback",
            reasons=(why, *([failed] if failed is not None else [])),
            by=rollout.ended_by,
        )
        self._registry.record(decision)

    def _is_recorded(self, rollout: Rollout) -> bool:
        """Whether the log tells of it: where the champion went back, that did, and a killed keeper may have."""
        begun = datetime.fromtimestamp(rollout.begun_at, UTC)
        since = [one for one in self._registry.audit(self._name) if datetime.fromisoformat(one.at) >= begun]
        number = rollout.challenger.version
        return any(one.action == "rollback" or (one.action == "refuse" and one.version == number) for one in since)
