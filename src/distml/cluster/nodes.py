"""The nodes to plan for: this machine as Ray would find it, or the cluster that this process is connected to.

An autoscaler's kinds of node come from the control store where it reports them (managed clusters), else from the file
that the head was started with (`ray up`). One that tells neither (KubeRay's) is known by the nodes that it names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distml.cluster.capacity import Capacity, Node

_UNLIMITED = 100_000  # nodes, where an autoscaler has no limit
_MONITORS = ("autoscaler/_private/monitor.py", "autoscaler/v2/monitor.py")  # the autoscaler's process on a head
_NODE_TYPE = "ray.io/node-group"
_STATUS = b"__autoscaling_status"  # where the autoscaler reports


def this_machine() -> Capacity:
    """What a local cluster would have, found by Ray's own rules (cgroups, CUDA_VISIBLE_DEVICES), no cluster started."""
    from ray._private.resource_and_label_spec import ResourceAndLabelSpec

    found = ResourceAndLabelSpec().resolve(is_head=True, node_ip_address="127.0.0.1")
    return Capacity(nodes=(_node("this machine", found.to_resource_dict()),))


def cluster() -> Capacity:
    """What the cluster has that this process is connected to, and what its autoscaler may add."""
    import ray

    alive = [node for node in ray.nodes() if node["Alive"]]
    nodes = tuple(_node(node["NodeManagerAddress"], node["Resources"]) for node in alive)
    labels = Counter(node["Labels"][_NODE_TYPE] for node in alive if _NODE_TYPE in node["Labels"])
    groups, counts = _reported_groups() or _written_groups(), _status_counts()
    is_managed = bool(counts) or (_is_second_autoscaler() and bool(labels))
    return Capacity(nodes=nodes, may_join=may_join(groups, counts or labels), grows_unknown=is_managed and not groups)


def free() -> tuple[Node, ...]:
    """What nothing has reserved of each node of the cluster that this process is connected to; seconds old at most."""
    import ray
    from ray._private.state import available_resources_per_node

    left = available_resources_per_node()
    alive = [node for node in ray.nodes() if node["Alive"]]
    # A node that has told of nothing yet runs nothing yet.
    return tuple(_node(node["NodeManagerAddress"], left.get(node["NodeID"], node["Resources"])) for node in alive)


def _node(name: str, resources: Mapping[str, float], count: int = 1) -> Node:
    return Node(
        name=name,
        cpu=resources.get("CPU", 0),
        gpu=resources.get("GPU", 0),
        memory=int(resources.get("memory", 0)),
        object_store=int(resources.get("object_store_memory", 0)),
        count=count,
    )


Group = tuple[str, Mapping[str, float], int]  # a kind of node: its name, resources, and most of them, -1 for any number


def may_join(groups: Sequence[Group], present: Mapping[str, int]) -> tuple[Node, ...]:
    """What an autoscaler may add to the nodes of each kind that are present.

    >>> may_join([("small", {"CPU": 4}, 3), ("head", {"CPU": 2}, 1)], {"small": 1, "head": 1})
    (Node(name='small', cpu=4, gpu=0, memory=0, object_store=0, count=2),)
    """
    left = (
        (name, resources, _UNLIMITED if most < 0 else most - present.get(name, 0)) for name, resources, most in groups
    )
    return tuple(_node(name, resources, count) for name, resources, count in left if count > 0)


def _reported_groups() -> list[Group]:
    from ray._private.state import state

    config = state.get_cluster_config()
    return [] if config is None else [(g.name, dict(g.resources), g.max_count) for g in config.node_group_configs]


def _written_groups() -> list[Group]:
    """Of the autoscaler's file, where its process is on this machine."""
    import ray

    address = ray.get_runtime_context().gcs_address
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_text(errors="replace").split("\0")
        except OSError:
            continue  # it ended between listing and reading
        options = dict(argument.partition("=")[::2] for argument in arguments if argument.startswith("--"))
        if any(argument.endswith(_MONITORS) for argument in arguments) and options.get("--gcs-address") == address:
            return groups_of(_read_yaml(process.parent / "cwd", options.get("--autoscaling-config")))
    return []


def groups_of(config: Mapping[str, Any]) -> list[Group]:
    """The kinds of worker in an autoscaler's file; a kind without a number of its own has the cluster's.

    >>> kinds = {"head": {"resources": {"CPU": 0}}, "gpu": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 2}}
    >>> groups_of({"head_node_type": "head", "max_workers": 4, "available_node_types": kinds})
    [('gpu', {'CPU': 8, 'GPU': 1}, 2)]
    """
    kinds = config.get("available_node_types", {})
    most = config.get("max_workers", 2)  # Ray's default
    workers = {name: kind for name, kind in kinds.items() if name != config.get("head_node_type")}
    return [
        (name, kind.get("resources", {}), min(most, kind.get("max_workers", most))) for name, kind in workers.items()
    ]


def _read_yaml(folder: Path, path: str | None) -> Mapping[str, Any]:
    """A file that a process of this folder was given."""
    import yaml

    try:
        return yaml.safe_load((folder / Path(path).expanduser()).read_text("utf-8")) if path else {}
    except (OSError, yaml.YAMLError):
        return {}


def _status_counts() -> dict[str, int]:
    from ray._private.worker import global_worker

    # Not by ray.experimental.internal_kv, whose client doesn't outlive another session of this process.
    text = global_worker.gcs_client.internal_kv_get(_STATUS, None)
    return counts_of(json.loads(text) if text else {})


def counts_of(status: Mapping[str, Any]) -> dict[str, int]:
    """Nodes of each kind that an autoscaler's report counts; without an autoscaler Ray names each node after its id.

    >>> counts_of({"autoscaler_report": {"node_type_mapping": {"10.0.0.1": "node_0f0f", "10.0.0.2": "node_1e1e"}}})
    {}
    >>> counts_of({"autoscaler_report": {"node_type_mapping": {"10.0.0.1": "head", "10.0.0.2": "gpu"}}})
    {'head': 1, 'gpu': 1}
    """
    kinds = (status.get("autoscaler_report", {}).get("node_type_mapping") or {}).values()
    return dict(Counter(kind for kind in kinds if not kind.startswith("node_")))


def _is_second_autoscaler() -> bool:
    """Whether the autoscaler is Ray's newer one, which reports no counts."""
    from ray.autoscaler.v2.utils import is_autoscaler_v2

    return is_autoscaler_v2()
