"""The command plan: what a run would do, before it does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distml.cli.options import Config, Json, Overrides
from distml.cli.output import begin, result
from distml.wording import duration

if TYPE_CHECKING:
    from distml.cluster.capacity import Capacity
    from distml.lifecycle.plan import Plan


def plan(config: Config, overrides: Overrides = [], json: Json = False) -> None:  # noqa: B006
    """What would run: stages (cached or not), trials, time, memory; refuses what the cluster can never hold."""
    begin(json)
    from distml.cluster import nodes
    from distml.cluster.on_ray import named_cluster
    from distml.config import load_config
    from distml.lifecycle.plan import plan as plan_run

    loaded = load_config(config, overrides)
    with named_cluster() as address:
        capacity = nodes.this_machine() if address is None else nodes.cluster()
    planned = plan_run(loaded, capacity)
    result(_document(planned, address), _text(planned))


def _document(planned: Plan, address: str | None) -> dict[str, Any]:
    from dataclasses import asdict

    config, trials = planned.config, planned.trials
    return {
        "name": config.name,
        "storage": config.storage,
        "cluster": {"address": address, **asdict(planned.capacity)},
        "stages": [asdict(stage) for stage in planned.stages],
        "trials": {
            **asdict(trials),
            "resources": config.search.resources_per_trial.model_dump(),
            "time_budget_s": config.search.time_budget_s,
            "device_hours": config.search.device_hours,
        },
        "replicas": {**config.serve.autoscaling.model_dump(), "num_cpus": config.serve.num_cpus},
        "rows": {name: None if extent is None else asdict(extent) for name, extent in planned.rows.items()},
        "feature_bytes": planned.feature_bytes,
        "seconds": planned.seconds,
        "basis": list(planned.basis),
        "warnings": list(planned.warnings),
    }


def _text(planned: Plan) -> str:
    stages = [[s.stage, s.state, duration(s.seconds), s.note] for s in planned.stages]
    facts = [
        ["cluster", _cluster(planned.capacity)],
        ["trials", _trials(planned)],
        ["serving", _serving(planned)],
        ["rows", ", ".join(f"{extent or 'unknown'} {name}" for name, extent in planned.rows.items())],
        ["features", _features(planned)],
        ["time", _time(planned)],
    ]
    width = max(len(name) for name, _ in facts) + 2
    lines = [f"{planned.config.name} in {planned.config.storage}", "", _left(["stage", "", "time", ""], stages), ""]
    lines += [f"{name:<{width}}{text}" for name, text in facts]
    return "\n".join([*lines, *(f"\nwarning: {text}" for text in planned.warnings)])


def _cluster(capacity: Capacity) -> str:
    """Nodes by what they have, those that may join apart."""
    told = [_nodes(capacity.nodes)]
    if capacity.may_join:
        told.append(f"the autoscaler may add {_nodes(capacity.may_join)}")
    if capacity.grows_unknown:
        told.append("an autoscaler may add more")
    return "; ".join(told)


def _nodes(nodes: Any) -> str:
    from collections import Counter

    kinds: Counter[str] = Counter()
    for node in nodes:
        kinds[f"{node.cpu:g} CPU" + (f" and {node.gpu:g} GPU" if node.gpu else "")] += node.count
    parts = [f"{count:,} node{'s' if count > 1 else ''} with {kind}" for kind, count in kinds.items()]
    return ", ".join(parts) or "no nodes"


def _trials(planned: Plan) -> str:
    trials, search = planned.trials, planned.config.search
    wanted = search.resources_per_trial
    each = f"{wanted.cpu:g} CPU" + (f" and {wanted.gpu:g} GPU" if wanted.gpu else "")
    if not trials.num_left:
        return f"{trials.num_samples}, all ended"
    each = f"{search.workers_per_trial} workers of {each}" if search.workers_per_trial > 1 else each
    left = f", {trials.num_left} left" if trials.num_ended else ""
    budget = f", for at most {duration(search.time_budget_s)}" if search.time_budget_s else ""
    budget += f", at most {search.device_hours:g} device-hours" if search.device_hours else ""
    return f"{trials.num_samples}{left}; {trials.at_once} at once, {each} each{budget}"


def _serving(planned: Plan) -> str:
    serve = planned.config.serve
    least, most = serve.autoscaling.min_replicas, serve.autoscaling.max_replicas
    count = f"{least}" if least == most else f"{least} to {most}"
    return f"with --deploy {count} replica{'s' if most > 1 else ''} of {serve.num_cpus:g} CPU each, on top"


def _features(planned: Plan) -> str:
    from distml.sizes import size

    known = planned.feature_bytes
    if not known:
        return "unknown: the rows can't be told without reading them"
    parts = ", ".join(f"{name} {size(num_bytes)}" for name, num_bytes in known.items())
    at_most = "" if planned.stages[0].state == "cached" else "at most "
    stores = [node.object_store for node in planned.capacity.all if node.object_store]
    return f"{at_most}{size(sum(known.values()))} ({parts})" + (f"; object store {size(min(stores))}" if stores else "")


def _time(planned: Plan) -> str:
    if all(stage.state == "cached" for stage in planned.stages if stage.stage != "gate"):
        return "seconds: all is there"
    if not planned.basis:
        return "unknown: no earlier run"
    whole = "unknown in all" if planned.seconds is None else f"about {duration(planned.seconds)}"
    return f"{whole}, as run {', '.join(planned.basis)} took, by rows and trials"


def _left(head: list[str], rows: list[list[str]]) -> str:
    """A table whose columns all begin at the left."""
    cells = [head, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
