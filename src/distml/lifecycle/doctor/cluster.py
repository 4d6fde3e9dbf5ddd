"""Asking every node of a cluster, by small tasks that reserve nothing, so that a busy node answers too."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distml.cluster.capacity import Node
from distml.errors import StorageError
from distml.lifecycle.doctor import access, here, places, software
from distml.lifecycle.doctor.check import Check, guarded
from distml.lifecycle.doctor.listeners import of_ray
from distml.lifecycle.doctor.question import Question
from distml.storage import Storage

TIMEOUT_S = 60.0  # a node's first task starts a process and imports what it needs
_HEAD = "node:__internal_head__"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A node to ask: its name in findings, its id, and what Ray was told of it."""

    name: str
    node_id: str
    told: Node
    is_head: bool


def look_at_cluster(question: Question) -> list[Check]:
    """The findings of every node of the cluster that this process has joined, and of the process itself."""
    nodes = alive()
    checks, able = _versions(nodes)
    looked, mute = _each(able, look, lambda node: (question, node))
    checks += [replace(check, node=name) for name, found in looked.items() for check in found] + mute
    reached = [node for node in able if node.name in looked]
    return [
        *checks,
        *guarded("storage", lambda: shared_storage(question.storage, reached)),
        *guarded("dashboard", lambda: access.dashboard(_dashboard())),
        *guarded("job agent", _job_agent),
        *here.command_checks(question, question.storage, in_cluster=True),
    ]


def alive() -> list[Asked]:
    """The cluster's nodes, the head first; those of one address are told apart by their ids."""
    import ray

    known = [node for node in ray.nodes() if node["Alive"]]
    times = Counter(node["NodeManagerAddress"] for node in known)
    asked = []
    for node in sorted(known, key=lambda node: (_HEAD not in node["Resources"], node["NodeID"])):
        address, resources = node["NodeManagerAddress"], node["Resources"]
        name = address if times[address] == 1 else f"{address}#{node['NodeID'][:6]}"
        told = Node(
            name=name,
            cpu=resources.get("CPU", 0),
            gpu=resources.get("GPU", 0),
            object_store=int(resources.get("object_store_memory", 0)),
        )
        asked.append(Asked(name=name, node_id=node["NodeID"], told=told, is_head=_HEAD in resources))
    return asked


def look(question: Question, node: Asked) -> list[Check]:
    """Runs on a node: all that can be seen of it from there."""
    from ray._private.authentication.authentication_utils import is_token_auth_enabled
    from ray._private.worker import _global_node

    session = _global_node.get_session_dir_path()

    def authentication() -> Check:
        known = of_ray(os.path.basename(session), raylet=os.getppid())
        return access.authentication(known, by_token=is_token_auth_enabled())

    return [
        *here.machine_checks(lambda: node.told, session, question.storage),
        *guarded("authentication", authentication),
        *guarded("tokens", lambda: access.tokens(question.auth)),
        *(guarded("endpoint's port", lambda: here.endpoint(question)) if node.is_head else []),
    ]


def shared_storage(root: str | None, nodes: Sequence[Asked]) -> list[Check]:
    """Written by every node and read by every node: a path that is each node's own is found out."""
    if root is None:
        remedy = "name a CONFIG or --storage, to see whether every node reaches it"
        return [Check(name="storage", state="warn", found="none named, so none was looked at", remedy=remedy)]
    folder, marks = places.new_folder(), {node.name: secrets.token_hex(16) for node in nodes}
    try:
        written, unwritten = _each(nodes, write, lambda node: (root, folder, node.name, marks[node.name]))
        writers = [node for node in nodes if not written.get(node.name)]
        refused = [replace(check, node=name) for name, found in written.items() for check in found]
        seen, blind = _each(writers, read, lambda node: (root, folder))
        wrote = {node.name: marks[node.name] for node in writers if node.name in written}
        return [*refused, *unwritten, *blind, *places.shared_findings(root, wrote, seen)]
    finally:
        _each(nodes, clean, lambda node: (root, folder))


def require_shared_storage(root: str) -> None:
    """Raises `StorageError` naming a node that storage is another place for, or none at all."""
    nodes = alive()
    if len(nodes) < 2:
        return
    for check in shared_storage(root, nodes):
        if check.state == "fail":
            raise StorageError(
                "storage is one that every node reaches",
                received=check.found,
                where=f"node {check.node}",
                remedy=check.remedy,
            )


def write(root: str, folder: str, name: str, mark: str) -> list[Check]:
    """Runs on a node; says what hindered it."""

    def put() -> list[Check]:
        places.write_mark(Storage(root), folder, name, mark)
        return []

    return guarded("storage", put)


def read(root: str, folder: str) -> dict[str, str]:
    return places.read_marks(Storage(root), folder)


def clean(root: str, folder: str) -> None:
    places.remove_marks(Storage(root), folder)


def _versions(nodes: Sequence[Asked]) -> tuple[list[Check], list[Asked]]:
    """Each node's versions against this process's, and the nodes that have distml to go on with."""
    tell = software.teller()
    own = tell(software.SAME)
    told, mute = _each(nodes, tell, lambda node: (software.SAME,))
    checks = [replace(software.differences(own, other), node=name) for name, other in told.items()]
    return checks + mute, [node for node in nodes if told.get(node.name, {}).get("distml")]


def _each(
    nodes: Sequence[Asked], function: Callable[..., Any], arguments: Callable[[Asked], tuple[Any, ...]]
) -> tuple[dict[str, Any], list[Check]]:
    """What a function answers on each node, by the node's name, and a finding for each node that didn't answer."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    task = ray.remote(num_cpus=0, max_retries=0)(function)
    refs = {
        node.name: task.options(scheduling_strategy=On(node.node_id, soft=False)).remote(*arguments(node))
        for node in nodes
    }
    ready, _ = ray.wait(list(refs.values()), num_returns=len(refs), timeout=TIMEOUT_S) if refs else ([], [])
    answers: dict[str, Any] = {}
    mute: list[Check] = []
    for name, ref in refs.items():
        if ref not in ready:
            ray.cancel(ref, force=True)
            mute.append(_mute(name, f"no answer in {TIMEOUT_S:g} s"))
            continue
        try:
            answers[name] = ray.get(ref)
        except Exception as error:  # noqa: BLE001 - whatever a node has against a task, the others are asked
            mute.append(_mute(name, str(getattr(error, "cause", None) or error) or type(error).__name__))
    return answers, mute


def _mute(name: str, reason: str) -> Check:
    found = f"it could not be asked: {reason.strip().splitlines()[-1][:200]}"
    remedy = "look at raylet.out under Ray's session folder there, and at `ray status`"
    return Check(name="node", state="fail", found=found, remedy=remedy, node=name)


def _job_agent() -> Check:
    """What starts jobs on the head. Of two clusters on one machine the second has none, and tells the first job so."""
    import ray

    heads = [node for node in ray.nodes() if node["Alive"] and _HEAD in node["Resources"]]
    port = heads[0].get("DashboardAgentListenPort") if heads else None
    if port is None or port > 0:
        return Check(
            name="job agent", state="ok", found="on the head" if port is None else f"on the head's port {port}"
        )
    found = "none on the head: --address and `ray job submit` are answered with an error"
    remedy = "start the head with --dashboard-agent-listen-port PORT: 52365 was taken, as by another cluster's"
    return Check(name="job agent", state="warn", found=found, remedy=remedy)


def _dashboard() -> str | None:
    from ray._private.worker import get_dashboard_url

    return get_dashboard_url()
