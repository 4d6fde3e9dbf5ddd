"""What stands how: a model's versions, its champion, what is served where, and what was decided last."""

from __future__ import annotations

from typing import Any

from distml.cluster.on_ray import NAMESPACE, connected
from distml.errors import NotFoundError
from distml.lifecycle.live import LiveRecord
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
    """`overview`, the audit log's last entries, and what the monitor knows in brief where the model is served."""
    about = overview(storage, name)
    audit = [decision.to_dict() for decision in StoreRegistry(storage).audit(name)[-NUM_DECISIONS:]]
    service = brief(monitor_report(storage, name)) if about["served"] is not None else None
    return {**about, "audit": audit, "service": service}


def monitor_report(storage: Storage, name: str) -> dict[str, Any]:
    """What the monitoring actor of a served model knows; `NotFoundError` when it isn't served."""
    running = LiveRecord(storage, name).read()
    if running is None:
        raise NotFoundError(
            "a model is served before it is monitored",
            received=name,
            where=storage.root,
            remedy=f"distml deploy {name}",
        )
    with connected(running["address"], running["token_path"]):
        import ray

        from distml.monitor.on_ray import actor_name

        return ray.get(ray.get_actor(actor_name(name), namespace=NAMESPACE).report.remote())


def brief(report: dict[str, Any]) -> dict[str, Any]:
    """A monitor's report without its columns: replicas, totals by version, the last full window and those filling."""
    windows = [*report["windows"][-1:], *report["filling"]]
    return {
        "replicas": report["replicas"],
        "versions": report["versions"],
        "windows": [
            {
                "version": window["version"],
                "is_full": window["is_full"],
                "rows": window["inputs"]["rows"],
                "latency_ms": window["latency_ms"],
                "drifted": window["inputs"]["drifted"] + window["predictions"]["drifted"],
            }
            for window in windows
        ],
    }


def _number(version: Version | None) -> int | None:
    return version.number if version else None
