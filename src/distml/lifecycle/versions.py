"""Which version is champion, changed by hand: `promote` and `rollback` move the live traffic and the champion together.

Traffic goes first, because it is the stricter test: a replica that can't load the version refuses it, and then
nothing has to be taken back from the registry. The champion is moved while traffic can still go back.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass

from distml.errors import ConflictError, DistmlError, UsageError
from distml.lifecycle.deploy import config_of, swapped
from distml.predictor import Predictor
from distml.registry import Decision, Registry, StoreRegistry, Version, resolve
from distml.registry.base import Action
from distml.registry.standing import check_champion, no_champion_before, pruned_error
from distml.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Moved:
    """The champion now and the one before the change; endpoint: where it is served, None if it isn't."""

    version: Version
    before: Version | None
    endpoint: str | None


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
    _check_refusal(registry, version, reason)
    champion = registry.champion(version.name)
    endpoint = _move(
        storage, version, "promote", expected=champion.number if champion else None, reasons=(reason or "by hand",),
        by=by or this_user(),
    )  # fmt: skip
    return Moved(version=version, before=champion, endpoint=endpoint)


def move_to_challenger(
    storage: Storage, version: Version, *, expected: int | None, reasons: tuple[str, ...], by: str
) -> str | None:
    """Makes a version champion that a gate let pass, and the one that answers; the endpoint's URL.

    expected: the champion that it was judged against. Errors: `promote`, once a version is found.
    """
    return _move(storage, version, "promote", expected=expected, reasons=reasons, by=by)


def rollback(storage: Storage, name: str, *, reason: str | None = None, by: str | None = None) -> Moved:
    """Makes the champion before the present one champion again, and serves it where the model is served.

    Two rollbacks go back two. Parameters and errors: `promote`; `NotFoundError` too where there is none before.
    """
    registry = StoreRegistry(storage)
    if "/" in name or "@" in name:
        raise UsageError("a rollback goes back from a model's champion", received=name, remedy="give its name alone")
    champion = resolve(registry, name)
    version = registry.previous(champion.name)
    if version is None:
        raise no_champion_before(name, champion.number)
    if version.pruned_at:
        raise pruned_error(version.label, version.pruned_at)
    endpoint = _move(
        storage, version, "rollback", expected=champion.number, reasons=(reason or "by hand",), by=by or this_user()
    )
    return Moved(version=version, before=champion, endpoint=endpoint)


def mirror_champion(storage: Storage, version: Version) -> str | None:
    """Moves the alias in MLflow's registry after the champion; why it couldn't be moved, None when it was.

    Never raises for a server that doesn't answer: what counts is in storage.
    """
    from distml.registry.mlflow import move_alias
    from distml.secrets import with_secrets
    from distml.tracking.mlflow import embedded_uri

    try:
        uri = config_of(storage, version).tracking.uri
        if uri is None and not storage.exists("mlflow/mlflow.db"):
            return None  # nothing was ever mirrored
        move_alias(with_secrets(uri or embedded_uri(storage.root)), version, "champion")
    except DistmlError as error:
        return str(error)
    return None


def this_user() -> str:
    """Who decides, as the audit log has it: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _move(
    storage: Storage, version: Version, action: Action, *, expected: int | None, reasons: tuple[str, ...], by: str
) -> str | None:
    """Moves traffic, then the champion; the endpoint's URL. What a replica refused goes into the audit log.

    Traffic doesn't move when the champion isn't `expected` by then.
    """
    registry = StoreRegistry(storage)

    def check() -> None:
        champion = registry.champion(version.name)
        check_champion(version.name, champion.number if champion else None, expected)

    with storage.local_folder(version.package) as folder:
        Predictor.load(folder)
    try:
        with swapped(storage, version, check) as url:
            served = (f"served at {url}",) if url else ()
            if action == "rollback":
                registry.rollback(version.name, expected=expected, reasons=(*reasons, *served), by=by)
            elif expected != version.number:
                registry.promote(version.name, version.number, expected=expected, reasons=(*reasons, *served), by=by)
    except ConflictError:
        raise
    except DistmlError as error:
        why = (f"{action}: {error}",)
        registry.record(Decision(name=version.name, version=version.number, action="refuse", reasons=why, by=by))
        raise
    return url


def _check_refusal(registry: Registry, version: Version, reason: str | None) -> None:
    """Raises `UsageError` for a version whose last decision was a refusal, unless a reason is given."""
    log = registry.audit(version.name)
    about = [entry for entry in log if entry.version == version.number and entry.action != "register"]
    if about and about[-1].action == "refuse" and not (reason or "").strip():
        raise UsageError(
            "a version that was refused is promoted with a reason",
            received=f"{version.label}, refused by {about[-1].by}: {'; '.join(about[-1].reasons[:1])}",
            remedy='give --reason "TEXT", which the audit log keeps',
        )
