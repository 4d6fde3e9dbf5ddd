"""Which version is champion, changed by hand: `promote` and `rollback` move the live traffic and the champion together.

Traffic goes first, because it is the stricter test: a replica that can't load the version refuses it, and then
nothing has to be taken back from the registry. Where a model is served its keeper does both; where it isn't, the
registry alone changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from distml.errors import UsageError
from distml.lifecycle.configs import config_of
from distml.lifecycle.serving.live import LiveRecord
from distml.lifecycle.serving.takeover import Wish, at_once, take_over, turn_back, without_watch
from distml.lifecycle.who import this_user
from distml.registry import Registry, StoreRegistry, Version, resolve
from distml.registry.standing import check_champion, no_champion_before, pruned_error
from distml.serve.rollout.rollout import Rollout
from distml.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Moved:
    """The champion now, and the one before the change, None where that moved none; endpoint: where the model is
    served, None if it isn't; ended: the version whose rollout was ended."""

    version: Version
    before: Version | None
    endpoint: str | None
    ended: int | None = None


def promote(storage: Storage, reference: str, *, reason: str | None = None, by: str | None = None) -> Moved:
    """Makes a version champion and, where its model is served, the one that answers.

    reference: NAME/NUMBER or NAME@challenger; reason: kept in the audit log, needed for a version that was refused
    before; by: who does it, this process's user if None.

    Raises before anything is moved: `NotFoundError`, `UsageError` for a reference without a version or a refused
    version without a reason, `PackageError` for a damaged package. Raises `DistmlError` when a replica refuses it, and
    `ConflictError` when the champion was changed meanwhile: both leave champion and traffic as they were.
    """
    registry = StoreRegistry(storage)
    if "/" not in reference and "@" not in reference:
        raise UsageError("what is promoted is one version of a model", received=reference, remedy=f"{reference}/NUMBER")
    version = resolve(registry, reference)
    check_refusal(registry, version, reason)
    champion = registry.champion(version.name)
    plan = at_once(config_of(storage, version).serve.rollout)
    wish = Wish(
        version=version, plan=plan, action="promote", by=by or this_user(), reasons=(reason or "by hand",)
    )  # fmt: skip
    endpoint = _move(storage, wish, champion.number if champion else None)
    return Moved(version=version, before=champion, endpoint=endpoint)


def move_to_challenger(
    storage: Storage, version: Version, *, expected: int | None, reasons: tuple[str, ...], by: str
) -> str | None:
    """Makes a version champion that a gate let pass, and the one that answers; the endpoint's URL.

    expected: the champion that it was judged against. Where the model is served and its config asks for steps, the
    first is in effect when this returns, and the champion moves after the last. Errors: `promote`, once a version is
    found.
    """
    plan = config_of(storage, version).serve.rollout
    return _move(storage, Wish(version=version, plan=plan, action="promote", by=by, reasons=reasons), expected)


def rollback(storage: Storage, name: str, *, reason: str | None = None, by: str | None = None) -> Moved:
    """Ends a rollout that is under way; without one, makes the champion before the present one champion again, and
    serves it where the model is served.

    Two rollbacks go back two. Parameters and errors: `promote`; `NotFoundError` too where there is none before.
    """
    registry = StoreRegistry(storage)
    if "/" in name or "@" in name:
        raise UsageError("a rollback goes back from a model's champion", received=name, remedy="give its name alone")
    champion = resolve(registry, name)
    why, who = reason or "by hand", by or this_user()
    ended = turn_back(storage, champion.name, why, who)
    if ended is not None:
        return _turned_back(storage, ended, champion)
    version = registry.previous(champion.name)
    if version is None:
        raise no_champion_before(name, champion.number)
    if version.pruned_at:
        raise pruned_error(version.label, version.pruned_at)
    plan = without_watch(config_of(storage, version).serve.rollout)
    wish = Wish(version=version, plan=plan, action="rollback", by=who, reasons=(why,))
    return Moved(version=version, before=champion, endpoint=_move(storage, wish, champion.number))


def _turned_back(storage: Storage, ended: Rollout, champion: Version) -> Moved:
    """What came of a rollout's end: the version before answers again, and is champion if it was."""
    now = StoreRegistry(storage).champion(ended.name)
    assert now is not None, "there was one"
    running = LiveRecord(storage, ended.name).read() or {}
    before = champion if champion != now else None
    return Moved(version=now, before=before, endpoint=running.get("url"), ended=ended.challenger.version)


def _move(storage: Storage, wish: Wish, expected: int | None) -> str | None:
    """Moves traffic, then the champion; the endpoint's URL, None where the model isn't served.

    Nothing moves when the champion isn't `expected` by then. Replicas check a version as they load it, and their
    refusal goes into the audit log; what none loads is checked here.
    """
    registry, version = StoreRegistry(storage), wish.version

    def check() -> None:
        champion = registry.champion(version.name)
        check_champion(version.name, champion.number if champion else None, expected)

    taken = take_over(storage, wish, check)
    if taken is not None:
        return taken[1]
    from distml.predictor import Predictor

    with storage.local_folder(version.package) as folder:
        Predictor.load(folder)
    if wish.action == "rollback":
        registry.rollback(version.name, expected=expected, reasons=wish.reasons, by=wish.by)
    elif expected != version.number:
        registry.promote(version.name, version.number, expected=expected, reasons=wish.reasons, by=wish.by)
    return None


def check_refusal(registry: Registry, version: Version, reason: str | None) -> None:
    """Raises `UsageError` for a version whose last decision was a refusal, unless a reason is given."""
    log = registry.audit(version.name)
    about = [entry for entry in log if entry.version == version.number and entry.action not in ("register", "roll out")]
    if about and about[-1].action == "refuse" and not (reason or "").strip():
        raise UsageError(
            "a version that was refused is promoted with a reason",
            received=f"{version.label}, refused by {about[-1].by}: {'; '.join(about[-1].reasons[:1])}",
            remedy='give --reason "TEXT", which the audit log keeps',
        )
