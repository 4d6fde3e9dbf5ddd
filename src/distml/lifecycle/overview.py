"""What stands how: a model's versions, its champion, what is served where, and what was decided last."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from distml.cluster.on_ray import NAMESPACE, connected
from distml.errors import NotFoundError
from distml.lifecycle.serving import rollouts
from distml.lifecycle.serving.live import LiveRecord
from distml.registry import StoreRegistry, Version
from distml.storage import Storage

NUM_DECISIONS = 10  # that are shown of one model


def overview(storage: Storage, name: str) -> dict[str, Any]:
    """One model in a line: `served`, `endpoint` and `since` are None where no process of this machine serves it.

    Raises `NotFoundError` for a model without versions.
    """
    registry = StoreRegistry(storage)
    versions = registry.versions(name)
    if not versions:
        known = ", ".join(registry.names()) or "none"
        raise NotFoundError("a model is registered before it is looked at", received=name, remedy=f"models: {known}")
    running = LiveRecord(storage, name).read() or {}
    decisions = [decision for decision in registry.audit(name) if decision.action not in ("register", "prune")]
    return {
        "name": name,
        "versions": len(versions),
        "pruned": sum(bool(version.pruned_at) for version in versions),
        "champion": _number(registry.champion(name)),
        "previous": _number(registry.previous(name)),
        "served": running.get("version"),
        "endpoint": running.get("url"),
        "since": running.get("since"),
        "decision": decisions[-1].to_dict() if decisions else None,
    }


def details(storage: Storage, name: str) -> dict[str, Any]:
    """`overview`, the audit log's last entries, the newest rollout, and what is known of the service where the model is
    served."""
    about = overview(storage, name)
    audit = [decision.to_dict() for decision in StoreRegistry(storage).audit(name)[-NUM_DECISIONS:]]
    service = service_report(storage, name) if about["served"] is not None else None
    return {**about, "audit": audit, "rollout": rollouts.current(storage, name), "service": service}


def monitor_report(storage: Storage, name: str) -> dict[str, Any]:
    """What the monitoring actor of a served model knows; `NotFoundError` when it isn't served."""
    with _beside(storage, name):
        return _told_by_monitor(name)


def service_report(storage: Storage, name: str) -> dict[str, Any]:
    """What monitor and Serve know of a served model, in brief; `NotFoundError` when it isn't served.

    replicas: by id what each holds, where it runs and in which state; traffic, scaling: of `ray_serve.service_of`, None
    where Serve doesn't answer; changes: when the number of replicas changed, and at which load; versions: totals;
    windows: the last full one and those filling, without their columns.
    """
    from distml.lifecycle.serving.ray_serve import serving

    with _beside(storage, name):
        report, served = _told_by_monitor(name), serving(name)
    return {
        "replicas": _placed(report["replicas"], served["replicas"] if served else []),
        "traffic": served and served["traffic"],
        "scaling": served and served["scaling"],
        "changes": report["changes"],
        "versions": report["versions"],
        "windows": [_without_columns(window) for window in (*report["windows"][-1:], *report["filling"])],
    }


@contextlib.contextmanager
def _beside(storage: Storage, name: str) -> Iterator[None]:
    """Connected to the cluster that serves a model."""
    running = LiveRecord(storage, name).read()
    if running is None:
        raise NotFoundError(
            "a model is served before it is monitored",
            received=name,
            where=storage.root,
            remedy=f"distml deploy {name}",
        )
    with connected(running["address"], running["token_path"]):
        yield


def _told_by_monitor(name: str) -> dict[str, Any]:
    import ray

    from distml.monitor.on_ray import actor_name

    return ray.get(ray.get_actor(actor_name(name), namespace=NAMESPACE).report.remote())


def _placed(told: dict[str, dict[str, Any]], served: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Replicas as they told the monitor themselves, with where Serve has them; a replica's own id ends in its process.

    Those that have told nothing yet, as they are starting, stand there by Serve's id.
    """
    placed = {name: {**replica, "state": None, "node": None} for name, replica in told.items()}
    for replica in served:
        found = [name for name in told if name.endswith(f"-{replica['pid']}")]
        for name in found or [replica["id"]]:
            placed.setdefault(name, {}).update(state=replica["state"], node=replica["node"])
    return placed


def _without_columns(window: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in window.items() if key not in ("inputs", "predictions")}


def _number(version: Version | None) -> int | None:
    return version.number if version else None
