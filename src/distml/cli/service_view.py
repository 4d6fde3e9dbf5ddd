"""A service as text: who answers, from how many replicas, and how it went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from distml.cli.output import moment
from distml.wording import numbered


def service_lines(service: dict[str, Any]) -> list[str]:
    """What `overview.service_report` tells."""
    return [
        *_traffic_line(service["traffic"]),
        *_scaling_lines(service["scaling"], service["changes"]),
        *(_replica_line(name, told) for name, told in service["replicas"].items()),
        *version_lines(service["versions"]),
        *map(window_line, service["windows"]),
    ]


def rollout_line(rollout: dict[str, Any]) -> str:
    """What `rollouts.current` tells, in a line.

    >>> under_way = {"challenger": 2, "before": 1, "phase": "canary", "percent": 5.0, "is_over": False,
    ...              "awaited": "20 of 60 s", "ended_for": None, "trouble": None}
    >>> rollout_line(under_way)
    'rollout: version 2 in the place of 1, canary at 5 %; 20 of 60 s'
    >>> rollout_line({**under_way, "trouble": "the monitor is away"})
    "rollout: version 2 in the place of 1, canary at 5 %; its keeper can't go on: the monitor is away"
    >>> rollout_line({**under_way, "phase": "rolled back", "is_over": True, "ended_for": "it failed", "awaited": None})
    'last rollout: version 2 in the place of 1, rolled back; it failed'
    """
    before = "" if rollout["before"] is None else f" in the place of {rollout['before']}"
    share = f" at {rollout['percent']:g} %" if rollout["phase"] in ("canary", "share") else ""
    why = rollout["ended_for"] if rollout["is_over"] else rollout["awaited"]
    if rollout["trouble"]:
        why = f"its keeper can't go on: {rollout['trouble']}"
    said = f"version {rollout['challenger']}{before}, {rollout['phase']}{share}{f'; {why}' if why else ''}"
    return f"{'last rollout' if rollout['is_over'] else 'rollout'}: {said}"


def _traffic_line(traffic: dict[str, Any] | None) -> list[str]:
    """Who answers which part.

    >>> _traffic_line({"main": {"version": 1}, "shares": [{"deployed": {"version": 2}, "percent": 5.0}]})
    ['traffic: version 1 answers, version 2 5 % of the requests']
    """
    if not traffic:
        return []
    told = [f"version {traffic['main']['version']} answers"]
    told += [f"version {one['deployed']['version']} {one['percent']:g} % of the requests" for one in traffic["shares"]]
    if traffic.get("shadow"):
        told.append(f"version {traffic['shadow']['version']} listens")
    return [f"traffic: {', '.join(told)}"]


def _scaling_lines(scaling: dict[str, Any] | None, changes: list[dict[str, Any]]) -> list[str]:
    told = [
        f"  {_at(change['at'])}  {change['from']} to {numbered(change['to'], 'replica')}, "
        f"{change['ongoing']:g} requests ongoing"
        for change in changes[-3:]
    ]
    if scaling is None:
        return ["scaling: Serve does not answer", *told]
    limits = ""
    if "max_replicas" in scaling:
        limits = (
            f" of {scaling['min_replicas']} to {scaling['max_replicas']}, "
            f"one for {scaling['target_ongoing_requests']:g} ongoing requests"
        )
    state = f"{scaling['status']}, {scaling['trigger']}".lower().replace("_", " ")
    return [f"scaling: {numbered(scaling['target_replicas'], 'replica')} wanted{limits}; {state}", *told]


def _replica_line(name: str, told: dict[str, Any]) -> str:
    place = f" on {told['node']}" if told.get("node") else ""
    state = told["state"].lower() if told.get("state") not in (None, "RUNNING") else ""
    if "versions" not in told:
        return f"replica {name}{place}: {state or 'running, nothing loaded yet'}"
    others = [str(version) for version in told["versions"] if version != told["main"]]
    parts = [
        "no version" if told["main"] is None else f"version {told['main']}",
        f"holds {', '.join(others)} too" if others else "",
        f"{told['gauges']['ongoing']:g} ongoing" if "ongoing" in told["gauges"] else "",
        state,
        *(f"refused {version}: {error}" for version, error in told["errors"].items()),
    ]
    return f"replica {name}{place}: {', '.join(filter(None, parts))}"


def version_lines(versions: dict[str, Any]) -> list[str]:
    """How each version did so far, and how as a shadow, of which its totals are a part."""
    lines = []
    for version, total in versions.items():
        shadow = total["shadow"]
        if total["requests"] > shadow["requests"] or not shadow["requests"]:
            lines.append(f"version {version}{' in all' if shadow['requests'] else ''}: {_counts_text(total)}")
        if shadow["requests"] or shadow["compared"]:
            lines.append(f"version {version} as a shadow: {_counts_text(shadow)}{_compared_text(shadow)}")
    return lines


def _counts_text(counts: dict[str, Any]) -> str:
    errors = ", ".join(f"{count} {kind}" for kind, count in counts["errors"].items()) or "no errors"
    batches = "" if counts["mean_batch"] is None else f", {counts['mean_batch']:.1f} requests in a batch"
    left_out = f", {counts['unsummarised']:,} rows in no window" if counts["unsummarised"] else ""
    return (
        f"{counts['requests']:,} requests, {counts['rows']:,} rows, {numbered(counts['faults'], 'fault')}, {errors}, "
        f"{_latency_text(counts['latency_ms'])}{batches}{left_out}"
    )


def _compared_text(shadow: dict[str, Any]) -> str:
    skipped = f"; {shadow['skipped']:,} requests not asked, being busy" if shadow["skipped"] else ""
    if not shadow["compared"]:
        return skipped
    return (
        f"; {shadow['differing']:,} of {shadow['compared']:,} rows answered otherwise, scores apart by "
        f"{shadow['mean_difference']:.3g}, at most {shadow['max_difference']:.3g}{skipped}"
    )


def window_line(window: dict[str, Any]) -> str:
    """A window without its columns."""
    drifted = ", ".join(window["drifted"]) or "nothing"
    return f"{window_name(window)}: {window['rows']:,} rows, {_latency_text(window['latency_ms'])}; drifted: {drifted}"


def window_name(window: dict[str, Any]) -> str:
    state = "last full window" if window["is_full"] else "window filling"
    return f"{state}, version {window['version']}{' as a shadow' if window['is_shadow'] else ''}"


def _latency_text(latency_ms: dict[str, Any]) -> str:
    """
    >>> _latency_text({"p50": 2.0, "p99": 7.5}), _latency_text({"p50": None, "p99": None})
    ('p50 2 ms, p99 7.5 ms', 'no latencies')
    """
    if latency_ms["p50"] is None:
        return "no latencies"
    return f"p50 {latency_ms['p50']:g} ms, p99 {latency_ms['p99']:g} ms"


def _at(seconds: float) -> str:
    """
    >>> _at(0.5)
    '1970-01-01T00:00:00Z'
    """
    return moment(datetime.fromtimestamp(seconds, UTC).isoformat())
