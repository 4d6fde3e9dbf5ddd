"""What Ray Serve knows of a model's service: its replicas, how many it aims at and why, and its traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PATIENCE_S = 10.0
_SCALING = (
    "min_replicas", "max_replicas", "target_ongoing_requests", "upscale_delay_s", "downscale_delay_s",
    "downscale_to_zero_delay_s",
)  # fmt: skip


def serving(name: str) -> dict[str, Any] | None:
    """A model's service on the cluster that this process is connected to: `service_of`.

    None where Serve's controller doesn't answer, as while it is started anew, or has no such application.
    """
    import ray
    from ray.serve.context import _get_global_client

    client = _get_global_client(raise_if_no_controller_running=False)
    if client is None:
        return None
    try:
        # Not by the client's own call, which waits for ever.
        details = ray.get(client._controller.get_serve_instance_details.remote(), timeout=_PATIENCE_S)
    except (ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
        return None
    application = details["applications"].get(name)
    return None if application is None or not application["deployments"] else service_of(application)


def service_of(application: Mapping[str, Any]) -> dict[str, Any]:
    """One of `ServeInstanceDetails.applications`, as far as it tells people something.

    scaling: the limits, how many replicas are aimed at, and what Serve says of it; replicas: where each runs, by its
    id, and in which state; traffic: what the replicas were told last.
    """
    (deployment,) = application["deployments"].values()
    config = deployment["deployment_config"]
    limits = config.get("autoscaling_config") or {}
    return {
        "status": _plain(application["status"]),
        "message": application.get("message") or deployment.get("message") or "",
        "traffic": config.get("user_config") or {},
        "scaling": {
            **{key: limits[key] for key in _SCALING if limits.get(key) is not None},
            "target_replicas": deployment["target_num_replicas"],
            "status": _plain(deployment["status"]),
            "trigger": _plain(deployment["status_trigger"]),
        },
        "replicas": [
            {
                "id": replica["replica_id"],
                "state": _plain(replica["state"]),
                "node": replica.get("node_ip"),
                "pid": replica.get("pid"),
                "started_at": replica.get("start_time_s"),
            }
            for replica in deployment["replicas"]
        ],
    }


def _plain(value: Any) -> str:
    """An enumeration's value, or the text that it is already."""
    return str(getattr(value, "value", value))
